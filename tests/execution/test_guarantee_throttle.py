# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import unittest

from trytond import backend
from trytond.model.exceptions import DomainValidationError
from trytond.pool import Pool

from ..common.guarantee import GuaranteeTestCase


class ThrottleTestCase(GuaranteeTestCase):
    "Test that there are not more mails than allowed"

    def sent(self):
        return len(self.smtp.messages)

    def age(self, **delta):
        "Let everything have happened earlier"
        before = (
            dt.datetime.now() - dt.timedelta(**delta)).replace(microsecond=0)
        self.sql(
            "UPDATE marketing_automation_record_activity SET ended_at = %s "
            "WHERE state = 'done'", before)

    def order(self):
        "Return the numbers of the recipients in the order of their mails"
        return [
            int(m.rcpt_tos[0].split('.')[0]) for m in self.smtp.messages]

    def test_no_limit(self):
        "Test there is no limit by default"
        self.create_mails(10)
        self.process()
        self.assertEqual(self.sent(), 10)

    def test_server(self):
        "Test the limits of the server"
        for name, seconds in [('minute', 61), ('hour', 3601)]:
            with self.subTest(limit=name):
                self.clear()
                self.smtp.messages.clear()
                self.configure(**{
                        'marketing__mails_per_minute': 0,
                        'marketing__mails_per_hour': 0,
                        f'marketing__mails_per_{name}': 4,
                        })
                self.create_mails(6)
                self.create_mails(4)
                for expected in [4, 4]:
                    self.process()
                    self.assertEqual(self.sent(), expected)
                self.assertEqual(self.states, {'done': 4, 'waiting': 6})
                self.assertEqual(
                    set(self.rows('attempts', 'claim', 'reason')),
                    {(0, None, None)})
                self.age(seconds=seconds - 10)
                self.process()
                self.assertEqual(self.sent(), 4)
                for expected in [8, 10]:
                    self.age(seconds=seconds)
                    self.process()
                    self.assertEqual(self.sent(), expected)
                self.assertOnce(10)

    def test_scenario(self):
        "Test the limit of a scenario is its own"
        self.create_mails(5, mails_per_hour=2)
        self.create_mails(5)
        self.process()
        self.assertEqual(self.sent(), 7)
        self.age(hours=2)
        self.process()
        self.assertEqual(self.sent(), 9)

    def test_both(self):
        "Test the smaller limit counts"
        self.configure(marketing__mails_per_hour=5)
        self.create_mails(5, mails_per_hour=2)
        self.create_mails(5)
        self.process()
        self.assertEqual(self.sent(), 5)
        self.assertEqual(self.states, {'done': 5, 'waiting': 5})

    def test_field(self):
        "Test the limit is positive"
        with self.assertRaises(DomainValidationError):
            self.create_mails(1, mails_per_hour=0)

    def test_order(self):
        "Test what has waited longest goes first"
        self.configure(marketing__mails_per_hour=3)
        self.create_mails(9)
        ids = self.rows('id')
        for minutes, id_ in enumerate(reversed(ids)):
            at = dt.datetime(2000, 1, 1) + dt.timedelta(minutes=minutes)
            self.sql(
                "UPDATE marketing_automation_record_activity SET at = %s "
                "WHERE id = %s", at, id_)
        for _ in range(3):
            self.age(hours=2)
            self.process()
        self.assertEqual(self.order(), list(range(8, -1, -1)))

    def test_sending(self):
        "Test what is on its way counts"
        self.configure(marketing__mails_per_hour=3)
        self.create_mails(5)
        self.sql(
            "UPDATE marketing_automation_record_activity "
            "SET state = 'sending', claim = 1, claimed_at = %s "
            "WHERE id = %s",
            dt.datetime.now().replace(microsecond=0), self.rows('id')[0])
        with self.transaction(0):
            RecordActivity = Pool().get('marketing.automation.record.activity')
            activity = RecordActivity.search([], limit=1)[0].activity
            with RecordActivity.reserve(activity, 200) as limit:
                self.assertEqual(limit, 2)

    def test_only_mails(self):
        "Test what is no mail is not limited"
        self.configure(marketing__mails_per_hour=2)
        scenario = self.create_mails(6)
        self.sql(
            "UPDATE marketing_automation_activity SET action = NULL "
            "WHERE scenario = %s", scenario)
        self.process()
        self.assertEqual(self.states, {'done': 6})
        self.create_mails(3)
        self.process()
        self.assertEqual(self.sent(), 2)

    def test_skipped(self):
        "Test who gets no mail takes no place"
        self.configure(marketing__mails_per_hour=3)
        self.create_scenario(self.create_parties(
                None, None, None, 'a@example.com', None, 'b@example.com',
                'c@example.com'))
        self.process()
        self.assertEqual(self.states, {'skipped': 4, 'done': 3})


@unittest.skipUnless(
    backend.name == 'postgresql', "needs processes that work together")
class WorkersTestCase(GuaranteeTestCase):
    "Test that workers share the limit"
    _options = {
        'queue__worker': True,
        'marketing__batch_size': 5,
        'marketing__mails_per_minute': 30,
        }

    def test_workers(self):
        "Test two workers do not exceed the limit and keep the order"
        self.create_mails(60)
        for _ in range(2):
            self.start_worker(2)
        self.process()
        self.wait(lambda: self.states['done'] >= 30)
        self.wait(self.is_resting)
        self.assertEqual(self.states, {'done': 30, 'waiting': 30})
        self.assertEqual(
            {s for s in self.rows('state')[:30]}, {'done'})
        self.assertGreaterEqual(self.smtp.connections, 2)
        # They continue by themselves, but not too early
        (at,), = self.sql(
            "SELECT MIN(scheduled_at) FROM ir_queue "
            "WHERE dequeued_at IS NULL")
        first = min(e for e in self.rows('ended_at') if e)
        self.assertGreaterEqual(at, first + dt.timedelta(seconds=60))
        self.assertLess(at, first + dt.timedelta(seconds=90))

    def is_resting(self):
        running, = self.sql(
            "SELECT COUNT(*) FROM ir_queue WHERE finished_at IS NULL "
            "AND (scheduled_at IS NULL OR dequeued_at IS NOT NULL)")
        return not running[0]
