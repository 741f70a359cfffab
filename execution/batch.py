# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
SQL of a batch of record activities: due, claimed, stored, released.
"""

from sql import Literal
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp
from sql.operators import Exists

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.orm import clear_cache
from ..common.sql import (
    SLICE, cached_query, in_keys, inline, scalar_subquery, values_table,
    write_rows)
from ..common.text import storable
from ..common.transaction import autocommit
from .retry import retry_delay

# The steps of `RecordActivity.store` after it has written, in their order: a
# record is completed only when the children of a bounce are planned
STORED = ['mail', 'sms', 'completion']


class RecordActivityBatch:
    "Record activities of a batch, read and written many at once"
    __slots__ = ()

    # Due

    @classmethod
    def _is_due(cls, table, activity, now):
        return (
            (table.activity == activity)
            & (table.state == inline('waiting'))
            & (table.at <= now)
            # Tests are executed by hand
            & (table.test == inline(False)))

    @classmethod
    def _is_claimed(cls, table):
        # Without statistics PostgreSQL expects that all have a claim, but few
        # to be between two numbers, and uses the index
        return (table.claim > inline(0)) & (
            table.claim <= inline(2 ** 31 - 1))

    @classmethod
    def _first_due(cls, table, activity, now):
        "Return the query of 1 if something is due for the activity"
        # The order is the one of an index: without it, or with an EXISTS,
        # PostgreSQL may read the whole table
        return table.select(
            Literal(1), where=cls._is_due(table, activity, now),
            order_by=[table.at.asc, table.id.asc], limit=1)

    @classmethod
    def due_activities(cls, now, parent=None):
        """
        Return the activities of running scenarios that have something due,
        and those for which a process works or has left something behind,
        among the children of the parent if given.
        """
        Activity = Pool().get('marketing.automation.activity')
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._due_activities(
                now=now,
                parent=f'{Activity.__name__},{parent}' if parent else None))
        return Activity.browse([id_ for id_, in cursor])

    @cached_query
    def _due_activities(cls, now, parent):
        pool = Pool()
        activity = pool.get('marketing.automation.activity').__table__()
        scenario = pool.get('marketing.automation.scenario').__table__()
        due = cls.__table__()
        claimed = cls.__table__()

        any_due = Coalesce(cls._first_due(due, activity.id, now), 0)
        where = (
            ((scenario.state == 'running')
                & (scenario.active == Literal(True))
                & (any_due == 1))
            | activity.id.in_(claimed.select(
                    claimed.activity, where=cls._is_claimed(claimed))))
        if parent is not None:
            where &= activity.parent == parent
        return activity.join(
            scenario, condition=activity.scenario == scenario.id
            ).select(activity.id, where=where, order_by=[activity.id])

    @classmethod
    def is_running(cls, activity):
        "Return if the scenario of the activity (id) still runs"
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._running(activity))
        return bool(cursor.fetchone())

    @classmethod
    def _running(cls, activity):
        "Return the query of 1 if the scenario of the activity (id) runs"
        pool = Pool()
        activities = pool.get('marketing.automation.activity').__table__()
        scenario = pool.get('marketing.automation.scenario').__table__()
        return activities.join(
            scenario, condition=activities.scenario == scenario.id
            ).select(
                Literal(1),
                where=(activities.id == activity)
                & (scenario.state == 'running')
                & (scenario.active == Literal(True)))

    @classmethod
    def has_due(cls, activity, now):
        "Return if something is due for the activity (id)"
        query = cls._first_due(cls.__table__(), activity, now)
        query.where &= Exists(cls._running(activity))
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        return bool(cursor.fetchone())

    @classmethod
    def due(cls, activity, now, limit):
        "Return the ids, at most limit, of what is due and of nobody else"
        table = cls.__table__()
        return cls._lock(table.select(
                table.id,
                where=cls._is_due(table, activity, now)
                & Exists(cls._running(activity)),
                order_by=[table.at.asc, table.id.asc],
                limit=limit))

    @classmethod
    def lock_waiting(cls, ids):
        "Return those of the ids which still wait, locked"
        table = cls.__table__()
        return cls._lock(table.select(
                table.id,
                where=fields.SQL_OPERATORS['in'](table.id, ids)
                & (table.state == 'waiting'),
                order_by=[table.at.asc, table.id.asc]))

    @classmethod
    def _lock(cls, query):
        "Return the ids of the query that nobody else has locked"
        transaction = Transaction()
        database = transaction.database
        cursor = transaction.connection.cursor()
        if database.has_select_for():
            For = database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        else:
            # SQLite has one writer at a time: become it before reading
            table = cls.__table__()
            cursor.execute(*table.update(
                    [table.claim], [table.claim], where=table.id == -1))
        cursor.execute(*query)
        return [id_ for id_, in cursor]

    @classmethod
    def claims(cls, activity):
        "Return the dictionary of the time of each claim on the activity"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.claim, table.claimed_at,
                where=(table.activity == activity) & cls._is_claimed(table),
                group_by=[table.claim, table.claimed_at]))
        return dict(cursor.fetchall())

    @classmethod
    def targets(cls, ids):
        "Return the id, the record's id and the target (as text) of each"
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.record,
                scalar_subquery(
                    record, record.record, record.id == table.record),
                where=fields.SQL_OPERATORS['in'](table.id, ids),
                order_by=[table.id]))
        return cursor.fetchall()

    # Outcomes

    @property
    def is_retryable(self):
        "Whether another try may succeed"
        return self.state == 'failed' or (
            self.state == 'skipped'
            and self.reason in self._retryable_reasons())

    @classmethod
    def store(cls, outcomes, now, number=None, handed_over=False):
        """
        Write the outcomes, a dictionary by id, and return how many were.

        What is done keeps the number of the claim until its children are
        planned.  What was handed over is only written as long as the claim
        has it: meanwhile it may have been taken away, by an erasure.

        The method `_stored_<step>(outcomes, now, handed_over)` is called for
        each step of `STORED`; the last argument is whether what was handed
        over has been written.
        """
        now = now.replace(microsecond=0)
        count = cls._write_outcomes(outcomes, now, number, handed_over)
        for step in STORED:
            getattr(cls, f'_stored_{step}')(
                outcomes, now, handed_over and bool(count))
        return count

    @classmethod
    def _write_outcomes(cls, outcomes, now, number, handed_over):
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        claim = number if handed_over else None
        count = 0
        groups = {}
        for id_, outcome in outcomes.items():
            groups.setdefault(outcome, []).append(id_)
        ended = {}
        for outcome, ids in groups.items():
            if outcome.state == 'waiting':
                if outcome.at:
                    count += cls._store_until(ids, outcome, claim)
                else:
                    count += cls._store_postponed(ids, outcome, now, claim)
                continue
            written = cls._update(ids, {
                    'state': outcome.state,
                    'reason': outcome.reason,
                    'detail': storable(outcome.detail),
                    'ended_at': now,
                    'claim': number if outcome.state == 'done' else None,
                    'claimed_at': (
                        now if number and outcome.state == 'done' else None),
                    }, claim)
            count += written
            if written and outcome.reason in cls._final_reasons():
                ended.setdefault(outcome.reason, []).extend(ids)
        for reason, ids in ended.items():
            Record.end(
                {r.record.id for r in cls.browse(ids)}, reason,
                blocked=reason in {'unsubscribed', 'no_marketing'})
        return count

    @classmethod
    def store_done(cls, id_, now, number):
        """
        Write durably that what the claim has handed over is done, if it still
        has it, and return if so.

        It is what happens most, so it is one statement that needs neither
        begin nor commit.
        """
        query = cls._done_query(
            id_=id_, claim=number, at=now.replace(microsecond=0))
        with autocommit():
            cursor = Transaction().connection.cursor()
            cursor.execute(*query)
            return bool(cursor.rowcount)

    @cached_query
    def _done_query(cls, id_, claim, at):
        table = cls.__table__()
        values = {
            'state': 'done',
            'reason': None,
            'detail': None,
            'ended_at': at,
            'claimed_at': at,
            }
        return table.update(
            [getattr(table, n) for n in values], list(values.values()),
            where=(table.id == id_) & (table.claim == claim)
            & (table.state == 'sending'))

    @classmethod
    def _final_reasons(cls):
        "Return the set of the reasons that end the record as a whole"
        return {
            'blocked', 'target_deleted', 'target_inactive',
            'party_inactive', 'unsubscribed', 'no_marketing'}

    @classmethod
    def _store_until(cls, ids, outcome, claim):
        return cls._update(ids, {
                'state': 'waiting',
                'reason': outcome.reason,
                'detail': storable(outcome.detail),
                'at': outcome.at.replace(microsecond=0),
                'claim': None,
                'claimed_at': None,
                }, claim)

    @classmethod
    def _store_postponed(cls, ids, outcome, now, claim):
        count = 0
        for record_activity in cls.browse(ids):
            attempts = (record_activity.attempts or 0) + 1
            delay = retry_delay(attempts)
            if delay is None:
                values = {
                    'state': 'failed',
                    'reason': 'given_up',
                    'ended_at': now,
                    }
            else:
                values = {
                    'state': 'waiting',
                    'reason': outcome.reason,
                    'at': now + max(delay, outcome.delay or delay),
                    }
            count += cls._update([record_activity.id], {
                    **values,
                    'detail': storable(outcome.detail),
                    'attempts': attempts,
                    'claim': None,
                    'claimed_at': None,
                    }, claim)
        return count

    @classmethod
    def _change(cls, record_activities, states, values):
        """
        Write the values on those which are still in one of the states.

        On SQLite another process may have executed them since they were read.
        """
        transaction = Transaction()
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        values = {
            **values,
            'write_uid': transaction.user,
            'write_date': CurrentTimestamp(),
            }
        ids = [r.id for r in record_activities]
        for sub_ids in grouped_slice(ids, SLICE):
            transaction.connection.cursor().execute(*table.update(
                    [getattr(table, n) for n in values],
                    list(values.values()),
                    where=in_(table.id, list(sub_ids))
                    & in_(table.state, states)))
        clear_cache(cls)

    @classmethod
    def _update(cls, ids, values, claim=None):
        """
        Write the values and return the number of rows.

        With a claim only what it is sending is written.
        """
        table = cls.__table__()
        count = 0
        for sub_ids in grouped_slice(ids, SLICE):
            where = fields.SQL_OPERATORS['in'](table.id, list(sub_ids))
            if claim is not None:
                where &= (table.claim == claim) & (table.state == 'sending')
            count += write_rows(table, where, values)
        return count

    @classmethod
    def store_sending(cls, messages, now, number):
        "Claim the messages, a dictionary by id, with their Message-ID"
        if not messages:
            return
        table = cls.__table__()
        known = {i: cls._sending_values(m) for i, m in messages.items()}
        names = list(next(iter(known.values())))
        values = values_table(
            [[i, *row.values()] for i, row in known.items()],
            [cls._fields[n].sql_type().base for n in ['id', *names]])
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.update(
                [table.state, table.claim, table.claimed_at,
                    *(getattr(table, n) for n in names)],
                ['sending', number, now.replace(microsecond=0),
                    *(getattr(values, f'column{i}')
                        for i, _ in enumerate(names, 2))],
                from_=[values],
                where=in_keys(table.id, values.column1, list(known))))

    @classmethod
    def _sending_values(cls, message):
        """
        Return a dictionary of what is known of the message before its
        hand-over.

        It has the same names for all the messages of an action.
        """
        return {'message_id': message.message_id}

    @classmethod
    def give_back(cls, numbers):
        "Release what the claims have not handed over: it waits again"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        where = (
            fields.SQL_OPERATORS['in'](table.claim, list(numbers))
            & (table.state == 'sending'))
        cursor.execute(*table.select(table.id, where=where))
        ids = [id_ for id_, in cursor]
        if ids:
            cls._update(ids, {
                    'state': 'waiting', 'claim': None, 'claimed_at': None})
        return ids
