# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Entry of targets into the scenarios, always many at once.
"""

import datetime as dt

from sql import Conflict, Literal, Null
from sql.aggregate import Max
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp, Function
from sql.operators import Concat

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, active_records

from ..common.sql import SLICE, exists_by_index, opaque_id


class _UUID(Function):
    "A random identifier made by the database"
    __slots__ = ()

    def __str__(self):
        if backend.name == 'sqlite':
            return 'LOWER(HEX(RANDOMBLOB(16)))'
        return "REPLACE(CAST(GEN_RANDOM_UUID() AS VARCHAR), '-', '')"

    @property
    def params(self):
        return ()


class RecordEnter:
    "Statement that creates the records of the targets"
    __slots__ = ()

    @classmethod
    def enter(cls, scenario, now):
        """
        Let the targets that match now enter the scenario and plan the
        activities they start with.

        It returns the number of those which entered and may be called any
        number of times.
        """
        table = cls.__table__()
        last_id = cls._last_id()
        count = cls._insert(scenario, cls._enter_domain(scenario))
        if count:
            cls._start(
                scenario, table.select(
                    table.id,
                    where=(table.scenario == scenario.id)
                    & (table.test == Literal(False))
                    & (table.id > last_id)),
                now)
        return count

    @classmethod
    def add(cls, scenario, ids, now=None, test=False):
        """
        Let the targets (ids of the model of the scenario) enter although they
        may not match.

        A target whose party has opted out stays out.  It returns the ids of
        the records that exist then for the targets, and may be called any
        number of times.
        """
        if now is None:
            now = dt.datetime.now()
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        result = []
        for sub_ids in grouped_slice(sorted(set(ids)), SLICE):
            sub_ids = list(sub_ids)
            cls._insert(
                scenario,
                [('id', 'in', sub_ids), cls._refusal_domain(scenario)],
                test=test, by_hand=True)
            added = (
                (table.scenario == scenario.id)
                & (table.test == Literal(test))
                & in_(table.record, [
                        f'{scenario.model},{id_}' for id_ in sub_ids]))
            cls._start(
                scenario, table.select(
                    table.id, where=added & (table.end_reason == Null)),
                now)
            cursor.execute(*table.select(table.id, where=added))
            result.extend(id_ for id_, in cursor)
        return result

    @classmethod
    def _insert_entered(cls, scenario, query, last_id):
        """
        Execute the INSERT of the records after the last one (id), and return
        their number.
        """
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        return cursor.rowcount

    @classmethod
    def _start(cls, scenario, records, now):
        "Plan the activities which the records of the query start with"
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        Activity = pool.get('marketing.automation.activity')
        for activity in Activity.search([('parent', '=', str(scenario))]):
            RecordActivity.plan(activity, records, activity.planned_at(now))

    @classmethod
    def _insert(cls, scenario, domain, **values):
        """
        Insert the records of the targets that match the domain and have not
        entered, the one with the lowest id first, and return their number.

        :param values: what distinguishes them, as test and by_hand.
        """
        table = cls.__table__()
        target, where = cls._enter_from(scenario, domain)
        columns = cls._enter_columns(scenario, target, **values)
        query = table.insert(
            [getattr(table, n) for n in columns],
            target.select(
                *columns.values(),
                where=where & cls._enter_where(scenario, target, **values),
                # What has to be sorted is read before the first is inserted:
                # a table that is small at the start grows meanwhile
                order_by=[(target.id + 0).asc]),
            # Others may let it enter at the same time
            on_conflict=Conflict(table))
        if not values.get('by_hand'):
            return cls._insert_entered(scenario, query, cls._last_id())
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        return cursor.rowcount

    @classmethod
    def _last_id(cls):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(Coalesce(Max(table.id), 0)))
        last_id, = cursor.fetchone()
        return last_id

    @classmethod
    def _enter_from(cls, scenario, domain):
        """
        Return the SQL of the targets, of which only the id is needed, and the
        clause of those that match the domain.
        """
        return cls._enter_query(scenario, domain), Literal(True)

    @classmethod
    def _enter_query(cls, scenario, domain):
        "Return the SQL query of the ids of the targets that match the domain"
        Target = Pool().get(scenario.model)
        with active_records():
            return Target.search(domain, order=[], query=True)

    @classmethod
    def _enter_columns(cls, scenario, target, **values):
        "Return a dictionary of the SQL expression of each column"
        return {
            'scenario': Literal(scenario.id),
            'record': cls._reference(scenario, target),
            'blocked': Literal(False),
            'test': Literal(bool(values.get('test'))),
            'uuid': _UUID(),
            'create_uid': Literal(0),
            'create_date': CurrentTimestamp(),
            }

    @classmethod
    def _enter_where(cls, scenario, target, **values):
        "Return the SQL clause of the targets that may be inserted"
        return ~cls._has_entered(
            scenario, target, test=bool(values.get('test')))

    @classmethod
    def _has_entered(cls, scenario, target, test=False):
        "Return the SQL clause whether there is a record of the target"
        existing = cls.__table__()
        return exists_by_index(
            existing,
            (existing.scenario == opaque_id(scenario.id))
            & (existing.record == cls._reference(scenario, target))
            & (existing.test == Literal(test)))

    @classmethod
    def _reference(cls, scenario, target):
        return Concat(f'{scenario.model},', target.id)

    @classmethod
    def _enter_domain(cls, scenario):
        "Return the domain of the targets that may enter the scenario"
        Target = Pool().get(scenario.model)
        domain = scenario.decode_domain()
        # It may be another one than when it was saved
        Target.marketing_check_domain(domain)
        return [domain, cls._refusal_domain(scenario)]

    @classmethod
    def _refusal_domain(cls, scenario):
        "Return the domain of the targets whose recipient has not refused"
        Target = Pool().get(scenario.model)
        domain = cls._party_domain(scenario)
        if not Target.marketing_party_required():
            domain = ['OR', ('marketing_party', '=', None), domain]
        return [domain, Target.marketing_refusal_domain(scenario)]

    @classmethod
    def _party_domain(cls, scenario):
        "Return the domain of the targets whose party has not refused"
        Unsubscribed = Pool().get(
            'party.party-unsubscribed-marketing.automation.scenario')
        unsubscribed = Unsubscribed.__table__()
        return [
            ('marketing_party.active', '=', True),
            ('marketing_party', 'not in', unsubscribed.select(
                    unsubscribed.party,
                    where=unsubscribed.scenario == scenario.id)),
            ]
