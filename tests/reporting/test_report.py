# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from collections import Counter, defaultdict

from dateutil.relativedelta import relativedelta

from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..common.history import (
    ACTIVITY, ACTIVITY_REPORTING, RATES, SCENARIO, SCENARIO_REPORTING,
    create_record_activities, create_records, create_scenarios, expected_rows,
    fill, set_values)


class ReportingTestCase(unittest.TestCase):
    "Test the figures of the reports"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_reporting(self):
        "The figures of the reports are those of the rows"
        fill(3)
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
        fill(4)
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
            self.assertAlmostEqual(record.block_rate, 3 / 7, places=4)
        for record in [
                activity,
                pool.get(ACTIVITY_REPORTING).search([])[0]]:
            self.assertEqual(record.record_count, 7)
            self.assertEqual(record.email_opened, 3)
            self.assertEqual(record.email_clicked, 1)
            self.assertAlmostEqual(record.email_open_rate, 3 / 7, places=4)
            self.assertAlmostEqual(record.email_click_rate, 1 / 7, places=4)
            self.assertAlmostEqual(
                record.email_click_through_rate, 1 / 3, places=4)
        self.assertEqual(
            pool.get(ACTIVITY_REPORTING).search([])[0].email_open_percentage,
            42.86)

    @with_transaction()
    def test_rate_is_rounded(self):
        """
        A rate has no more digits than the clients show, or they take it for
        modified
        """
        pool = Pool()
        Reporting = pool.get(SCENARIO_REPORTING)
        scenario, = create_scenarios(1)
        records = create_records(scenario, 32)
        for count, rate in [
                (1, 0.0313), (2, 0.0625), (5, 0.1563), (31, 0.9688)]:
            set_values(
                records[:count], blocked=True, ended_at=dt.datetime.now())
            with self.subTest(count=count):
                report, = Reporting.search([])
                self.assertEqual(report.block_rate, rate)
                self.assertEqual(
                    pool.get(SCENARIO)(scenario.id).block_rate, rate)

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
