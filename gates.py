# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Decide what becomes of the record activities that are due.

A gate looks at all of a batch at once, with a constant number of queries.
"""

from trytond.model import ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, active_records, inactive_records

from .mixin import Readers
from .outcome import cancelled, done, failed, skipped
from .retry import is_database, transient


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def decide(cls, activity, ids):
        """
        Return a dictionary of the outcome, or the parcel to hand over, of
        each of the record activities (ids) of the activity, but those which
        are not due any more.
        """
        with inactive_records():
            record_activities = list(cls.browse(ids))
        outcomes = {}
        for gate in cls._gates():
            open_ = [r for r in record_activities if r.id not in outcomes]
            if open_:
                outcomes.update(getattr(cls, f'_gate_{gate}')(activity, open_))
        open_ = [r for r in record_activities if r.id not in outcomes]
        if open_:
            results = cls._execute(activity, open_)
            for record_activity in open_:
                # What the action forgot did not happen
                outcomes[record_activity.id] = results.get(
                    record_activity.id, failed('action_error'))
        return outcomes

    @classmethod
    def _execute(cls, activity, record_activities):
        "Return what the action of the activity makes of each, by id"
        if not activity.action:
            return {r.id: done() for r in record_activities}
        return getattr(activity, f'execute_{activity.action}')(
            record_activities)

    @classmethod
    def still_sending(cls, number):
        "Return the ids which the claim still has to hand over"
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        cursor = Transaction().connection.cursor()
        open_ = Record.is_inside(record, completed=True)
        if spared := cls._spared_activities():
            open_ |= fields.SQL_OPERATORS['in'](table.activity, spared)
        cursor.execute(*table.join(
                record, condition=table.record == record.id
                ).select(
                    table.id,
                    where=(table.claim == number)
                    & (table.state == 'sending')
                    & open_))
        return {id_ for id_, in cursor}

    @classmethod
    def _gates(cls):
        """
        Return the list of the names of the gates in their order.

        The method `_gate_<name>(activity, record_activities)` returns the
        dictionary of the outcome of those for which the gate is closed.
        """
        return ['target', 'consent', 'activity', 'event', 'condition']

    @classmethod
    def _gate_target(cls, activity, record_activities):
        "The target still exists and is active"
        outcomes = {}
        for record_activity in record_activities:
            target = record_activity.record.record
            if not isinstance(target, ModelSQL) or target.id < 0:
                outcomes[record_activity.id] = cancelled(
                    record_activity.record.end_reason or 'target_deleted')
            elif not getattr(target, 'active', True):
                outcomes[record_activity.id] = cancelled('target_inactive')
        return outcomes

    @classmethod
    def _gate_consent(cls, activity, record_activities):
        "The record is not blocked and its party did not leave"
        Unsubscribed = Pool().get(
            'party.party-unsubscribed-marketing.automation.scenario')
        parties = {
            r.id: r.record.record.marketing_party for r in record_activities}
        unsubscribed = Unsubscribed.parties(
            activity.scenario.id, {p.id for p in parties.values() if p})
        outcomes = {}
        for record_activity in record_activities:
            record = record_activity.record
            party = parties[record_activity.id]
            # For what is completed an event may have come late
            if record.end_reason and record.end_reason != 'completed':
                reason = record.end_reason
            elif party and party.id in unsubscribed:
                reason = 'unsubscribed'
            elif record.blocked:
                reason = 'blocked'
            elif party and not party.active:
                reason = 'party_inactive'
            else:
                continue
            if not activity.survives(reason):
                outcomes[record_activity.id] = cancelled(reason)
        return outcomes

    @classmethod
    def _gate_activity(cls, activity, record_activities):
        "The activity is active"
        if activity.active:
            return {}
        return {r.id: cancelled('activity_inactive')
            for r in record_activities}

    @classmethod
    def _gate_event(cls, activity, record_activities):
        """
        What must not have happened has not, and the opposite was not executed
        """
        if not activity.event:
            return {}
        records = {r.record.id: r.id for r in record_activities}
        closed = {}
        if activity.negative:
            closed.update(cls.resolved(activity, records))
            closed.update(dict.fromkeys(
                    cls.event_times(activity, records), 'opposite'))
        if opposites := activity.opposites:
            closed.update(dict.fromkeys(
                    cls._records_with(records, [o.id for o in opposites]),
                    'opposite'))
        return {records[r]: cancelled(reason) for r, reason in closed.items()}

    @classmethod
    def _records_with(cls, records, activities):
        """
        Return the ids of those of the records for which one of the activities
        was executed.
        """
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        in_ = fields.SQL_OPERATORS['in']
        cursor.execute(*table.select(
                table.record,
                where=in_(table.activity, activities)
                & in_(table.record, list(records))
                & in_(table.state, ['sending', 'done'])))
        return {record for record, in cursor}

    @classmethod
    def _gate_condition(cls, activity, record_activities):
        "The target fulfills the condition"
        if not activity.condition:
            return {}
        outcomes = {}
        readers = Readers()
        Target = record_activities[0].record.record.__class__
        with active_records():
            # Those of the records show also what has been deactivated
            targets = Target.browse(
                [r.record.record.id for r in record_activities])
        for record_activity, target in zip(record_activities, targets):
            try:
                fulfilled = activity.evaluate_condition(
                    target, readers.access(target))
            except Exception as exception:
                if transient(exception) or is_database(exception):
                    # Nothing more can be read in this transaction
                    raise
                outcomes[record_activity.id] = failed(
                    'condition_error',
                    f'{activity.condition}\n{exception!r}')
            else:
                if not fulfilled:
                    outcomes[record_activity.id] = skipped('condition')
        return outcomes
