# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Events of record activities, applied many at once.
"""

from collections import defaultdict

from sql import Literal, Null
from sql.conditionals import Coalesce

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.orm import clear_cache
from ..common.sql import SLICE, cached_query, in_keys, values_table


class RecordActivityEvent:
    "Events that happened to record activities, and what they date or cancel"
    __slots__ = ()

    email_opened_raw = fields.Boolean(
        "E-Mail Opened (Raw)", readonly=True,
        help="Checked when the e-mail was opened by anyone, also by a "
        "machine.")
    email_clicked_raw = fields.Boolean(
        "E-Mail Clicked (Raw)", readonly=True,
        help="Checked when the e-mail was clicked by anyone, also by a "
        "machine.")

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        # Migration from the module of the Tryton project: only the opposite
        # cancelled, without a reason
        pool = Pool()
        activity = pool.get('marketing.automation.activity').__table__()
        table = cls.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.reason], ['opposite'],
                where=(table.state == 'cancelled')
                & (table.reason == Null)
                & table.activity.in_(activity.select(
                        activity.id, where=activity.event != Null))))

    @classmethod
    def delivered(cls, ids):
        "Return a dictionary of the time of the delivery by id"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.ended_at,
                where=fields.SQL_OPERATORS['in'](table.id, sorted(ids))
                & (table.state == 'done')
                & (table.ended_at != Null)))
        return dict(cursor.fetchall())

    @classmethod
    def _implied_events(cls):
        "Return a dictionary of the set of events that each event implies"
        return {
            'email_clicked': {'email_opened'},
            }

    @classmethod
    def _resolving_events(cls):
        """
        Return a dictionary of the reason by the event after which no other
        event is to be expected.

        Such an event cancels for that reason the children which wait for
        another event that has not happened, or for its absence.  What happens
        nevertheless later is noted but comes too late for them; what happened
        before is not undone.
        """
        return {}

    @classmethod
    def _with_implied(cls, event):
        "Return the set of the event and all that it implies"
        implied, events = cls._implied_events(), set()
        todo = {event}
        while todo:
            events |= todo
            todo = {
                i for e in todo for i in implied.get(e, set())} - events
        return events

    @classmethod
    def apply_events(cls, events):
        """
        Apply the events: tuples of the record activity's id, the name of the
        event, the time and, for an event that is about something, its
        subject (for a certain link the id of the link).

        The first time an event happens it dates the children that wait for
        it and cancels those that wait for the opposite; later it has no
        effect.
        """
        first = defaultdict(dict)
        for id_, event, at, *subject in events:
            for name in cls._with_implied(event):
                key = (id_, *(subject if name == event else []))
                first[name][key] = min(at, first[name].get(key, at))
        resolving = cls._resolving_events()
        # What happened before is not undone
        for event in sorted(first, key=lambda e: (e in resolving, e)):
            for keys in grouped_slice(sorted(first[event]), SLICE):
                cls._apply_event(event, {k: first[event][k] for k in keys})

    @classmethod
    def _apply_event(cls, event, times):
        """
        Apply the event to the dictionary of times by the id of the record
        activity and, if any, the subject.
        """
        rows = cls._happen(event, times)
        if not rows:
            return
        reason = cls._resolving_events().get(event)
        children = cls._event_children(
            {a for _, a, _, _ in rows}, None if reason else event)
        cls._wake(event, rows, children)
        waiting = {
            (child.id, subject)
            for activity, subject in {(a, s) for _, a, s, _ in rows}
            for child in children.get(activity, [])
            if child.waits_for(event, subject)}
        dates, opposites, resolved, awaiting = [], [], [], []
        for record, activity, subject, at in rows:
            for child in children.get(activity, []):
                if (child.id, subject) in waiting:
                    if child.negative:
                        opposites.append([record, child.id, at])
                    else:
                        dates.append([record, child.id, child.planned_at(at)])
                elif reason and child.event and child.event != event:
                    if child.negative:
                        resolved.append([record, child.id, at])
                    else:
                        awaiting.append([record, child.id, at])
        cls._date(dates)
        cls._cancel(opposites, 'opposite')
        cls._cancel(resolved, reason)
        cls._cancel(awaiting, reason, undated=True)
        clear_cache(cls)

    @classmethod
    def refused(cls, ids, event, at):
        """
        Apply the event to the record activities (ids) which the other side has
        refused.

        It is not done, so of its children only those that wait for the event,
        not for its absence, are planned.
        """
        if not ids:
            return
        Record = Pool().get('marketing.automation.record')
        cls._update(ids, {event: True, f'{event}_at': at})
        clear_cache(cls)
        table = Record.__table__()
        for record_activity in cls.browse(ids):
            for child in record_activity.activity.active_children:
                if child.waits_for(event) and not child.negative:
                    cls.plan(
                        child, table.select(
                            table.id,
                            where=table.id == record_activity.record.id),
                        child.planned_at(at))

    @classmethod
    def _wake(cls, event, rows, children):
        """
        Let what ended by the event wait for it again.

        :param rows: what `_happen` returned.
        :param children: what `_event_children` returned for them.
        """

    @classmethod
    def _event_children(cls, ids, event=None):
        """
        Return a dictionary of the children by the id of the activity, for
        those with children that wait for the event, or for any.
        """
        Activity = Pool().get('marketing.automation.activity')
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._parents(
                ids=[f'{Activity.__name__},{i}' for i in sorted(ids)],
                event=event))
        parents = {int(parent.split(',')[1]) for parent, in cursor}
        return {
            a.id: a.active_children
            for a in Activity.browse(sorted(parents))}

    @cached_query
    def _parents(cls, ids, event):
        table = Pool().get('marketing.automation.activity').__table__()
        return table.select(
            table.parent,
            where=(table.event == event if event else table.event != Null)
            & fields.SQL_OPERATORS['in'](table.parent, ids))

    @classmethod
    def _happen(cls, event, times):
        """
        Note the event and return the list of the record, the activity, the
        subject (None if there is none) and the time where it is new.

        :param times: see `_apply_event`.
        """
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        times = {
            id_: at.replace(microsecond=0) for (id_, *_), at in times.items()}
        new, has_returning = [], transaction.database.has_returning()
        if not has_returning:
            cursor.execute(*cls._without_event(event, ids=list(times)))
            new = cursor.fetchall()
            times = {id_: times[id_] for id_, _, _ in new}
        if times:
            cursor.execute(*cls._with_event(
                    event, has_returning, rows=list(map(list, times.items()))))
            if has_returning:
                new = cursor.fetchall()
        return [
            (record, activity, None, times[id_])
            for id_, record, activity in new]

    @cached_query
    def _without_event(cls, event, ids):
        table = cls.__table__()
        return table.select(
            table.id, table.record, table.activity,
            where=fields.SQL_OPERATORS['in'](table.id, ids)
            & cls._is_without(table, event))

    @cached_query
    def _with_event(cls, event, has_returning, rows):
        table = cls.__table__()
        values = values_table(rows, ['INTEGER', 'TIMESTAMP'])
        return table.update(
            [getattr(table, event), getattr(table, f'{event}_at')],
            [True, values.column2],
            from_=[values],
            where=in_keys(
                table.id, values.column1, [id_ for id_, _ in rows])
            & cls._is_without(table, event),
            returning=(
                [table.id, table.record, table.activity]
                if has_returning else None))

    @classmethod
    def _is_without(cls, table, event):
        return (
            table.state.in_(['sending', 'done'])
            # The rows of before the event existed have no value
            & (Coalesce(getattr(table, event), Literal(False))
                == Literal(False)))

    @classmethod
    def event_times(cls, activity, records):
        """
        Return a dictionary of the time when the event of the activity
        happened to its parent by the record (ids).

        The time is None where only is known that it happened.
        """
        return cls._times_of(activity.event, activity, records)

    @classmethod
    def _times_of(cls, event, activity, records):
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        in_ = fields.SQL_OPERATORS['in']
        cursor.execute(*table.select(
                table.record, getattr(table, f'{event}_at'),
                where=(table.activity == activity.parent.id)
                & in_(table.record, list(records))
                & in_(table.state, ['sending', 'done'])
                & (getattr(table, event) == Literal(True))))
        return dict(cursor.fetchall())

    @classmethod
    def resolved(cls, activity, records):
        """
        Return a dictionary by record (ids) of the reason for which the
        activity waits in vain: its parent had an event that resolves the
        others.
        """
        reasons = {}
        resolving = cls._resolving_events()
        if not activity.event or activity.event in resolving:
            return reasons
        events = activity._parent_action_events().get(
            activity.parent_action, [])
        for event, reason in resolving.items():
            if event in events:
                reasons.update(dict.fromkeys(
                        cls._times_of(event, activity, records), reason))
        return reasons

    @classmethod
    def _date(cls, rows):
        "Give what waits its date: rows of record, activity and date"
        table = cls.__table__()
        if rows:
            values = values_table(rows, ['INTEGER', 'INTEGER', 'TIMESTAMP'])
            Transaction().connection.cursor().execute(*table.update(
                    [table.at], [values.column3],
                    from_=[values],
                    where=cls._waits_for(table, values, rows)
                    & (table.at == Null)))

    @classmethod
    def _cancel(cls, rows, reason, undated=False):
        """
        Cancel for the reason what waits: rows of record, activity and time;
        only what has no date if asked for.
        """
        table = cls.__table__()
        if rows:
            values = values_table(rows, ['INTEGER', 'INTEGER', 'TIMESTAMP'])
            where = cls._waits_for(table, values, rows)
            if undated:
                where &= table.at == Null
            Transaction().connection.cursor().execute(*table.update(
                    [table.state, table.reason, table.ended_at],
                    ['cancelled', reason, values.column3],
                    from_=[values],
                    where=where))

    @classmethod
    def _waits_for(cls, table, values, rows):
        return (
            in_keys(
                table.record, values.column1,
                sorted({record for record, *_ in rows}))
            & (table.activity == values.column2)
            & (table.state == 'waiting'))
