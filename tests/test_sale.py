# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import json
import unittest

from trytond import backend
from trytond.modules.marketing_automation.exceptions import DomainError
from trytond.pool import Pool

from .common.sales import SalesTestCase


class SaleTestCase(SalesTestCase):
    "Test what the actions do for sales"

    def setUp(self):
        super().setUp()
        self.configure(
            marketing__webhook_hosts='hooks.example.com',
            marketing__webhook_secret='whsec_' + 'YWJj' * 11)
        self.sales = self.create_sales(
            *self.create_parties('alice@example.com', 'bob@example.com'))

    def draw(self, action, **values):
        return super().draw(action, model='sale.sale', **values)

    def execute(self, action, **values):
        "Execute the action for all sales and return its activity"
        _, activity = self.draw(action, **values)
        self.enter_all()
        self.assertEqual(
            set(self.outcomes(activity).values()), {('done', None)},
            self.details(activity))
        return activity

    def read(self, model, name, domain=()):
        with self.transaction():
            return sorted(
                getattr(r, name) for r in Pool().get(model).search(
                    list(domain)))

    def test_set_fields(self):
        "Test a sale gets values from its party"
        self.execute('set_fields', values=[('create', [{
                            'field': 'description',
                            'expression': '"For " + record.party.name',
                            }])])
        self.assertEqual(
            self.read('sale.sale', 'description'),
            ["For alice@example.com", "For bob@example.com"])

    def test_category(self):
        "Test the party of the sale gets the category"
        with self.transaction(0):
            Category = Pool().get('party.category')
            category, = Category.create([{'name': "Buyer"}])
        self.execute('add_category', category=category.id)
        self.assertEqual(
            self.read('party.party', 'name',
                [('categories', '=', category.id)]),
            ['alice@example.com', 'bob@example.com'])

    def test_todo(self):
        "Test the to-do is about the sale and known by its party"
        self.execute(
            'todo', todo_user=self.marketer,
            todo_subject="Sale ${record.number}: ${record.party.name}")
        with self.transaction():
            todos = Pool().get('marketing.automation.todo').search(
                [], order=[('subject', 'ASC')])
            self.assertEqual([t.subject for t in todos], [
                    "Sale 1: alice@example.com", "Sale 2: bob@example.com"])
            self.assertEqual([t.origin.id for t in todos], self.sales)
            self.assertEqual(
                [t.party.name for t in todos],
                ['alice@example.com', 'bob@example.com'])

    def test_colleague(self):
        "Test the salesman of the sale gets the e-mail"
        with self.transaction(0):
            Sale = Pool().get('sale.sale')
            Sale.write(Sale.browse(self.sales), {
                    'quoted_by': self.employee})
            Employee = Pool().get('company.employee')
            Party = Pool().get('party.party')
            Party.write([Employee(self.employee).party], {
                    'contact_mechanisms': [('create', [{
                                    'type': 'email',
                                    'value': 'salesman@example.com',
                                    }])]})
        self.execute(
            'email_colleague', colleague='quoted_by', colleague_reply=True,
            email_title="Sale ${record.number}",
            email_template="<p>${record.party.name}</p>")
        self.assertEqual(
            {
                (*m.rcpt_tos, *map(m.message.get, ['Subject', 'Reply-To']))
                for m in self.smtp.messages}, {
                ('salesman@example.com', "Sale 1", 'alice@example.com'),
                ('salesman@example.com', "Sale 2", 'bob@example.com')})

    def test_webhook(self):
        "Test the message tells the fields of the sale"
        _, activity = self.draw(
            'webhook', webhook_url='https://hooks.example.com/',
            webhook_fields=['number', 'party', 'state'])
        with self.transaction(0):
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Scenario.enter(Scenario.search([]))
            RecordActivity = pool.get('marketing.automation.record.activity')
            messages = pool.get('marketing.automation.activity')(
                activity).execute_webhook(RecordActivity.search([]))
            contents = [
                json.loads(p.content)['data']['record']
                for p in messages.values()]
        self.assertEqual(
            sorted(c['fields']['number'] for c in contents), ['1', '2'])
        for content in contents:
            self.assertEqual(content['model'], 'sale.sale')
            self.assertEqual(content['fields']['state'], 'draft')
            self.assertIn('@example.com', content['fields']['party']['name'])

    def test_call(self):
        "Test a button of the sale is clicked"
        self.execute('call', call='button,cancel')
        self.assertEqual(
            self.read('sale.sale', 'state'), ['cancelled', 'cancelled'])

    def test_enter_scenario(self):
        "Test the party of the sale enters a scenario of parties"
        other, _ = super().draw(
            None, name="Parties", domain='[["id", "=", -1]]')
        self.execute('enter_scenario', other_scenario=other)
        with self.transaction():
            Record = Pool().get('marketing.automation.record')
            self.assertEqual(
                sorted(r.record.name for r in Record.search([
                            ('scenario', '=', other)])),
                ['alice@example.com', 'bob@example.com'])

    def test_mailing_list(self):
        "Test the e-mail address of the sale is added to the list"
        with self.transaction(0):
            List = Pool().get('marketing.email.list')
            list_, = List.create([{'name': "News"}])
        self.execute(
            'mailing_list', mailing_list=list_.id,
            mailing_list_operation='add', mailing_list_confirm=False)
        self.assertEqual(
            self.read('marketing.email', 'email'),
            ['alice@example.com', 'bob@example.com'])

    def test_opportunity(self):
        "Test an opportunity of the same company and party is created"
        self.execute(
            'opportunity', opportunity_operation='create',
            opportunity_description="After sale ${record.number}")
        with self.transaction():
            opportunities = Pool().get('sale.opportunity').search(
                [], order=[('description', 'ASC')])
            self.assertEqual([
                    (o.description, o.party.name, o.company.id)
                    for o in opportunities], [
                    ("After sale 1", 'alice@example.com', self.company),
                    ("After sale 2", 'bob@example.com', self.company)])

    def test_block(self):
        "Test the records of the sales end"
        self.execute('block')
        self.assertEqual(
            self.read('marketing.automation.record', 'end_reason'),
            ['blocked_activity'] * 2)

    def test_unsubscribe(self):
        "Test who unsubscribes by the mail about a sale leaves with all"
        alice, bob = self.outsiders()
        self.create_sales(alice)
        self.execute('set_fields', values=[('create', [{
                            'field': 'description',
                            'expression': '"Sold"',
                            }])])
        with self.transaction(0):
            pool = Pool()
            Record = pool.get('marketing.automation.record')
            first = Record.search(
                [('record.party', '=', alice, 'sale.sale')], limit=1)
            pool.get('marketing.automation.consent').stop(
                first[0].id, 'scenario', 'one-click')
        with self.transaction():
            self.assertEqual(
                sorted((r.record.party.id, r.end_reason)
                    for r in Record.search([])), [
                    (alice, 'unsubscribed'), (alice, 'unsubscribed'),
                    (bob, 'completed')])

    def test_statements(self):
        "Test the number of statements does not grow with the sales"
        with self.transaction(0):
            Category = Pool().get('party.category')
            category, = Category.create([{'name': "Many"}])
        # SQLite inserts one by one
        inserts = 36 if backend.name == 'sqlite' else 0
        for action, values, growth in [
                ('set_fields', {'values': [('create', [{
                                        'field': 'description',
                                        'expression': '"Sold"',
                                        }])]}, 0),
                ('add_category', {'category': category.id}, inserts),
                ('todo', {
                        'todo_user': self.marketer,
                        'todo_subject': "${record.party.name}",
                        }, inserts),
                ('email_colleague', {
                        'colleague_user': self.marketer,
                        'colleague_reply': True,
                        'email_title': "${record.party.name}",
                        'email_template': "<p/>",
                        }, 0),
                ('webhook', {
                        'webhook_url': 'https://hooks.example.com/',
                        'webhook_fields': ['number', 'party'],
                        }, 0),
                ('block', {}, 0)]:
            with self.subTest(action=action):
                def draw():
                    self.create_sales(*self.outsiders())
                    return self.draw(action, **values)
                few, many = [self.statements(c, draw) for c in [4, 40]]
                self.assertLessEqual(many - few, growth)

    def test_rights(self):
        "Test who may not read sales can not write to their parties"
        with self.transaction(0):
            pool = Pool()
            ModelData = pool.get('ir.model.data')
            User = pool.get('res.user')
            user, = User.create([{
                        'name': "Other",
                        'login': 'other',
                        'groups': [('add', [ModelData.get_id(
                                        'marketing', 'group_marketing')])],
                        }])
        with self.assertRaises(DomainError):
            self.draw('block', user=user.id)


del SalesTestCase

if __name__ == '__main__':
    unittest.main()
