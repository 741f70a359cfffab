# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from contextlib import contextmanager
from unittest.mock import patch

from trytond import backend
from trytond.modules.marketing_automation.outcome import (
    Outcome, OutgoingMessage, done)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from .common.crowd import create_crowd
from .tools import BASE, configured

FEW, MANY = 10, 100
TEMPLATE = """<html><body>
<p>Hello ${record.name}</p>
<a href="https://shop.example.com/">Shop</a>
<a href="https://shop.example.com/cart/${record.id}">Cart</a>
<a href="unsubscribe">Unsubscribe</a>
</body></html>"""
CONDITION = (
    '{"__class__": "Not", "v": {"__class__": "Equal", "s1": {'
    '"__class__": "Get", "v": {"__class__": "Eval", "v": "self", "d": {}}, '
    '"k": "name", "d": ""}, "s2": "Nobody"}}')


@contextmanager
def counted():
    "Yield the list of the statements"
    statements = []
    if backend.name == 'sqlite':
        connection = Transaction().connection
        connection.set_trace_callback(statements.append)
        try:
            yield statements
        finally:
            connection.set_trace_callback(None)
    else:
        from trytond.backend.postgresql.database import LoggingCursor
        execute = LoggingCursor.execute

        def counting(self, query, *args, **kwargs):
            statements.append(query)
            return execute(self, query, *args, **kwargs)
        with patch.object(LoggingCursor, 'execute', counting):
            yield statements


@contextmanager
def executed():
    "Yield the list of the statements of any transaction"
    if backend.name == 'sqlite':
        from trytond.backend.sqlite.database import SQLiteCursor as Cursor
    else:
        from trytond.backend.postgresql.database import LoggingCursor as Cursor
    statements, execute = [], Cursor.execute

    def counting(self, query, *args, **kwargs):
        # The pool of connections executes an empty one
        if query:
            statements.append(query)
        return execute(self, query, *args, **kwargs)
    with patch.object(Cursor, 'execute', counting):
        yield statements


class StatementsTestCase(unittest.TestCase):
    "Test the number of statements does not grow with the records"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        super().setUp()
        manager = configured(
            email__from='shop@example.com',
            marketing__automation_base=BASE,
            marketing__quarantine=0,
            marketing__machine_seconds=0)
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)

    def create_scenario(self, count, children=(), **values):
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Activity = pool.get('marketing.automation.activity')
        Lang = pool.get('ir.lang')
        lang, = Lang.search([('code', '=', 'en')])
        parties = create_crowd([
                (f"Party {i}", f'party.{i}@example.com')
                for i in range(count)], lang=lang.id)
        scenario, = Scenario.create([{
                    'name': "Scenario",
                    'model': 'party.party',
                    'domain': f'[["id", "in", {[p.id for p in parties]}]]',
                    'state': 'running',
                    }])
        activity, = Activity.create([{
                    'name': "Root", 'parent': str(scenario), **values}])
        Activity.create([{
                    'name': "Child", 'parent': str(activity), **child}
                for child in children])
        return scenario, activity

    def create_mails(self, count, **values):
        return self.create_scenario(
            count, action='send_email', email_title="Hello ${record.name}",
            email_template=TEMPLATE, **values)

    @contextmanager
    def task(self):
        "Do as a task, which knows nothing yet"
        transaction = Transaction()
        transaction.counter += 1
        for cache in transaction.cache.values():
            cache.clear()
        with transaction.set_user(0), transaction.reset_context():
            yield

    def assertConstant(self, function, prepare):
        "Assert that it needs the same statements for many as for few"
        counts = []
        # The first fills the caches of the process
        for count in [FEW, FEW, MANY]:
            arguments = prepare(count)
            with self.task(), counted() as statements:
                function(*arguments)
            counts.append(len(statements))
        _, few, many = counts
        self.assertEqual(many, few, '\n'.join(
                str(s)[:120] for s in statements))
        return many

    def entered(self, count, mails=False, **values):
        "Return the activity and the ids of those which are due for it"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        create = self.create_mails if mails else self.create_scenario
        scenario, activity = create(count, **values)
        Pool().get('marketing.automation.record').enter(
            scenario, dt.datetime.now())
        ids = [r.id for r in RecordActivity.search(
                [('activity', '=', activity.id)])]
        self.assertEqual(len(ids), count)
        return activity.id, ids

    def execute(self, activity, ids):
        "Do what is done of a batch, without the hand-over"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        RecordActivity = pool.get('marketing.automation.record.activity')
        activity = Activity(activity)
        # What follows without an action needs no claim
        now, number = dt.datetime.now(), 1 if activity.action else None
        self.assertTrue(RecordActivity.has_due(activity.id, now))
        self.assertEqual(
            len(RecordActivity.due(activity.id, now, len(ids))), len(ids))
        outcomes = RecordActivity.decide(activity, ids)
        messages = {
            i: o for i, o in outcomes.items()
            if isinstance(o, OutgoingMessage)}
        decided = {
            i: o for i, o in outcomes.items() if isinstance(o, Outcome)}
        RecordActivity.store(decided, now, number)
        RecordActivity.store_sending(messages, now, number)
        if messages:
            self.assertEqual(len(messages), len(ids))
            # This is part of the hand-over of each
            RecordActivity.store(
                dict.fromkeys(messages, done()), now, number)
            activity.log_send_email(messages)
        RecordActivity.follow(
            activity, ids=None if number else list(decided), claim=number)

    @with_transaction()
    def test_enter(self):
        "Test the entry"
        Record = Pool().get('marketing.automation.record')

        def prepare(count):
            scenario, _ = self.create_scenario(count)
            return [scenario.id]

        def enter(scenario):
            Scenario = Pool().get('marketing.automation.scenario')
            Record.enter(Scenario(scenario), dt.datetime.now())
        self.assertConstant(enter, prepare)

    @unittest.skipUnless(
        backend.name == 'postgresql', "The plan is of PostgreSQL")
    @with_transaction()
    def test_enter_plan(self):
        "Test who enters is not compared with each of those who enter"
        Record = Pool().get('marketing.automation.record')
        cursor = Transaction().connection.cursor()
        # It knows that there is nothing, and not that there will be much
        cursor.execute('ANALYZE "marketing_automation_record"')
        scenario, _ = self.create_scenario(FEW)
        insert, plan = Record._insert_entered, []

        def explained(scenario, query, last_id):
            text, parameters = query
            cursor.execute(f'EXPLAIN {text}', parameters)
            plan.extend(line for line, in cursor)
            return insert(scenario, query, last_id)
        with patch.object(Record, '_insert_entered', explained):
            self.assertEqual(
                Record.enter(scenario, dt.datetime.now()), FEW)
        plan = '\n'.join(plan)
        # All is read before the first is inserted
        self.assertRegex(plan, r"Sort Key: .*id \+ ")
        self.assertIn("SubPlan", plan)
        self.assertNotIn("Join", plan)

    @with_transaction()
    def test_lookup(self):
        "Test a batch is not joined with tables that have many rows"
        for mails in [False, True]:
            with self.subTest(mails=mails):
                activity, ids = self.entered(FEW, mails=mails, children=[{}])
                with counted() as statements:
                    self.execute(activity, ids)
                self.assertFalse([
                        s for s in statements
                        if 'JOIN "marketing_automation_record' in s
                        or 'JOIN "ir_email' in s])

    @with_transaction()
    def test_step(self):
        "Test the execution without action, with children"
        self.assertConstant(
            self.execute,
            lambda count: self.entered(count, children=[{}, {}]))

    @with_transaction()
    def test_condition(self):
        "Test the execution with a condition"
        self.assertConstant(
            self.execute,
            lambda count: self.entered(count, condition=CONDITION))

    @with_transaction()
    def test_send(self):
        "Test the composition of mails, their claim and their log"
        count = self.assertConstant(
            self.execute, lambda count: self.entered(count, mails=True))
        # With the claim and its release, and one for the outcome of each
        self.assertLessEqual(1 + (count + 5) / 250, 1.2)

    @with_transaction()
    def test_links(self):
        "Test a link is a row for all mails, also if it contains their values"
        Link = Pool().get('marketing.automation.link')
        activity, ids = self.entered(FEW, mails=True)
        with self.task():
            self.execute(activity, ids)
        self.assertEqual(
            {l.url for l in Link.search([('activity', '=', activity)])}, {
                'https://shop.example.com/',
                'https://shop.example.com/cart/\N{HORIZONTAL ELLIPSIS}'})

    @with_transaction()
    def test_constants(self):
        "Test what is prepared can use the indexes with a condition"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        for Model in [Record, RecordActivity]:
            self.assertEqual(
                Model._uncounted(Model.__table__()).params, ())
        table = RecordActivity.__table__()
        now = dt.datetime.now()
        due = RecordActivity._is_due(table, 1, now)
        self.assertEqual(due.params, (1, now))
        self.assertEqual(RecordActivity._is_claimed(table).params, ())

    @with_transaction()
    def test_outcome(self):
        "Test the outcome of one mail is one statement"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        _, ids = self.entered(2, mails=True)
        with counted() as statements:
            RecordActivity.store({ids[0]: done()}, dt.datetime.now(), 1)
        self.assertEqual(len(statements), 1, statements)

    @with_transaction()
    def test_hit(self):
        "Test a hit is one statement"
        Hit = Pool().get('marketing.automation.hit')
        _, (id_,) = self.entered(1, mails=True)
        with counted() as statements:
            Hit.add('open', record_activity=id_, user_agent="Firefox")
        self.assertEqual(len(statements), 1, statements)

    @with_transaction()
    def test_unsubscribe(self):
        "Test nobody reads records to unsubscribe one"
        Consent = Pool().get('marketing.automation.consent')

        def prepare(count):
            activity, ids = self.entered(count, mails=True, children=[
                    {'event': 'email_opened'}])
            RecordActivity = Pool().get('marketing.automation.record.activity')
            RecordActivity.store(
                dict.fromkeys(ids, done()), dt.datetime.now(), 1)
            return [RecordActivity(ids[0]).record.id]

        self.assertLessEqual(self.assertConstant(
                lambda id_: Consent.stop(id_, 'scenario', 'one-click'),
                prepare), 10)

    @with_transaction()
    def test_react(self):
        "Test the reaction on hits"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        for kind, maximum in [('open', 25), ('click', 40)]:
            with self.subTest(kind=kind):
                count = self.assertConstant(
                    RecordActivity.react,
                    lambda count: self.hit(kind, self.sent(count, kind)))
                self.assertLessEqual(count, maximum)
                # With the INSERT of each, and with one page of hits
                self.assertLessEqual(1 + count / MANY, 4)
        self.assertTrue(RecordActivity.search(
                [('email_clicked', '=', True)], count=True))

    @with_transaction()
    def test_react_again(self):
        "Test the reaction on what is known"
        RecordActivity = Pool().get('marketing.automation.record.activity')

        def prepare(kind, count):
            ids = self.sent(count, kind)
            self.hit(kind, ids)
            RecordActivity.react()
            # Another program, so that it is kept
            return self.hit(kind, ids, user_agent="Chrome/1 Safari/1")

        for kind in ['open', 'click']:
            with self.subTest(kind=kind):
                count = self.assertConstant(
                    RecordActivity.react,
                    lambda count: prepare(kind, count))
                self.assertLessEqual(1 + count / MANY, 2)

    def sent(self, count, kind):
        "Return the ids of as many mails with a child that waits for the kind"
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        event = {'open': 'email_opened', 'click': 'email_clicked'}[kind]
        activity, ids = self.entered(
            count, mails=True, children=[{'event': event}])
        RecordActivity.store(
            dict.fromkeys(ids, done()), dt.datetime.now(), 1)
        RecordActivity.follow(
            pool.get('marketing.automation.activity')(activity), claim=1)
        return ids

    def hit(self, kind, ids, user_agent="Firefox"):
        "Add a hit for each of the mails, return the arguments to react"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Link = pool.get('marketing.automation.link')
        RecordActivity = pool.get('marketing.automation.record.activity')
        link = None
        if kind == 'click':
            activity = RecordActivity(ids[0]).activity.id
            link = Link.ids({(activity, 'https://shop.example.com/')})[
                activity, 'https://shop.example.com/']
        for id_ in ids:
            Hit.add(
                kind, record_activity=id_, link=link, user_agent=user_agent)
        return []

    @with_transaction()
    def test_lists(self):
        "Test the lists with their figures"
        pool = Pool()
        for name, figures in [
                ('scenario', [
                        'record_count', 'block_rate', 'block_rate_trend',
                        'waiting_count', 'done_count']),
                ('activity', [
                        'record_count', 'email_opened', 'email_open_rate',
                        'email_open_rate_trend', 'email_click_rate_trend',
                        'email_click_through_rate_trend',
                        'waiting_count', 'done_count'])]:
            Model = pool.get(f'marketing.automation.{name}')

            def prepare(count):
                for _ in range(count // FEW):
                    self.entered(1, mails=True)
                return [[r.id for r in Model.search([])]]

            with self.subTest(list=name):
                self.assertConstant(
                    lambda ids: Model.read(ids, figures), prepare)
