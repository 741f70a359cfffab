# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.model.modelview import AccessButtonError
from trytond.modules.marketing_automation.exceptions import (
    GoalError, ScenarioError)
from trytond.modules.marketing_automation.outcome import done, failed
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..consent.test_party import acting, create_user
from ..test_statements import counted
from .test_unicity import create_parties, create_scenario, enter

NOW = dt.datetime.now().replace(microsecond=0)
CUSTOMER = '[["name", "like", "Customer%"]]'
BUYER = '[["name", "like", "%buys"]]'
ACTION = 'marketing.automation.record.activity'
RECORD = 'marketing.automation.record'


def customers(count):
    parties = create_parties(*(None for _ in range(count)))
    rename("Customer", *parties)
    return parties


def rename(name, *parties):
    Party = Pool().get('party.party')
    Party.write(list(parties), {'name': name})


def records(scenario):
    return Pool().get(RECORD).search(
        [('scenario', '=', scenario.id)], order=[('record', 'ASC')])


def states(scenario):
    "Return the states and the reasons of the records and what they have"
    RecordActivity = Pool().get(ACTION)
    return [(
            r.state, r.end_reason,
            sorted({(a.state, a.reason) for a in RecordActivity.search(
                        [('record', '=', r.id)])},
                key=str))
        for r in records(scenario)]


def batch(scenario, name="Root", outcomes=None):
    "Do what is done of a batch with all that waits of the activity"
    pool = Pool()
    Activity = pool.get('marketing.automation.activity')
    RecordActivity = pool.get(ACTION)
    activity, = Activity.search([
            ('scenario', '=', scenario.id), ('name', '=', name)])
    waiting = [r.id for r in RecordActivity.search([
                ('activity', '=', activity.id),
                ('state', '=', 'waiting'),
                ('at', '!=', None),
                ])]
    if not outcomes:
        outcomes = RecordActivity.decide(activity, waiting)
    else:
        outcomes = {i: outcomes for i in waiting}
    RecordActivity.store(outcomes, dt.datetime.now(), 1)
    RecordActivity.follow(activity, claim=1)


INSIDE = ('running', None, [('waiting', None)])
DONE = ('completed', 'completed', [('done', None)])


def ended(state, reason):
    return state, reason, [('cancelled', reason)]


class LeavingTestCase(unittest.TestCase):
    "Test who leaves a scenario"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_leave(self):
        "Test who matches no more leaves at the next run"
        leaves, stays = customers(2)
        scenario = create_scenario(domain=CUSTOMER)
        enter(scenario)
        rename("Other", leaves)
        enter(scenario)
        enter(scenario)
        self.assertEqual(states(scenario), [ended('left', 'left'), INSIDE])
        record = records(scenario)[0]
        self.assertTrue(record.ended_at)
        # Who has left does not return
        rename("Customer", leaves)
        self.assertEqual(enter(scenario), 0)

    @with_transaction()
    def test_stay(self):
        "Test nobody leaves if the scenario does not say so"
        leaves, = customers(1)
        scenario = create_scenario(domain=CUSTOMER, leave=False)
        enter(scenario)
        rename("Other", leaves)
        enter(scenario)
        self.assertEqual(states(scenario), [INSIDE])
        batch(scenario)
        self.assertEqual(states(scenario), [DONE])

    @with_transaction()
    def test_leave_due(self):
        "Test who matches no more leaves when something is due"
        leaves, stays = customers(2)
        scenario = create_scenario(domain=CUSTOMER)
        enter(scenario)
        rename("Other", leaves)
        batch(scenario)
        self.assertEqual(states(scenario), [ended('left', 'left'), DONE])

    @with_transaction()
    def test_removed(self):
        "Test what has disappeared"
        Party = Pool().get('party.party')
        deleted, inactive, stays = customers(3)
        scenario = create_scenario(domain=CUSTOMER, leave=False)
        enter(scenario)
        Party.delete([deleted])
        inactive.active = False
        inactive.save()
        enter(scenario)
        self.assertEqual(sorted(states(scenario)), sorted([
                    ended('removed', 'target_deleted'),
                    ended('removed', 'target_inactive'),
                    INSIDE]))

    @with_transaction()
    def test_by_hand(self):
        "Test who was added by hand stays but can reach the goal"
        Record = Pool().get(RECORD)
        one, two = customers(2)
        rename("Other", one, two)
        scenario = create_scenario(domain=CUSTOMER, goal=BUYER)
        Record.add(scenario, [one.id, two.id])
        self.assertTrue(all(r.by_hand for r in records(scenario)))
        rename("Other buys", two)
        enter(scenario)
        self.assertEqual(states(scenario), [
                INSIDE, ended('converted', 'converted')])
        batch(scenario)
        self.assertEqual(states(scenario)[0], DONE)

    @with_transaction()
    def test_test(self):
        "Test nobody leaves a test"
        Record = Pool().get(RECORD)
        one, = customers(1)
        scenario = create_scenario(domain=CUSTOMER, goal=BUYER)
        Record.add(scenario, [one.id], test=True)
        rename("Other buys", one)
        enter(scenario)
        self.assertEqual(states(scenario), [INSIDE])
        batch(scenario)
        self.assertEqual(states(scenario), [DONE])

    @with_transaction()
    def test_broken(self):
        "Test nobody leaves because the domain is broken"
        Record = Pool().get(RECORD)
        customers(1)
        for name, text in [
                ('domain', '[["unknown", "=", 1]]'),
                ('domain', '[["id", "=", '),
                ('domain', '"x"'),
                ('domain', '[["create_date", "=", "x"]]'),
                ('goal', '[["unknown", "=", 1]]'),
                ]:
            with self.subTest(**{name: text}):
                scenario = create_scenario(domain=CUSTOMER)
                enter(scenario)
                table = scenario.__table__()
                Transaction().connection.cursor().execute(*table.update(
                        [getattr(table, name)], [text],
                        where=table.id == scenario.id))
                Transaction().counter += 1
                Transaction().cache.clear()
                scenario = scenario.__class__(scenario.id)
                waiting = ('running', None, [('waiting', 'domain_error')])
                batch(scenario)
                self.assertEqual(states(scenario), [waiting])
                if 'create_date' not in text:
                    with self.assertRaises(Exception):
                        Record.leave(scenario, NOW)
                self.assertEqual(states(scenario), [waiting])

    @with_transaction()
    def test_goal(self):
        "Test who reaches the goal is converted, also who is completed"
        Record = Pool().get(RECORD)
        now, before, later, never = customers(4)
        rename("Customer buys", before)
        scenario = create_scenario(domain=CUSTOMER, goal=BUYER)
        self.assertEqual(enter(scenario), 3)
        # It also matches no more
        rename("buys", now)
        enter(scenario)
        batch(scenario)
        self.assertEqual(states(scenario), [
                ended('converted', 'converted'), DONE, DONE])
        rename("Customer buys", later)
        rename("Other", never)
        enter(scenario)
        self.assertEqual(
            [s for s, _, _ in states(scenario)],
            ['converted', 'converted', 'completed'])
        self.assertEqual(Record.add(scenario, [before.id]), [])

    @with_transaction()
    def test_goal_due(self):
        "Test who has reached the goal when something is due"
        buys, = customers(1)
        scenario = create_scenario(domain=CUSTOMER, goal=BUYER)
        enter(scenario)
        rename("buys", buys)
        batch(scenario)
        self.assertEqual(states(scenario), [ended('converted', 'converted')])

    @with_transaction()
    def test_check_goal(self):
        "Test a goal that can not be searched is refused"
        for goal in [
                '[["unknown", "=", 1]]', '[["id"', '"x"',
                '[["create_uid.password", "=", "x"]]']:
            with self.subTest(goal=goal), self.assertRaises(GoalError):
                create_scenario(goal=goal)

    @with_transaction()
    def test_statements(self):
        "Test the number of statements does not depend on the records"
        counts = []
        for size in [3, 3, 60]:
            parties = customers(size)
            scenario = create_scenario(
                parties, goal='[["name", "=", "nobody"]]')
            enter(scenario)
            leaving = create_scenario(parties)
            enter(leaving)
            leaving.domain = '[["name", "=", "nobody"]]'
            leaving.save()
            with counted() as statements:
                enter(leaving)
                batch(scenario)
            self.assertEqual({s for s, _, _ in states(leaving)}, {'left'})
            self.assertEqual(
                {s for s, _, _ in states(scenario)}, {'completed'})
            counts.append(len(statements))
        self.assertEqual(*counts[1:])

    # Complete

    @with_transaction()
    def test_complete(self):
        "Test what nothing follows is completed, whatever its end"
        pool = Pool()
        RecordActivity = pool.get(ACTION)
        party, = customers(1)
        scenario = create_scenario([party])
        enter(scenario)
        batch(scenario, outcomes=failed('action_error'))
        failure = ('completed', 'completed', [('failed', 'action_error')])
        self.assertEqual(states(scenario), [failure])
        # Who tries again lets it go on
        RecordActivity.retry(RecordActivity.search([]))
        self.assertEqual(states(scenario), [INSIDE])
        RecordActivity.cancel(RecordActivity.search([]))
        self.assertEqual(states(scenario), [
                ('completed', 'completed', [('cancelled', 'cancelled')])])

    def create_tree(self):
        "Create a scenario with two steps after one, of which one is an event"
        Activity = Pool().get('marketing.automation.activity')
        party, = customers(1)
        scenario = create_scenario([party])
        root, = Activity.search([('scenario', '=', scenario.id)])
        Activity.write([root], {
                'action': 'send_email', 'email_title': "Title",
                'email_from': 'shop@example.com',
                'email_template': "<p/>"})
        Activity.create([
                {'name': "Opened", 'parent': str(root),
                    'event': 'email_opened'},
                {'name': "Later", 'parent': str(root),
                    'delay': dt.timedelta(days=1)}])
        enter(scenario)
        RecordActivity = Pool().get(ACTION)
        RecordActivity.store({r.id: done() for r in RecordActivity.search(
                    [('activity', '=', root.id)])}, dt.datetime.now(), 1)
        RecordActivity.follow(root, claim=1)
        return scenario

    @with_transaction()
    def test_event(self):
        "Test an event is waited for, but not for ever"
        pool = Pool()
        Record = pool.get(RECORD)
        RecordActivity = pool.get(ACTION)
        scenario = self.create_tree()
        batch(scenario, "Later")
        # It may still be opened
        record, = records(scenario)
        self.assertEqual(record.state, 'running')
        Record.complete([record.id], NOW + dt.timedelta(days=29))
        self.assertEqual(Record(record.id).state, 'running')
        Record.complete([record.id], NOW + dt.timedelta(days=31))
        self.assertEqual(Record(record.id).state, 'completed')
        # And is
        sent, = RecordActivity.search([('activity.name', '=', "Root")])
        RecordActivity.on_email_opened([sent])
        self.assertEqual(Record(record.id).state, 'running')
        batch(scenario, "Opened")
        record = Record(record.id)
        self.assertEqual(
            (record.state, record.end_reason), ('completed', 'completed'))
        self.assertEqual(
            {r.state for r in RecordActivity.search([])}, {'done'})

    @with_transaction()
    def test_gates(self):
        "Test what is completed has its gates open"
        pool = Pool()
        RecordActivity = pool.get(ACTION)
        scenario = self.create_tree()
        table = pool.get(RECORD).__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.end_reason], ['completed']))
        batch(scenario, "Later")
        later, = RecordActivity.search([('activity.name', '=', "Later")])
        self.assertEqual(later.state, 'done')

    @with_transaction()
    def test_end(self):
        "Test what is completed can still be ended"
        pool = Pool()
        Record = pool.get(RECORD)
        party, = customers(1)
        scenario = create_scenario([party])
        enter(scenario)
        batch(scenario)
        Record.end([r.id for r in records(scenario)], 'unsubscribed', True)
        self.assertEqual(
            states(scenario), [('blocked', 'unsubscribed', DONE[2])])

    # By hand

    @with_transaction()
    def test_buttons(self):
        "Test a marketer removes one and ends all others"
        pool = Pool()
        Record = pool.get(RECORD)
        Scenario = pool.get('marketing.automation.scenario')
        parties = customers(3)
        scenario = create_scenario(parties)
        enter(scenario)
        user = create_user()
        as_user, checked = acting(user)
        with as_user, checked:
            Record.remove(Record.browse([records(scenario)[0].id]))
            # It runs
            with self.assertRaises(AccessButtonError):
                Scenario.end_records([scenario])
        self.assertEqual(states(scenario)[1:], [INSIDE, INSIDE])
        as_user, checked = acting(user)
        with as_user, checked:
            Scenario.stop(Scenario.browse([scenario.id]))
            Scenario.end_records(Scenario.browse([scenario.id]))
        self.assertEqual(states(scenario), [
                ended('removed', 'removed'),
                ended('stopped', 'stopped'), ended('stopped', 'stopped')])

    @with_transaction()
    def test_state(self):
        "Test the states are found and sorted"
        Record = Pool().get(RECORD)
        party, = customers(1)
        scenario = create_scenario([party])
        enter(scenario)
        record, = records(scenario)
        table = Record.__table__()
        selection = dict(Record.fields_get(['state'])['state']['selection'])
        for reason, blocked, state in [
                (None, False, 'running'),
                (None, True, 'blocked'),
                ('blocked', True, 'blocked'),
                ('no_marketing', True, 'blocked'),
                ('completed', False, 'completed'),
                ('converted', False, 'converted'),
                ('left', False, 'left'),
                ('target_deleted', False, 'removed'),
                ('erased', None, 'removed'),
                ('stopped', False, 'stopped'),
                ]:
            with self.subTest(reason=reason, blocked=blocked):
                Transaction().connection.cursor().execute(*table.update(
                        [table.end_reason, table.blocked], [reason, blocked]))
                Transaction().counter += 1
                Transaction().cache.clear()
                self.assertEqual(Record(record.id).state, state)
                self.assertEqual(Record.search(
                        [('state', '=', state)],
                        order=[('state', 'ASC')]), [record])
                self.assertFalse(Record.search([('state', '!=', state)]))
                self.assertTrue(Record.search(
                        [('state', 'in', [state])]))
                self.assertIn(state, selection)

    @with_transaction()
    def test_add(self):
        "Test what becomes of each target that is added by a script"
        pool = Pool()
        Party = pool.get('party.party')
        Scenario = pool.get('marketing.automation.scenario')
        names = [
            'already', 'enters', 'inactive', 'no_marketing', 'unsubscribed',
            'goal', 'unicity']
        parties = dict(zip(names, create_parties(*names)))
        scenario = create_scenario(
            [parties['already']], goal=BUYER, unicity='name')
        enter(scenario)
        rename("Somebody buys", parties['goal'])
        rename("party ALREADY", parties['unicity'])
        Party.write([parties['inactive']], {'active': False})
        Party.write([parties['no_marketing']], {'marketing_refused': True})
        Party.write([parties['unsubscribed']], {
                'marketing_scenario_unsubscribed': [('add', [scenario.id])]})
        joined = Scenario(scenario.id).add(list(parties.values()))
        self.assertEqual(joined.already, {parties['already'].id})
        self.assertEqual(joined.entered, {parties['enters'].id})
        self.assertEqual(joined.refused, {
                parties[n].id: n for n in names[2:]})
        Scenario.stop([scenario])
        with self.assertRaises(ScenarioError):
            Scenario(scenario.id).add([parties['enters']])
