# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json
import re
from pathlib import Path

from trytond.modules.marketing_automation.check.explain import Explainer
from trytond.modules.marketing_automation.execution.gates import GATES
from trytond.pool import Pool

from ..common.flow import FlowTestCase
from ..common.guarantee import TEMPLATE

ROOT = Path(__file__).resolve().parents[2]
MAIL = {
    'action': 'send_email', 'email_title': "Hello",
    'email_template': TEMPLATE}


class WhyTestCase(FlowTestCase):
    "Test that the rules tell why"

    def ask(self, number=0, name=None, change=None):
        "Return the answer and what has not passed about the party"
        with self.transaction(user=0) as transaction:
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            Party = pool.get('party.party')
            scenario, = Scenario.search([])
            party = Party(self.parties[number])
            if change:
                change(pool, scenario, party)
            activity = None
            if name:
                activity, = Activity.search([('name', '=', name)])
            answer = Explainer(
                Scenario(scenario.id), Party(party.id), activity).answer()
            # What was changed was only imagined
            transaction.rollback()
        return answer, [
            (c.subject, c.result, c.reason) for c in answer.checks
            if c.result != 'passed']

    def write(self, **values):
        def change(pool, scenario, party):
            party.__class__.write([party], values)
        return change

    def outside(self, *activities, **values):
        "Create a scenario that only the first party has entered"
        self.create(*activities, domain=json.dumps(
                [['id', '=', self.parties[0]]]), **values)
        self.sql(
            "UPDATE marketing_automation_scenario SET domain = %s",
            json.dumps([['id', 'in', self.parties[:2]]]))

    def test_gates(self):
        "Test the gates have words and the order of the documentation"
        text = (ROOT / 'doc' / 'design.rst').read_text(encoding='utf-8')
        text, = re.findall(r'^Gates$(.*?)^\S', text, re.DOTALL | re.MULTILINE)
        documented = re.findall(r':\s+``(\w+)``\.$', text, re.MULTILINE)
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            self.assertEqual(GATES, documented)
            self.assertEqual(RecordActivity._gates(), GATES)
            self.assertEqual(list(RecordActivity._gate_names()), GATES)

    def test_enters(self):
        "Test who matches enters with the next run"
        self.outside(("Mail", None, MAIL))
        at = dt.datetime.now().replace(microsecond=0)
        self.sql("UPDATE ir_cron SET next_call = %s", at)
        answer, problems = self.ask(1)
        self.assertEqual(problems, [])
        self.assertIn("enters", answer.text)
        self.assertEqual(answer.at, at)

    def test_stays_out(self):
        "Test each rule to enter tells that it is not fulfilled"
        self.outside(("Mail", None, MAIL))

        def unsubscribe(pool, scenario, party):
            party.__class__.write([party], {
                    'marketing_scenario_unsubscribed': [
                        ('add', [scenario.id])]})

        def stop(pool, scenario, party):
            scenario.__class__.stop([scenario])

        def goal(pool, scenario, party):
            scenario.__class__.write([scenario], {
                    'goal': json.dumps([['id', '=', party.id]])})

        for change, reason in [
                (None, "Does not match now"),
                (self.write(active=False), "Deactivated"),
                (self.write(marketing_refused=True),
                    "Party wants no marketing"),
                (unsubscribe, "Party has unsubscribed"),
                (stop, "Stopped"),
                (goal, "Goal already reached"),
                ]:
            with self.subTest(reason=reason):
                answer, problems = self.ask(
                    1 if change else 2, change=change)
                self.assertIn(reason, [
                        r for subject, _, r in problems if not subject])
                self.assertIn("does not enter", answer.text)
                self.assertIsNone(answer.at)

    def test_gate(self):
        "Test each gate tells that it is closed"
        self.create(
            ("Mail", None, {
                    **MAIL, 'delay': dt.timedelta(days=1),
                    'condition': json.dumps({
                            '__class__': 'Equal',
                            's1': {'__class__': 'Eval', 'v': 'self.name',
                                'd': ''},
                            's2': self.names()[0]})}))

        def deactivate(pool, scenario, party):
            pool.get('marketing.automation.activity').write(
                list(scenario.activities), {'active': False})

        def no_address(pool, scenario, party):
            party.contact_mechanisms[0].__class__.delete(
                party.contact_mechanisms)

        def end(pool, scenario, party):
            Record = pool.get('marketing.automation.record')
            Record.block(Record.search([('record', '=', str(party))]))

        for number, change, result, reason in [
                (0, None, 'waits', "Planned"),
                (1, None, 'closed', "Condition not met"),
                (0, self.write(marketing_refused=True), 'closed',
                    "No marketing wanted"),
                (0, self.write(active=False), 'closed',
                    "Record deactivated"),
                (0, deactivate, 'closed', "Activity deactivated"),
                (0, no_address, 'closed', "No e-mail address"),
                (0, end, 'closed', "Blocked by a user"),
                ]:
            with self.subTest(reason=reason):
                answer, problems = self.ask(number, change=change)
                self.assertTrue(any(
                        r == result and (w or '').startswith(reason)
                        for _, r, w in problems), problems)

    def names(self):
        with self.transaction():
            Party = Pool().get('party.party')
            return [p.name for p in Party.browse(self.parties)]

    def test_next(self):
        "Test the next date is the one of what waits longest"
        self.create(("Mail", None, {**MAIL, 'delay': dt.timedelta(days=1)}))
        until = dt.datetime.now().replace(microsecond=0) + dt.timedelta(days=3)
        answer, _ = self.ask()
        self.assertLess(answer.at, until)
        answer, problems = self.ask(
            change=self.write(marketing_paused_until=until))
        self.assertEqual(answer.at, until)
        self.assertIn(
            ("Mail", 'waits', "Paused by the recipient"), problems)

    def test_throttle(self):
        "Test the limit of mails tells when it is over"
        self.create(("Mail", None, MAIL), mails_per_hour=1)
        self.process()
        answer, problems = self.ask(2)
        self.assertIn(("Mail", 'waits', "The limit is reached"), problems)
        self.assertGreater(
            answer.at, dt.datetime.now() + dt.timedelta(minutes=50))

    def test_step(self):
        "Test what is not planned yet is told by its parent"
        self.create(
            ("Mail", None, {**MAIL, 'delay': dt.timedelta(days=1)}),
            ("Second", "Mail", MAIL))
        _, problems = self.ask(name="Second")
        self.assertIn(("Second", 'waits', 'Follows "Mail"'), problems)

    def test_done(self):
        "Test what has been done is told"
        self.create(("Mail", None, MAIL))
        self.process()
        answer, problems = self.ask()
        self.assertIn("Nothing", answer.text)
        self.assertEqual(len(answer.checks), 4)

    def test_nothing_written(self):
        "Test the question leaves nothing behind"
        self.create(("Mail", None, MAIL))
        before = self.rows('state', 'at')
        self.ask()
        self.assertEqual(self.rows('state', 'at'), before)
        with self.transaction():
            Link = Pool().get('marketing.automation.link')
            self.assertFalse(Link.search([]))


del FlowTestCase
