# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from unittest.mock import patch

import time_machine

from trytond.modules.marketing_automation.exceptions import WindowError
from trytond.modules.marketing_automation.execution import run
from trytond.modules.marketing_automation.execution.sending_window import (
    Window)
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction
from trytond.tools import timezone

from ..common.flow import FlowTestCase
from ..tools import activate_all

WORK = {0, 1, 2, 3, 4}
MAIL = {
    'action': 'send_email',
    'email_title': "Hello",
    'email_template': "<p>Hello</p>",
    }
# A Saturday
NOW = dt.datetime(2026, 3, 28, 12)


def window(days=(), start=None, end=None, zone='Europe/Brussels'):
    return Window(
        frozenset(days), start and dt.time(*start), end and dt.time(*end),
        timezone.get_tzinfo(zone))


class OpeningTestCase(unittest.TestCase):
    "Test when a window opens"

    def assertOpening(self, window, at, expected):
        at = dt.datetime.fromisoformat(at)
        expected = dt.datetime.fromisoformat(expected) if expected else at
        self.assertEqual(window.opening(at), expected)
        # There it is open
        self.assertEqual(window.opening(expected), expected)

    def test_hours(self):
        "Test the hours are those of the time zone, also in summer"
        hours = window(start=(9,), end=(17, 30))
        for at, expected in [
                ('2026-01-14 07:59:59', '2026-01-14 08:00'),
                ('2026-01-14 08:00', None),
                ('2026-01-14 16:29:59', None),
                ('2026-01-14 16:30', '2026-01-15 08:00'),
                ('2026-01-14 23:30', '2026-01-15 08:00'),
                ('2026-07-14 06:00', '2026-07-14 07:00'),
                ('2026-07-14 15:29', None),
                ('2026-07-14 15:30', '2026-07-15 07:00'),
                # The clocks change in the night
                ('2026-03-28 20:00', '2026-03-29 07:00'),
                ('2026-10-24 20:00', '2026-10-25 08:00')]:
            with self.subTest(at=at):
                self.assertOpening(hours, at, expected)

    def test_days(self):
        "Test the days are those of the time zone"
        days = window(WORK, zone='America/New_York')
        for at, expected in [
                # Friday evening, which is Saturday in UTC
                ('2026-01-17 04:59', None),
                ('2026-01-17 05:00', '2026-01-19 05:00'),
                ('2026-01-19 04:59', '2026-01-19 05:00')]:
            with self.subTest(at=at):
                self.assertOpening(days, at, expected)

    def test_one_day(self):
        "Test the next opening may be a week away"
        day = window({2}, (9,), (10,))
        self.assertOpening(day, '2026-01-14 09:00', '2026-01-21 08:00')
        self.assertOpening(day, '2026-01-14 07:00', '2026-01-14 08:00')

    def test_skipped_hour(self):
        "Test an hour that does not exist"
        hour = window(start=(2,), end=(3,))
        self.assertOpening(hour, '2026-03-29 00:30', '2026-03-30 00:00')
        half = window(start=(2, 30), end=(4,))
        self.assertOpening(half, '2026-03-29 00:30', '2026-03-29 01:30')

    def test_half(self):
        "Test only one of the hours"
        self.assertOpening(
            window(start=(9,)), '2026-01-14 22:59', None)
        self.assertOpening(
            window(start=(9,)), '2026-01-14 23:00', '2026-01-15 08:00')
        self.assertOpening(
            window(end=(9,)), '2026-01-14 08:00', '2026-01-14 23:00')


class WindowTestCase(FlowTestCase):
    "Test that messages are only sent at the times for it"
    emails = ['ann@example.com', 'bob@example.com']
    _options = {'marketing__timezone': 'Europe/Brussels'}

    def setUp(self):
        super().setUp()
        traveller = time_machine.travel(
            NOW.replace(tzinfo=dt.timezone.utc), tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)

    def move(self, *args):
        self.clock.move_to(
            dt.datetime(*args, tzinfo=dt.timezone.utc))
        self.process()

    def write(self, model, **values):
        with self.transaction():
            Model = Pool().get(f'marketing.automation.{model}')
            Model.write(Model.search([]), values)

    WORK = {
        'window_days': [str(d) for d in WORK],
        'window_start': dt.time(9), 'window_end': dt.time(17),
        }
    # Monday, when the clocks have changed
    MONDAY = dt.datetime(2026, 3, 30, 7)

    def test_planned(self):
        "Test what is planned shows when it is sent"
        self.create(
            ("Wait", None, {'delay': dt.timedelta(hours=1)}),
            ("Mail", None, MAIL),
            ("Always", None, {**MAIL, 'window': 'always'}),
            ("Own", None, {
                    **MAIL, 'window': 'own', 'window_start': dt.time(20)}),
            ("Later", None, {**MAIL, 'delay': dt.timedelta(days=2, hours=9)}),
            **self.WORK)
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            planned = {
                r.activity.name: r.at for r in RecordActivity.search([])}
        self.assertEqual(
            planned, {
                "Wait": NOW + dt.timedelta(hours=1),
                "Mail": self.MONDAY,
                "Always": NOW,
                "Own": dt.datetime(2026, 3, 28, 19),
                "Later": dt.datetime(2026, 3, 31, 7),
                })

    def test_due(self):
        "Test what is due outside waits once for the opening"
        self.create(("Mail", None, MAIL), ("After", "Mail", {}))
        self.write('scenario', **self.WORK)
        for _ in range(2):
            self.process()
            self.assertEqual(
                set(self.rows('state', 'at', 'reason', 'attempts')),
                {('waiting', self.MONDAY, 'window', 0)})
        self.assertFalse(self.smtp.messages)
        self.move(2026, 3, 30, 6, 59)
        self.assertFalse(self.smtp.messages)
        self.move(2026, 3, 30, 7)
        self.assertEqual(len(self.smtp.messages), 2)
        self.assertEqual(
            set(self.rows('state', 'reason')), {('done', None)})

    def test_closed_meanwhile(self):
        "Test the window closes while mails are sent"
        self.create(("Mail", None, MAIL), **self.WORK)
        self.clock.move_to(
            dt.datetime(2026, 3, 30, 14, 59, tzinfo=dt.timezone.utc))

        def close(_):
            self.clock.shift(3600)

        self.smtp.on_accept = close
        with patch.object(run, '_CHECK_INTERVAL', -1):
            self.process()
        self.smtp.on_accept = None
        self.assertEqual(self.states, {'done': 1, 'waiting': 1})
        self.move(2026, 3, 30, 18)
        self.assertEqual(self.states, {'done': 1, 'waiting': 1})
        self.move(2026, 3, 31, 7)
        self.assertEqual(self.states, {'done': 2})
        self.assertOnce(2)

    def test_expiry(self):
        "Test the validity counts from the opening"
        self.create(
            ("Mail", None, {**MAIL, 'validity': dt.timedelta(hours=1)}),
            **self.WORK)
        self.assertEqual(
            set(self.rows('expire_at')),
            {self.MONDAY + dt.timedelta(hours=1)})

    def test_refused(self):
        "Test a window that never opens is refused"
        for values in [
                {'window_start': dt.time(9), 'window_end': dt.time(9)},
                {'window_start': dt.time(17), 'window_end': dt.time(9)},
                {'window_end': dt.time(0)}]:
            with self.subTest(values=values):
                with self.assertRaises(WindowError):
                    self.create(("Mail", None, MAIL), **values)
                self.clear()
                with self.assertRaises(WindowError):
                    self.create(
                        ("Mail", None, {**MAIL, 'window': 'own', **values}))
                self.clear()


class ZoneTestCase(unittest.TestCase):
    "Test the time zone"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    @with_transaction()
    def test_company(self):
        "Test the time zone is the one of the companies if it is the same"
        pool = Pool()
        Company = pool.get('company.company')
        Currency = pool.get('currency.currency')
        Party = pool.get('party.party')
        Scenario = pool.get('marketing.automation.scenario')
        scenario = Scenario()
        scenario.timezone = None
        self.assertEqual(scenario.zone, timezone.SERVER)

        currency, = Currency.create([{
                    'name': "Euro", 'code': 'EUR', 'symbol': "€"}])
        companies = []
        for expected, zone in [
                ('Asia/Tokyo', 'Asia/Tokyo'),
                ('Asia/Tokyo', None),
                (None, 'Europe/Paris')]:
            party, = Party.create([{'name': "Company"}])
            companies += Company.create([{
                        'party': party.id,
                        'currency': currency.id,
                        'timezone': zone,
                        }])
            self.assertEqual(
                scenario.zone,
                timezone.get_tzinfo(expected) if expected
                else timezone.SERVER)
        Company.write([companies[-1]], {'timezone': 'Asia/Tokyo'})
        self.assertEqual(
            scenario.zone, timezone.get_tzinfo('Asia/Tokyo'))
        scenario.timezone = 'America/Lima'
        self.assertEqual(
            scenario.zone, timezone.get_tzinfo('America/Lima'))


del FlowTestCase
