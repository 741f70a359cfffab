# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Plan of the children of what is done.
"""

import datetime as dt
from functools import partial

from sql import Conflict, From, Literal
from sql.conditionals import Case, Coalesce, NullIf
from sql.functions import CurrentTimestamp

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.sql import scalar_subquery

# Each has some parameters, of which a statement has a limited number
_SLICE = 2000
# What is known of a row that is planned
_PLANNED = [
    'record', 'activity', 'test', 'at', 'state', 'reason', 'ended_at',
    'expire_at']


class RecordActivityPlan:
    "Children of the record activities that are done"
    __slots__ = ()

    @classmethod
    def follow(cls, activity, ids=None, claim=None):
        """
        Plan the children of what is done and return the set of the records
        (ids).

        The records that ended meanwhile have them only to show why not.

        :param ids: the list of what is done, or
        :param claim: the number of the claim on it, which lets it go.
        """
        if not (ids or claim):
            return set()
        is_done = partial(cls._is_done, ids=ids, claim=claim)
        rows = cls._rows_done(is_done)
        if not rows:
            return set()
        for child in activity.active_children:
            special = cls._special_rows(child, rows)
            cls._plan_rows(special)
            if len(special) < len(rows):
                cls._plan_others(child, is_done, {r[3] for r in rows})
        records = {row[1] for row in rows}
        cls._cancel_opposites(activity, sorted(records))
        if claim:
            cls._update([row[0] for row in rows], {
                    'claim': None, 'claimed_at': None})
        return records

    @classmethod
    def _rows_done(cls, is_done):
        """
        Return the id, record, test, end and the reason why the record has
        ended of each that is done.

        :param is_done: a function of the table that returns the SQL clause.
        """
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.record, table.test, table.ended_at,
                scalar_subquery(
                    record, cls._end_of(record), record.id == table.record),
                where=is_done(table)))
        return cursor.fetchall()

    @classmethod
    def _is_done(cls, table, ids=None, claim=None):
        if claim:
            is_one = table.claim == claim
        else:
            is_one = fields.SQL_OPERATORS['in'](table.id, ids)
        return is_one & (table.state == 'done')

    @classmethod
    def _end_of(cls, record):
        "Return the SQL of the reason for which the record is not executed"
        return Coalesce(NullIf(record.end_reason, 'completed'), Case(
                (record.blocked == Literal(True), 'blocked')))

    @classmethod
    def _special_rows(cls, child, rows):
        "Return the rows to plan the child of the records with a past"
        rows = [row[1:] for row in rows]
        happened, resolved = cls._past(child, rows)
        return cls._first_rows(child, [
                row for row in rows
                if row[-1] or row[0] in happened or row[0] in resolved],
            dt.datetime.now().replace(microsecond=0), (happened, resolved))

    @classmethod
    def _past(cls, activity, rows):
        """
        Return the dictionaries of the times of the event and of the reasons
        why the activity waits in vain, by record.
        """
        if not activity.event:
            return {}, {}
        records = [row[0] for row in rows]
        return (
            cls.event_times(activity, records),
            cls.resolved(activity, records))

    @classmethod
    def _first_rows(cls, activity, rows, now, past=None):
        """
        Return the rows to plan the activity, as `_plan_rows` expects them.

        :param rows: for each record its id, whether it is a test, when its
            delay starts, and why nothing more happens to it.
        """
        happened, resolved = past or cls._past(activity, rows)
        planned = []
        for record, test, start, end_reason in rows:
            at, *state = cls._first_state(
                activity, start, happened.get(record))
            waits = state[0] == 'waiting'
            if waits and record in resolved and (
                    activity.negative or not at):
                state = ['cancelled', resolved[record], now]
            elif (waits and end_reason
                    and not activity.survives(end_reason)):
                state = ['cancelled', end_reason, now]
            planned.append([
                    record, activity.id, test, at, *state,
                    activity.expires_at(at, start)])
        return planned

    @classmethod
    def _first_state(cls, child, ended_at, event_at):
        """
        Return the date, state, reason and end of a new child.

        :param event_at: when its event has already happened.
        """
        if not child.event:
            return child.planned_at(ended_at), 'waiting', None, None
        if not child.negative:
            return child.planned_at(event_at), 'waiting', None, None
        elif event_at:
            return (
                child.planned_at(ended_at), 'cancelled', 'opposite', event_at)
        return child.planned_at(ended_at), 'waiting', None, None

    @classmethod
    def _plan_rows(cls, rows):
        """
        Insert the rows of record, activity, test, date, state, reason, end
        and expiry.
        """
        for sub_rows in grouped_slice(rows, _SLICE):
            cls._insert_rows(_PLANNED, list(sub_rows))

    @classmethod
    def _insert_rows(cls, names, rows):
        """
        Insert planned rows and return their number.

        :param names: the columns of the rows; those that are alike for all
            new rows are added.
        """
        table = cls.__table__()
        names = [
            *names, 'email_opened', 'email_clicked', 'attempts', 'create_uid',
            'create_date']
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.insert(
                [getattr(table, n) for n in names],
                [[*row, False, False, 0, 0, CurrentTimestamp()]
                    for row in rows],
                on_conflict=Conflict(
                    table, indexed_columns=[table.activity, table.record])))
        return cursor.rowcount

    @classmethod
    def _plan_others(cls, child, is_done, times):
        """
        Insert the child of what is done for those which do not have it yet.

        :param is_done: a function of the table that returns the SQL clause.
        :param times: the set of when they were done, which the dates depend
            on.
        """
        parent = cls.__table__()
        planned = {
            t: cls._first_state(child, t, None)[0] for t in sorted(times)}
        cls._insert_planned(child, {
                'record': parent.record,
                'activity': Literal(child.id),
                'test': parent.test,
                'at': _by_time(parent.ended_at, planned),
                'state': Literal('waiting'),
                'expire_at': _by_time(parent.ended_at, {
                        t: child.expires_at(at, t)
                        for t, at in planned.items()}),
                }, From([parent]), is_done(parent))

    @classmethod
    def _cancel_opposites(cls, activity, records):
        """
        Cancel for the records what waits for the opposite of the executed
        activity.
        """
        opposites = activity.opposites
        if not opposites:
            return
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        in_ = fields.SQL_OPERATORS['in']
        cursor.execute(*table.update(
                [table.state, table.reason, table.ended_at],
                ['cancelled', 'opposite',
                    dt.datetime.now().replace(microsecond=0)],
                where=(table.state == 'waiting')
                & in_(table.activity, [a.id for a in opposites])
                & in_(table.record, records)))


def _by_time(column, values):
    "Return the SQL of the value by the time in the column"
    if len(set(values.values())) > 1:
        return Case(*((column == t, v) for t, v in values.items()))
    value, = set(values.values())
    return Literal(value)
