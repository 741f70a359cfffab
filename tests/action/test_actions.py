# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import drop_db, with_transaction
from trytond.transaction import Transaction

from ..common.history import (
    create_record_activities, create_records, create_scenarios)
from ..tools import activate_all

MODELS = [
    'marketing.automation.scenario',
    'marketing.automation.activity',
    'marketing.automation.record',
    'marketing.automation.record.activity',
    'party.party',
    ]


class ActionsTestCase(unittest.TestCase):
    "Test that a marketer can open what the menus offer"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    def setUp(self):
        super().setUp()
        self.opened = set()

    def create_marketer(self):
        pool = Pool()
        User = pool.get('res.user')
        ModelData = pool.get('ir.model.data')
        marketer, = User.create([{
                    'name': "Marketer",
                    'login': 'marketer',
                    'groups': [('add', [
                                ModelData.get_id(
                                    'marketing', 'group_marketing')])],
                    }])
        return marketer

    def act_as(self, user):
        return Transaction().set_user(user.id), Transaction().set_context(
            User=user.id, _check_access=True, language='en')

    def create_history(self):
        "Create a scenario with a sent e-mail"
        pool = Pool()
        Email = pool.get('ir.email')
        scenario, = create_scenarios(1, activities=2)
        activity = scenario.activities[0]
        records = create_records(scenario, 3)
        done = create_record_activities(activity, records)
        Email.create([{
                    'resource': str(r.record),
                    'recipients': 'party@example.com',
                    'subject': "Hello",
                    'marketing_automation_activity': activity.id,
                    'marketing_automation_record': r.id,
                    } for r in records])
        return [
            [scenario], [activity], records, done,
            [r.record for r in records]]

    def open(self, action, records):
        "Do as a client does when it opens the action"
        pool = Pool()
        environment = {
            'active_model': records[0].__name__ if records else None,
            'active_id': records[0].id if records else None,
            'active_ids': [r.id for r in records],
            }
        environment['context'] = environment
        decoder = PYSONDecoder(environment)
        if action['type'] == 'ir.action.wizard':
            Wizard = pool.get(action['wiz_name'], type='wizard')
            with Transaction().set_context(
                    action_id=action['id'], **{
                        k: v for k, v in environment.items()
                        if k != 'context'}):
                session_id, start, end = Wizard.create()
                result = Wizard.execute(session_id, {}, start)
                Wizard.delete(session_id)
            if 'view' in result:
                # It asks before
                return []
            actions = result['actions']
            self.assertTrue(actions)
            return [
                found for child, _ in actions
                for found in self.open(child, records)]
        self.assertEqual(action['type'], 'ir.action.act_window')
        Model = pool.get(action['res_model'])
        domain = decoder.decode(action['pyson_domain'])
        self.opened.add(action['res_model'])
        found = list(Model.search(domain))
        for _, tab, _ in action['domains']:
            Model.search([domain, decoder.decode(tab)], count=True)
        for view_id, _ in action['views']:
            view = Model.fields_view_get(view_id)
            Model.read([r.id for r in found], list(view['fields']))
        return found

    @with_transaction()
    def test_relate(self):
        "Test each relate of each model, of one and of several records"
        pool = Pool()
        Keyword = pool.get('ir.action.keyword')
        marketer = self.create_marketer()
        history = self.create_history()
        user, context = self.act_as(marketer)
        with user, context:
            for name, records in zip(MODELS, history):
                records = list(pool.get(name).browse(records))
                actions = [
                    a for a in Keyword.get_keyword(
                        'form_relate', (name, records[0].id))
                    if self.is_own(a)]
                self.assertTrue(actions, msg=name)
                for action in actions:
                    for selected in [records[:1], records]:
                        with self.subTest(
                                model=name, action=action['name'],
                                selected=len(selected)):
                            self.open(action, selected)
        self.assertLessEqual({
                'ir.email',
                'marketing.automation.activity',
                'marketing.automation.record',
                'marketing.automation.record.activity',
                'marketing.automation.reporting.activity',
                'marketing.automation.reporting.scenario',
                }, self.opened)

    def is_own(self, action):
        ModelData = Pool().get('ir.model.data')
        with Transaction().set_user(0):
            return bool(ModelData.search([
                        ('module', '=', 'marketing_automation'),
                        ('model', '=', action['type']),
                        ('db_id', '=', action['id']),
                        ]))

    @with_transaction()
    def test_emails(self):
        "Test the e-mails of each selection"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        ActionWizard = pool.get('ir.action.wizard')
        marketer = self.create_marketer()
        history = self.create_history()
        action = ActionWizard(ModelData.get_id(
                'marketing_automation', 'wizard_open_emails')
            ).action.get_action_value()
        user, context = self.act_as(marketer)
        with user, context:
            for records in history[:-1]:
                with self.subTest(model=records[0].__name__):
                    count = 3 if len(records) == 1 else len(records)
                    self.assertEqual(len(self.open(action, records)), count)
            record, = pool.get('marketing.automation.record').browse(
                history[2][:1])
            email, = self.open(action, [record])
            self.assertEqual(email.resource, record.record)

    @with_transaction()
    def test_emails_unreadable(self):
        "Test the e-mails of targets that the user may not read"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        ActionWizard = pool.get('ir.action.wizard')
        Access = pool.get('ir.model.access')
        marketer = self.create_marketer()
        history = self.create_history()
        Access.create([{
                    'model': 'party.party',
                    'perm_read': False,
                    }])
        action = ActionWizard(ModelData.get_id(
                'marketing_automation', 'wizard_open_emails')
            ).action.get_action_value()
        user, context = self.act_as(marketer)
        with user, context:
            self.assertFalse(self.open(action, history[0]))

    @with_transaction()
    def test_records_unreadable(self):
        "Test the records whose targets the user may not read"
        pool = Pool()
        Access = pool.get('ir.model.access')
        marketer = self.create_marketer()
        history = self.create_history()
        Access.create([{
                    'model': 'party.party',
                    'perm_read': False,
                    }])
        user, context = self.act_as(marketer)
        with user, context:
            for name, records in zip(MODELS[:4], history):
                Model = pool.get(name)
                for type_ in ['tree', 'form']:
                    with self.subTest(model=name, type=type_):
                        view = Model.fields_view_get(None, type_)
                        names = list(view['fields']) + ['rec_name']
                        Model.read([r.id for r in records], names)

    @with_transaction()
    def test_menu(self):
        "Test each entry of the menu of marketing"
        pool = Pool()
        Menu = pool.get('ir.ui.menu')
        ModelData = pool.get('ir.model.data')
        marketer = self.create_marketer()
        self.create_history()
        root = ModelData.get_id('marketing', 'menu_marketing')
        user, context = self.act_as(marketer)
        with user, context:
            menus = Menu.search([('parent', 'child_of', root)])
            actions = [m.action for m in menus if m.action]
            self.assertLessEqual(
                {"Scenarios", "Activities"}, {a.name for a in actions})
            for action in actions:
                with self.subTest(action=action.name):
                    self.open(action.action.get_action_value(), [])
