# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest
from collections import Counter

from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)

from ..common.history import ACTIVITY, SCENARIO, fill, rows

_OVER = {'done', 'skipped', 'cancelled', 'expired', 'failed'}


class GlanceTestCase(unittest.TestCase):
    "Test what matters of a scenario"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_progress(self):
        "The progress is the part that is over"
        fill(1)
        Activity = Pool().get(ACTIVITY)
        Scenario = Pool().get(SCENARIO)
        scenario_of = {a.id: a.scenario.id for a in Activity.search([])}
        over, planned = Counter(), Counter()
        for activity, state in rows(
                'marketing.automation.record.activity', 'activity', 'state'):
            planned[scenario_of[activity]] += 1
            over[scenario_of[activity]] += state in _OVER
        self.assertTrue(planned)
        for scenario in Scenario.search([]):
            with self.subTest(scenario=scenario):
                if planned[scenario.id]:
                    self.assertAlmostEqual(
                        scenario.progress,
                        over[scenario.id] / planned[scenario.id], places=4)
                else:
                    self.assertIsNone(scenario.progress)

    @with_transaction()
    def test_emails(self):
        "The e-mails are those of all activities which send any"
        fill(1)
        Activity = Pool().get(ACTIVITY)
        Scenario = Pool().get(SCENARIO)
        sent, opened = Counter(), Counter()
        for activity in Activity.search([('action', '=', 'send_email')]):
            sent[activity.scenario.id] += activity.record_count
            opened[activity.scenario.id] += activity.email_opened
        for scenario in Scenario.search([]):
            with self.subTest(scenario=scenario):
                self.assertEqual(scenario.email_count, sent[scenario.id])
                if sent[scenario.id]:
                    self.assertAlmostEqual(
                        scenario.email_open_rate,
                        opened[scenario.id] / sent[scenario.id], places=4)
                else:
                    self.assertIsNone(scenario.email_open_rate)

    @with_transaction()
    def test_trend(self):
        "The trend shows how many entered in each of the last months"
        fill(1)
        Scenario = Pool().get(SCENARIO)
        for scenario in Scenario.search([]):
            self.assertEqual(len(scenario.record_count_trend), 10)
