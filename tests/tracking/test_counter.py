# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import random
import unittest
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.marketing_automation import outcome
from trytond.modules.marketing_automation.reporting import counted
from trytond.modules.marketing_automation.reporting.report import STATES
from trytond.modules.marketing_automation.tracking import counter
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..common.history import (
    ACTIVITY, EVENTS, RATES, SCENARIO, create_record_activities,
    create_records, create_scenarios, expected_figures, expected_rows, fill,
    set_values)

COUNTER = 'marketing.automation.counter'
RECORD = 'marketing.automation.record'
RECORD_ACTIVITY = 'marketing.automation.record.activity'


def fold():
    "Count what has changed, in the same transaction"
    pool = Pool()
    for Model in [pool.get(RECORD), pool.get(RECORD_ACTIVITY)]:
        while Model.fold_counted():
            pass
    pool.get(COUNTER)._merge()


class CounterTestCase(unittest.TestCase):
    "Test the counters of the figures"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        super().setUp()
        for module, name, value in [
                (counter, '_NEW', 5),
                (counted, 'FOLD', 7)]:
            patcher = patch.object(module, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)

    def assertFigures(self):
        "The figures are those of the rows, counted one by one"
        pool = Pool()
        self.assertEqual(pool.get(COUNTER).verify(), 0)
        today = dt.date.today()
        for model in [SCENARIO, ACTIVITY]:
            Reporting = pool.get(model.replace('on.', 'on.reporting.'))
            expected = expected_figures(model)
            names = set(RATES[model]) | {
                n for ns in RATES[model].values() for n in ns}
            ids = [s.id for s in pool.get(model).search([])]
            figures = Reporting.figures(ids, names)
            for id_ in ids:
                for name in names:
                    nothing = None if name in RATES[model] else 0
                    self.assertEqual(
                        figures[name][id_],
                        expected[id_].get(name, nothing), (model, name))
            for period in ['month', 'day']:
                from_date = today - dt.timedelta(days=100)
                expected = expected_rows(model, period, from_date, today)
                with Transaction().set_context(
                        period=period, from_date=from_date, to_date=today):
                    reports = {
                        (getattr(r, Reporting._subject).id, r.date): r
                        for r in Reporting.search([])}
                    for key, counts in expected.items():
                        for name in names:
                            self.assertEqual(
                                getattr(reports[key], name), counts[name])

    @with_transaction()
    def test_random_walk(self):
        "The figures are those of the rows whatever happens to these"
        pool = Pool()
        Record = pool.get(RECORD)
        RecordActivity = pool.get(RECORD_ACTIVITY)
        rand = random.Random(6)
        fill(6)
        self.assertFigures()
        now = dt.datetime.now().replace(microsecond=0)

        def moment():
            return now - dt.timedelta(days=rand.randint(0, 200))

        def some(Model, *domain):
            found = Model.search(list(domain))
            return rand.sample(found, min(len(found), rand.randint(1, 6)))

        def end():
            Record.end(
                [r.id for r in some(Record)],
                rand.choice(['blocked', 'unsubscribed', 'erased']),
                blocked=rand.random() < .5)

        def change():
            set_values(some(RecordActivity),
                state=rand.choice(STATES), ended_at=moment(),
                **{e: rand.random() < .5 for e in EVENTS})

        def react():
            RecordActivity.apply_events([
                    (r.id, rand.choice(EVENTS), moment())
                    for r in some(RecordActivity, ('state', '=', 'done'))])

        def retry():
            RecordActivity.retry(
                some(RecordActivity, ('state', '=', 'failed')))

        def cancel():
            RecordActivity.cancel(
                some(RecordActivity, ('state', '=', 'waiting')))

        def delete():
            RecordActivity.delete(some(RecordActivity))
            Record.delete(some(Record)[:1])

        def create():
            activity, = rand.sample(pool.get(ACTIVITY).search([]), 1)
            create_record_activities(
                activity, create_records(activity.scenario, 2))

        steps = [end, change, change, react, retry, cancel, delete, create]
        for i in range(40):
            rand.choice([*steps, fold, fold])()
            if i % 5 == 4:
                self.assertFigures()
        fold()
        self.assertFigures()

    @with_transaction()
    def test_repeated(self):
        "What is counted is not counted again"
        fill(7)
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        self.assertGreater(RecordActivity.fold_counted(), 0)
        fold()
        set_values(
            RecordActivity.search([('state', '=', 'sending')]), state='done')
        fold()
        for Model in [Pool().get(RECORD), RecordActivity]:
            self.assertEqual(Model.fold_counted(), 0)

    @with_transaction()
    def test_tests(self):
        "Tests do not count"
        pool = Pool()
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        records = create_records(scenario, 3)
        done = create_record_activities(activity, records)
        set_values(records[:2], test=True)
        set_values(done[:2], test=True)
        for _ in range(2):
            self.assertEqual(
                pool.get(SCENARIO)(scenario.id).record_count, 1)
            self.assertEqual(
                pool.get(ACTIVITY)(activity.id).waiting_count, 1)
            fold()
            Transaction().counter += 1

    @with_transaction()
    def test_merge(self):
        "The counters of the same become one"
        pool = Pool()
        Counter = pool.get(COUNTER)
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        for _ in range(7):
            create_record_activities(activity, create_records(scenario, 1))
            fold()
        rows, = Counter.search([
                ('activity', '=', activity.id), ('merged', '=', True)])
        self.assertEqual(rows.kind, 'waiting,')
        self.assertLess(
            Counter.search([('merged', '=', False)], count=True), 10)
        self.assertFigures()

    @with_transaction()
    def test_verify(self):
        "Counters that differ are corrected"
        Counter = Pool().get(COUNTER)
        fill(8)
        fold()
        counters = Counter.search([])
        Counter.delete(counters[:3])
        Counter.write(counters[3:5], {'number': 1000})
        with self.assertLogs(counter.logger, 'ERROR'):
            self.assertGreater(Counter.verify(), 0)
        self.assertEqual(Counter.verify(), 0)
        self.assertFigures()

    def verify(self, user):
        "Return what the client of the user shows of the verification"
        Wizard = Pool().get('marketing.automation.counter.verify', 'wizard')
        with Transaction().set_user(user), \
                Transaction().set_context(_check_access=True):
            session_id, start, end = Wizard.create()
            result = Wizard.execute(session_id, {}, start)
            Wizard.delete(session_id)
        return result['view']['defaults']

    @with_transaction()
    def test_wizard(self):
        "An administrator has the counters verified, nobody else"
        pool = Pool()
        Counter = pool.get(COUNTER)
        User = pool.get('res.user')
        ModelData = pool.get('ir.model.data')
        groups = {
            'administrator': ('marketing_automation',
                'group_marketing_automation_admin'),
            'marketer': ('marketing', 'group_marketing')}
        users = {
            login: user.id for login, user in zip(groups, User.create([{
                            'login': login,
                            'groups': [('add', [ModelData.get_id(*group)])],
                            } for login, group in groups.items()]))}
        fill(8)
        fold()
        Counter.delete(Counter.search([])[:3])
        with self.assertRaises(AccessError):
            self.verify(users['marketer'])
        with self.assertLogs(counter.logger, 'ERROR'):
            result = self.verify(users['administrator'])
        self.assertGreater(result['corrected'], 0)
        self.assertEqual(
            self.verify(users['administrator']), {'corrected': 0})

    @with_transaction()
    def test_written(self):
        "What a batch writes is counted with it, and not written once more"
        pool = Pool()
        Record = pool.get(RECORD)
        RecordActivity = pool.get(RECORD_ACTIVITY)
        scenario, = create_scenarios(1, activities=2)
        root, = scenario.activities
        child, = root.children
        done = create_record_activities(root, create_records(scenario, 3))
        fold()
        now = dt.datetime.now()
        ids = [r.id for r in done]
        set_values(done, claim=1)
        RecordActivity.store(
            {i: outcome.done() for i in ids[:2]}, now, number=1)
        RecordActivity.store(
            {i: outcome.skipped('condition') for i in ids[2:]}, now)
        RecordActivity.follow(root, claim=1)
        Record.complete([r.record.id for r in done])
        RecordActivity._update([RecordActivity.search([
                        ('activity', '=', child.id)])[0].id],
            {'claim': None, 'at': now})
        for Model in [Record, RecordActivity]:
            self.assertEqual(Model.fold_counted(), 0)
        self.assertFigures()
        Activity = pool.get(ACTIVITY)
        self.assertEqual(Activity(root.id).record_count, 2)
        self.assertEqual(Activity(root.id).skipped_count, 1)
        self.assertEqual(Activity(child.id).waiting_count, 2)
