# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from collections import Counter

from trytond.modules.marketing_automation.reporting.report import STATES
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..common.history import (
    ACTIVITY, SCENARIO, create_records, create_scenarios, fill, rows,
    set_values)

TRACE = 'marketing.automation.reporting.trace'
PARTICIPANT = 'marketing.automation.reporting.participant'
REPORTING = [
    TRACE, PARTICIPANT, 'marketing.automation.reporting.activity',
    'marketing.automation.reporting.scenario']


class TracesTestCase(unittest.TestCase):
    "Test the reports by state"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_traces(self):
        "The traces are the record activities by state and day"
        fill(9)
        Trace = Pool().get(TRACE)
        expected = Counter()
        for activity, state, ended, at, created in rows(
                'marketing.automation.record.activity', 'activity', 'state',
                'ended_at', 'at', 'create_date'):
            date = (ended or at or created).date()
            if state in {'waiting', 'sending'}:
                date = None
            expected[activity, state, date] += 1
        with Transaction().set_context(period='day'):
            traces = Trace.search([])
            self.assertEqual(len({t.id for t in traces}), len(traces))
            self.assertEqual({
                    (t.activity.id, t.state, t.date): t.number
                    for t in traces}, expected)
        self.assertEqual({t.state for t in traces}, set(STATES))

    @with_transaction()
    def test_origins(self):
        "What is behind a number is as many"
        fill(10)
        pool = Pool()
        today = dt.date.today()
        for period in ['month', 'day']:
            with Transaction().set_context(
                    period=period, to_date=today,
                    from_date=today - dt.timedelta(days=200)):
                for name in REPORTING:
                    reports = pool.get(name).search([])
                    self.assertTrue(reports)
                    for report in reports:
                        number = getattr(
                            report, 'number',
                            getattr(report, 'record_count', None))
                        model, domain = report.origins()
                        self.assertEqual(
                            pool.get(model).search(domain, count=True),
                            number, (name, report.date))

    @with_transaction()
    def test_participants(self):
        "Each participant is in one state"
        pool = Pool()
        scenario, = create_scenarios(1)
        records = create_records(scenario, 12)
        for record, reason in zip(records, [
                    'unsubscribed', 'no_marketing', 'blocked', 'erased',
                    'target_deleted']):
            set_values([record], end_reason=reason, ended_at=dt.datetime.now())
        set_values(records[5:7], blocked=True)
        scenario = pool.get(SCENARIO)(scenario.id)
        self.assertEqual(scenario.record_count, 12)
        self.assertEqual(scenario.participants_running, 5)
        self.assertEqual(scenario.participants_unsubscribed, 2)
        self.assertEqual(scenario.participants_blocked, 3)
        self.assertEqual(scenario.participants_removed, 2)
        numbers = Counter()
        for report in pool.get(PARTICIPANT).search([]):
            numbers[report.state] += report.number
        self.assertEqual(numbers, {
                'entered': 12, 'running': 5, 'unsubscribed': 2, 'blocked': 3,
                'removed': 2})

    @with_transaction()
    def test_matching(self):
        "The records that match now are not those that have entered"
        pool = Pool()
        scenario, = create_scenarios(1)
        self.assertEqual(scenario.reach_matching, 0)
        pool.get('party.party').create([{'name': "A"}, {'name': "B"}])
        scenario = pool.get(SCENARIO)(scenario.id)
        self.assertEqual(scenario.reach_matching, 2)
        self.assertEqual(scenario.record_count, 0)
        self.assertEqual(pool.get(ACTIVITY).search([], count=True), 1)
