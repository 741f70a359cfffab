# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import itertools
import json
import random
import unittest
from unittest.mock import patch

from trytond.modules.marketing_automation.common.access import VirtualReaders
from trytond.modules.marketing_automation.scenario import condition
from trytond.pool import Pool
from trytond.pyson import (
    And, Bool, Equal, Eval, Greater, In, Less, Not, Or, PYSONEncoder)
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

_self = Eval('self', {})
NAMES = [None, "Nobody", "nobody", "Some Body", "É"]
LEAVES = [
    Equal(_self.get('name', ''), "Nobody"),
    Equal("Nobody", "Nobody") & Equal(_self.get('name', ''), "É"),
    In(_self.get('name', ''), ["nobody", "É"]),
    In(_self.get('name', ''), []),
    Bool(_self.get('marketing_do_not_track', False)),
    Equal(_self.get('marketing_do_not_track', False), True),
    Equal(_self.get('replaced_by', -1), 1),
    In(_self.get('replaced_by', -1), [1, 2]),
    Greater(_self.get('id', 0), 3),
    Greater(_self.get('id', 0), 3, True),
    Less(_self.get('id', 0), 5),
    Less(_self.get('id', 0), 5, True),
    ]
UNKNOWN = [
    Equal(_self.get('name', ''), " Nobody"),
    Equal(_self.get('name', ''), ""),
    Equal(_self.get('rec_name', ''), "Nobody"),
    Equal(_self.get('nothing', ''), "Nobody"),
    Equal(_self.get('name', ''), _self.get('code', '')),
    Equal(_self.get('marketing_do_not_track', False), False),
    Greater(_self.get('replaced_by', 0), 3),
    Equal(Eval('context', {}).get('name', ''), "Nobody"),
    Equal(Eval('_parent_self', {}).get('name', ''), "Nobody"),
    Bool(_self.get('name', '')),
    ]


def encode(statement):
    return PYSONEncoder().encode(statement)


class ConditionTestCase(unittest.TestCase):
    "Test the conditions that a database evaluates"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def create_parties(self):
        pool = Pool()
        Party = pool.get('party.party')
        parties = Party.create([{'name': n, 'marketing_do_not_track': t}
                for n, t in itertools.product(NAMES, [True, False])])
        table = Party.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.marketing_do_not_track, table.replaced_by],
                [None, parties[0].id], where=table.id == parties[3].id))
        Transaction().counter += 1
        return Party.browse([p.id for p in parties])

    def statements(self):
        yield from LEAVES
        rng = random.Random(5)
        for _ in range(60):
            some = rng.sample(LEAVES, 2)
            statement = rng.choice([And, Or])(*some)
            yield Not(statement) if rng.random() < .5 else statement
            yield Or(Not(statement), rng.choice(LEAVES))

    @with_transaction()
    def test_same(self):
        "Test the domains find what the evaluation tells"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        parties = self.create_parties()
        Party = parties[0].__class__
        access = VirtualReaders().access(parties[0])
        checked = 0
        for statement in self.statements():
            source = encode(statement)
            domains = condition.domains(source, Party)
            if domains is None:
                continue
            with self.subTest(condition=source):
                for domain, expected in zip(domains, [True, False]):
                    found = {p.id for p in Party.search([
                                ('id', 'in', [p.id for p in parties]),
                                domain])}
                    self.assertEqual(found, {
                            p.id for p in parties
                            if Activity(condition=source).evaluate_condition(
                                p, access) == expected})
                checked += 1
        self.assertGreater(checked, 80)

    @with_transaction()
    def test_unknown(self):
        "Test what a database may see otherwise is evaluated for each"
        Party = Pool().get('party.party')
        for source in [
                *map(encode, UNKNOWN), 'true', '[]', '{"__class__":',
                '{"__class__": "Get"}', '{"__class__": "Not"}']:
            with self.subTest(condition=source):
                self.assertIsNone(condition.domains(source, Party))

    def decide(self, statement, forbid=lambda: None):
        "Return the states and the number of evaluations of the condition"
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Activity = pool.get('marketing.automation.activity')
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        parties = self.create_parties()
        scenario, = Scenario.create([{
                    'name': "Scenario",
                    'model': 'party.party',
                    'domain': json.dumps([
                            ['id', 'in', [p.id for p in parties]]]),
                    'state': 'running',
                    }])
        activity, = Activity.create([{
                    'name': "Root",
                    'parent': str(scenario),
                    'condition': encode(statement),
                    }])
        Record.enter(scenario, dt.datetime.now())
        ids = [r.id for r in RecordActivity.search(
                [('activity', '=', activity.id)], order=[('id', 'ASC')])]
        forbid()
        with patch.object(
                Activity, 'evaluate_condition', autospec=True,
                side_effect=Activity.evaluate_condition) as evaluate:
            outcomes = RecordActivity.decide(activity, ids)
        return [outcomes[i].state for i in ids], evaluate.call_count

    @with_transaction()
    def test_decide(self):
        "Test nothing is read of those for which a database decides"
        states, evaluated = self.decide(Equal(_self.get('name', ''), "É"))
        self.assertEqual(states, ['skipped'] * 8 + ['done'] * 2)
        self.assertEqual(evaluated, 0)

    @with_transaction()
    def test_rule(self):
        "Test the condition is evaluated where a rule may hide the record"
        Group = Pool().get('ir.rule.group')
        states, _ = self.decide(
            Equal(_self.get('name', ''), "É"),
            lambda: Group.create([{
                        'name': "Some",
                        'model': 'party.party',
                        'global_p': True,
                        'rules': [('create', [{
                                        'domain': '[["name", "!=", "É"]]',
                                        }])],
                        }]))
        self.assertEqual(states[-2:], ['failed'] * 2)

    @with_transaction()
    def test_field_access(self):
        "Test the condition is evaluated where a field may not be read"
        FieldAccess = Pool().get('ir.model.field.access')
        states, _ = self.decide(
            Equal(_self.get('name', ''), "É"),
            lambda: FieldAccess.create([{
                        'model': 'party.party',
                        'field': 'name',
                        'perm_read': False,
                        }]))
        self.assertEqual(set(states), {'failed'})
