# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json

from trytond.pool import Pool

from ..common.flow import FlowTestCase
from ..test_statements import counted


class ReachTestCase(FlowTestCase):
    "Test the numbers of whom a scenario reaches"
    emails = [
        'ann@example.com', 'bob@example.com', 'cay@example.com',
        'dan@example.com', 'ema@example.com', 'fay@example.com']

    def setUp(self):
        super().setUp()
        with self.transaction():
            pool = Pool()
            Party = pool.get('party.party')
            Suppression = pool.get('marketing.automation.suppression')
            ann, bob, cay, dan, *_ = Party.browse(self.parties)
            ann.contact_mechanisms[0].__class__.delete(
                ann.contact_mechanisms)
            Suppression.suppress(
                'BOB@example.com', 'manual', dt.datetime.now())
            Party.write([cay], {'marketing_refused': True})
            self.create_scenario()
            Party.write([dan], {
                    'marketing_scenario_unsubscribed': [
                        ('add', [self.scenario])]})

    def create_scenario(self, **values):
        Scenario = Pool().get('marketing.automation.scenario')
        scenario, = Scenario.create([{
                    'name': "Scenario",
                    'model': 'party.party',
                    'domain': json.dumps([['id', 'in', self.parties]]),
                    **values}])
        self.scenario = scenario.id
        return scenario

    def numbers(self):
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            return Scenario(self.scenario).reach()

    def test_numbers(self):
        "Test the numbers, and that they are what enters"
        expected = {
            'matching': 6,
            'address': 5,
            'suppressed': 1,
            'refused': 2,
            'inside': 0,
            'entering': 4,
            'mailed': 2,
            }
        self.assertEqual(self.numbers(), expected)
        self.let_enter()
        self.assertEqual(self.numbers(), {
                **expected, 'inside': 4, 'entering': 0, 'mailed': 0})

    def let_enter(self):
        with self.transaction():
            pool = Pool()
            Activity = pool.get('marketing.automation.activity')
            Scenario = pool.get('marketing.automation.scenario')
            scenario = Scenario(self.scenario)
            Activity.create([{'name': "Wait", 'parent': str(scenario)}])
            Scenario.run([scenario])
            Scenario.enter([scenario])

    def test_first_address(self):
        "Test only the address to which the mail goes counts"
        with self.transaction():
            Mechanism = Pool().get('party.contact_mechanism')
            _, bob, *_ = self.parties
            Mechanism.create([{
                        'party': bob,
                        'type': 'email',
                        'value': 'other@example.com',
                        'sequence': 5,
                        }])
        self.assertEqual(self.numbers()['suppressed'], 1)
        with self.transaction():
            Mechanism = Pool().get('party.contact_mechanism')
            Mechanism.write(Mechanism.search([
                        ('value', '=', 'bob@example.com')]), {'sequence': 9})
        self.assertEqual(self.numbers()['suppressed'], 0)

    def test_goal(self):
        "Test who has reached the goal does not enter"
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.write([Scenario(self.scenario)], {
                    'goal': json.dumps([['id', '=', self.parties[-1]]])})
        self.assertEqual(self.numbers()['entering'], 3)

    def test_unicity(self):
        "Test only one of the same value enters"
        for unicity in ['lang', 'name']:
            with self.subTest(unicity=unicity):
                with self.transaction():
                    pool = Pool()
                    Party = pool.get('party.party')
                    Scenario = pool.get('marketing.automation.scenario')
                    Scenario.write([Scenario(self.scenario)], {
                            'unicity': unicity})
                    Party.write(
                        Party.browse(self.parties[-2:]), {'name': "Same"})
                self.assertEqual(
                    self.numbers()['entering'], {'name': 3}.get(unicity, 4))

    def test_lists(self):
        "Test each number opens what it counts"
        with self.transaction():
            pool = Pool()
            Party = pool.get('party.party')
            Scenario = pool.get('marketing.automation.scenario')
            scenario = Scenario(self.scenario)
            for part, count in scenario.reach().items():
                with self.subTest(part=part):
                    action = getattr(Scenario, f'open_{part}')([scenario])
                    self.assertEqual(action['res_model'], 'party.party')
                    domain = json.loads(action['pyson_domain'])
                    self.assertEqual(Party.search(domain, count=True), count)
            for value in [None, '', 'x', f'{scenario.id},x', '0,matching']:
                self.assertFalse(
                    Party.search([('marketing_reach', '=', value)]))

    def test_everybody(self):
        "Test that a scenario which chooses nobody says so"
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            for domain, everybody in [
                    ('[]', True), ('["OR"]', True), ('[[]]', True),
                    ('[["name", "=", "x"]]', False)]:
                with self.subTest(domain=domain):
                    scenario = Scenario(model='party.party', domain=domain)
                    scenario.goal = scenario.unicity = None
                    scenario.on_change_domain()
                    self.assertEqual(scenario.reach_everybody, everybody)
                    self.assertEqual(
                        'Everybody' in scenario.reach_summary, everybody)

    def test_nobody(self):
        "Test a new scenario of the client is for nobody, but not of a script"
        with self.transaction() as transaction:
            Scenario = Pool().get('marketing.automation.scenario')
            self.assertEqual(Scenario.default_domain(), '[]')
            with transaction.set_context(marketing_automation_choose=True):
                scenario = Scenario(
                    model='party.party', domain=Scenario.default_domain(),
                    goal=None, unicity=None, audience=None)
            scenario.on_change_domain()
            self.assertEqual(scenario.reach_matching, 0)
            self.assertIn('Nobody', scenario.reach_summary)
            scenario.choose_everybody()
            self.assertTrue(scenario.reach_everybody)

    def test_not_readable(self):
        "Test what is wrong or may not be read gives no numbers"
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            for domain in [
                    None, '', '[', '{}', '[["unknown", "=", 1]]',
                    '[["id", "=", "a"]]']:
                with self.subTest(domain=domain):
                    scenario = Scenario(model='party.party', domain=domain)
                    scenario.goal = scenario.unicity = None
                    scenario.on_change_domain()
                    self.assertIsNone(scenario.reach_matching)
                    self.assertIsNone(scenario.reach_summary)

    def test_statements(self):
        "Test the number of queries does not depend on the number of records"
        counts = []
        for domain in ['[["id", "=", 0]]', '[]']:
            with self.transaction():
                Scenario = Pool().get('marketing.automation.scenario')
                Scenario.write([Scenario(self.scenario)], {'domain': domain})
                scenario = Scenario(self.scenario)
                scenario.reach()
                with counted() as statements:
                    scenario.reach()
                counts.append(len(statements))
        self.assertEqual(*counts)


del FlowTestCase
