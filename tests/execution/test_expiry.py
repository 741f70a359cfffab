# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt

import time_machine

from trytond.model.exceptions import AccessButtonError
from trytond.modules.marketing_automation.exceptions import ValidityError
from trytond.pool import Pool

from ..common.flow import FlowTestCase

NOW = dt.datetime(2026, 3, 4, 12)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
MAIL = {
    'action': 'send_email',
    'email_title': "Hello",
    'email_template': "<p>Hello</p>",
    }


class TimingTestCase(FlowTestCase):
    "Test that what is too late expires"
    emails = ['ann@example.com']

    def setUp(self):
        super().setUp()
        traveller = time_machine.travel(
            NOW.replace(tzinfo=dt.timezone.utc), tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)

    def outcomes(self):
        return {o[0]: o[2:] for o in super().outcomes()}

    def expiries(self):
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            return {
                r.activity.name: r.expire_at and r.expire_at - NOW
                for r in RecordActivity.search([])}

    def apply(self, event, name="Mail"):
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            RecordActivity.apply_event(event, RecordActivity.search([
                        ('activity.name', '=', name)]))

    def after(self, delta):
        self.clock.move_to((NOW + delta).replace(tzinfo=dt.timezone.utc))
        self.process()

    def test_late(self):
        "Test a late run does not execute what has expired"
        self.create(
            ("Step", None, {'delay': DAY, 'validity': 2 * HOUR}),
            ("After", "Step", {}))
        self.assertEqual(self.expiries(), {"Step": DAY + 2 * HOUR})
        self.after(DAY + 2 * HOUR)
        self.assertEqual(self.outcomes(), {"Step": ('expired', 'expired')})

    def test_in_time(self):
        "Test what is executed in time does not expire"
        self.create(
            ("Step", None, {'delay': DAY, 'validity': 2 * HOUR}),
            ("After", "Step", {'delay': HOUR, 'validity': HOUR}))
        self.after(DAY + HOUR)
        self.assertEqual(self.outcomes(), {
                "Step": ('done', None), "After": ('waiting', None)})
        self.assertEqual(self.expiries()["After"], DAY + 3 * HOUR)
        self.after(DAY + 9 * HOUR)
        self.assertEqual(self.outcomes(), {
                "Step": ('done', None), "After": ('expired', 'expired')})

    def test_event(self):
        "Test what waits for an event expires after its parent"
        self.create(
            ("Mail", None, MAIL),
            ("Opened", "Mail", {
                    'event': 'email_opened', 'validity': 2 * DAY}),
            ("Later", "Mail", {
                    'event': 'email_opened', 'delay': DAY,
                    'validity': 3 * DAY}),
            ("Clicked", "Mail", {'event': 'email_clicked'}),
            ("Not clicked", "Mail", {
                    'event': 'email_clicked', 'negative': True,
                    'delay': 5 * DAY, 'validity': DAY}),
            ("Below", "Opened", {}))
        self.after(HOUR)
        self.assertEqual(self.expiries(), {
                "Mail": None,
                "Opened": HOUR + 2 * DAY,
                "Later": HOUR + 3 * DAY,
                "Clicked": None,
                "Not clicked": HOUR + 6 * DAY,
                })
        # Expired, although it never had a date
        self.after(HOUR + 2 * DAY)
        self.assertEqual(self.outcomes()["Opened"], ('expired', 'expired'))
        self.assertNotIn("Below", self.outcomes())
        # The event comes too late for one and in time for the other,
        self.apply('email_opened')
        self.after(HOUR + 2 * DAY)
        self.assertEqual(self.outcomes()["Later"], ('waiting', None))
        # the delay of which ends too late
        self.after(HOUR + 3 * DAY)
        self.assertEqual(self.outcomes()["Later"], ('expired', 'expired'))
        self.assertEqual(self.outcomes()["Clicked"], ('waiting', None))

    def test_event_in_time(self):
        "Test the event in time and its delay"
        self.create(
            ("Mail", None, MAIL),
            ("Opened", "Mail", {
                    'event': 'email_opened', 'delay': DAY,
                    'validity': 3 * DAY}))
        self.process()
        self.after(DAY)
        self.apply('email_opened')
        self.after(2 * DAY)
        self.assertEqual(self.outcomes()["Opened"], ('done', None))

    def test_stopped(self):
        "Test nothing expires as long as the scenario is stopped"
        self.create(("Step", None, {'validity': HOUR}))
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.stop(Scenario.search([]))
        self.after(DAY)
        self.assertEqual(self.outcomes(), {"Step": ('waiting', None)})
        with self.transaction():
            Scenario.run(Scenario.search([]))
        self.after(DAY)
        self.assertEqual(self.outcomes(), {"Step": ('expired', 'expired')})

    def test_retried(self):
        "Test a mail that can not be delivered in time expires"
        self.configure(marketing__retry_delay=3600)
        self.create(("Mail", None, {**MAIL, 'validity': 2 * HOUR}))
        self.smtp.busy()
        self.process()
        self.assertEqual(
            self.outcomes(), {"Mail": ('waiting', 'server_busy')})
        self.after(3 * HOUR)
        self.assertEqual(self.outcomes(), {"Mail": ('expired', 'expired')})

    def test_retry(self):
        "Test the validity counts anew when somebody tries again"
        self.create(("Step", None, {'validity': HOUR, 'domain': '[]'}))
        self.sql(
            "UPDATE marketing_automation_activity SET domain = 'foo'")
        self.process()
        self.sql(
            "UPDATE marketing_automation_activity SET domain = '[]'")
        self.clock.move_to((NOW + DAY).replace(tzinfo=dt.timezone.utc))
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            RecordActivity.retry(RecordActivity.search([]))
        self.assertEqual(self.expiries(), {"Step": DAY + HOUR})
        self.after(DAY)
        self.assertEqual(self.outcomes(), {"Step": ('done', None)})

    def retry(self, name):
        with self.transaction() as transaction:
            RecordActivity = Pool().get('marketing.automation.record.activity')
            record_activity, = RecordActivity.search([
                    ('activity.name', '=', name)])
            with transaction.set_context(_check_access=True):
                RecordActivity.retry([record_activity])
        self.process()

    def test_retry_expired(self):
        "Test who insists gets it executed, in the time of a new plan"
        self.create(
            ("Step", None, {'validity': HOUR}),
            ("After", "Step", {}))
        self.after(DAY)
        self.assertEqual(self.outcomes(), {"Step": ('expired', 'expired')})
        self.retry("Step")
        self.assertEqual(self.outcomes(), {
                "Step": ('done', None), "After": ('done', None)})
        self.assertEqual(self.expiries()["Step"], DAY + HOUR)

    def test_retry_event(self):
        "Test what has waited for its event in vain can not be executed"
        self.create(
            ("Mail", None, MAIL),
            ("Opened", "Mail", {
                    'event': 'email_opened', 'validity': HOUR}))
        self.after(HOUR)
        self.after(DAY)
        with self.assertRaises(AccessButtonError):
            self.retry("Opened")
        self.assertEqual(self.outcomes()["Opened"], ('expired', 'expired'))

    def test_gate(self):
        "Test what expires while the run goes on is not executed"
        self.create(("Step", None, {'validity': HOUR}))
        self.clock.move_to((NOW + DAY).replace(tzinfo=dt.timezone.utc))
        with self.transaction():
            pool = Pool()
            RecordActivity = pool.get('marketing.automation.record.activity')
            record_activity, = RecordActivity.search([])
            outcomes = RecordActivity.decide(
                record_activity.activity, [record_activity.id])
            self.assertEqual(
                [o[:2] for o in outcomes.values()], [('expired', 'expired')])

    def test_revive(self):
        "Test what waits again has the expiry it had"
        self.create(("Step", None, {'delay': DAY, 'validity': HOUR}))
        for method in ['stop', 'resume']:
            with self.transaction():
                pool = Pool()
                Party = pool.get('party.party')
                Record = pool.get('marketing.automation.record')
                party = Party(self.parties[0])
                if method == 'stop':
                    Record.end_parties([party.id], 'unsubscribed')
                else:
                    Record.revive(party, 'unsubscribed', NOW)
        self.assertEqual(self.outcomes(), {"Step": ('waiting', None)})
        self.assertEqual(self.expiries(), {"Step": DAY + HOUR})

    def test_changed(self):
        "Test a changed validity counts for what is planned afterwards"
        self.create(("Step", None, {'delay': DAY}))
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            Activity.write(Activity.search([]), {'validity': HOUR})
        self.after(9 * DAY)
        self.assertEqual(self.outcomes(), {"Step": ('done', None)})

    def test_statement(self):
        "Test there is one statement whatever has expired"
        self.create(*(
                (f"Step {i}", None, {'validity': HOUR}) for i in range(5)))
        self.clock.move_to((NOW + DAY).replace(tzinfo=dt.timezone.utc))
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            self.assertEqual(RecordActivity.expire(NOW), 0)
            self.assertEqual(RecordActivity.expire(NOW + DAY), 5)
            self.assertEqual(RecordActivity.expire(NOW + DAY), 0)

    def test_refused(self):
        "Test a validity in which nothing can happen is refused"
        for values in [
                {'validity': dt.timedelta()},
                {'validity': -DAY},
                {'validity': DAY, 'delay': DAY, 'event': 'email_opened'},
                ]:
            with self.subTest(values=values):
                with self.assertRaises(ValidityError):
                    self.create(("Mail", None, MAIL), ("Step", "Mail", values))
                self.clear()
        self.create(("Mail", None, MAIL), ("Step", "Mail", {
                    'validity': DAY, 'delay': DAY, 'event': 'email_opened',
                    'negative': True}))


del FlowTestCase
