# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that ends the record.
"""

from trytond.pool import Pool, PoolMeta

from ..outcome import done


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('block', "Block"))

    def execute_block(self, record_activities):
        "Let nothing more happen to the records"
        Record = Pool().get('marketing.automation.record')
        Record.end(
            {r.record.id for r in record_activities}, 'blocked_activity',
            blocked=True)
        return {r.id: done() for r in record_activities}
