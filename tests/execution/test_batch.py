# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.modules.marketing_automation import ir
from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.execution import plan
from trytond.modules.marketing_automation.outcome import (
    OutgoingMessage, done, failed, postponed)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    DB_NAME, activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..consent.test_consent import (
    RECORD, RECORD_ACTIVITY, create_party, create_scenario, enter, state)
from ..tracking.test_url import configure

CLAIM = 7
QUEUE = 'ir.queue'


def sending(activity, count):
    "Let as many be sent by the claim"
    return [
        enter(activity, create_party(str(i)), state='sending', claim=CLAIM)
        for i in range(count)]


def create_child(activity, **values):
    Activity = Pool().get('marketing.automation.activity')
    child, = Activity.create([{
                'name': "Child", 'parent': str(activity), **values}])
    return child


def children(child):
    "Return the values of what is planned of the child by record"
    RecordActivity = Pool().get(RECORD_ACTIVITY)
    clear_cache(RecordActivity)
    return {
        r.record: (r.state, r.reason, bool(r.ended_at))
        for r in RecordActivity.search([('activity', '=', child.id)])}


class BatchTestCase(unittest.TestCase):
    "Test the rows of a batch"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_taken_away(self):
        "Test what was taken away from the claim keeps its state"
        _, activity, _ = create_scenario()
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        erased, other, sent = sending(activity, 3)
        RecordActivity.write([erased], {
                'state': 'cancelled', 'reason': 'erased', 'claim': None})
        RecordActivity.write([other], {'claim': CLAIM + 1})
        now = dt.datetime.now()
        for outcome in [done(), failed('refused'), postponed('server_busy')]:
            with self.subTest(outcome=outcome.state):
                self.assertEqual(RecordActivity.store(
                        {erased.id: outcome, other.id: outcome}, now, CLAIM,
                        handed_over=True), 0)
                clear_cache(RecordActivity)
                self.assertEqual(
                    state(erased)[:2], ('cancelled', 'erased'))
                self.assertEqual(state(other)[0], 'sending')
        self.assertEqual(RecordActivity.store(
                {sent.id: done()}, now, CLAIM, handed_over=True), 1)
        clear_cache(RecordActivity)
        self.assertEqual(state(sent)[0], 'done')

    @with_transaction()
    def test_still_sending(self):
        "Test what is still to be handed over"
        pool = Pool()
        Party = pool.get('party.party')
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Record = pool.get(RECORD)
        _, activity, _ = create_scenario()
        erased, ended, blocked, paused, still = sending(activity, 5)
        RecordActivity.write([erased], {'state': 'cancelled', 'claim': None})
        Record.end([ended.record.id], 'unsubscribed')
        Record.block([blocked.record])
        Party.write([paused.record.record], {
                'marketing_paused_until':
                dt.datetime.now() + dt.timedelta(days=2),
                })
        clear_cache(Record, RecordActivity)
        self.assertEqual(RecordActivity.still_sending(CLAIM), {still.id})

    @with_transaction()
    def test_follow_ended(self):
        "Test nothing waits for who left while the mail went out"
        pool = Pool()
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Record = pool.get(RECORD)
        _, activity, _ = create_scenario()
        child = create_child(activity)
        left, blocked, stays = sending(activity, 3)
        RecordActivity.store(
            dict.fromkeys([left.id, blocked.id, stays.id], done()),
            dt.datetime.now(), CLAIM, handed_over=True)
        Record.end([left.record.id], 'unsubscribed')
        Record.write([blocked.record], {'blocked': True})

        RecordActivity.follow(activity, claim=CLAIM)

        self.assertEqual(children(child), {
                left.record: ('cancelled', 'unsubscribed', True),
                blocked.record: ('cancelled', 'blocked', True),
                stays.record: ('waiting', None, False),
                })

    @with_transaction()
    def test_slices(self):
        "Test more is written than fits into one statement"
        pool = Pool()
        Email = pool.get('ir.email')
        RecordActivity = pool.get(RECORD_ACTIVITY)
        _, activity, _ = create_scenario()
        child = create_child(activity)
        ids = {r.id: r.record.id for r in sending(activity, 5)}
        RecordActivity.store(
            dict.fromkeys(ids, done()), dt.datetime.now(), CLAIM)
        # Only of those which ended each has its own values
        pool.get(RECORD).end(list(ids.values()), 'blocked')
        with patch.object(plan, '_SLICE', 2):
            RecordActivity.follow(activity, claim=CLAIM)
        self.assertEqual(len(children(child)), 5)
        with patch.object(ir, '_SLICE', 2):
            Email.log_marketing([
                    (activity.id, record, 'party.party,1', OutgoingMessage(
                            f'{record}@example.com', None, f'<{record}>',
                            subject="Title", to=f'{record}@example.com'))
                    for record in ids.values()])
        emails = Email.search([])
        self.assertEqual(len(emails), 5)
        self.assertTrue(all(len(e.addresses) == 1 for e in emails))


class QueueTestCase(unittest.TestCase):
    "Test what is queued"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        # What is executed commits, also what other tests have queued
        with Transaction().start(DB_NAME, 1) as transaction:
            Queue = Pool().get(QUEUE)
            Queue.delete(Queue.search([]))
            transaction.commit()

    def tasks(self, *activities):
        "Return the tasks of the activities, or all"
        tasks = [
            (t.data['method'], list(t.data['instances']))
            for t in Pool().get(QUEUE).search([])]
        ids = {a.id for a in activities}
        return [t for t in tasks if not ids or ids & set(t[1])]

    @with_transaction()
    def test_reaction(self):
        "Test what a reaction makes due is executed at once, by one task"
        configure(self, 'queue', 'worker', 'True')
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        _, activity, waiting = create_scenario(
            parties=[create_party(), create_party()])
        RecordActivity.react()
        self.assertEqual(self.tasks(activity), [])
        for _ in range(2):
            RecordActivity.react(waiting)
            self.assertEqual(
                self.tasks(activity), [('execute', [activity.id])])

    @with_transaction()
    def test_pending(self):
        "Test the queue is read once for any number of activities"
        configure(self, 'queue', 'worker', 'True')
        pool = Pool()
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Queue = pool.get(QUEUE)
        party = create_party()
        for name in ["One", "Two", "Three"]:
            create_scenario(name, [party])
        with patch.object(
                Queue, 'search', side_effect=Queue.search) as search:
            RecordActivity.process()
            self.assertEqual(search.call_count, 1)
        self.assertEqual(len(self.tasks()), 3)
        RecordActivity.process()
        self.assertEqual(len(self.tasks()), 3)

    @with_transaction()
    def test_reaction_fails(self):
        "Test what is due is executed although the reaction fails"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        with (patch.object(
                    RecordActivity, 'react', side_effect=ValueError("secret")),
                patch.object(RecordActivity, 'queue_due') as queue_due,
                self.assertLogs(level='ERROR') as logs):
            RecordActivity.process()
        queue_due.assert_called_once_with()
        self.assertNotIn("secret", ''.join(logs.output))
