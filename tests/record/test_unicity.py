# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond import backend
from trytond.modules.marketing_automation.exceptions import UnicityError
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..common.crowd import create_crowd
from ..common.guarantee import PATIENCE, GuaranteeTestCase
from ..test_statements import counted


def create_parties(*codes, email=False):
    if email:
        return create_crowd((f"Party {code}", code) for code in codes)
    Party = Pool().get('party.party')
    return Party.create([
            {'name': f"Party {code}", 'code': code} for code in codes])


def create_scenario(parties=None, **values):
    pool = Pool()
    Activity = pool.get('marketing.automation.activity')
    Scenario = pool.get('marketing.automation.scenario')
    domain = '[]' if parties is None else (
        f'[["id", "in", {[p.id for p in parties]}]]')
    scenario, = Scenario.create([{
                'name': "Scenario", 'model': 'party.party', 'domain': domain,
                'state': 'running', **values}])
    Activity.create([{'name': "Root", 'parent': str(scenario)}])
    return scenario


def enter(scenario):
    Record = Pool().get('marketing.automation.record')
    return Record.enter(scenario, dt.datetime.now())


def inside(scenario, test=False):
    Record = Pool().get('marketing.automation.record')
    return [r.record for r in Record.search([
                ('scenario', '=', scenario.id),
                ('test', '=', test),
                ], order=[('id', 'ASC')])]


class UnicityTestCase(unittest.TestCase):
    "Test only one of the same value enters"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_check(self):
        "Test what can not be compared is refused"
        for unicity in [
                'unknown', 'party.email', 'contact_mechanisms',
                'contact_mechanisms.value', 'active', 'marketing_paused_until',
                'create_uid.password', 'lang.name', 'name.x']:
            with self.subTest(unicity=unicity), self.assertRaises(
                    UnicityError):
                create_scenario(unicity=unicity)
        for unicity in [
                'code', 'id', 'email', 'lang', 'lang.code',
                'marketing_party.email', 'tax_identifier.code']:
            with self.subTest(unicity=unicity):
                create_scenario(unicity=unicity)

    @with_transaction()
    def test_autocomplete(self):
        "Test the fields are proposed"
        Scenario = Pool().get('marketing.automation.scenario')
        scenario = Scenario(model='party.party', unicity='mail')
        self.assertIn('email', scenario.autocomplete_unicity())
        self.assertNotIn('name', scenario.autocomplete_unicity())

    def check(self, unicity, parties):
        first, same, other, empty1, empty2 = parties
        scenario = create_scenario(parties, unicity=unicity)
        self.assertEqual(enter(scenario), 4)
        self.assertEqual(inside(scenario), [first, other, empty1, empty2])
        self.assertEqual(enter(scenario), 0)
        self.assertEqual(len(inside(scenario)), 4)

    @with_transaction()
    def test_stored(self):
        "Test the lowest of the same values of a column enters"
        self.check('code', create_parties(
                "Élan", "  éLAN ", "other", None, None))

    @with_transaction()
    def test_long(self):
        "Test a value that does not fit into an index"
        self.check('code', create_parties(
                "x" * 5000, "X" * 5000, "x" * 4999, None, None))

    @with_transaction()
    def test_email(self):
        "Test the first e-mail addresses are compared"
        ContactMechanism = Pool().get('party.contact_mechanism')
        parties = create_parties(
            "ann@example.com", "ANN@example.com", "bob@example.com",
            None, None, email=True)
        # Only the first counts
        ContactMechanism.create([{
                    'party': parties[2].id,
                    'type': 'email',
                    'value': "ann@example.com",
                    'sequence': 10,
                    }])
        self.check('email', parties)

    @with_transaction()
    def test_read(self):
        "Test values that only Python knows"
        self.check('marketing_party.email', create_parties(
                "ann@example.com", "ANN@example.com", "bob@example.com",
                None, None, email=True))

    @with_transaction()
    def test_read_many(self):
        "Test what is read goes on where it has ended"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        parties = create_parties(*(f'{i % 700}@x.org' for i in range(1100)),
            email=True)
        scenario = create_scenario(
            parties, unicity='marketing_party.email')
        self.assertEqual(enter(scenario), 700)
        self.assertEqual(inside(scenario), parties[:700])
        self.assertEqual(
            len(Record.search([('scenario', '=', scenario.id)])), 700)

    @with_transaction()
    def test_later(self):
        "Test who comes later, also for who has left, by hand and in a test"
        Record = Pool().get('marketing.automation.record')
        party, same, other = create_parties("a", "A", "b")
        scenario = create_scenario([party], unicity='code')
        enter(scenario)
        record, = Record.search([('scenario', '=', scenario.id)])
        Record.remove([record])
        scenario.domain = '[]'
        scenario.save()
        self.assertEqual(
            Record.taken(scenario, [same.id, other.id]), {same.id})
        self.assertEqual(Record.add(scenario, [same.id]), [])
        enter(scenario)
        self.assertEqual(
            [p for p in inside(scenario) if p in {party, same, other}],
            [party, other])
        # A test neither counts nor is counted
        self.assertEqual(len(Record.add(scenario, [same.id], test=True)), 1)
        elsewhere = create_scenario([same], unicity='code')
        self.assertEqual(len(
                Record.add(elsewhere, [party.id], test=True)), 1)
        self.assertEqual(enter(elsewhere), 1)

    @with_transaction()
    def test_change(self):
        "Test the keys follow the field"
        Record = Pool().get('marketing.automation.record')
        ann, bob, carol = create_parties(
            "ann@x.org", "ANN@x.org", "carol@x.org", email=True)
        scenario = create_scenario([ann, bob])
        enter(scenario)
        Party = Pool().get('party.party')
        Party.write([carol], {'name': ann.name + " "})
        for unicity, taken in [
                ('email', set()),
                ('name', {carol.id}),
                ('marketing_party.email', set()),
                (None, set())]:
            with self.subTest(unicity=unicity):
                scenario.unicity = unicity
                scenario.save()
                self.assertEqual(Record.taken(scenario, [carol.id]), taken)
        scenario.unicity = 'email'
        scenario.save()
        key, none = [r.unicity for r in Record.search(
                [('scenario', '=', scenario.id)], order=[('id', 'ASC')])]
        self.assertNotIn("ann", key)
        self.assertIsNone(none)

    @with_transaction()
    def test_erase(self):
        "Test the value of an erased party is erased"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        Record = pool.get('marketing.automation.record')
        party, = create_parties("ann@x.org", email=True)
        scenario = create_scenario([party], unicity='email')
        enter(scenario)
        session_id, _, _ = Erase.create()
        erase = Erase(session_id)
        erase.ask.party = party
        party.active = False
        party.save()
        erase.transition_erase()
        record, = Record.search([('scenario', '=', scenario.id)])
        self.assertIsNone(Record(record.id).unicity)

    @with_transaction()
    def test_statements(self):
        "Test the number of statements for a column"
        counts = []
        for size in [10, 100]:
            parties = create_parties(*(f'c{size}{i}' for i in range(size)))
            scenario = create_scenario(parties, unicity='code')
            enter(create_scenario([], unicity='code'))
            with counted() as statements:
                self.assertEqual(enter(scenario), size)
            counts.append(len(statements))
        self.assertEqual(*counts)


@unittest.skipUnless(
    backend.name == 'postgresql', "needs processes that work together")
class ProcessesTestCase(GuaranteeTestCase):
    "Test the value is unique among processes"

    def test_enter(self):
        "Test two enter at once what has the same value"
        with Transaction().start(self.name, 0) as transaction:
            first, second = create_parties("same", "SAME")
            scenario = create_scenario([], unicity='code')
            scenario, first, second = scenario.id, first.id, second.id
            transaction.commit()

        def add(party):
            pool = Pool()
            Record = pool.get('marketing.automation.record')
            Scenario = pool.get('marketing.automation.scenario')
            return Record.add(Scenario(scenario), [party])

        with Transaction().start(self.name, 0) as one:
            self.assertEqual(len(add(first)), 1)
            import threading
            result = []

            def other():
                with Transaction().start(self.name, 0) as two:
                    try:
                        result.append(len(add(second)))
                        two.commit()
                    except backend.DatabaseOperationalError:
                        two.rollback()
                        result.append(len(add(second)))
                        two.commit()
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(0.5)
            # It waits for the first to know
            self.assertTrue(thread.is_alive())
            one.commit()
        thread.join(PATIENCE)
        self.assertEqual(result, [0])
        (count,), = self.sql(
            "SELECT COUNT(*) FROM marketing_automation_record")
        self.assertEqual(count, 1)
