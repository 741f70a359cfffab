# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt

from trytond.pool import Pool

from ..common.flow import FlowTestCase
from ..tools import configured


class NotifyTestCase(FlowTestCase):
    "Test the marketers are told, once"

    def setUp(self):
        super().setUp()
        with self.transaction():
            pool = Pool()
            User = pool.get('res.user')
            ModelData = pool.get('ir.model.data')
            if not User.search([('login', '=', 'marketer')]):
                User.create([{
                            'name': "Marketer", 'login': 'marketer',
                            'groups': [('add', [ModelData.get_id(
                                            'marketing', 'group_marketing')])],
                            }])
        self.enter(configured(
                marketing__notify_email='a@example.com, b@example.com'))
        self.create(("1", None, {}))

    def trouble(self, **words):
        with self.transaction(user=0):
            Scenario = Pool().get('marketing.automation.scenario')
            scenario, = Scenario.search([])
            Scenario.set_problem(scenario.id, 'enter', **words)

    def enter_all(self):
        with self.transaction(user=0):
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.enter(Scenario.search([]))

    def told(self):
        "Return the labels of the notifications and the subjects of the mails"
        with self.transaction():
            Notification = Pool().get('res.notification')
            labels = [n.label for n in Notification.search(
                    [('user.login', '=', 'marketer')],
                    order=[('id', 'ASC')])]
        return labels, [a.message['Subject'] for a in self.smtp.messages]

    def test_once(self):
        "Test the same trouble is told once"
        self.trouble(error="foo")
        label = 'The scenario "Scenario" has a problem'
        labels, subjects = self.told()
        self.assertEqual(labels, [label])
        self.assertEqual(set(subjects), {label})
        self.trouble(error="bar")
        self.trouble()
        self.trouble(error="foo")
        self.assertEqual(self.told(), (labels, subjects))

    def test_again(self):
        "Test another trouble is told, and what comes back after a while"
        self.trouble(error="foo")
        self.trouble()
        self.sql(
            "UPDATE marketing_automation_scenario SET told = %s",
            '{"enter": "%s"}' % (
                dt.datetime.now() - dt.timedelta(days=2)).isoformat())
        self.trouble(error="foo")
        self.assertEqual(len(self.told()[0]), 2)

    def test_run(self):
        "Test who runs it again is told again"
        self.trouble(error="foo")
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            scenario, = Scenario.search([])
            Scenario.stop([scenario])
            Scenario.run([scenario])
        self.trouble(error="foo")
        self.assertEqual(len(self.told()[0]), 2)

    def test_words(self):
        "Test the mail tells the problem and where to look"
        self.trouble(error="foo")
        text = self.smtp.messages[0].message.get_content()
        self.assertIn("foo", text)
        self.assertIn("marketing.automation.scenario", text)

    def test_ended(self):
        "Test the end is told once, when nobody has entered for a while"
        self.process()
        self.enter_all()
        self.assertEqual(self.told(), ([], []))
        self.sql(
            "UPDATE marketing_automation_record SET create_date = %s",
            dt.datetime.now() - dt.timedelta(days=2))
        self.enter_all()
        self.enter_all()
        labels, _ = self.told()
        self.assertEqual(
            labels, ['Nothing more is to come in the scenario "Scenario"'])


del FlowTestCase
