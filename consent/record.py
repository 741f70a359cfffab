# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What follows for the records from what their parties do not want.
"""

import datetime as dt
from collections import defaultdict
from typing import FrozenSet, NamedTuple, Optional

from sql import Literal, Null

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.sql import forget, statement
from ..outcome import cancelled, until

_SLICE = 500


class Subject(NamedTuple):
    "Whom a record (id) is about: ids"
    record: int
    scenario: int
    test: bool
    # None if it has been deleted
    model: Optional[str]
    target: Optional[int]
    party: Optional[int]
    # All of the target in the scenario, also those of tests
    records: FrozenSet[int]


class Record(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'

    @classmethod
    def _party_domain(cls, scenario):
        return [
            super()._party_domain(scenario),
            ('marketing_party.marketing_refused', '!=', True),
            ]

    @classmethod
    def unsubscribe(cls, id_, method='link'):
        """
        Unsubscribe the party of the record from its scenario.

        :param method: how the party did it, ``link`` or ``one-click``.
        """
        Consent = Pool().get('marketing.automation.consent')
        Consent.stop(id_, 'scenario', method)

    @classmethod
    def subject(cls, id_):
        "Return whom the record (id) is about, None if there is none"
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._subject_query(id=id_))
        rows = {record: row for record, *row in cursor}
        if id_ in rows:
            scenario, test, reference = rows[id_]
            return Subject(
                id_, scenario, test,
                *cls._target_and_party(*reference.split(',')),
                frozenset(rows))

    @statement
    def _subject_query(cls, id):
        table, same = cls.__table__(), cls.__table__()
        return table.join(
            same,
            condition=(same.scenario == table.scenario)
            & (same.record == table.record)).select(
            same.id, same.scenario, same.test, same.record,
            where=table.id == id)

    @classmethod
    def _target_and_party(cls, model, number):
        "Return the model, the id and the id of the party"
        try:
            Target = Pool().get(model)
        except KeyError:
            # Its module is not active any more
            return None, None, None
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._target_query(model, id=int(number)))
        for id_, in cursor.fetchall():
            with without_check_access(), inactive_records():
                parties = Target._fields['marketing_party'].get(
                    [id_], Target, 'marketing_party', values=[])
            return model, id_, parties.get(id_)
        # It has been deleted
        return None, None, None

    @statement
    def _target_query(cls, model, id):
        target = Pool().get(model).__table__()
        return target.select(target.id, where=target.id == id)

    @classmethod
    def of_parties(cls, parties, scenarios=None):
        """
        Return the ids of the records of the parties (ids) in the scenarios
        (ids) or in all, whoever may read them.
        """
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        cursor = Transaction().connection.cursor()
        scenario = Scenario.__table__()
        cursor.execute(*scenario.select(
                scenario.model, scenario.id,
                where=None if scenarios is None
                else fields.SQL_OPERATORS['in'](
                    scenario.id, list(scenarios))))
        by_model, ids = defaultdict(list), set()
        for model, id_ in cursor:
            by_model[model].append(id_)
        for model, scenarios in by_model.items():
            ids |= cls.of_model(model, scenarios, parties)
        return ids

    @classmethod
    def of_model(cls, model, scenarios, parties):
        """
        Return the ids of the records of the parties (ids) in the scenarios
        (ids), which are of the model.
        """
        try:
            Target = Pool().get(model)
        except KeyError:
            # Its module is not active any more
            return set()
        ids = set()
        for sub_parties in grouped_slice(sorted(parties), _SLICE):
            with without_check_access(), inactive_records():
                targets = Target.marketing_of_parties(list(sub_parties))
            ids |= cls._of_targets(model, scenarios, targets)
        return ids

    @classmethod
    def of_subject(cls, subject):
        """
        Return the ids of the records of the party of the subject in its
        scenario.
        """
        Target = Pool().get(subject.model)
        with without_check_access(), inactive_records():
            targets = set(Target.marketing_of_parties([subject.party]))
        others = targets - {subject.target}
        return subject.records | cls._of_targets(
            subject.model, [subject.scenario], sorted(others))

    @classmethod
    def _of_targets(cls, model, scenarios, targets):
        "Return the ids of the records of the targets (ids) of the model"
        cursor = Transaction().connection.cursor()
        ids = set()
        for sub_targets in grouped_slice(targets, _SLICE):
            cursor.execute(*cls._targets_query(
                    scenarios=scenarios,
                    targets=[f'{model},{t}' for t in sub_targets]))
            ids.update(id_ for id_, in cursor)
        return ids

    @statement
    def _targets_query(cls, scenarios, targets):
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        return table.select(
            table.id,
            where=in_(table.scenario, scenarios) & in_(table.record, targets))

    @classmethod
    def end_parties(cls, parties, reason, scenarios=None):
        "End all records of the parties (ids), in the scenarios (ids) if given"
        cls.end(cls.of_parties(parties, scenarios), reason, blocked=True)

    @classmethod
    def revive(cls, party, reason, since, scenario=None):
        """
        Let the records of the party (id) that ended for the reason since the
        time go on as before, unless something else ends them.
        """
        pool = Pool()
        Party = pool.get('party.party')
        RecordActivity = pool.get('marketing.automation.record.activity')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        since = since.replace(microsecond=0)
        with inactive_records():
            party = Party(party)
            if party.marketing_refused:
                return
            left = [s.id for s in party.marketing_scenario_unsubscribed]
        ids = cls.of_parties([party.id], [scenario] if scenario else None)
        for sub_ids in grouped_slice(sorted(ids), _SLICE):
            where = (
                fields.SQL_OPERATORS['in'](table.id, list(sub_ids))
                & (table.end_reason == reason)
                & (table.ended_at >= since))
            if left:
                where &= ~table.scenario.in_(left)
            cursor.execute(*table.select(table.id, where=where))
            if revived := [id_ for id_, in cursor]:
                cursor.execute(*table.update(
                        [table.blocked, table.end_reason, table.ended_at],
                        [False, None, None],
                        where=fields.SQL_OPERATORS['in'](table.id, revived)))
                RecordActivity.revive(revived, reason, since)
        forget(cls, RecordActivity)


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    # At the time of sending

    @classmethod
    def _pass_refusal(cls, activity, table, record):
        return Literal(True), cls._party_or_none(
            activity, ('marketing_party.marketing_refused', '!=', True))

    @classmethod
    def _gate_refusal(cls, activity, record_activities):
        "The party wants marketing"
        if activity.survives('no_marketing'):
            return {}
        return {
            r.id: cancelled('no_marketing') for r in record_activities
            if (party := r.record.record.marketing_party)
            and party.marketing_refused}

    @classmethod
    def _pass_pause(cls, activity, table, record):
        until = 'marketing_party.marketing_paused_until'
        return Literal(True), cls._party_or_none(
            activity, ['OR',
                (until, '=', None),
                (until, '<=', dt.datetime.now()),
                ])

    @classmethod
    def _gate_pause(cls, activity, record_activities):
        "The party does not want a pause"
        now = dt.datetime.now()
        return {
            r.id: until(party.marketing_paused_until, 'paused')
            for r in record_activities
            if (party := r.record.record.marketing_party)
            and party.marketing_paused_until
            and party.marketing_paused_until > now}

    @classmethod
    def still_sending(cls, number):
        ids = super().still_sending(number)
        if not ids:
            return ids
        # A claim is of one activity
        activity = cls(min(ids)).activity
        gates = ['target', 'pause']
        passed, passing = cls._pass(activity, gates, sorted(ids))
        if len(passing) < len(gates):
            # Somebody has extended one of them
            passed = set()
        with inactive_records():
            record_activities = list(cls.browse(sorted(ids - passed)))
        closed = {}
        for gate in gates:
            open_ = [r for r in record_activities if r.id not in closed]
            if open_:
                closed.update(
                    getattr(cls, f'_gate_{gate}')(activity, open_))
        return ids - closed.keys()

    # Afterwards

    @classmethod
    def move_paused(cls, parties, at):
        "Let what is paused of the parties (ids) wait until the time, or now"
        Record = Pool().get('marketing.automation.record')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        at = at or dt.datetime.now().replace(microsecond=0)
        for sub_ids in grouped_slice(
                sorted(Record.of_parties(parties)), _SLICE):
            cursor.execute(*table.update(
                    [table.at], [at],
                    where=fields.SQL_OPERATORS['in'](
                        table.record, list(sub_ids))
                    & (table.state == 'waiting')
                    & (table.reason == 'paused')))
        forget(cls)

    @classmethod
    def revive(cls, records, reason, since):
        "Let what was cancelled of the records (ids) for the reason wait again"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        where = (
            fields.SQL_OPERATORS['in'](table.record, records)
            & (table.state == 'cancelled')
            & (table.reason == reason)
            & (table.ended_at >= since))
        cursor.execute(*table.select(
                table.activity, table.record,
                where=where & (table.at == Null)))
        undated = defaultdict(list)
        for activity, record in cursor:
            undated[activity].append(record)
        cursor.execute(*table.update(
                [table.state, table.reason, table.ended_at],
                ['waiting', None, None], where=where))
        for activity, ids in undated.items():
            cls._date_missed(activity, ids)

    @classmethod
    def _date_missed(cls, activity, records):
        "Date the activity (id) of the records by what happened meanwhile"
        Activity = Pool().get('marketing.automation.activity')
        activity = Activity(activity)
        if not activity.event or activity.negative:
            return
        cls._date([
                [record, activity.id, activity.planned_at(at)]
                for record, at in cls.event_times(activity, records).items()
                if at])
