# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.model import ModelStorage
from trytond.model.exceptions import AccessError, RequiredValidationError
from trytond.modules.marketing_automation.exceptions import (
    ActivityError, ConditionError, DelayError, DomainError, ParentError,
    ScenarioError, SenderError, TemplateError)
from trytond.pool import Pool
from trytond.pyson import Eval, If, PYSONEncoder
from trytond.tests.test_tryton import drop_db, with_transaction
from trytond.transaction import Transaction, check_access, inactive_records

from ..tools import WELCOME, activate_all, as_marketer, configured


def encode(pyson):
    return PYSONEncoder().encode(pyson)


class MarketingTestCase(unittest.TestCase):
    "Test what is refused where it is typed"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    def create_scenario(self, **values):
        Scenario = Pool().get('marketing.automation.scenario')
        scenario, = Scenario.create([{
                    'name': "Scenario",
                    'model': 'party.party',
                    'domain': '[]',
                    **values}])
        return scenario

    def create_activity(self, parent, **values):
        Activity = Pool().get('marketing.automation.activity')
        activity, = Activity.create([{
                    'name': "Activity",
                    'parent': str(parent),
                    **values}])
        return activity

    def create_mail(self, parent, **values):
        return self.create_activity(parent, **{
                'action': 'send_email',
                'email_title': "Hello",
                'email_template': WELCOME,
                **values})

    @with_transaction()
    def test_domain(self):
        "Test the domains that are refused"
        for domain in [
                'foo', '[["name", "=",', '{}', '"name"', 'null', '1',
                '[["nam", "=", "a"]]', '[["name", "foo", "a"]]',
                '[["create_uid.password_hash", "like", "a%"]]',
                '[["name"]]', '[["name.foo", "=", "a"]]',
                '[["addresses.cit", "=", "a"]]',
                ]:
            with self.subTest(domain=domain):
                with self.assertRaisesRegex(DomainError, "Scenario"):
                    self.create_scenario(domain=domain)
        for domain in [
                '[]', '[["name", "=", "a"]]',
                '["OR", ["name", "=", "a"], [["code", "=", "b"]]]',
                '[["contact_mechanisms.type", "=", "email"]]',
                ]:
            with self.subTest(domain=domain):
                self.create_scenario(domain=domain)

    @with_transaction()
    def test_domain_access(self):
        "Test that a domain uses only what who saves it may read"
        self.create_scenario(model='sale.sale')
        with as_marketer(self):
            self.create_scenario(domain='[["name", "=", "a"]]')
            with self.assertRaises((DomainError, AccessError)):
                self.create_scenario(model='sale.sale')

    @with_transaction()
    def test_domain_context(self):
        "Test that a domain does not depend on the context of who saves it"
        domain = encode(If(
                Eval('context', {}).get('secret'),
                [], [['create_uid.password_hash', 'like', '%']]))
        with as_marketer(self), Transaction().set_context(secret=1):
            with self.assertRaises(DomainError):
                self.create_scenario(domain=domain)

    @with_transaction()
    def test_domain_reader(self):
        "Test that entering reads with the rights of the virtual reader"
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Record = pool.get('marketing.automation.record')
        scenario = self.create_scenario()
        table = Scenario.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.domain],
                ['[["create_uid.password_hash", "like", "%"]]'],
                where=table.id == scenario.id))
        with Transaction().set_user(0), self.assertRaises(ValueError):
            Record.enter(Scenario(scenario.id), dt.datetime.now())

    @with_transaction()
    def test_parent(self):
        "Test that the activities form a tree below a scenario"
        Activity = Pool().get('marketing.automation.activity')
        scenario = self.create_scenario()
        root = self.create_activity(scenario)
        child = self.create_activity(root)
        grandchild = self.create_activity(child)
        self.assertEqual(grandchild.scenario, scenario)
        other = self.create_scenario(name="Other")
        Activity.write([child], {'parent': str(other)})
        self.assertEqual(
            [Activity(a.id).scenario for a in [root, child, grandchild]],
            [scenario, other, other])

    @with_transaction()
    def test_parent_history(self):
        "Test that what has records stays in its scenario"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Party = pool.get('party.party')
        Record = pool.get('marketing.automation.record')
        Party.create([{'name': "Party"}])
        scenario = self.create_scenario()
        other = self.create_scenario(name="Other")
        activity = self.create_activity(scenario)
        sibling = self.create_activity(scenario)
        Record.enter(scenario, dt.datetime.now())
        with self.assertRaises(AccessError):
            Activity.write([activity], {'parent': str(other)})
        Activity.write([activity], {'parent': str(sibling)})

    @with_transaction()
    def test_copy_inactive(self):
        "Test that a copy has also what is below a deactivated activity"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Scenario = pool.get('marketing.automation.scenario')
        scenario = self.create_scenario()
        root = self.create_activity(scenario, active=False)
        self.create_activity(root)
        copy, = Scenario.copy([scenario])
        with inactive_records():
            activities = Activity.search([('scenario', '=', copy.id)])
        self.assertEqual(sorted(a.active for a in activities), [False, True])

    @with_transaction()
    def test_run_other_model(self):
        "Test that what was written for another model does not run"
        Scenario = Pool().get('marketing.automation.scenario')
        scenario = self.create_scenario()
        self.create_mail(
            scenario, email_template='<p>${record.addresses}</p>')
        Scenario.write([scenario], {'model': 'sale.sale'})
        with configured(
                email__from='erp@example.com',
                marketing__automation_base='https://example.com'):
            with self.assertRaisesRegex(TemplateError, "addresses"):
                Scenario.run([scenario])

    @with_transaction()
    def test_parent_loop(self):
        "Test that an activity can not come before itself"
        Activity = Pool().get('marketing.automation.activity')
        root = self.create_activity(self.create_scenario())
        child = self.create_activity(root)
        grandchild = self.create_activity(child)
        for parent in [root, child, grandchild]:
            with self.subTest(parent=parent):
                with self.assertRaises(ParentError):
                    Activity.write([root], {'parent': str(parent)})

    @with_transaction()
    def test_event(self):
        "Test that the parent must be able to produce the event"
        Activity = Pool().get('marketing.automation.activity')
        scenario = self.create_scenario()
        mail = self.create_mail(scenario)
        step = self.create_activity(scenario)
        self.create_activity(mail, on='email_opened')
        for parent in [scenario, step]:
            with self.subTest(parent=parent):
                with self.assertRaises(ActivityError):
                    self.create_activity(parent, on='email_opened')
        with self.assertRaises(ActivityError):
            Activity.write([mail], {'action': None})

    @with_transaction()
    def test_delay(self):
        "Test the delays"
        scenario = self.create_scenario()
        mail = self.create_mail(scenario)
        with self.assertRaises(DelayError):
            self.create_activity(scenario, delay=dt.timedelta(hours=-1))
        with self.assertRaises(RequiredValidationError):
            self.create_activity(mail, on='email_opened_not')
        self.create_activity(
            mail, on='email_opened_not', delay=dt.timedelta(hours=1))
        self.create_activity(scenario, delay=dt.timedelta())

    @with_transaction()
    def test_condition(self):
        "Test the conditions that are refused"
        Party = Pool().get('party.party')
        Party.create([{'name': "Party"}])
        scenario = self.create_scenario()
        for condition in [
                'foo', '{"__class__": "Foo"}', '{"__class__": "Eval"}',
                encode(Eval('self', {}).get('nam') == 'a'),
                encode(Eval('self.nam', '') == 'a'),
                encode(
                    Eval('self', {}).get('_parent_nam', {}).get('name')
                    == 'a'),
                ]:
            with self.subTest(condition=condition):
                with self.assertRaisesRegex(ConditionError, "Activity"):
                    self.create_activity(scenario, condition=condition)
        for condition in [
                encode(Eval('self', {}).get('name') == 'a'),
                encode(Eval('self.name', '') == 'a'),
                encode(
                    Eval('self', {}).get('_parent_lang', {}).get('code')
                    == 'en'),
                'true', '',
                ]:
            with self.subTest(condition=condition):
                self.create_activity(scenario, condition=condition)

    @with_transaction()
    def test_template(self):
        "Test that templates are refused with their line"
        scenario = self.create_scenario()
        for values, text in [
                ({'email_title': "${"}, "Title"),
                ({'email_title': "${record.__class__}"}, "Title"),
                ({'email_template': "<p>\n<b></p>"}, "line 2"),
                ({'email_template': "<p>\n\n${record.}</p>"}, "line 3"),
                ({'email_template': "<p><?python x = 1 ?></p>"}, "line 1"),
                ({'email_template': "<p>\n${record.nam}</p>"}, "line 2"),
                ({'email_template': "<mj-body>\n</mj-body>"}, "mj-body"),
                ({'email_template': (
                            "<mjml><mj-body>\n<mj-foo/></mj-body></mjml>")},
                    "line 2.*mj-foo"),
                ]:
            with self.subTest(values=values):
                with self.assertRaisesRegex(TemplateError, text):
                    self.create_mail(scenario, **values)

    @with_transaction()
    def test_email_from(self):
        "Test that the mails come from exactly one address"
        scenario = self.create_scenario()
        for address in [
                'foo', 'a@b@c', 'a@example.com, b@example.com', '<>',
                'Name', 'a b@example.com',
                ]:
            with self.subTest(address=address):
                with self.assertRaisesRegex(SenderError, "Activity"):
                    self.create_mail(scenario, email_from=address)
        for address in [
                'shop@example.com', 'Shop <shop@example.com>',
                '"Shop, Inc." <shop@example.com>']:
            with self.subTest(address=address):
                self.create_mail(scenario, email_from=address)

    @with_transaction()
    def test_run_without_base(self):
        "Test that links need the address of the server"
        Scenario = Pool().get('marketing.automation.scenario')
        scenario = self.create_scenario()
        self.create_mail(scenario)
        with configured(email__from='erp@example.com'):
            with self.assertRaisesRegex(ActivityError, "automation_base"):
                Scenario.run([scenario])
        with configured(
                email__from='erp@example.com',
                marketing__automation_base='https://example.com'):
            Scenario.run([scenario])
        self.assertEqual(scenario.state, 'running')

    @with_transaction()
    def test_run_empty(self):
        "Test that a scenario without activity does not run"
        Scenario = Pool().get('marketing.automation.scenario')
        with self.assertRaises(ScenarioError):
            Scenario.run([self.create_scenario()])

    @with_transaction()
    def test_facts(self):
        "Test that a marketer can not write facts"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        Party = pool.get('party.party')
        Scenario = pool.get('marketing.automation.scenario')
        Party.create([{'name': "Party"}])
        scenario = self.create_scenario()
        self.create_activity(scenario)
        Record.enter(scenario, dt.datetime.now())
        with as_marketer(self):
            record, = Record.search([])
            record_activity, = RecordActivity.search([])
            for function in [
                    lambda: Scenario.write([scenario], {'state': 'running'}),
                    lambda: Scenario.write([scenario], {'problems': '{}'}),
                    lambda: Scenario.copy([scenario], {'state': 'running'}),
                    lambda: Scenario.create([{
                                'domain': '[]', 'state': 'running'}]),
                    lambda: Record.write([record], {'blocked': True}),
                    lambda: Record.create([{}]),
                    lambda: Record.delete([record]),
                    lambda: RecordActivity.write(
                        [record_activity], {'email_opened': True}),
                    lambda: RecordActivity.delete([record_activity]),
                    ]:
                with self.assertRaises(AccessError):
                    function()
            Record.block([record])
        self.assertTrue(Record(record.id).blocked)
        self.assertEqual(
            RecordActivity(record_activity.id).state, 'cancelled')

    @with_transaction()
    def test_no_access(self):
        "Test that others than marketers have no access"
        pool = Pool()
        User = pool.get('res.user')
        ModelAccess = pool.get('ir.model.access')
        user, = User.create([{'name': "Other", 'login': 'other'}])
        with Transaction().set_user(user.id), \
                Transaction().set_context(_check_access=True):
            for name, Model in pool.iterobject():
                if (name.startswith('marketing.automation.')
                        and issubclass(Model, ModelStorage)):
                    access = ModelAccess.get_access([name])[name]
                    if name == 'marketing.automation.todo':
                        # Everybody has his own, which others create
                        access = {n: access[n] for n in ['create', 'delete']}
                    with self.subTest(model=name):
                        self.assertFalse(any(access.values()))

    @with_transaction()
    def test_record_rec_name(self):
        "Test that records are found by the name of their target"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        Party = pool.get('party.party')
        Party.create([{'name': "Alice"}, {'name': "Bob"}])
        scenario = self.create_scenario()
        self.create_activity(scenario)
        Record.enter(scenario, dt.datetime.now())
        for operator, value, names in [
                ('=', "Alice", ["Alice"]), ('ilike', 'b%', ["Bob"]),
                ('in', ["Alice", "Bob"], ["Alice", "Bob"]),
                ('!=', "Alice", ["Bob"]), ('=', "Carol", [])]:
            with self.subTest(operator=operator, value=value):
                self.assertEqual(
                    sorted(r.rec_name for r in Record.search([
                                ('rec_name', operator, value)])), names)
        record_activity, = RecordActivity.search([
                ('record.rec_name', '=', "Alice")])
        self.assertEqual(record_activity.record.rec_name, "Alice")

    @with_transaction()
    def test_record_target(self):
        "Test that a marketer who may not read sales sees the parties"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Party = pool.get('party.party')
        party, _ = Party.create([{'name': "Alice"}, {'name': "Bob"}])
        scenario = self.create_scenario()
        Record.enter(scenario, dt.datetime.now())
        with as_marketer(self):
            for type_ in ['form', 'tree']:
                with self.subTest(view=type_):
                    view = Record.fields_view_get(view_type=type_)
                    self.assertIn('rec_name', view['fields'])
            record, = Record.search([('rec_name', '=', "Alice")])
            self.assertEqual(record.rec_name, "Alice")
            action = Record.open_record([record])
            self.assertEqual(
                (action['res_model'], action['res_id']),
                ('party.party', party.id))
        pool.get('ir.rule.group').create([{
                    'name': "Not Alice",
                    'model': 'party.party',
                    'global_p': True,
                    'rules': [('create', [{
                                    'domain': '[["name", "!=", "Alice"]]',
                                    }])],
                    }])
        with check_access():
            self.assertEqual(Party.search([('id', '=', party.id)]), [])
            self.assertEqual(Record(record.id).target, party)
            self.assertTrue(Record.open_record([Record(record.id)]))
        Party.delete([party])
        with self.assertRaisesRegex(
                ScenarioError, "does not exist any more"):
            Record.open_record([Record(record.id)])
