# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging

from trytond.pool import Pool

from ..common.guarantee import GuaranteeTestCase


class AwayTestCase(GuaranteeTestCase):
    "Test that the mail server may be out of reach"

    def add_activity(self, scenario, **values):
        with self.transaction():
            pool = Pool()
            Activity = pool.get('marketing.automation.activity')
            Scenario = pool.get('marketing.automation.scenario')
            RecordActivity = pool.get('marketing.automation.record.activity')
            Record = pool.get('marketing.automation.record')
            activity, = Activity.create([{
                        'name': "Other",
                        'parent': str(Scenario(scenario)),
                        **values,
                        }])
            record = Record.__table__()
            RecordActivity.plan(
                activity, record.select(
                    record.id, where=record.scenario == scenario),
                dt.datetime.now().replace(microsecond=0))
            return activity.id

    def test_unreachable(self):
        "Test nothing is claimed and all is sent when it is back"
        scenario = self.create_mails(5)
        self.smtp.die()
        for _ in range(2):
            with self.assertLogs('trytond', logging.ERROR):
                self.process()

            self.assertEqual(self.states, {'waiting': 5})
            self.assertEqual(
                set(self.rows('claim', 'attempts', 'message_id', 'reason')),
                {(None, 0, None, None)})
            (origin, message), = self.errors()
            self.assertEqual(origin, 'ir.queue')
            self.assertIn('Mail', message)
            self.assertIn('refused', message)
            self.assertIn('refused', self.problem(scenario))

        self.smtp.restart()
        self.process()

        self.assertOnce(5)
        self.assertEqual(self.states, {'done': 5})
        self.assertIsNone(self.problem(scenario))

    def test_solved(self):
        "Test a new error is reported when the former is solved"
        self.create_mails(1)
        self.smtp.die()
        self.process()
        with self.transaction():
            Error = Pool().get('ir.error')
            errors = Error.search([])
            Error.process(errors)
            Error.write(errors, {'state': 'solved'})
        self.process()
        self.assertEqual(len(self.errors()), 2)

    def test_cron(self):
        "Test the error is stored when a real cron runs"
        self.create_mails(2)
        self.smtp.die()
        self.schedule()
        self.assertEqual(self.start_cron().wait(), 0)
        self.assertEqual(self.states, {'waiting': 2})
        self.assertEqual(len(self.errors()), 1)

        self.smtp.restart()
        self.schedule()
        self.assertEqual(self.start_cron().wait(), 0)
        self.assertOnce(2)

    def test_others(self):
        "Test what needs no mail server goes on"
        scenario = self.create_mails(3)
        other = self.add_activity(scenario)
        self.smtp.die()
        self.process()
        self.assertEqual(self.states, {'waiting': 3, 'done': 3})
        self.assertEqual(
            {a.id for a, s in self.rows('activity', 'state') if s == 'done'},
            {other})

    def test_middle(self):
        "Test the server goes away in the middle"
        self.configure(marketing__batch_size=50)
        scenario = self.create_mails(20)
        self.smtp.drop_after(7)
        self.smtp.on('connect', '421 away', after=1)
        self.process()

        self.assertEqual(self.states, {'done': 7, 'waiting': 13})
        self.assertEqual(set(self.rows('claim')), {None})
        self.assertEqual(set(self.rows('attempts')), {0})
        self.assertEqual(len(self.errors()), 1)
        self.assertIn('421', self.problem(scenario))

        self.smtp.obey()
        self.process()
        self.assertOnce(20)
        self.assertEqual(self.states, {'done': 20})
        self.assertIsNone(self.problem(scenario))

    def test_problems(self):
        "Test what is broken is not hidden by what works"
        scenario = self.create_mails(1)
        self.sql(
            "UPDATE marketing_automation_scenario "
            "SET domain = '[', leave = FALSE WHERE id = %s", scenario)
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            with self.assertLogs('trytond', logging.ERROR):
                Scenario.enter([Scenario(scenario)])
        broken = self.problem(scenario)
        self.assertTrue(broken)
        self.smtp.die()
        self.process()
        self.assertIn('refused', self.problem(scenario))
        self.assertIn(broken, self.problem(scenario))
        self.smtp.restart()
        self.process()
        self.assertEqual(self.problem(scenario), broken)
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            self.assertEqual(
                [s.id for s in Scenario.search([('problem', '!=', None)])],
                [scenario])
