# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt

from trytond.model import fields
from trytond.modules.marketing_automation.outcome import done, skipped
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    loan_days = fields.Integer(
        "Days",
        states={
            'invisible': Eval('action') != 'extend_loan',
            'required': Eval('action') == 'extend_loan',
            })

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('extend_loan', "Extend Loan"))

    def execute_extend_loan(self, record_activities):
        Loan = Pool().get('library.loan')
        outcomes, loans = {}, []
        for record_activity in record_activities:
            loan = record_activity.record.record
            if loan.returned:
                outcomes[record_activity.id] = skipped('loan_returned')
            else:
                loan = Loan(loan.id)
                loan.due += dt.timedelta(days=self.loan_days)
                loans.append(loan)
                outcomes[record_activity.id] = done()
        Loan.save(loans)
        return outcomes


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.reason.selection.append(('loan_returned', "Book returned"))
