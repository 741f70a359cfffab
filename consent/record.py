# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
End and revival of records when their party opts out or in.
"""

from collections import defaultdict
from typing import FrozenSet, NamedTuple, Optional

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.orm import clear_cache
from ..common.sql import SLICE, cached_query


class Subject(NamedTuple):
    "Scenario, target and party of a record, all as ids"
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
        "Return the subject of the record (id), None if there is none"
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._subject_query(id=id_))
        rows = {record: row for record, *row in cursor}
        if id_ in rows:
            scenario, test, reference = rows[id_]
            return Subject(
                id_, scenario, test,
                *cls._target_and_party(*reference.split(',')),
                frozenset(rows))

    @cached_query
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

    @cached_query
    def _target_query(cls, model, id):
        target = Pool().get(model).__table__()
        return target.select(target.id, where=target.id == id)

    @classmethod
    def find_by_parties(cls, parties, scenarios=None):
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
        for sub_parties in grouped_slice(sorted(parties), SLICE):
            with without_check_access(), inactive_records():
                targets = Target.marketing_of_parties(list(sub_parties))
            ids |= cls._of_targets(model, scenarios, targets)
        return ids

    @classmethod
    def find_by_subject(cls, subject):
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
        for sub_targets in grouped_slice(targets, SLICE):
            cursor.execute(*cls._targets_query(
                    scenarios=scenarios,
                    targets=[f'{model},{t}' for t in sub_targets]))
            ids.update(id_ for id_, in cursor)
        return ids

    @cached_query
    def _targets_query(cls, scenarios, targets):
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        return table.select(
            table.id,
            where=in_(table.scenario, scenarios) & in_(table.record, targets))

    @classmethod
    def end_parties(cls, parties, reason, scenarios=None):
        "End all records of the parties (ids), in the scenarios (ids) if given"
        cls.end(cls.find_by_parties(parties, scenarios), reason, blocked=True)

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
        ids = cls.find_by_parties([party.id], [scenario] if scenario else None)
        for sub_ids in grouped_slice(sorted(ids), SLICE):
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
        clear_cache(cls, RecordActivity)
