# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.model import ModelSQL, ModelView, fields


class Loan(ModelSQL, ModelView):
    __name__ = 'library.loan'
    _rec_name = 'book'

    book = fields.Char("Book", required=True)
    reader = fields.Many2One('party.party', "Reader", required=True)
    due = fields.Date("Due", required=True)
    returned = fields.Boolean("Returned")
