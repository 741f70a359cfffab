# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
State of a record: running, completed or ended otherwise.

A record is completed when nothing more of it is to come.  That closes no
gate: an event that comes late lets it go on.
"""

import datetime as dt

from sql import Literal, Null
from sql.conditionals import Case

import trytond.config as config
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.orm import clear_cache
from ..common.sql import SLICE, exists_by_index, write_rows
from ..common.transaction import run_with_retry

# The state of what ended for a reason, that of any other is blocked
_STATES = {
    'completed': 'completed',
    'converted': 'converted',
    'left': 'left',
    'removed': 'removed',
    'target_deleted': 'removed',
    'target_inactive': 'removed',
    'party_inactive': 'removed',
    'erased': 'removed',
    'stopped': 'stopped',
    }


def completion_days():
    return max(config.getint('marketing', 'completion_days', default=30), 0)


class RecordComplete:
    "State of records, and their completion"
    __slots__ = ()

    state = fields.Function(
        fields.Selection([
                ('running', "Running"),
                ('completed', "Completed"),
                ('converted', "Converted"),
                ('left', "Left"),
                ('blocked', "Blocked"),
                ('removed', "Removed"),
                ('stopped', "Stopped"),
                ], "State", sort=False),
        'get_state', searcher='search_state')

    def get_state(self, name):
        if self.end_reason:
            return self._states().get(self.end_reason, 'blocked')
        # Those of the former module have no reason
        return 'blocked' if self.blocked else 'running'

    @classmethod
    def search_state(cls, name, clause):
        table = cls.__table__()
        Operator = fields.SQL_OPERATORS[clause[1]]
        return [('id', 'in', table.select(
                    table.id,
                    where=Operator(cls.sql_state(table), clause[2])))]

    @classmethod
    def order_state(cls, tables):
        table, _ = tables[None]
        return [cls.sql_state(table)]

    @classmethod
    def _states(cls):
        """
        Return the dictionary of the state by the reason of the end.

        What ended for any other reason is blocked.
        """
        return dict(_STATES)

    @classmethod
    def sql_state(cls, table):
        "Return the SQL expression of the state"
        return Case(
            *((table.end_reason == r, s) for r, s in cls._states().items()),
            (table.end_reason != Null, 'blocked'),
            (table.blocked == Literal(True), 'blocked'),
            else_='running')

    # Complete

    @classmethod
    def complete(cls, ids, now=None):
        """
        Complete the records (ids) for which nothing more is to come.

        What waits for its event since more than `[marketing] completion_days`
        days is not expected any more.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        now = (now or dt.datetime.now()).replace(microsecond=0)
        since = now - dt.timedelta(days=completion_days())
        count = 0
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            table, expected = cls.__table__(), RecordActivity.__table__()
            is_over = (
                fields.SQL_OPERATORS['in'](table.id, list(sub_ids))
                & cls.is_active(table)
                & ~exists_by_index(
                    expected,
                    (expected.record == table.id)
                    & RecordActivity.is_expected(expected, since)))
            count += cls._write(
                table, is_over, {'end_reason': 'completed', 'ended_at': now})
        if count:
            clear_cache(cls)
        return count

    @classmethod
    def _write(cls, table, where, values):
        """
        Write the values, a dictionary by name, on the rows of the table that
        fulfill the clause, and return their number.

        An extension may add values and narrow the clause.
        """
        return write_rows(table, where, values)

    @classmethod
    def complete_all(cls):
        """
        Complete all records for which nothing more is to come.

        It is called by cron and commits: what ends is completed at once, but
        nothing happens when an event is not expected any more.
        """
        last_id = 0
        while True:
            ids = run_with_retry(lambda: cls._complete_next(last_id))
            if not ids:
                break
            last_id = ids[-1]

    @classmethod
    def _complete_next(cls, last_id):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.id,
                where=(table.id > last_id) & cls.is_active(table),
                order_by=[table.id.asc], limit=SLICE))
        ids = [id_ for id_, in cursor]
        cls.complete(ids)
        return ids

    @classmethod
    def reopen(cls, ids):
        "Reopen the completed records (ids) of which something is to come."
        RecordActivity = Pool().get('marketing.automation.record.activity')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        count = 0
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            expected = RecordActivity.__table__()
            cursor.execute(*table.update(
                    [table.end_reason, table.ended_at], [Null, Null],
                    where=fields.SQL_OPERATORS['in'](table.id, list(sub_ids))
                    & (table.end_reason == 'completed')
                    & exists_by_index(
                        expected,
                        (expected.record == table.id)
                        & (expected.state == 'waiting'))))
            count += cursor.rowcount
        if count:
            clear_cache(cls)
        return count
