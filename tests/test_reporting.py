# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import random
import unittest
from collections import Counter, defaultdict
from contextlib import contextmanager
from unittest.mock import patch

from dateutil.relativedelta import relativedelta

from trytond import backend
from trytond.modules.marketing_automation.reporting import STATES, TREND_LENGTH
from trytond.pool import Pool
from trytond.tests.test_tryton import activate_module, with_transaction
from trytond.transaction import Transaction

SCENARIO = 'marketing.automation.scenario'
ACTIVITY = 'marketing.automation.activity'
SCENARIO_REPORTING = 'marketing.automation.reporting.scenario'
ACTIVITY_REPORTING = 'marketing.automation.reporting.activity'
RATES = {
    SCENARIO: {
        'block_rate': ('record_count_blocked', 'record_count'),
        },
    ACTIVITY: {
        'email_open_rate': ('email_opened', 'record_count'),
        'email_click_rate': ('email_clicked', 'record_count'),
        'email_click_through_rate': ('email_clicked', 'email_opened'),
        },
    }
BLOCKS = '▁▂▃▄▅▆▇█'


def create_scenarios(count, activities=1):
    "Create scenarios with chains of activities"
    pool = Pool()
    Scenario = pool.get(SCENARIO)
    Activity = pool.get(ACTIVITY)
    scenarios = Scenario.create([{
                'name': f"Scenario {i}",
                'model': 'party.party',
                'domain': '[]',
                } for i in range(count)])
    for scenario in scenarios:
        parent = scenario
        for i in range(activities):
            parent, = Activity.create([{
                        'name': f"Activity {i}",
                        'parent': str(parent),
                        }])
    return list(Scenario.browse(scenarios))


def create_records(scenario, count):
    pool = Pool()
    Party = pool.get('party.party')
    Record = pool.get('marketing.automation.record')
    parties = Party.create([{'name': "Party"} for _ in range(count)])
    return Record.create([{
                'scenario': scenario.id,
                'record': str(p),
                } for p in parties])


def create_record_activities(activity, records):
    RecordActivity = Pool().get('marketing.automation.record.activity')
    return RecordActivity.create([{
                'record': r.id,
                'activity': activity.id,
                } for r in records])


def set_values(records, **values):
    "Write facts as the system does"
    if not records:
        return
    Model = records[0].__class__
    table = Model.__table__()
    cursor = Transaction().connection.cursor()
    for record in records:
        cursor.execute(*table.update(
                [getattr(table, n) for n in values],
                list(values.values()),
                where=table.id == record.id))
    Transaction().counter += 1


def rows(model, *names):
    "Return what is stored"
    table = Pool().get(model).__table__()
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.select(*[getattr(table, n) for n in names]))
    return [
        [dt.datetime.fromisoformat(v) if n in _DATES and isinstance(v, str)
            else v
            for n, v in zip(names, row)]
        for row in cursor.fetchall()]


_DATES = {'create_date', 'ended_at', 'at'}


def start(date, period):
    if period == 'year':
        return date.replace(month=1, day=1)
    elif period == 'month':
        return date.replace(day=1)
    return date


def ratio(counts, numerator, denominator):
    if counts[denominator]:
        return counts[numerator] / counts[denominator]


def facts(model):
    "Return the subject, the date and the name of each thing that counts"
    if model == SCENARIO:
        for scenario, created, blocked, ended in rows(
                'marketing.automation.record',
                'scenario', 'create_date', 'blocked', 'ended_at'):
            yield scenario, created.date(), 'record_count'
            if blocked:
                yield scenario, (ended or created).date(), (
                    'record_count_blocked')
    else:
        for activity, state, ended, at, created, opened, clicked in rows(
                'marketing.automation.record.activity',
                'activity', 'state', 'ended_at', 'at', 'create_date',
                'email_opened', 'email_clicked'):
            if state == 'done':
                date = (ended or at or created).date()
                yield activity, date, 'record_count'
                if opened:
                    yield activity, date, 'email_opened'
                if clicked:
                    yield activity, date, 'email_clicked'


def expected_figures(model):
    "Return the figures by subject"
    figures = defaultdict(Counter)
    for subject, _, name in facts(model):
        figures[subject][name] += 1
    for counts in figures.values():
        for name, (n, d) in RATES[model].items():
            counts[name] = ratio(counts, n, d)
    return figures


def expected_rows(model, period, from_date, to_date):
    "Return the figures by subject and period"
    figures = defaultdict(Counter)
    for subject, date, name in facts(model):
        if from_date <= date <= to_date:
            figures[subject, start(date, period)][name] += 1
    for counts in figures.values():
        for name, (n, d) in RATES[model].items():
            counts[name] = ratio(counts, n, d)
    return figures


@contextmanager
def statements():
    "Return the list of the executed statements"
    executed = []
    if backend.name == 'sqlite':
        connection = Transaction().connection
        connection.set_trace_callback(executed.append)
        try:
            yield executed
        finally:
            connection.set_trace_callback(None)
    else:
        from trytond.backend.postgresql.database import LoggingCursor
        execute = LoggingCursor.execute

        def count(self, query, *args, **kwargs):
            executed.append(query)
            return execute(self, query, *args, **kwargs)
        with patch.object(LoggingCursor, 'execute', count):
            yield executed


class ReportingTestCase(unittest.TestCase):
    "Test the figures"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        activate_module('marketing_automation')

    def fill(self, seed):
        "Make random history"
        rand = random.Random(seed)
        today = dt.date.today()

        def moment():
            return dt.datetime.combine(
                today - dt.timedelta(days=rand.randint(0, 600)),
                dt.time(rand.randint(0, 23), rand.randint(0, 59)))

        scenarios = create_scenarios(4, activities=3)
        for scenario in scenarios[:-1]:
            records = create_records(scenario, rand.randint(1, 20))
            activities = Pool().get(ACTIVITY).search([
                    ('scenario', '=', scenario.id),
                    ])
            for record in records:
                blocked = rand.random() < .4
                set_values([record],
                    create_date=moment(), blocked=blocked,
                    ended_at=(
                        moment() if blocked and rand.random() < .7 else None))
            for activity in activities:
                for record in create_record_activities(activity, records):
                    opened = rand.random() < .5
                    set_values([record],
                        state=rand.choice(STATES + ['done'] * 5),
                        at=moment() if rand.random() < .9 else None,
                        ended_at=moment() if rand.random() < .7 else None,
                        email_opened=opened,
                        email_clicked=opened and rand.random() < .5)
        return scenarios

    @with_transaction()
    def test_figures(self):
        "The figures of the forms are those of the rows"
        self.fill(1)
        for model in [SCENARIO, ACTIVITY]:
            expected = expected_figures(model)
            Model = Pool().get(model)
            with Transaction().set_context(active_test=False):
                subjects = Model.search([])
            self.assertTrue(subjects)
            names = set(RATES[model]) | {
                n for ns in RATES[model].values() for n in ns}
            for subject in subjects:
                for name in names:
                    with self.subTest(model=model, name=name, id=subject.id):
                        nothing = None if name in RATES[model] else 0
                        self.assertEqual(
                            getattr(subject, name),
                            expected[subject.id].get(name, nothing))

    @with_transaction()
    def test_progress(self):
        "The counts per state are those of the rows"
        self.fill(2)
        Scenario = Pool().get(SCENARIO)
        Activity = Pool().get(ACTIVITY)
        counts = Counter()
        scenarios = {a.id: a.scenario.id for a in Activity.search([])}
        for activity, state in rows(
                'marketing.automation.record.activity', 'activity', 'state'):
            counts[ACTIVITY, activity, state] += 1
            counts[SCENARIO, scenarios[activity], state] += 1
        for Model in [Scenario, Activity]:
            for record in Model.search([]):
                for state in STATES:
                    with self.subTest(record=record, state=state):
                        self.assertEqual(
                            getattr(record, f'{state}_count'),
                            counts[Model.__name__, record.id, state])

    @with_transaction()
    def test_reporting(self):
        "The figures of the reports are those of the rows"
        self.fill(3)
        today = dt.date.today()
        for model, reporting in [
                (SCENARIO, SCENARIO_REPORTING),
                (ACTIVITY, ACTIVITY_REPORTING)]:
            Reporting = Pool().get(reporting)
            for period in ['year', 'month', 'day']:
                for from_date in [
                        dt.date.min, today - dt.timedelta(days=100), today]:
                    for to_date in [
                            today - dt.timedelta(days=50), today]:
                        with self.subTest(
                                model=model, period=period,
                                from_date=from_date, to_date=to_date):
                            self._test_reporting(
                                Reporting, model, period, from_date, to_date)

    def _test_reporting(self, Reporting, model, period, from_date, to_date):
        expected = expected_rows(model, period, from_date, to_date)
        with Transaction().set_context(
                period=period,
                from_date=from_date if from_date != dt.date.min else None,
                to_date=to_date):
            reports = list(Reporting.search([]))
            self.assertEqual(len({r.id for r in reports}), len(reports))
            names = {n for ns in RATES[model].values() for n in ns}
            names |= RATES[model].keys()
            self.assertEqual({
                    (getattr(r, Reporting._subject).id, r.date):
                    {n: getattr(r, n) for n in names}
                    for r in reports}, {
                    k: {n: c[n] for n in names}
                    for k, c in expected.items()})
            for report in reports:
                self.assertTrue(report.date.isoformat().startswith(
                        report.period))

    @with_transaction()
    def test_reports_agree_with_forms(self):
        "The counts of the periods add up to those of the forms"
        self.fill(4)
        for model, reporting in [
                (SCENARIO, SCENARIO_REPORTING),
                (ACTIVITY, ACTIVITY_REPORTING)]:
            Reporting = Pool().get(reporting)
            totals = defaultdict(Counter)
            for report in Reporting.search([]):
                for name in Reporting._counts:
                    totals[getattr(report, Reporting._subject).id][name] += (
                        getattr(report, name))
            for subject in Pool().get(model).search([]):
                for name in Reporting._counts:
                    self.assertEqual(
                        getattr(subject, name), totals[subject.id][name])

    @with_transaction()
    def test_three_of_seven(self):
        "A rate is not the result of an integer division"
        pool = Pool()
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        records = create_records(scenario, 7)
        set_values(records[:3], blocked=True, ended_at=dt.datetime.now())
        done = create_record_activities(activity, records)
        set_values(done, state='done', ended_at=dt.datetime.now())
        set_values(done[:3], email_opened=True)
        set_values(done[:1], email_clicked=True)

        for record in [
                scenario,
                pool.get(SCENARIO_REPORTING).search([])[0]]:
            self.assertEqual(record.record_count, 7)
            self.assertEqual(record.record_count_blocked, 3)
            self.assertAlmostEqual(record.block_rate, 3 / 7)
        for record in [
                activity,
                pool.get(ACTIVITY_REPORTING).search([])[0]]:
            self.assertEqual(record.record_count, 7)
            self.assertEqual(record.email_opened, 3)
            self.assertEqual(record.email_clicked, 1)
            self.assertAlmostEqual(record.email_open_rate, 3 / 7)
            self.assertAlmostEqual(record.email_click_rate, 1 / 7)
            self.assertAlmostEqual(record.email_click_through_rate, 1 / 3)
        self.assertEqual(
            pool.get(ACTIVITY_REPORTING).search([])[0].email_open_percentage,
            42.86)

    @with_transaction()
    def test_nothing_to_divide_by(self):
        "A rate of nothing is empty"
        scenario, = create_scenarios(1)
        activity, = scenario.activities

        self.assertEqual(scenario.record_count, 0)
        self.assertIsNone(scenario.block_rate)
        self.assertIsNone(activity.email_open_rate)
        self.assertIsNone(activity.email_click_through_rate)

    @with_transaction()
    def test_today_is_included(self):
        "What happens today is in a report up to today"
        pool = Pool()
        scenario, = create_scenarios(1)
        create_records(scenario, 2)
        today = dt.date.today()

        Context = pool.get('marketing.automation.reporting.context')
        Reporting = pool.get(SCENARIO_REPORTING)
        self.assertEqual(Context.default_to_date(), today)
        with Transaction().set_context(
                period='day', from_date=today, to_date=today):
            report, = Reporting.search([])
            self.assertEqual(report.date, today)
            self.assertEqual(report.record_count, 2)
        with Transaction().set_context(
                period='day', to_date=today - dt.timedelta(days=1)):
            self.assertFalse(Reporting.search([]))

    @with_transaction()
    def test_block_keeps_past(self):
        "A block of today does not change the report of last month"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Reporting = pool.get(SCENARIO_REPORTING)
        scenario, = create_scenarios(1)
        records = create_records(scenario, 4)
        today = dt.date.today()
        past = today - relativedelta(months=2)
        set_values(
            records, create_date=dt.datetime.combine(past, dt.time.min))

        Record.block(list(Record.browse(records[:1])))

        with Transaction().set_context(period='month'):
            self.assertEqual([
                    (r.date, r.record_count, r.record_count_blocked,
                        r.block_rate)
                    for r in Reporting.search([], order=[('date', 'ASC')])],
                [
                    (past.replace(day=1), 4, 0, 0),
                    (today.replace(day=1), 0, 1, None),
                    ])

    @with_transaction()
    def test_trend(self):
        "A trend shows the last periods"
        pool = Pool()
        Activity = pool.get(ACTIVITY)
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        today = dt.date.today()
        # 0 of 2 three months ago, 1 of 2 two months ago, 2 of 2 this month
        for months, opened in [(3, 0), (2, 1), (0, 2), (TREND_LENGTH, 2)]:
            done = create_record_activities(
                activity, create_records(scenario, 2))
            date = today.replace(day=1) - relativedelta(months=months)
            set_values(done, state='done',
                ended_at=dt.datetime.combine(date, dt.time(12)))
            set_values(done[:opened], email_opened=True)

        activity = Activity(activity.id)
        self.assertEqual(
            activity.email_open_rate_trend, '▁▁▁▁▁▁▁▅▁█')
        self.assertEqual(
            activity.email_click_rate_trend, '▁' * TREND_LENGTH)
        with Transaction().set_context(
                period='day', to_date=today.replace(day=1)):
            self.assertEqual(
                Activity(activity.id).email_open_rate_trend, '▁' * 9 + '█')

    @with_transaction()
    def test_random_trends(self):
        "The trends follow the rows"
        self.fill(5)
        today = dt.date.today()
        months = [
            today.replace(day=1) - relativedelta(months=i)
            for i in reversed(range(TREND_LENGTH))]
        for model in [SCENARIO, ACTIVITY]:
            expected = expected_rows(model, 'month', dt.date.min, today)
            for subject in Pool().get(model).search([]):
                for rate in RATES[model]:
                    values = [
                        expected.get((subject.id, m), {}).get(rate) or 0
                        for m in months]
                    trend = getattr(subject, f'{rate}_trend')
                    self.assertEqual(len(trend), TREND_LENGTH)
                    low, high = min(values), max(values)
                    for value, block in zip(values, trend):
                        place = (value - low) / ((high - low) or 1)
                        self.assertEqual(
                            BLOCKS.index(block), min(int(place * 8), 7))

    @with_transaction()
    def test_statements(self):
        "The number of statements does not depend on the number of records"
        pool = Pool()
        scenarios = create_scenarios(20, activities=2)
        for scenario in scenarios:
            create_record_activities(
                scenario.activities[0], create_records(scenario, 1))
        for model in [SCENARIO, ACTIVITY]:
            Model = pool.get(model)
            ids = [r.id for r in Model.search([])]
            names = [
                n for n, f in Model._fields.items()
                if getattr(f, 'getter', None) in {
                    'get_figures', 'get_trends'}]
            self.assertGreaterEqual(len(names), 11)
            counts = []
            for sub_ids in [ids[:1], ids[:20]]:
                with statements() as executed:
                    Model.read(sub_ids, names)
                counts.append(len(executed))
            self.assertEqual(*counts)

    @with_transaction()
    def test_access(self):
        "Only the group of marketing sees the figures"
        pool = Pool()
        User = pool.get('res.user')
        ModelData = pool.get('ir.model.data')
        ModelAccess = pool.get('ir.model.access')
        group = ModelData.get_id('marketing', 'group_marketing')
        marketer, other = User.create([
                {'name': "Marketer", 'login': 'marketer',
                    'groups': [('add', [group])]},
                {'name': "Other", 'login': 'other'},
                ])
        models = [SCENARIO_REPORTING, ACTIVITY_REPORTING]
        for user, read in [(marketer, True), (other, False)]:
            with Transaction().set_user(user.id), \
                    Transaction().set_context(_check_access=True):
                for access in ModelAccess.get_access(models).values():
                    self.assertEqual(access['read'], read)
                    self.assertFalse(access['write'])
                    self.assertFalse(access['create'])
                    self.assertFalse(access['delete'])
