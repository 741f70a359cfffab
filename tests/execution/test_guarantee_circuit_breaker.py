# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
import logging

from trytond.pool import Pool

from ..common.guarantee import GuaranteeTestCase


class BreakerTestCase(GuaranteeTestCase):
    "Test that a scenario of which too much fails stops itself"
    _options = {'marketing__batch_size': 10}

    def create_marketer(self, language=None):
        with self.transaction():
            pool = Pool()
            User = pool.get('res.user')
            Group = pool.get('res.group')
            ModelData = pool.get('ir.model.data')
            Lang = pool.get('ir.lang')
            group = Group(ModelData.get_id('marketing', 'group_marketing'))
            lang = Lang.search([('code', '=', language)]) if language else None
            user, = User.create([{
                        'name': "Marketer",
                        'login': f'marketer{User.search([], count=True)}',
                        'groups': [('add', [group.id])],
                        'language': lang[0].id if lang else None,
                        }])
            return user.id

    def scenario(self, id_, *names):
        with self.transaction():
            scenario = Pool().get('marketing.automation.scenario')(id_)
            return [getattr(scenario, n) for n in names]

    def test_break(self):
        "Test it stops, keeps what waits and tells why"
        marketer = self.create_marketer()
        scenario = self.create_mails(60)
        other = self.create_mails(5)
        self.smtp.on('rcpt', '550 no', r'^TO:<\d*[02468]\.')
        with self.assertLogs('trytond.modules', logging.ERROR):
            self.process()

        self.assertEqual(self.scenario(scenario, 'state'), ['stopped'])
        self.assertEqual(self.scenario(other, 'state'), ['running'])
        problem = self.problem(scenario)
        self.assertIn('10 of 20', problem)
        self.assertIn('50 %', problem)
        states = self.states
        self.assertEqual(states['waiting'], 40)
        with self.transaction():
            Notification = Pool().get('res.notification')
            notifications = Notification.search([
                    ('user', '=', marketer)])
            notification, = notifications
            self.assertTrue(notification.unread)
            self.assertIn('Scenario', notification.label)
            self.assertEqual(notification.description, problem)
            self.assertEqual(
                (notification.model, json.loads(notification.records)),
                ('marketing.automation.scenario', [scenario]))

        self.process()
        self.assertEqual(self.states, states)

    def test_run_again(self):
        "Test it goes on when it is run again"
        scenario = self.create_mails(40)
        self.smtp.refuse_rcpt()
        self.process()
        self.assertEqual(self.states, {'failed': 20, 'waiting': 20})
        # A person is not that fast
        self.sql(
            "UPDATE marketing_automation_record_activity SET ended_at = %s "
            "WHERE state = 'failed'",
            (dt.datetime.now() - dt.timedelta(seconds=5)).replace(
                microsecond=0))
        self.smtp.obey()
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.run([Scenario(scenario)])
        self.assertIsNone(self.problem(scenario))
        self.process()
        self.assertEqual(self.states, {'failed': 20, 'done': 20})
        self.assertEqual(self.scenario(scenario, 'state'), ['running'])

    def test_minimum(self):
        "Test a few failures do not stop it"
        scenario = self.create_mails(19)
        self.smtp.refuse_rcpt()
        self.process()
        self.assertEqual(self.states, {'failed': 19})
        self.assertEqual(self.scenario(scenario, 'state'), ['running'])

    def test_threshold(self):
        "Test a small share of failures does not stop it"
        scenario = self.create_mails(50)
        self.smtp.on('rcpt', '550 no', r'^TO:<\d*[036]\.')
        self.process()
        self.assertEqual(self.states, {'failed': 15, 'done': 35})
        self.assertEqual(self.scenario(scenario, 'state'), ['running'])

    def test_configuration(self):
        "Test the threshold, the minimum and the window"
        for options, state in [
                ({'minimum': 3, 'threshold': 0.5}, 'stopped'),
                ({'minimum': 5, 'threshold': 0.5}, 'running'),
                ({'minimum': 3, 'threshold': 0.8}, 'running'),
                ]:
            with self.subTest(**options):
                self.clear()
                self.smtp.obey()
                self.configure(**{
                        f'marketing__breaker_{n}': v
                        for n, v in options.items()})
                scenario = self.create_mails(4)
                self.smtp.on('rcpt', '550 no', r'^TO:<[012]\.')
                self.process()
                self.assertEqual(self.scenario(scenario, 'state'), [state])

    def test_window(self):
        "Test what failed before the window does not count"
        self.configure(marketing__breaker_window=600)
        scenario = self.create_mails(19)
        self.smtp.refuse_rcpt()
        self.process()
        self.sql(
            "UPDATE marketing_automation_record_activity SET ended_at = %s "
            "WHERE state = 'failed'",
            (dt.datetime.now() - dt.timedelta(seconds=601)).replace(
                microsecond=0))
        self.sql(
            "UPDATE marketing_automation_scenario SET started_at = %s",
            dt.datetime(2000, 1, 1))
        with self.transaction(0):
            RecordActivity = Pool().get('marketing.automation.record.activity')
            self.assertEqual(RecordActivity._failures(scenario), (0, 0))

    def test_put_off(self):
        "Test what is tried again is no failure"
        scenario = self.create_mails(30)
        self.smtp.busy()
        self.process()
        self.assertEqual(self.states, {'waiting': 30})
        self.assertEqual(self.scenario(scenario, 'state'), ['running'])
