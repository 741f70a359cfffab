# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json
import unittest

import time_machine

from trytond.model.exceptions import AccessError, SelectionValidationError
from trytond.modules.marketing_automation.exceptions import DateError
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction

from ..common.flow import FlowTestCase
from ..tools import activate_all

NOW = dt.datetime(2026, 3, 4, 12)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


class DatedTestCase(FlowTestCase):
    "Test what is planned at a date of the record"
    emails = ['ann@example.com', 'bob@example.com', 'cay@example.com']
    # The only date of parties that users can change
    FIELD = 'marketing_paused_until'

    def setUp(self):
        super().setUp()
        traveller = time_machine.travel(
            NOW.replace(tzinfo=dt.timezone.utc), tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)

    def set_date(self, *dates):
        "Set the date of the parties"
        for id_, date in zip(self.parties, dates):
            self.sql(
                "UPDATE party_party SET marketing_paused_until = %s "
                "WHERE id = %s", date, id_)

    def after(self, delta):
        self.clock.move_to((NOW + delta).replace(tzinfo=dt.timezone.utc))
        self.process()

    def planned(self, name="Step"):
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            return [
                r.at and r.at - NOW for r in RecordActivity.search(
                    [('activity.name', '=', name)], order=[('record', 'ASC')])]

    def step(self, parent=None, **values):
        return "Step", parent, {'date_field': self.FIELD, **values}

    def test_enter(self):
        "Test who enters waits for the date, or without one"
        self.set_date(NOW + DAY, NOW - DAY, None)
        self.create(self.step())
        self.assertEqual(self.planned(), [DAY, -DAY, None])

    def test_delay(self):
        "Test the delay before and after the date"
        self.set_date(NOW + 9 * DAY)
        for direction, expected in [('after', 10 * DAY), ('before', 8 * DAY)]:
            with self.subTest(direction=direction):
                self.create(self.step(delay=DAY, date_direction=direction))
                self.assertEqual(self.planned()[0], expected)
                self.clear()
                self.set_date(NOW + 9 * DAY)

    def test_follow(self):
        "Test what follows a parent is due at the date, not after the parent"
        self.set_date(NOW - DAY)
        self.create(("Root", None, {}), self.step("Root", delay=3 * DAY))
        self.process()
        self.assertEqual(self.planned(), [2 * DAY, None, None])
        self.after(2 * DAY)
        self.assertEqual(
            [o[2] for o in self.outcomes() if o[0] == "Step"],
            ['done', 'waiting', 'waiting'])

    def test_over(self):
        "Test a date that is over expires if there is a validity"
        self.set_date(NOW - DAY, NOW - DAY + HOUR)
        self.create(self.step(validity=DAY))
        self.process()
        self.assertEqual(
            [o[2] for o in self.outcomes()], ['expired', 'done', 'waiting'])
        # Without date it counts from the parent
        self.after(DAY)
        self.assertEqual(
            [o[2] for o in self.outcomes()], ['expired', 'done', 'expired'])

    def test_moved(self):
        "Test what waits moves with the date"
        self.set_date(NOW + DAY, NOW + DAY, None)
        self.create(self.step(validity=HOUR))
        self.set_date(NOW + 2 * DAY, None, NOW + 3 * DAY)
        self.process()
        self.assertEqual(self.planned(), [2 * DAY, None, 3 * DAY])
        self.assertEqual(self.rows('expire_at'), [
                NOW + 2 * DAY + HOUR, NOW + HOUR, NOW + 3 * DAY + HOUR])

    def test_not_moved(self):
        "Test what waits for another reason does not return to the date"
        self.set_date(NOW + DAY)
        self.create(self.step())
        self.sql(
            "UPDATE marketing_automation_record_activity SET at = %s "
            "WHERE at IS NOT NULL", NOW + 5 * DAY)
        self.process()
        self.assertEqual(self.planned()[0], 5 * DAY)

    def test_moved_when_due(self):
        "Test the date counts that the record has when it is due"
        self.set_date(NOW - HOUR, NOW - HOUR, NOW - HOUR)
        activities = self.create(self.step())
        self.set_date(NOW + DAY, None, NOW - DAY)
        with self.transaction():
            pool = Pool()
            Activity = pool.get('marketing.automation.activity')
            RecordActivity = pool.get('marketing.automation.record.activity')
            ids = [r.id for r in RecordActivity.search(
                    [], order=[('record', 'ASC')])]
            outcomes = RecordActivity.decide(
                Activity(activities["Step"]), ids)
            self.assertEqual(
                {i: o.state for i, o in outcomes.items()}, {ids[2]: 'done'})
        self.assertEqual(self.planned(), [DAY, None, -DAY])

    def test_anniversary(self):
        "Test the next anniversary"
        for date, expected in [
                (dt.datetime(1990, 3, 5, 10), dt.datetime(2026, 3, 5, 10)),
                # The one of today
                (dt.datetime(1990, 3, 4, 10), dt.datetime(2026, 3, 4, 10)),
                (dt.datetime(1990, 3, 3, 10), dt.datetime(2027, 3, 3, 10)),
                (dt.datetime(1988, 2, 29, 10), dt.datetime(2027, 2, 28, 10)),
                (dt.datetime(2030, 1, 1), dt.datetime(2030, 1, 1))]:
            with self.subTest(date=date):
                self.set_date(date)
                self.create(self.step(date_yearly=True))
                self.assertEqual(self.planned()[0], expected - NOW)
                self.clear()

    def test_anniversary_once(self):
        "Test the anniversary does not move away when it is there"
        self.set_date(NOW.replace(year=2000) + DAY)
        self.create(self.step(date_yearly=True))
        self.process()
        self.after(2 * DAY)
        self.assertEqual(
            [o[2] for o in self.outcomes()], ['done', 'waiting', 'waiting'])

    def test_anniversary_every_year(self):
        "Test the anniversaries of several years, one after the other"
        self.set_date(NOW.replace(year=2000) + DAY)
        yearly = {'date_field': self.FIELD, 'date_yearly': True}
        self.create(
            ("First", None, yearly),
            ("Wait", "First", {'delay': 30 * DAY}),
            ("Second", "Wait", yearly))
        for days in [2, 32, 34]:
            self.after(days * DAY)
        self.assertEqual(self.planned("Second")[0], 366 * DAY)
        self.after(366 * DAY)
        self.assertIn(("Second", 'a', 'done', None), self.outcomes())

    def test_stopped(self):
        "Test nothing moves as long as the scenario is stopped"
        self.set_date(NOW + DAY)
        self.create(self.step())
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.stop(Scenario.search([]))
        self.set_date(NOW + 2 * DAY)
        self.process()
        self.assertEqual(self.planned()[0], DAY)

    def test_statements(self):
        "Test nothing is written for what has not moved"
        self.set_date(NOW + DAY, NOW + DAY)
        activities = self.create(self.step())
        with self.transaction():
            pool = Pool()
            activity = pool.get('marketing.automation.activity')(
                activities["Step"])
            RecordActivity = pool.get('marketing.automation.record.activity')
            self.assertEqual(RecordActivity.date_waiting(activity, NOW), [])

    def test_field_gone(self):
        "Test a field that is gone hinders nothing else"
        self.create(self.step(), ("Other", None, {}))
        self.sql(
            "UPDATE marketing_automation_activity SET date_field = 'gone' "
            "WHERE date_field IS NOT NULL")
        self.process()
        self.assertEqual(
            {o[0]: o[2] for o in self.outcomes()},
            {"Other": 'done', "Step": 'waiting'})

    def test_selection(self):
        "Test the dates of the model can be chosen"
        activities = self.create(("Step", None, {}))
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            selection = Activity(activities["Step"]).get_date_fields()
            self.assertIn((self.FIELD, "Marketing Paused Until"), selection)
            self.assertFalse(
                {'name', 'marketing_party'} & dict(selection).keys())

    def test_refused(self):
        "Test a date that can not be used is refused"
        for values in [
                {'date_field': 'foo'},
                {'date_field': 'name'},
                {'date_field': 'marketing_party'}]:
            with self.subTest(values=values):
                with self.assertRaises(
                        (DateError, SelectionValidationError, AccessError)):
                    self.create(("Step", None, values))
                self.clear()
        with self.assertRaises(DateError):
            self.create(
                ("Mail", None, {
                        'action': 'send_email',
                        'email_title': "Hello",
                        'email_template': "<p>Hello</p>",
                        }),
                self.step("Mail", event='email_opened'))


class DayTestCase(unittest.TestCase):
    "Test dates without time"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    @with_transaction()
    def test_day(self):
        "Test a date is that day at the hour or when the window opens"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Scenario = pool.get('marketing.automation.scenario')
        scenario, = Scenario.create([{
                    'name': "Scenario", 'model': 'sale.sale',
                    'domain': json.dumps([]), 'timezone': 'Europe/Brussels',
                    }])
        activity, = Activity.create([{
                    'name': "Activity", 'parent': str(scenario),
                    'date_field': 'sale_date',
                    }])
        work = {
            'action': 'send_email', 'email_title': "a",
            'email_template': "<p/>", 'window': 'own',
            'window_days': [str(d) for d in range(5)],
            'window_start': dt.time(9, 30),
            }
        # Saturday, then the clocks change
        for values, expected in [
                ({}, dt.datetime(2026, 3, 28, 7)),
                ({'delay': DAY}, dt.datetime(2026, 3, 29, 6)),
                ({'delay': DAY + HOUR}, dt.datetime(2026, 3, 29, 7)),
                ({'date_direction': 'before'}, dt.datetime(2026, 3, 27, 6)),
                (work, dt.datetime(2026, 3, 27, 8, 30)),
                ({'date_direction': 'after'}, dt.datetime(2026, 3, 30, 8, 30)),
                ({'delay': None}, dt.datetime(2026, 3, 30, 7, 30)),
                ]:
            with self.subTest(values=values):
                Activity.write([activity], values)
                self.assertEqual(
                    Activity(activity.id).dated_at(
                        '2026-03-28', dt.datetime(2026, 1, 1)),
                    expected)


del FlowTestCase
