# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import random
import threading
import time
import unittest

from trytond import backend
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.guarantee import PATIENCE, GuaranteeTestCase


@unittest.skipUnless(
    backend.name == 'postgresql', "needs processes that work together")
class ProcessesTestCase(GuaranteeTestCase):
    "Test many processes send one mail to each"
    _options = {'marketing__batch_size': 20}

    def test_crons(self):
        "Test two crons at once and one more during the run"
        self.create_mails(200)
        # The others find a batch which somebody is at work on
        self.smtp.on('dot', 8, after=5, times=1)
        self.smtp.stall(0.01, 'dot', times=None)
        self.schedule()
        crons = [self.start_cron(), self.start_cron()]
        self.wait(lambda: self.smtp.messages)
        self.schedule()
        crons.append(self.start_cron())
        for cron in crons:
            self.assertEqual(cron.wait(), 0)

        self.assertOnce(200)
        self.assertEqual(self.states, {'done': 200})
        # They really were at work together
        self.assertGreaterEqual(self.smtp.connections, 2)
        self.assertFalse(self.errors())

    def test_workers(self):
        "Test four workers share one queue"
        self.configure(queue__worker=True)
        self.create_mails(300)
        self.smtp.stall(0.01, 'dot', times=None)
        for _ in range(4):
            self.start_worker()
        # More tasks than needed
        for _ in range(2):
            self.process()
        self.wait(lambda: self.states['done'] == 300)
        self.wait(self.is_idle)

        self.assertOnce(300)
        self.assertEqual(set(self.rows('claim')), {None})
        self.assertGreaterEqual(self.smtp.connections, 2)
        self.assertFalse(self.errors())

    def test_queued_once(self):
        "Test what a task has already is not queued again"
        self.configure(queue__worker=True)
        self.create_mails(45)
        self.process()
        self.assertEqual(self.tasks(), 3)
        self.process()
        self.assertEqual(self.tasks(), 3)

    def tasks(self):
        (count,), = self.sql(
            "SELECT COUNT(*) FROM ir_queue WHERE dequeued_at IS NULL")
        return count

    def is_idle(self):
        (count,), = self.sql(
            "SELECT COUNT(*) FROM ir_queue WHERE finished_at IS NULL")
        return not count

    def test_clicks(self):
        "Test marketers click on what is being executed"
        self.create_mails(100)
        self.smtp.stall(0.005, 'dot', times=None)
        self.schedule()
        cron = self.start_cron()
        self.wait(lambda: self.smtp.messages)
        conflicts = 0
        while cron.poll() is None:
            conflicts += click(self)
            time.sleep(0.01)
        states = self.states
        self.assertEqual(set(states), {'done', 'cancelled'})
        self.assertOnce(states['done'])
        self.assertEqual(sum(states.values()), 100)


def click(test_case):
    """
    Cancel one of what waits, like the server does it for a client, and return
    how many times it had to be repeated.
    """
    count = 0
    while True:
        with Transaction().start(test_case.name, 1) as transaction:
            RecordActivity = Pool().get('marketing.automation.record.activity')
            try:
                waiting = RecordActivity.search([('state', '=', 'waiting')])
                RecordActivity.cancel(
                    random.sample(waiting, min(len(waiting), 1)))
                transaction.commit()
                return count
            except backend.DatabaseOperationalError:
                transaction.rollback()
                count += 1
                test_case.assertLess(count, 5)


@unittest.skipUnless(backend.name == 'sqlite', "is about its one writer")
class LockedTestCase(GuaranteeTestCase):
    "Test nobody has to wait too long for the one writer"

    def test_clicks(self):
        "Test a marketer clicks while a run goes on"
        self.create_mails(150)
        self.smtp.stall(0.005, 'dot', times=None)
        self.schedule()
        cron = self.start_cron()
        self.wait(lambda: self.smtp.messages)
        clicks, longest = 0, 0
        while cron.poll() is None:
            before = len(self.smtp.messages)
            # Not even once must it be repeated
            self.assertEqual(click(self), 0)
            longest = max(longest, len(self.smtp.messages) - before)
            clicks += 1
            time.sleep(0.05)

        self.assertGreater(clicks, 5)
        # The run does not come to its end meanwhile, however slow both are
        self.assertLess(longest, 100)
        states = self.states
        self.assertEqual(set(states), {'done', 'cancelled'})
        self.assertOnce(states['done'])
        self.assertFalse(self.errors())

    def test_long(self):
        "Test a run goes on while somebody else writes for long"
        self.create_mails(10)
        locked = threading.Event()

        def write():
            # longer than the driver waits
            with self.transaction() as transaction:
                transaction.connection.cursor().execute(
                    "UPDATE party_party SET name = name")
                locked.set()
                time.sleep(7)

        def lock(_):
            if len(self.smtp.messages) == 3:
                threading.Thread(target=write).start()
                locked.wait()

        self.smtp.on_accept = lock
        self.process()
        self.assertOnce(10)
        self.assertEqual(self.states, {'done': 10})

    def test_slow_server(self):
        "Test nothing is locked while the server lets wait"
        self.create_mails(2)
        holds = [
            self.smtp.hold(stage) for stage in ['connect', 'data', 'data']]
        run = threading.Thread(target=self.process)
        run.start()
        for hold in holds:
            self.assertTrue(hold.reached.wait(PATIENCE))
            # Otherwise the driver would give up
            self.sql("UPDATE party_party SET name = name")
            hold.over.set()
        run.join()
        self.assertOnce(2)
