# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from unittest.mock import patch

from sql import Literal

from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.outcome import cancelled
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

CONSENT = 'marketing.automation.consent'
RECORD = 'marketing.automation.record'
RECORD_ACTIVITY = 'marketing.automation.record.activity'
UNSUBSCRIBED = 'party.party-unsubscribed-marketing.automation.scenario'
DAY = dt.timedelta(days=1)


def create_party(name="Jane"):
    Party = Pool().get('party.party')
    party, = Party.create([{'name': name}])
    return party


def create_scenario(name="Welcome", parties=()):
    "Create a running scenario of one activity in which the parties wait"
    pool = Pool()
    Activity = pool.get('marketing.automation.activity')
    Scenario = pool.get('marketing.automation.scenario')
    scenario, = Scenario.create([{
                'name': name,
                'model': 'party.party',
                'domain': '[]',
                'activities': [('create', [{'name': "Root"}])],
                }])
    Scenario.write([scenario], {'state': 'running'})
    activity, = Activity.search([('scenario', '=', scenario.id)])
    return scenario, activity, [enter(activity, p) for p in parties]


def enter(activity, target, **values):
    "Let the target wait for the activity"
    pool = Pool()
    Record = pool.get(RECORD)
    RecordActivity = pool.get(RECORD_ACTIVITY)
    record, = Record.create([{
                'scenario': activity.scenario.id,
                'record': str(target),
                }])
    record_activity, = RecordActivity.create([{
                'record': record.id,
                'activity': activity.id,
                'at': dt.datetime.now().replace(microsecond=0) - DAY,
                **values,
                }])
    return record_activity


def state(record_activity):
    "Return the state, reason and end of what is stored"
    record_activity = record_activity.__class__(record_activity.id)
    record = record_activity.record.__class__(record_activity.record.id)
    return (
        record_activity.state, record_activity.reason, record.end_reason,
        bool(record.blocked))


def entries(*names):
    Consent = Pool().get(CONSENT)
    return [
        tuple(getattr(c, n) for n in names)
        for c in Consent.search([], order=[('id', 'ASC')])]


def decide(record_activity):
    "Execute the record activity as if it were due"
    RecordActivity = Pool().get(RECORD_ACTIVITY)
    now = dt.datetime.now()
    outcomes = RecordActivity.decide(
        record_activity.activity, [record_activity.id])
    RecordActivity.store(outcomes, now, 1)
    clear_cache(RecordActivity)
    return outcomes[record_activity.id]


WAITING = ('waiting', None, None, False)
LEFT = ('cancelled', 'unsubscribed', 'unsubscribed', True)
REFUSED = ('cancelled', 'no_marketing', 'no_marketing', True)


class ConsentTestCase(unittest.TestCase):
    "Test the consent"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    # No marketing

    @with_transaction()
    def test_refused(self):
        "Test the flag ends everything at once"
        Party = Pool().get('party.party')
        party, other = create_party(), create_party("Other")
        waiting = []
        for name in ["One", "Two"]:
            _, _, (mine, theirs) = create_scenario(name, [party, other])
            waiting.append(mine)
        Party.write([party], {'marketing_refused': True})

        for record_activity in waiting:
            self.assertEqual(state(record_activity), REFUSED)
        self.assertEqual(state(theirs), WAITING)
        Party.write([party], {'marketing_refused': False})
        self.assertEqual(state(waiting[0]), REFUSED)

    @with_transaction()
    def test_refused_enter(self):
        "Test who refuses does not enter"
        pool = Pool()
        Party = pool.get('party.party')
        Record = pool.get(RECORD)
        scenario, _, _ = create_scenario()
        parties = [create_party(), create_party("Refusing")]
        Party.write(parties[1:], {'marketing_refused': True})
        # What was before the module
        table = Party.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.marketing_refused], [None],
                where=table.id == parties[0].id))
        Record.enter(scenario, dt.datetime.now())

        entered = {r.record for r in Record.search([])}
        self.assertIn(parties[0], entered)
        self.assertNotIn(parties[1], entered)

    @with_transaction()
    def test_entered_meanwhile(self):
        "Test who enters at the same time enters once"
        Record = Pool().get(RECORD)
        scenario, _, _ = create_scenario()
        create_party()
        count = Record.enter(scenario, dt.datetime.now())
        self.assertTrue(count)
        # What another transaction has let enter is not seen
        with patch(
                'trytond.modules.marketing_automation.record.enter'
                '.exists_by_index',
                lambda table, where: Literal(False)):
            self.assertEqual(Record.enter(scenario, dt.datetime.now()), 0)
        self.assertEqual(Record.search([], count=True), count)

    @with_transaction()
    def test_refused_late(self):
        "Test the flag is checked again when sending"
        table = Pool().get('party.party').__table__()
        party = create_party()
        _, _, (first, ) = create_scenario("First", [party])
        _, _, (other, ) = create_scenario("Other", [create_party("Other")])
        Transaction().connection.cursor().execute(*table.update(
                [table.marketing_refused], [True],
                where=table.id == party.id))
        clear_cache(party.__class__)

        decide(first)
        self.assertEqual(state(first), REFUSED)
        decide(other)
        self.assertEqual(state(other), ('done', None, None, False))

    # Pause

    @with_transaction()
    def test_pause(self):
        "Test what is due waits for the end of the pause"
        Party = Pool().get('party.party')
        party = create_party()
        _, _, (waiting,) = create_scenario(parties=[party])
        RecordActivity = waiting.__class__
        now = dt.datetime.now().replace(microsecond=0)
        # As often as it takes to give up what fails
        for days in range(1, 100):
            Party.write([party], {'marketing_paused_until': now + days * DAY})
            outcome = decide(waiting)
            self.assertEqual(outcome.state, 'waiting')
        waiting = RecordActivity(waiting.id)
        self.assertEqual(state(waiting), ('waiting', 'paused', None, False))
        self.assertEqual(waiting.at, now + 99 * DAY)
        self.assertFalse(waiting.attempts)
        self.assertIsNone(waiting.claim)

        Party.write([party], {'marketing_paused_until': now + DAY})
        self.assertEqual(RecordActivity(waiting.id).at, now + DAY)
        Party.write([party], {'marketing_paused_until': None})
        self.assertLessEqual(
            RecordActivity(waiting.id).at, dt.datetime.now())
        decide(waiting)
        self.assertEqual(state(waiting), ('done', None, None, False))

    @with_transaction()
    def test_still_sending(self):
        "Test who extends a gate is asked for all also before the hand-over"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        _, activity, (waiting,) = create_scenario(parties=[create_party()])
        RecordActivity.write([waiting], {'state': 'sending', 'claim': 7})
        for name in ['_gate_target', '_gate_pause']:
            with self.subTest(gate=name), patch.object(
                    RecordActivity, name, return_value={
                        waiting.id: cancelled('blocked')}) as gate:
                self.assertEqual(RecordActivity.still_sending(7), set())
                gate.assert_called_once_with(activity, [waiting])

    @with_transaction()
    def test_pause_over(self):
        "Test a pause ends by itself"
        Party = Pool().get('party.party')
        party = create_party()
        _, _, (waiting,) = create_scenario(parties=[party])
        Party.write([party], {
                'marketing_paused_until': dt.datetime.now() - DAY})
        decide(waiting)
        self.assertEqual(state(waiting), ('done', None, None, False))

    # Undo

    @with_transaction()
    def test_undo(self):
        "Test undo means as before"
        Consent = Pool().get(CONSENT)
        for scope, ended in [('scenario', LEFT), ('all', REFUSED)]:
            with self.subTest(scope=scope), Transaction().set_user(0):
                party = create_party()
                scenario, activity, (waiting,) = create_scenario(
                    parties=[party])
                _, _, (elsewhere,) = create_scenario("Elsewhere", [party])
                elsewhere.__class__.cancel([elsewhere])
                record = waiting.record.id
                Consent.stop(record, scope, 'one-click')
                self.assertEqual(state(waiting), ended)
                number, entry = Consent.last(record)
                self.assertEqual(Consent.undo(record, number), entry)
                self.assertIsNone(Consent.last(record))
                self.assertEqual(state(waiting), WAITING)
                self.assertEqual(
                    state(elsewhere)[:2], ('cancelled', 'cancelled'))
                decide(waiting)
                self.assertEqual(state(waiting), ('done', None, None, False))

    @with_transaction()
    def test_undo_pause(self):
        "Test undo of a pause brings back the one before"
        pool = Pool()
        Consent = pool.get(CONSENT)
        Party = pool.get('party.party')
        now = dt.datetime.now().replace(microsecond=0)
        for former, restored in [
                (None, None),
                (now - DAY, None),
                (now + 3 * DAY, now + 3 * DAY)]:
            with self.subTest(former=former), Transaction().set_user(0):
                party = create_party()
                _, _, (waiting,) = create_scenario(parties=[party])
                record = waiting.record.id
                Party.write([party], {'marketing_paused_until': former})
                Consent.stop(record, 'pause', 'link')
                number, entry = Consent.last(record)
                self.assertEqual(
                    Party(party.id).marketing_paused_until, entry.until)
                for _ in range(2):
                    self.assertEqual(Consent.undo(record, number), entry)
                    self.assertEqual(
                        Party(party.id).marketing_paused_until, restored)
                self.assertIsNone(Consent.last(record))

    @with_transaction()
    def test_gone_model(self):
        "Test scenarios of models that are not there any more hinder nothing"
        pool = Pool()
        Party = pool.get('party.party')
        Scenario = pool.get('marketing.automation.scenario')
        party = create_party()
        gone, _, _ = create_scenario("Gone")
        _, _, (waiting,) = create_scenario(parties=[party])
        table = Scenario.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.model], ['gone.model'], where=table.id == gone.id))
        clear_cache(Scenario)
        Party.write([party], {'marketing_refused': True})
        self.assertEqual(state(waiting), REFUSED)

    @with_transaction()
    def test_undo_others(self):
        "Test undo leaves what else has ended"
        pool = Pool()
        Consent = pool.get(CONSENT)
        Party = pool.get('party.party')
        Record = pool.get(RECORD)
        party = create_party()
        _, _, (blocked,) = create_scenario("Blocked", [party])
        left_scenario, _, (left,) = create_scenario("Left", [party])
        _, _, (waiting,) = create_scenario("Waiting", [party])
        _, _, (former,) = create_scenario("Former", [party])
        Record.block([blocked.record])
        # Those of the former module have no reason
        Record.write([former.record], {'blocked': True})
        with Transaction().set_user(0):
            Consent.stop(waiting.record.id, 'all', 'link')
            Party.write([party], {
                    'marketing_scenario_unsubscribed': [
                        ('add', [left_scenario.id])],
                    })
            Consent.undo(waiting.record.id, 1)

        self.assertEqual(state(waiting), WAITING)
        self.assertEqual(
            state(blocked), ('cancelled', 'blocked', 'blocked', True))
        self.assertEqual(state(left), REFUSED)
        self.assertTrue(state(former)[-1])

    @with_transaction()
    def test_undo_event(self):
        "Test what happened meanwhile is not forgotten"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Consent = pool.get(CONSENT)
        party = create_party()
        _, root, (mail,) = create_scenario(parties=[party])
        RecordActivity = mail.__class__
        Activity.write([root], {
                'action': 'send_email',
                'email_title': "Hello",
                'email_template': '<p>Hello</p>',
                })
        child, = Activity.create([{
                    'name': "Child",
                    'parent': str(root),
                    'event': 'email_opened',
                    'delay': DAY,
                    }])
        RecordActivity.write([mail], {'state': 'done'})
        waiting, = RecordActivity.create([{
                    'record': mail.record.id, 'activity': child.id}])
        with Transaction().set_user(0):
            Consent.stop(mail.record.id, 'scenario', 'link')
            RecordActivity.on_email_opened([mail])
            self.assertEqual(state(waiting), LEFT)
            Consent.undo(mail.record.id, 1)

        waiting = RecordActivity(waiting.id)
        self.assertEqual(state(waiting), WAITING)
        self.assertEqual(
            waiting.at, RecordActivity(mail.id).email_opened_at + DAY)
