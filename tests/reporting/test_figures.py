# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from collections import Counter

from dateutil.relativedelta import relativedelta

from trytond.modules.marketing_automation.reporting.report import (
    STATES, TREND_LENGTH)
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder, PYSONEncoder
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..common.history import (
    ACTIVITY, BLOCKS, RATES, SCENARIO, create_record_activities,
    create_records, create_scenarios, expected_figures, expected_rows, fill,
    rows, set_values, statements)


class FiguresTestCase(unittest.TestCase):
    "Test the figures of the forms"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_figures(self):
        "The figures of the forms are those of the rows"
        fill(1)
        for model in [SCENARIO, ACTIVITY]:
            expected = expected_figures(model)
            Model = Pool().get(model)
            with Transaction().set_context(active_test=False):
                subjects = Model.search([])
            self.assertTrue(subjects)
            names = set(RATES[model]) | {
                n for ns in RATES[model].values() for n in ns}
            for subject in subjects:
                for name in names:
                    with self.subTest(model=model, name=name, id=subject.id):
                        nothing = None if name in RATES[model] else 0
                        self.assertEqual(
                            getattr(subject, name),
                            expected[subject.id].get(name, nothing))

    @with_transaction()
    def test_progress(self):
        "The counts per state are those of the rows"
        fill(2)
        Scenario = Pool().get(SCENARIO)
        Activity = Pool().get(ACTIVITY)
        counts = Counter()
        scenarios = {a.id: a.scenario.id for a in Activity.search([])}
        for activity, state in rows(
                'marketing.automation.record.activity', 'activity', 'state'):
            counts[ACTIVITY, activity, state] += 1
            counts[SCENARIO, scenarios[activity], state] += 1
        for Model in [Scenario, Activity]:
            for record in Model.search([]):
                for state in STATES:
                    with self.subTest(record=record, state=state):
                        self.assertEqual(
                            getattr(record, f'{state}_count'),
                            counts[Model.__name__, record.id, state])

    @with_transaction()
    def test_nothing_to_divide_by(self):
        "A rate of nothing is empty"
        scenario, = create_scenarios(1)
        activity, = scenario.activities

        self.assertEqual(scenario.record_count, 0)
        self.assertIsNone(scenario.block_rate)
        self.assertIsNone(activity.email_open_rate)
        self.assertIsNone(activity.email_click_through_rate)
        self.assertIsNone(activity.email_bounce_rate)
        self.assertIsNone(activity.todo_done_rate)

    @with_transaction()
    def test_bounced(self):
        "What was refused at once has been handed over as well"
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        done = create_record_activities(
            activity, create_records(scenario, 6))
        now = dt.datetime.now()
        set_values(done[:3], state='done', ended_at=now)
        set_values(done[3:5], state='failed', ended_at=now)
        set_values(done[5:], state='cancelled', ended_at=now)
        for name, rate in [
                ('email_bounced', 'email_bounce_rate'),
                ('sms_bounced', 'sms_bounce_rate')]:
            # One came back, one was refused, one was never sent
            set_values([done[0], done[3], done[5]], **{name: True})
            with self.subTest(name=name):
                read = Pool().get(ACTIVITY)(activity.id)
                self.assertEqual(read.record_count, 3)
                self.assertEqual(read.handed_over, 4)
                self.assertEqual(getattr(read, name), 2)
                self.assertEqual(getattr(read, rate), .5)

    @with_transaction()
    def test_actions(self):
        "The form shows only the figures of the action"
        Activity = Pool().get(ACTIVITY)
        names = set(RATES[ACTIVITY]) | {
            n for ns in RATES[ACTIVITY].values() for n in ns}
        for action, prefixes in [
                ('send_email', ('email_', 'handed_')),
                ('send_sms', ('sms_', 'handed_')),
                ('todo', ('todo_',)),
                (None, ('-',))]:
            values = {n: 1 for n in names} | {'action': action}
            shown = {
                n for n in names - {'record_count'}
                if not PYSONDecoder(values).decode(PYSONEncoder().encode(
                        Activity._fields[n].states['invisible']))}
            with self.subTest(action=action):
                self.assertEqual(shown, {
                        n for n in names if n.startswith(prefixes)})

    @with_transaction()
    def test_trend(self):
        "A trend shows the last periods"
        pool = Pool()
        Activity = pool.get(ACTIVITY)
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        today = dt.date.today()
        # 0 of 2 three months ago, 1 of 2 two months ago, 2 of 2 this month
        for months, opened in [(3, 0), (2, 1), (0, 2), (TREND_LENGTH, 2)]:
            done = create_record_activities(
                activity, create_records(scenario, 2))
            date = today.replace(day=1) - relativedelta(months=months)
            set_values(done, state='done',
                ended_at=dt.datetime.combine(date, dt.time(12)))
            set_values(done[:opened], email_opened=True)

        activity = Activity(activity.id)
        self.assertEqual(
            activity.email_open_rate_trend, '▁▁▁▁▁▁▁▅▁█')
        self.assertEqual(
            activity.email_click_rate_trend, '▁' * TREND_LENGTH)
        with Transaction().set_context(
                period='day', to_date=today.replace(day=1)):
            self.assertEqual(
                Activity(activity.id).email_open_rate_trend, '▁' * 9 + '█')

    @with_transaction()
    def test_random_trends(self):
        "The trends follow the rows"
        fill(5)
        today = dt.date.today()
        months = [
            today.replace(day=1) - relativedelta(months=i)
            for i in reversed(range(TREND_LENGTH))]
        for model in [SCENARIO, ACTIVITY]:
            expected = expected_rows(model, 'month', dt.date.min, today)
            for subject in Pool().get(model).search([]):
                for rate in RATES[model]:
                    values = [
                        expected.get((subject.id, m), {}).get(rate) or 0
                        for m in months]
                    trend = getattr(subject, f'{rate}_trend')
                    self.assertEqual(len(trend), TREND_LENGTH)
                    low, high = min(values), max(values)
                    for value, block in zip(values, trend):
                        place = (value - low) / ((high - low) or 1)
                        self.assertEqual(
                            BLOCKS.index(block), min(int(place * 8), 7))

    @with_transaction()
    def test_statements(self):
        "The number of statements does not depend on the number of records"
        pool = Pool()
        scenarios = create_scenarios(20, activities=2)
        for scenario in scenarios:
            create_record_activities(
                scenario.activities[0], create_records(scenario, 1))
        for model in [SCENARIO, ACTIVITY]:
            Model = pool.get(model)
            ids = [r.id for r in Model.search([])]
            names = [
                n for n, f in Model._fields.items()
                if getattr(f, 'getter', None) in {
                    'get_figures', 'get_trends'}]
            self.assertGreaterEqual(len(names), 11)
            counts = []
            for sub_ids in [ids[:1], ids[:20]]:
                with statements() as executed:
                    Model.read(sub_ids, names)
                counts.append(len(executed))
            self.assertEqual(*counts)
