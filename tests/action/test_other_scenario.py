# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.model.exceptions import ValidationError
from trytond.pool import Pool

from .common import ActionTestCase


class PassageTestCase(ActionTestCase):
    "Test the actions that enter and leave another scenario"

    def other(self, name="Other", domain='[["id", "=", -1]]', **values):
        with self.acting():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            other, = Scenario.create([{
                        'name': name, 'model': 'party.party',
                        'domain': domain, **values}])
            activity, = Activity.create([{
                        'name': "Wait", 'parent': str(other)}])
            Scenario.run([other])
        return other.id, activity.id

    def ends(self, scenario):
        with self.transaction():
            return {
                r.record.name: r.end_reason
                for r in Pool().get('marketing.automation.record').search(
                    [('scenario', '=', scenario)])}

    def test_enter(self):
        "Test who does not match enters, and only once"
        self.create_named("Alice", "Bob")
        other, wait = self.other()
        _, activity = self.draw('enter_scenario', other_scenario=other)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity),
            dict.fromkeys(["Alice", "Bob"], ('done', None)))
        self.assertEqual(self.ends(other).keys(), {"Alice", "Bob"})
        self.process()
        self.assertEqual(
            self.outcomes(wait),
            dict.fromkeys(["Alice", "Bob"], ('done', None)))

    def test_circle(self):
        "Test two scenarios that let enter each other end"
        self.create_named("Alice")
        other, _ = self.other()
        first, there = self.draw('enter_scenario', other_scenario=other)
        with self.acting():
            Activity = Pool().get('marketing.automation.activity')
            back, = Activity.create([{
                        'name': "Back",
                        'parent': f'marketing.automation.scenario,{other}',
                        'action': 'enter_scenario',
                        'other_scenario': first,
                        }])
        for _ in range(3):
            self.enter_all()
        for activity in [there, back.id]:
            self.assertEqual(
                self.outcomes(activity), {"Alice": ('done', None)})

    def test_leave(self):
        "Test to leave, also who is not in"
        self.create_named("Alice", "Bob")
        other, wait = self.other(domain='[["name", "=", "Alice"]]')
        with self.acting():
            import datetime as dt
            Activity = Pool().get('marketing.automation.activity')
            Activity.write(
                [Activity(wait)], {'delay': dt.timedelta(days=1)})
        self.enter_all()
        _, activity = self.draw('leave_scenario', other_scenario=other)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity),
            dict.fromkeys(["Alice", "Bob"], ('done', None)))
        self.assertEqual(self.ends(other), {"Alice": 'removed'})
        self.assertEqual(
            self.outcomes(wait), {"Alice": ('cancelled', 'removed')})

    def test_stopped(self):
        "Test to enter a scenario that does not run"
        self.create_named("Alice")
        other, _ = self.other()
        _, activity = self.draw('enter_scenario', other_scenario=other)
        with self.acting():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.stop([Scenario(other)])
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity),
            {"Alice": ('failed', 'scenario_stopped')})
        with self.acting():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.run([Scenario(other)])
        self.retry(activity)
        self.assertEqual(self.outcomes(activity), {"Alice": ('done', None)})

    def test_refused(self):
        "Test who refuses the other scenario stays out of it"
        alice, = self.create_named("Alice")
        other, _ = self.other()
        with self.transaction(0):
            Party = Pool().get('party.party')
            Party.write([Party(alice)], {
                    'marketing_scenario_unsubscribed': [('add', [other])]})
        _, activity = self.draw('enter_scenario', other_scenario=other)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('skipped', 'not_entered')})
        self.assertEqual(self.ends(other), {})

    def test_same(self):
        "Test the own scenario can not be chosen"
        _, activity = self.draw(None)
        with self.acting(), self.assertRaises(ValidationError):
            Activity = Pool().get('marketing.automation.activity')
            activity = Activity(activity)
            Activity.write([activity], {
                    'action': 'enter_scenario',
                    'other_scenario': activity.scenario.id,
                    })

    def test_statements(self):
        "Test the number of statements does not grow with the records"
        def draw(action):
            other, _ = self.other()
            return self.draw(action, other_scenario=other)

        for action in ['enter_scenario', 'leave_scenario']:
            with self.subTest(action=action):
                counts = [
                    self.statements(count, lambda: draw(action))
                    for count in [4, 40]]
                self.assertLessEqual(counts[1], counts[0])


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
