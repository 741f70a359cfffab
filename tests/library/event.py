# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    @classmethod
    def _parent_action_events(cls):
        events = super()._parent_action_events()
        events.setdefault('extend_loan', []).append('book_returned')
        return events

    @classmethod
    def _event_names(cls):
        return {
            **super()._event_names(),
            'book_returned': (
                gettext('library.msg_book_returned'),
                gettext('library.msg_book_returned_not')),
            }


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    book_returned = fields.Boolean("Book Returned", readonly=True)
    book_returned_at = fields.DateTime("Book Returned at", readonly=True)


class Loan(metaclass=PoolMeta):
    __name__ = 'library.loan'

    @classmethod
    def on_modification(cls, mode, loans, field_names=None):
        super().on_modification(mode, loans, field_names=field_names)
        if mode == 'write' and 'returned' in field_names:
            cls._tell_returned([loan for loan in loans if loan.returned])

    @classmethod
    def _tell_returned(cls, loans):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        now = dt.datetime.now()
        RecordActivity.apply_events([
                (record_activity.id, 'book_returned', now)
                for record_activity in RecordActivity.search([
                        ('activity.action', '=', 'extend_loan'),
                        ('record.record', 'in', [str(loan) for loan in loans]),
                        ])])
