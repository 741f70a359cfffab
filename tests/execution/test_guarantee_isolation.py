# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
from unittest.mock import patch

from trytond.modules.marketing_automation.mail.smtp import Session
from trytond.pool import Pool

from ..common.guarantee import TEMPLATE, GuaranteeTestCase

RAISES = """<html><body>
<p>Hello</p>
<p py:if="record.name.startswith('bad')"
    xmlns:py="http://genshi.edgewall.org/">${1 / 0}</p>
</body></html>"""


class IsolationTestCase(GuaranteeTestCase):
    "Test that what is wrong with one hurts nobody else"

    def create_names(self, *names, **values):
        return self.create_scenario(self.create_parties(*(
                    f'{name}@example.com' for name in names)), **values)

    def set_address(self, party, value):
        self.sql(
            "UPDATE party_contact_mechanism "
            "SET value = %s, value_compact = %s WHERE party = %s",
            value, value, party)

    def outcomes(self):
        "Return the states, reasons and details in the order of creation"
        return self.rows('state', 'reason', 'detail')

    def assertSettled(self, count):
        "Assert that nothing is tried again"
        before = self.outcomes()
        self.make_due()
        self.process()
        self.assertEqual(self.outcomes(), before)
        self.assertOnce(count)

    def test_template(self):
        "Test the template raises for one"
        self.create_names('alice', 'bad', 'carol', email_template=RAISES)
        self.process()
        alice, (state, reason, detail), carol = self.outcomes()
        self.assertEqual(alice, ('done', None, None))
        self.assertEqual(carol, ('done', None, None))
        self.assertEqual((state, reason), ('failed', 'template_error'))
        # which activity, record, field, expression, line and why
        for words in [
                '"Mail"', '"bad@example.com"', 'E-Mail Template', '1 / 0',
                'line 4', 'division by zero']:
            self.assertIn(words, detail)
        self.assertSettled(2)

    def test_template_language(self):
        "Test the words of an error are not in the language of the recipient"
        self.create_names('bad', email_template=RAISES)
        with self.transaction():
            pool = Pool()
            Lang = pool.get('ir.lang')
            Party = pool.get('party.party')
            lang, = Lang.search([('code', '=', 'fr')])
            Party.write(Party.search([('name', '=', 'bad@example.com')]), {
                    'lang': lang.id})
        languages = []

        def gettext(message, **words):
            from trytond.transaction import Transaction
            languages.append(Transaction().context.get('language'))
            return message

        with patch(
                'trytond.modules.marketing_automation.mail.activity.gettext',
                gettext):
            self.process()
        self.assertEqual(languages, [None])

    def test_addresses(self):
        "Test there is no address, or an impossible one"
        parties = self.create_parties(
            'alice@example.com', None, 'bob@example.com', 'carol@example.com')
        self.set_address(parties[2], 'a b@@c')
        self.create_scenario(parties)
        self.process()
        self.assertEqual(self.outcomes(), [
                ('done', None, None),
                ('skipped', 'no_address', None),
                ('failed', 'address_invalid', 'a b@@c'),
                ('done', None, None),
                ])
        self.assertSettled(2)

    def test_deleted_before(self):
        "Test the target is deleted while it waits"
        parties = self.create_parties('alice@example.com', 'bob@example.com')
        self.create_scenario(parties)
        with self.transaction():
            Party = Pool().get('party.party')
            Party.delete(Party.browse(parties[:1]))
        self.process()
        self.assertEqual(self.outcomes(), [
                ('cancelled', 'target_deleted', None), ('done', None, None)])
        self.assertSettled(1)

    def test_deleted_middle(self):
        "Test target, record or all of it are deleted while it is sending"
        for model, count in [
                ('party.party', 3), ('marketing.automation.record', 2)]:
            with self.subTest(model=model):
                self.clear()
                parties = self.create_parties(*(
                        f'{n}@example.com' for n in ['one', 'two', 'three']))
                self.create_scenario(parties)
                self.smtp.messages.clear()

                def delete(_):
                    if len(self.smtp.messages) == 1:
                        with self.transaction(0):
                            Model = Pool().get(model)
                            Model.delete(Model.search([
                                        ('id', 'in', parties[2:])
                                        if model == 'party.party' else
                                        ('record', '=',
                                            f'party.party,{parties[2]}')]))

                self.smtp.on_accept = delete
                self.process()
                self.assertEqual(self.states, {'done': count})
                self.assertOnce(3)
                self.assertEqual(set(self.rows('claim')), {None})

    def test_condition(self):
        "Test the condition can not be evaluated for one"
        self.create_names('alice', 'bad')
        Activity = Pool(self.name).get('marketing.automation.activity')
        evaluate = Activity.evaluate_condition

        def evaluate_condition(self, record, access):
            if record.name.startswith('bad'):
                raise ValueError("impossible")
            return evaluate(self, record, access)

        self.sql(
            "UPDATE marketing_automation_activity SET condition = %s", 'true')
        with patch.object(
                Activity, 'evaluate_condition', evaluate_condition):
            self.process()
        (alice, (state, reason, detail)) = self.outcomes()
        self.assertEqual(alice[0], 'done')
        self.assertEqual((state, reason), ('failed', 'condition_error'))
        self.assertIn('impossible', detail)
        self.assertIn('true', detail)
        self.assertSettled(1)

    def test_broken_activity(self):
        "Test what has been broken from outside fails each with its reason"
        for column, value, reason, words in [
                ('condition', '{"__class__":', 'condition_error',
                    '{"__class__":'),
                ('condition', '{"__class__": "Get"}', 'condition_error',
                    'Get'),
                ('email_template', '<p>${', 'template_error', 'line'),
                ('email_template', '<p>', 'template_error', 'line'),
                ('email_title', '${record.', 'template_error', 'line'),
                ('email_template', None, 'template_error', 'Mail'),
                ('email_from', 'a\r\nBcc: b@example.com',
                    'message_invalid', ''),
                ('action', 'unknown', 'action_error', 'unknown'),
                ]:
            with self.subTest(column=column, value=value):
                self.clear()
                self.create_names('alice', 'bob', 'carol')
                self.sql(
                    f"UPDATE marketing_automation_activity SET {column} = %s",
                    value)
                self.sql(
                    "DELETE FROM ir_translation WHERE name = %s",
                    f'marketing.automation.activity,{column}')
                self.process()
                self.assertEqual(
                    [(s, r) for s, r, _ in self.outcomes()],
                    [('failed', reason)] * 3)
                for _, _, detail in self.outcomes():
                    self.assertIn(words, detail)
                self.assertFalse(self.errors())
                self.process()
                self.assertFalse(self.smtp.messages)

    def test_broken_gate(self):
        "Test the one for which something raises is found"
        self.configure(marketing__batch_size=50)
        names = [f'p{i}' for i in range(21)]
        self.create_names(*names)
        Activity = Pool(self.name).get('marketing.automation.activity')
        execute = Activity.execute_send_email

        def execute_send_email(self, record_activities):
            for record_activity in record_activities:
                if record_activity.record.record.name.startswith('p13@'):
                    raise RuntimeError("p13@example.com is not lucky")
            return execute(self, record_activities)

        with patch.object(
                Activity, 'execute_send_email', execute_send_email), \
                self.assertLogs('trytond.modules', logging.ERROR) as logs:
            self.process()
        self.assertEqual(self.states, {'done': 20, 'failed': 1})
        self.assertIn(
            ('failed', 'action_error',
                "RuntimeError('p13@example.com is not lucky')"),
            self.outcomes())
        self.assertNotIn('@example', ''.join(logs.output))
        self.assertSettled(20)

    def test_broken_child(self):
        "Test what can not be planned does not undo what is done"
        Activity = Pool(self.name).get('marketing.automation.activity')
        planned_at = Activity.planned_at

        def broken(self, *args):
            if self.name == "Child":
                raise RuntimeError("never")
            return planned_at(self, *args)

        for action in [None, 'send_email']:
            with self.subTest(action=action):
                self.clear()
                self.smtp.messages.clear()
                self.create_names('alice', 'bob', action=action)
                with self.transaction():
                    root, = Activity.search([])
                    Activity.create([{
                                'name': "Child",
                                'parent': str(root),
                                'delay': dt.timedelta(days=1),
                                }])
                with patch.object(Activity, 'planned_at', broken), \
                        self.assertLogs(level=logging.ERROR) as logs:
                    self.process()
                self.assertIn("never", ''.join(logs.output))
                self.assertEqual(self.states, {'done': 2})
                self.process()
                self.assertEqual(self.states, {'done': 2, 'waiting': 2})
                self.assertEqual(
                    len(self.smtp.messages), 2 if action else 0)

    def test_broken_courier(self):
        "Test what can not be understood is not sent for ever"
        self.create_names('alice', 'bob')
        send = Session.send

        def broken(self, outgoing):
            if 'alice' in outgoing.recipient:
                raise RuntimeError("not foreseen")
            return send(self, outgoing)

        with patch.object(Session, 'send', broken), \
                self.assertLogs('trytond.modules', logging.ERROR):
            self.process()
        self.assertEqual(
            [(s, r) for s, r, _ in self.outcomes()],
            [('failed', 'action_error'), ('done', None)])
        self.assertSettled(1)

    def test_broken_domain(self):
        "Test a broken scenario is shown and stops no other"
        for domain in ['[', '[["nothing", "=", 1]]', '{}', '[["id"]]']:
            with self.subTest(domain=domain):
                self.clear()
                broken = self.create_names('alice', name="Broken")
                works = self.create_names('bob', name="Works")
                self.sql(
                    "DELETE FROM marketing_automation_record_activity")
                self.sql("DELETE FROM marketing_automation_record")
                self.sql(
                    "UPDATE marketing_automation_scenario SET domain = %s "
                    "WHERE id = %s", domain, broken)
                self.trigger()
                self.process()
                self.assertTrue(self.problem(broken))
                self.assertIsNone(self.problem(works))
                self.assertEqual(self.states, {'done': 1})

                self.sql(
                    "UPDATE marketing_automation_scenario SET domain = '[]' "
                    "WHERE id = %s", broken)
                self.trigger()
                self.assertIsNone(self.problem(broken))

    def test_shown_activity(self):
        "Test the scenario shows an activity that has become broken"
        for column, value, words in [
                ('condition', '{"__class__":', '{"__class__":'),
                ('condition', 'true', None),
                ('email_template', '<p>${', 'E-Mail Template'),
                ('action', 'unknown', 'unknown'),
                ]:
            with self.subTest(column=column, value=value):
                self.clear()
                scenario = self.create_names('alice')
                other = self.create_names('bob')
                self.sql(
                    f"UPDATE marketing_automation_activity SET {column} = %s "
                    "WHERE scenario = %s", value, scenario)
                self.sql(
                    "DELETE FROM ir_translation WHERE name = %s",
                    f'marketing.automation.activity,{column}')
                self.trigger()
                self.assertIsNone(self.problem(other))
                problem = self.problem(scenario)
                if words:
                    self.assertIn(words, problem)
                    self.assertIn('Mail', problem)
                else:
                    self.assertIsNone(problem)

    def trigger(self):
        from trytond.worker import run_task
        with self.transaction(0) as transaction:
            Pool().get('marketing.automation.scenario').trigger()
        while transaction.tasks:
            run_task(self.name, transaction.tasks.pop())

    def test_broken_text(self):
        "Test what a database refuses is not in the way"
        self.create_names('alice', email_template=TEMPLATE)
        with patch(
                'trytond.modules.marketing_automation.mail.activity.gettext',
                lambda *args, **kwargs: 'a\x00b\ud800c'), \
                patch(
                'trytond.modules.marketing_automation.mail.draft.compile_text',
                side_effect=ValueError):
            self.process()
        self.assertEqual(
            self.outcomes(), [('failed', 'template_error', 'ab?c')])
