# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What comes next for the records.
"""

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

_SLICE = 500
_COLUMNS = {'next_activity': 'activity', 'next_at': 'at'}


class Record(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'

    _states = {
        'invisible': ~Eval('next_activity'),
        }

    next_activity = fields.Function(
        fields.Many2One(
            'marketing.automation.activity', "Next Activity", states=_states,
            help="What is planned first; if nothing has a date, what waits "
            "for its event."),
        'get_next')
    next_at = fields.Function(
        fields.DateTime(
            "Next at", states=_states,
            help="When the next activity is due.\n"
            "Empty as long as its event has not happened."),
        'get_next')

    del _states

    @classmethod
    def get_next(cls, records, names):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        table = RecordActivity.__table__()
        cursor = Transaction().connection.cursor()
        result = {n: dict.fromkeys(map(int, records)) for n in names}
        for sub_records in grouped_slice(records, _SLICE):
            # What comes first is read last
            cursor.execute(*table.select(
                    table.record,
                    *[getattr(table, _COLUMNS[n]) for n in names],
                    where=fields.SQL_OPERATORS['in'](
                        table.record, [r.id for r in sub_records])
                    & table.state.in_(['waiting', 'sending']),
                    order_by=[table.at.desc.nulls_first, table.id.desc]))
            for record, *values in cursor:
                for name, value in zip(names, values):
                    result[name][record] = value
        return result
