# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Gates: decide about the record activities that are due.

A gate looks at all of a batch at once, with a constant number of queries.
Most of them can say in SQL for which of the batch they are open for sure, so
that nothing has to be read of those; only the others are asked one by one.
"""

from collections import defaultdict

from sql import Literal

from trytond.model import ModelSQL, fields
from trytond.pool import Pool
from trytond.transaction import Transaction, active_records, inactive_records

from ..common.access import VirtualReaders
from ..common.orm import browse
from ..common.sql import exists_by_index, scalar_subquery
from ..common.transaction import is_database, is_transient, savepoint
from ..outcome import cancelled, done, failed, skipped

# The names of the gates in their order, each in the room of its subject
GATES = [
    'target', 'consent', 'refusal', 'pause', 'goal', 'match', 'activity',
    'validity', 'window', 'event', 'filter', 'condition']


class RecordActivityGates:
    "Gates in their order, and how they are asked"
    __slots__ = ()

    @classmethod
    def decide(cls, activity, ids):
        """
        Return a dictionary of the outcome, or the message to hand over, of
        each of the record activities (ids) of the activity, but those which
        are not due any more.
        """
        gates = cls._gates()
        passed, passing = cls._pass(activity, gates, ids)
        outcomes = {}
        if len(passing) == len(gates):
            # Nothing is read of those
            outcomes.update(cls._unfulfilled(
                    activity, gates, [i for i in ids if i not in passed]))
            if not activity.action:
                outcomes.update(dict.fromkeys(passed, done()))
            ids = [id_ for id_ in ids if id_ not in outcomes]
        with inactive_records():
            record_activities = list(cls.browse(ids))
        for gate in gates:
            open_ = [
                r for r in record_activities if r.id not in outcomes
                and not (gate in passing and r.id in passed)]
            if open_:
                outcomes.update(getattr(cls, f'_gate_{gate}')(activity, open_))
        open_ = [r for r in record_activities if r.id not in outcomes]
        if open_:
            with inactive_records():
                cls.fill(activity, open_)
            results = cls._execute(activity, open_)
            for record_activity in open_:
                # What the action forgot did not happen
                outcomes[record_activity.id] = results.get(
                    record_activity.id, failed('action_error'))
        return outcomes

    @classmethod
    def _unfulfilled(cls, activity, gates, ids):
        """
        Return the outcomes of those of the ids for which nothing but the
        condition is surely not fulfilled.
        """
        if not ids or not activity.condition:
            return {}
        _, unfulfilled = activity.condition_domains()
        closed, _ = cls._pass(activity, gates, ids, condition=unfulfilled)
        return dict.fromkeys(closed, skipped('condition'))

    @classmethod
    def _execute(cls, activity, record_activities):
        """
        Return the outcome, or the message, of each by the action of the
        activity.
        """
        if not activity.action:
            return {r.id: done() for r in record_activities}
        return getattr(activity, f'execute_{activity.action}')(
            record_activities)

    @classmethod
    def _has_pass(cls, gate):
        """
        Return if there is the SQL of the gate, and nobody has extended the
        gate without it.

        The SQL stands for the gate as it was when the SQL was written.  A
        module that extends `_gate_<name>` alone knows nothing of it, so the
        SQL may count only if no class further out has done that.  The order
        of the classes is the one in which `super()` asks them.
        """
        for class_ in cls.__mro__:
            if f'_pass_{gate}' in vars(class_):
                return True
            if f'_gate_{gate}' in vars(class_):
                return False
        return False

    @classmethod
    def _pass(cls, activity, gates, ids, **instead):
        """
        Return the set of those of the ids for which gates are open for sure,
        and the set of these gates.

        :param instead: other domains of the targets by the gate.
        """
        Record = Pool().get('marketing.automation.record')
        Target = Pool().get(activity.scenario.model)
        table = cls.__table__()
        record = Record.__table__()
        where = record.id == table.record
        passing, domains = set(), []
        for gate in filter(cls._has_pass, gates):
            condition = getattr(cls, f'_pass_{gate}')(activity, table, record)
            if condition is not None:
                clause, domain = condition
                where &= clause
                domains.append(instead.get(gate, domain))
                passing.add(gate)
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, scalar_subquery(record, record.record, where),
                where=fields.SQL_OPERATORS['in'](table.id, ids)
                # In a test each gate is to be seen
                & (table.test == Literal(False))))
        by_target = defaultdict(list)
        for id_, reference in cursor:
            model, _, target = (reference or '').partition(',')
            if model == Target.__name__ and int(target) >= 0:
                by_target[int(target)].append(id_)
        if not by_target:
            return set(), passing
        try:
            with savepoint(), active_records():
                cursor.execute(*Target.search([
                            ('id', 'in', list(by_target)), domains,
                            ], order=[], query=True))
        except Exception as exception:
            if is_transient(exception):
                raise
            # The gate that raises is found when they are asked one by one
            return set(), set()
        return {
            id_ for target, in cursor for id_ in by_target[target]}, passing

    @classmethod
    def _party_or_none(cls, activity, domain):
        "Return the domain on the party for the targets that may have none"
        Target = Pool().get(activity.scenario.model)
        if Target.marketing_party_required():
            return domain
        return ['OR', ('marketing_party', '=', None), domain]

    @classmethod
    def targets_of(cls, activity, record_activities):
        """
        Return the dictionary of the target by record activity (id).

        The targets belong to the present context and are read together.
        """
        Target = Pool().get(activity.scenario.model)
        rows = cls._read_targets([r.id for r in record_activities])
        targets = Target.browse([rows[r.id][-1] for r in record_activities])
        return {r.id: t for r, t in zip(record_activities, targets)}

    @classmethod
    def fill(cls, activity, record_activities):
        """
        Fill in the fields that an action needs of the record activities, and
        the parties of the targets, read by one statement.

        Only what exists may be given.
        """
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Target = pool.get(activity.scenario.model)
        rows = cls._read_targets([r.id for r in record_activities])
        rows = [rows[r.id] for r in record_activities]
        records = browse(Record, [record for record, *_ in rows])
        targets = Target.browse([target for *_, target in rows])
        Target.marketing_fill(targets)
        for record_activity, row, record, target in zip(
                record_activities, rows, records, targets):
            _, record_activity.test, record_activity.message_id, _ = row
            record.record = target
            record_activity.record = record

    @classmethod
    def _read_targets(cls, ids):
        """
        Return the dictionary of the record (id), if it is a test, the
        Message-ID and the target (id) by record activity (id).
        """
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.record, table.test, table.message_id,
                scalar_subquery(
                    record, record.record, record.id == table.record),
                where=fields.SQL_OPERATORS['in'](table.id, ids)))
        return {
            id_: (*values, int(reference.partition(',')[2]))
            for id_, *values, reference in cursor}

    @classmethod
    def still_sending(cls, number):
        "Return the ids which the claim still has to hand over"
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        cursor = Transaction().connection.cursor()
        open_ = exists_by_index(
            record,
            (record.id == table.record)
            & Record.is_active(record, completed=True))
        if spared := cls._spared_activities():
            open_ |= fields.SQL_OPERATORS['in'](table.activity, spared)
        cursor.execute(*table.select(
                table.id,
                where=(table.claim == number)
                & (table.state == 'sending')
                & open_))
        return {id_ for id_, in cursor}

    @classmethod
    def _gates(cls):
        """
        Return the list of the names of the gates in their order.

        A module that adds a gate extends it.

        The method `_gate_<name>(activity, record_activities)` returns the
        dictionary of the outcome of those for which the gate is closed.

        The method `_pass_<name>(activity, table, record)`, if there is one,
        returns the SQL clause, on the tables of the record activity and of
        the record, and the domain of the targets: those that fulfill both are
        not asked.  It returns None if all have to be.
        """
        return list(GATES)

    @classmethod
    def _pass_target(cls, activity, table, record):
        # It is searched, so it exists
        return Literal(True), []

    @classmethod
    def _gate_target(cls, activity, record_activities):
        "The target still exists and is active"
        outcomes = {}
        for record_activity in record_activities:
            target = record_activity.record.record
            if not isinstance(target, ModelSQL) or target.id < 0:
                outcomes[record_activity.id] = cancelled(
                    record_activity.record.end_reason or 'target_deleted')
            elif not (getattr(target, 'active', True)
                    or (activity.survives(record_activity.record.end_reason)
                        and target.marketing_leaves_inactive())):
                outcomes[record_activity.id] = cancelled('target_inactive')
        return outcomes

    @classmethod
    def _pass_consent(cls, activity, table, record):
        Record = Pool().get('marketing.automation.record')
        return (
            Record.is_active(record, completed=True),
            Record._refusal_domain(activity.scenario))

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
    def _pass_activity(cls, activity, table, record):
        return (Literal(True), []) if activity.active else None

    @classmethod
    def _gate_activity(cls, activity, record_activities):
        "The activity is active"
        if activity.active:
            return {}
        return {r.id: cancelled('activity_inactive')
            for r in record_activities}

    @classmethod
    def _pass_event(cls, activity, table, record):
        return (Literal(True), []) if not activity.event else None

    @classmethod
    def _gate_event(cls, activity, record_activities):
        """
        The event waited for in vain has not happened, nor the opposite been
        executed.
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
    def _pass_condition(cls, activity, table, record):
        if not activity.condition:
            return Literal(True), []
        if domains := activity.condition_domains():
            fulfilled, _ = domains
            return Literal(True), fulfilled

    @classmethod
    def _gate_condition(cls, activity, record_activities):
        "The target fulfills the condition"
        if not activity.condition:
            return {}
        outcomes = {}
        readers = VirtualReaders()
        with active_records():
            # Those of the records show also what has been deactivated
            targets = cls.targets_of(activity, record_activities)
        for record_activity in record_activities:
            target = targets[record_activity.id]
            try:
                fulfilled = activity.evaluate_condition(
                    target, readers.access(target))
            except Exception as exception:
                if is_transient(exception) or is_database(exception):
                    # Nothing more can be read in this transaction
                    raise
                outcomes[record_activity.id] = failed(
                    'condition_error',
                    f'{activity.condition}\n{exception!r}')
            else:
                if not fulfilled:
                    outcomes[record_activity.id] = skipped('condition')
        return outcomes
