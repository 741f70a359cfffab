# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.model.exceptions import RequiredValidationError
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction


def draw():
    "Return a scenario and its activities by name: A (A1, A2 (A21)), B"
    pool = Pool()
    Scenario = pool.get('marketing.automation.scenario')
    Activity = pool.get('marketing.automation.activity')
    scenario, = Scenario.create([{'name': "Welcome"}])
    activities = {}
    for name in ['A', 'B', 'A1', 'A2', 'A21']:
        parent = activities.get(name[:-1], scenario)
        activities[name], = Activity.create([{
                    'name': name, 'parent': str(parent)}])
    return Scenario(scenario.id), activities


def names(scenario):
    Scenario = Pool().get('marketing.automation.scenario')
    return [s.name for s in Scenario(scenario.id).steps]


class OrderTestCase(unittest.TestCase):
    "Test the whole tree as one list"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_steps(self):
        "The list has each activity above what follows it"
        scenario, _ = draw()

        self.assertEqual(names(scenario), ['A', 'A1', 'A2', 'A21', 'B'])
        self.assertEqual(
            [s.path for s in scenario.steps],
            ['1', '1.1', '1.2', '1.2.1', '2'])
        self.assertEqual(
            [s.outline.count('\u2003') for s in scenario.steps],
            [0, 0, 0, 2, 0])
        self.assertEqual(
            ['\u21b3' in s.outline for s in scenario.steps],
            [False, True, True, True, False])

    @with_transaction()
    def test_several(self):
        "Each scenario has its own list"
        Activity = Pool().get('marketing.automation.activity')
        first, _ = draw()
        second, _ = draw()

        self.assertEqual(names(first), names(second))
        self.assertEqual(
            [s.sequence for s in first.steps + second.steps],
            [1, 2, 3, 4, 5] * 2)
        activities = Activity.browse(first.steps + second.steps)
        self.assertEqual(
            [a.path for a in activities],
            ['1', '1.1', '1.2', '1.2.1', '2'] * 2)

    @with_transaction()
    def test_drag(self):
        "A subtree moves with its root"
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()

        # As a client does when A is dropped below B
        Activity.write([activities['A']], {'sequence': 6})

        self.assertEqual(names(scenario), ['B', 'A', 'A1', 'A2', 'A21'])

    @with_transaction()
    def test_drag_below_other_parent(self):
        "A child that is dropped elsewhere stays with its parent"
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()

        Activity.write([activities['A1']], {'sequence': 7})
        self.assertEqual(names(scenario), ['A', 'A2', 'A21', 'A1', 'B'])

        # B among the children of A
        Activity.write([activities['B']], {'sequence': 3})
        self.assertEqual(names(scenario), ['A', 'A2', 'A21', 'A1', 'B'])
        self.assertEqual(
            [s.sequence for s in scenario.steps], [1, 2, 3, 4, 5])

    @with_transaction()
    def test_move_parent(self):
        "Who changes the parent comes last there"
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()

        Activity.write([activities['A1']], {'parent': str(activities['B'])})

        self.assertEqual(names(scenario), ['A', 'A2', 'A21', 'B', 'A1'])

    @with_transaction()
    def test_inactive(self):
        "What is deactivated has still its place"
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()

        Activity.write([activities['A']], {'active': False})

        self.assertEqual(names(scenario), ['A', 'A1', 'A2', 'A21', 'B'])

    @with_transaction()
    def test_add(self):
        "An activity is added below or after another one"
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()

        Activity.add_children([activities['A']])
        Activity.add_siblings([activities['A1']])

        self.assertEqual(
            names(scenario), [
                'A', 'A1', "New Activity", 'A2', 'A21', "New Activity", 'B'])
        self.assertEqual(
            [s.path for s in scenario.steps],
            ['1', '1.1', '1.2', '1.3', '1.3.1', '1.4', '2'])
        self.assertTrue(all(s.active for s in scenario.steps))

    @with_transaction()
    def test_add_running(self):
        "What is added to a running scenario waits until it is complete"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Scenario = pool.get('marketing.automation.scenario')
        scenario, activities = draw()
        Scenario.run([scenario])

        Activity.add_children([activities['B']])

        new = Scenario(scenario.id).steps[-1]
        self.assertEqual(new.name, "New Activity")
        self.assertFalse(new.active)
        self.assertNotIn(new, activities['B'].active_children)

    @with_transaction()
    def test_create_by_steps(self):
        "A client creates a scenario with its first activities"
        Scenario = Pool().get('marketing.automation.scenario')
        scenario, = Scenario.create([{
                    'name': "New",
                    'steps': [('create', [
                                {'name': "First",
                                    'parent':
                                    'marketing.automation.scenario,-7'},
                                {'name': "Second"},
                                ])],
                    }])

        self.assertEqual(names(scenario), ["First", "Second"])
        self.assertEqual(
            [s.parent for s in scenario.steps], [scenario, scenario])
        self.assertEqual(
            [a.name for a in scenario.activities], ["First", "Second"])

    @with_transaction()
    def test_write_by_steps(self):
        "The list writes and deletes, but what is removed keeps its parent"
        Scenario = Pool().get('marketing.automation.scenario')
        scenario, activities = draw()

        Scenario.write([scenario], {'steps': [
                    ('write', [activities['A1'].id], {'name': "One"}),
                    ('remove', [activities['A2'].id]),
                    ('delete', [activities['B'].id]),
                    ]})

        self.assertEqual(names(scenario), ['A', "One", 'A2', 'A21'])

    @with_transaction()
    def test_parent_required(self):
        "An activity without scenario is refused"
        Activity = Pool().get('marketing.automation.activity')
        with self.assertRaises(RequiredValidationError):
            Activity.create([{'name': "Alone"}])

    @with_transaction()
    def test_copy(self):
        "A copy has the same order"
        Scenario = Pool().get('marketing.automation.scenario')
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()
        Activity.write([activities['A2']], {'sequence': 1})

        copy, = Scenario.copy([scenario])

        self.assertEqual(names(copy), ['A', 'A2', 'A21', 'A1', 'B'])
        self.assertEqual(names(scenario), names(copy))

    @with_transaction()
    def test_exchange(self):
        "A scenario from a text has the same order"
        Scenario = Pool().get('marketing.automation.scenario')
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()
        Activity.write([activities['B']], {'sequence': 0})

        text = scenario.export_json()
        other = Scenario.import_json(text)

        self.assertNotIn('sequence', text)
        self.assertEqual(names(other), ['B', 'A', 'A1', 'A2', 'A21'])

    @with_transaction()
    def test_statements(self):
        "The columns of a list cost as much for many as for few"
        Activity = Pool().get('marketing.automation.activity')
        scenario, activities = draw()

        def places():
            with Transaction().set_context():
                return Activity.get_outline(
                    list(scenario.steps), ['path', 'outline'])
        self.assertEqual(places()['path'][activities['A21'].id], '1.2.1')


class SentenceTestCase(unittest.TestCase):
    "Test the sentences"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def sentence(self, activity, **values):
        Activity = Pool().get('marketing.automation.activity')
        Activity.write([activity], values)
        return Activity(activity.id).sentence

    @with_transaction()
    def test_delay(self):
        "After what it is executed"
        _, activities = draw()
        for name, delay, sentence in [
                ('A', None, "On entering"),
                ('A', dt.timedelta(days=1), "1 day after entering"),
                ('A1', None, 'Right after "A"'),
                ('A1', dt.timedelta(hours=36),
                    '1 day 12 hours after "A"'),
                ('A1', dt.timedelta(days=10), '10 days after "A"'),
                ('A1', dt.timedelta(weeks=2), '2 weeks after "A"'),
                ]:
            with self.subTest(sentence=sentence):
                self.assertEqual(
                    self.sentence(activities[name], delay=delay), sentence)

    @with_transaction()
    def test_events(self):
        "Each event has its sentences"
        Activity = Pool().get('marketing.automation.activity')
        _, activities = draw()
        mail = {'email_title': "Hi", 'email_template': "<p>Hi</p>"}
        Activity.write(
            [activities['A']], {'action': 'send_email', **mail})
        three = dt.timedelta(days=3)
        child = activities['A1']

        self.assertEqual(
            self.sentence(child, event='email_opened'),
            'As soon as "A" is opened')
        self.assertEqual(
            self.sentence(child, event='email_opened', delay=three),
            '3 days after "A" was opened')
        self.assertEqual(
            self.sentence(child, event='email_opened', negative=True),
            '3 days after "A", if not opened')

    @with_transaction()
    def test_all_events(self):
        "All events can be said"
        Activity = Pool().get('marketing.automation.activity')
        _, activities = draw()
        for action, events in Activity._parent_action_events().items():
            for event in events:
                _, negative_name = Activity._event_names()[event]
                for negative in [False, True] if negative_name else [False]:
                    for delay in [None, dt.timedelta(days=2)]:
                        if negative and not delay:
                            continue
                        child = Activity(activities['A1'].id)
                        child.event, child.negative = event, negative
                        child.delay = delay
                        child.event_link = "Shop"
                        with self.subTest(
                                event=event, negative=negative, delay=delay):
                            sentence = child.get_sentence()
                            self.assertIn('"A"', sentence)
                            self.assertNotIn('msg_', sentence)
                            self.assertNotIn('%(', sentence)
                            self.assertEqual(
                                '2 days' in sentence, bool(delay))

    @with_transaction()
    def test_limits(self):
        "What limits it is part of the sentence"
        _, activities = draw()
        child = activities['A1']

        self.assertEqual(
            self.sentence(
                child,
                condition='{"__class__": "Bool", "v": '
                '{"__class__": "Eval", "v": "self", "d": {}}}',
                domain='[]',
                validity=dt.timedelta(days=5)),
            'Right after "A", if the condition is met, for those who match '
            'the filter, expires after 5 days')

    @with_transaction()
    def test_date(self):
        "A date of the record is named"
        _, activities = draw()
        child = activities['A1']

        self.assertEqual(
            self.sentence(
                child, date_field='create_date', date_direction='before',
                delay=dt.timedelta(days=2), date_yearly=True),
            '2 days before the anniversary of "Created at", '
            'once "A" is done')

    @with_transaction()
    def test_times(self):
        "The own sending times are named"
        Activity = Pool().get('marketing.automation.activity')
        _, activities = draw()
        mail = {'email_title': "Hi", 'email_template': "<p>Hi</p>"}

        self.assertEqual(
            self.sentence(
                activities['A'], action='send_email', window='own',
                window_days=['4', '0'], window_start=dt.time(9), **mail),
            'On entering, only Monday, Friday 09:00\u201324:00')
        self.assertEqual(
            Activity(activities['A'].id).sentence.count('only'), 1)
