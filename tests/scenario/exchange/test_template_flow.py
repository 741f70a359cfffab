# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
from contextlib import contextmanager

from werkzeug.test import Client

from trytond.modules.company.tests import create_company, set_company
from trytond.pool import Pool
from trytond.transaction import Transaction
from trytond.wsgi import app

from ...common.guarantee import GuaranteeTestCase
from ...tools import BASE, EXTRAS, links

LANGUAGES = {'de', 'en', 'es', 'fr', 'it', 'nl'}
PAGE = 'https://shop.example.com/page?a=1&b=2'
ORGANIZATION = "Smith & <Sons> $5"


class TemplatesTestCase(GuaranteeTestCase):
    "Test the templates run to their end"
    _extras = EXTRAS
    _options = {
        'marketing__quarantine': 0,
        'marketing__machine_seconds': 0,
        }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Transaction().start(cls.name, 1):
            pool = Pool()
            Lang = pool.get('ir.lang')
            Lang.write(list(Lang.search([('code', 'in', LANGUAGES)])), {
                    'translatable': True})
            cls.company = create_company().id

    def setUp(self):
        super().setUp()
        self.number = 0

    def clear(self):
        with self.transaction():
            Todo = Pool().get('marketing.automation.todo')
            Todo.delete(list(Todo.search([])))
        super().clear()
        with self.transaction():
            pool = Pool()
            for name in [
                    'marketing.email', 'sale.opportunity', 'sale.sale',
                    'party.contact_mechanism']:
                Model = pool.get(name)
                table = Model.__table__()
                Transaction().connection.cursor().execute(*table.delete())
            Party = pool.get('party.party')
            Party.write(list(Party.search([])), {'active': False})

    # What people do

    def from_template(self, name, **values):
        "Create and run the scenario of the template, and return its id"
        with self.transaction():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            User = pool.get('res.user')
            with Transaction().set_context(company=self.company):
                scenario = Scenario.from_template(name, {
                        'organization': ORGANIZATION,
                        'url': PAGE,
                        'user': User(1),
                        **{k: v() if callable(v) else v
                            for k, v in values.items()}})
                self.assertEqual(scenario.state, 'draft')
                text = scenario.export_json()
                self.assertEqual(
                    Scenario.import_json(text).export_json(), text)
                Scenario.run([scenario])
        return scenario.id

    def create_party(self, name="Alice", language=None, **values):
        with self.transaction():
            pool = Pool()
            Lang = pool.get('ir.lang')
            Party = pool.get('party.party')
            if language:
                values['lang'], = [
                    l.id for l in Lang.search([('code', '=', language)])]
            party, = Party.create([{
                        'name': name,
                        'addresses': [('create', [{}])],
                        'contact_mechanisms': [('create', [{
                                        'type': 'email',
                                        'value': f'{name.lower()}@example.com',
                                        }])],
                        **values}])
            return party.id

    @contextmanager
    def in_company(self):
        Company = Pool().get('company.company')
        with set_company(Company(self.company)):
            yield

    def create_sale(self, party, state='quotation', date=None):
        with self.transaction(), self.in_company():
            pool = Pool()
            Company = pool.get('company.company')
            Party = pool.get('party.party')
            Sale = pool.get('sale.sale')
            address = Party(party).addresses[0].id
            self.number += 1
            sale, = Sale.create([{
                        'company': self.company,
                        'currency': Company(self.company).currency.id,
                        'party': party,
                        'number': str(self.number),
                        'invoice_address': address,
                        'shipment_address': address,
                        'sale_date': date or dt.date.today(),
                        'state': state,
                        }])
            return sale.id

    def create_opportunity(self, party):
        with self.transaction(), self.in_company():
            pool = Pool()
            Company = pool.get('company.company')
            Opportunity = pool.get('sale.opportunity')
            self.number += 1
            opportunity, = Opportunity.create([{
                        'company': self.company,
                        'currency': Company(self.company).currency.id,
                        'number': str(self.number),
                        'party': party,
                        'state': 'lead',
                        }])
            return opportunity.id

    def write(self, model, id_, **values):
        with self.transaction():
            Model = Pool().get(model)
            Model.write([Model(id_)], values)

    def work(self, days=0):
        "Let days go by and do what the crons do"
        with self.transaction(0):
            pool = Pool()
            RecordActivity = pool.get('marketing.automation.record.activity')
            Scenario = pool.get('marketing.automation.scenario')
            table = RecordActivity.__table__()
            cursor = Transaction().connection.cursor()
            for record_activity in RecordActivity.search([
                        ('state', '=', 'waiting'), ('at', '!=', None)]):
                cursor.execute(*table.update(
                        [table.at],
                        [record_activity.at - dt.timedelta(days=days)],
                        where=table.id == record_activity.id))
            Scenario.enter(list(Scenario.search([
                            ('state', '=', 'running')])))
        self.process()

    def mails(self, name):
        "Return the e-mails to the person"
        return [
            a.message for a in self.smtp.messages
            if f'{name.lower()}@example.com' in a.rcpt_tos]

    def visit(self, url):
        self.assertTrue(url.startswith(BASE), url)
        response = Client(app).get(url[len(BASE):])
        self.assertIn(response.status_code, {200, 302})
        return response

    def click(self, message, text=None):
        "Click on the button of the e-mail"
        urls, _ = links(message)
        url, = [
            u for t, u in urls.items()
            if (t == text if text else 'unsub' not in t.lower())]
        response = self.visit(url)
        self.assertEqual(response.headers['Location'], PAGE)

    def open(self, message):
        _, pixel = links(message)
        self.visit(pixel)

    def happen(self, name, event):
        "Let an event of the last e-mail to the person happen"
        with self.transaction(0):
            RecordActivity = Pool().get('marketing.automation.record.activity')
            record_activity = [
                r for r in RecordActivity.search([
                        ('activity.action', '=', 'send_email'),
                        ('state', '=', 'done'),
                        ], order=[('id', 'ASC')])
                if name in self.name_of(r.record.record)][-1]
            RecordActivity.apply_events([
                    (record_activity.id, event, dt.datetime.now())])

    @staticmethod
    def name_of(target):
        party = target.marketing_party
        return party.name if party else target.email.capitalize()

    # What became of it

    def states(self, name):
        "Return the names and states of the activities of the target"
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            return sorted(
                (r.activity.name, r.state) for r in RecordActivity.search([])
                if name in self.name_of(r.record.record))

    def todos(self):
        with self.transaction():
            Todo = Pool().get('marketing.automation.todo')
            return sorted(t.subject for t in Todo.search([]))

    def test_tag_hot_contacts(self):
        "Test who clicks gets into the category"
        self.from_template('tag_hot_contacts')
        for name in ["Alice", "Bob"]:
            self.create_party(name)
        self.work()
        alice, = self.mails("Alice")
        self.assertEqual(alice['Subject'], f"Welcome to {ORGANIZATION}")
        text = alice.get_body(['plain']).get_content()
        self.assertIn("Hello Alice,", text)
        self.assertIn(ORGANIZATION, text)
        self.click(alice)
        bob, = self.mails("Bob")
        self.open(bob)
        self.work()
        self.assertEqual(
            self.states("Alice"), [("Hot", 'done'), ("Welcome", 'done')])
        self.assertEqual(
            self.states("Bob"), [("Hot", 'waiting'), ("Welcome", 'done')])
        with self.transaction():
            Party = Pool().get('party.party')
            party, = Party.search([('categories.name', '=', "Hot")])
            self.assertEqual(party.name, "Alice")
            category, = party.categories
        with self.transaction(), Transaction().set_context(language='fr'):
            Category = Pool().get('party.category')
            self.assertEqual(Category(category.id).name, "Chaud")

    def test_languages(self):
        "Test each recipient gets the e-mail in the language of the party"
        greetings = {
            'de': "Guten Tag Alice-de,",
            'en': "Hello Alice-en,",
            'es': "Hola Alice-es:",
            'fr': "Bonjour Alice-fr,",
            'it': "Buongiorno Alice-it,",
            'nl': "Beste Alice-nl,",
            }
        self.from_template('anniversary', date_field='create_date')
        for language in LANGUAGES:
            self.create_party(f"Alice-{language}", language)
        self.work()
        for language, greeting in greetings.items():
            message, = self.mails(f"Alice-{language}")
            self.assertIn(
                greeting, message.get_body(['plain']).get_content())
            self.assertIn(
                f'<html lang="{language}">',
                message.get_body(['html']).get_content())

    def test_schedule_calls(self):
        "Test the employee calls, and the other hears what was not done"
        self.from_template('schedule_calls')
        party = self.create_party("Alice")
        opportunity = self.create_opportunity(party)
        self.create_opportunity(None)
        self.work()
        self.assertEqual(self.todos(), ["Call Alice"])
        self.work(6)
        self.assertEqual(self.todos(), ["Call Alice"])
        self.work(1)
        self.assertEqual(
            self.todos(), ["Call Alice", "Nobody has called Alice"])
        self.write('sale.opportunity', opportunity, state='lost')
        self.work()

    def test_schedule_calls_done(self):
        "Test nobody hears of the call that was done"
        self.from_template('schedule_calls')
        self.create_opportunity(self.create_party("Alice"))
        self.work()
        with self.transaction():
            Todo = Pool().get('marketing.automation.todo')
            Todo.do(list(Todo.search([])))
        self.work(10)
        self.assertEqual(self.todos(), ["Call Alice"])

    def test_prioritize_hot_leads(self):
        "Test who clicks has a higher probability and is called"
        self.from_template('prioritize_hot_leads')
        ids = {
            name: self.create_opportunity(self.create_party(name))
            for name in ["Alice", "Bob"]}
        self.work()
        alice, = self.mails("Alice")
        self.assertEqual(alice['Subject'], "How can we help you?")
        self.click(alice)
        self.work()
        self.assertEqual(self.todos(), ["Call Alice"])
        with self.transaction():
            Opportunity = Pool().get('sale.opportunity')
            self.assertEqual(
                Opportunity(ids["Alice"]).conversion_probability, 0.8)
            self.assertNotEqual(
                Opportunity(ids["Bob"]).conversion_probability, 0.8)

    def test_anniversary(self):
        "Test the e-mail goes out on the anniversary"
        self.from_template('anniversary', date_field='create_date')
        parties = {
            name: self.create_party(name) for name in ["Alice", "Bob"]}
        today = dt.datetime.now()
        with self.transaction():
            table = Pool().get('party.party').__table__()
            cursor = Transaction().connection.cursor()
            for name, date in [
                    ("Alice", today - dt.timedelta(days=1 + 365)),
                    ("Bob", today - dt.timedelta(days=30))]:
                cursor.execute(*table.update(
                        [table.create_date], [date],
                        where=table.id == parties[name]))
        self.work()
        self.assertFalse(self.smtp.messages)
        self.work(365)
        self.assertTrue(self.mails("Alice"))
        self.assertEqual(
            self.states("Bob"), [("Congratulation", 'done')])

    def test_commercial_prospection(self):
        "Test who reacts is called or answered, and who does not is reminded"
        self.from_template('commercial_prospection')
        with self.transaction():
            Category = Pool().get('party.category')
            prospects, = Category.search([('name', '=', "Prospects")])
        for name in ["Alice", "Bob", "Carol", "Dave"]:
            self.create_party(
                name, categories=[] if name == "Dave" else [
                    ('add', [prospects.id])])
        self.work()
        self.assertFalse(self.mails("Dave"))
        self.click(self.mails("Alice")[0])
        self.happen("Bob", 'email_replied')
        self.work()
        self.assertEqual(self.todos(), ["Answer Bob", "Call Alice"])
        self.work(5)
        self.assertEqual(
            [len(self.mails(n)) for n in ["Alice", "Bob", "Carol"]],
            [1, 1, 2])
        self.click(self.mails("Carol")[1])
        self.work()
        self.assertEqual(
            self.todos(), ["Answer Bob", "Call Alice", "Call Carol"])

    def create_subscriber(self, name):
        with self.transaction():
            pool = Pool()
            Email = pool.get('marketing.email')
            List = pool.get('marketing.email.list')
            list_, = List.search([('name', '=', "Newsletter")])
            Email.create([{
                        'email': f'{name.lower()}@example.com',
                        'list_': list_.id,
                        }])

    def subscribers(self, list_):
        with self.transaction():
            Email = Pool().get('marketing.email')
            return sorted(
                e.email for e in Email.search([('list_.name', '=', list_)]))

    def test_welcome_flow(self):
        "Test the addresses that bounce leave the list"
        self.from_template('welcome_flow')
        for name in ["Alice", "Bob"]:
            self.create_subscriber(name)
        self.work()
        self.happen("Bob", 'email_bounced')
        self.work()
        self.work(4)
        self.assertEqual(
            [m['Subject'] for m in self.mails("Alice")], [
                "Welcome to our newsletter",
                "Is there something we can do for you?"])
        self.assertEqual(len(self.mails("Bob")), 1)
        self.assertEqual(
            self.subscribers("Newsletter"), ['alice@example.com'])

    def test_double_opt_in(self):
        "Test who clicks on the button is confirmed"
        self.from_template('double_opt_in')
        for name in ["Alice", "Bob", "Carol"]:
            self.create_subscriber(name)
        self.work()
        alice, = self.mails("Alice")
        self.click(alice)
        bob, = self.mails("Bob")
        self.open(bob)
        carol, = self.mails("Carol")
        urls, _ = links(carol)
        self.visit(urls["Unsubscribe"])
        self.assertEqual(len(urls), 2)
        self.work()
        self.assertEqual(
            self.subscribers("Confirmed contacts"), ['alice@example.com'])

    def test_after_sale_survey(self):
        "Test who does not answer is reminded once"
        self.from_template('after_sale_survey')
        for name in ["Alice", "Bob"]:
            self.create_sale(self.create_party(name), state='done')
        self.create_sale(self.create_party("Carol"), state='quotation')
        self.work()
        self.assertFalse(self.smtp.messages)
        self.work(15)
        self.click(self.mails("Alice")[0])
        self.work()
        self.work(7)
        self.assertEqual(
            [len(self.mails(n)) for n in ["Alice", "Bob", "Carol"]],
            [1, 2, 0])
        self.assertEqual(
            self.mails("Bob")[1]['Subject'], "Two minutes for your opinion?")
        self.happen("Bob", 'email_replied')
        self.work(30)
        self.assertEqual(len(self.todos()), 1)
        self.assertEqual(len(self.mails("Bob")), 2)

    def test_quotation_reminder(self):
        "Test who does not click is reminded and called, unless it is sold"
        self.from_template('quotation_reminder')
        sales = {
            name: self.create_sale(self.create_party(name))
            for name in ["Alice", "Bob", "Carol"]}
        self.work()
        self.work(3)
        self.assertEqual(self.mails("Alice")[0]['Subject'], "Your quotation 1")
        self.click(self.mails("Alice")[0])
        self.write('sale.sale', sales["Bob"], state='confirmed')
        self.work()
        self.work(7)
        self.work(3)
        self.assertEqual(
            [len(self.mails(n)) for n in ["Alice", "Bob", "Carol"]],
            [1, 1, 2])
        self.assertEqual(self.todos(), ["Call about quotation 3: Carol"])
        self.assertEqual(self.reasons(), {"Bob": 'converted'})

    def reasons(self):
        "Return the reasons why records ended, but for the completed"
        with self.transaction():
            Record = Pool().get('marketing.automation.record')
            return {
                r.record.marketing_party.name: r.end_reason
                for r in Record.search([
                        ('end_reason', 'not in', [None, 'completed'])])}

    def test_win_back(self):
        "Test customers of a year ago, however long inside, until they buy"
        self.from_template('win_back')
        today = dt.date.today()
        parties, sales = {}, {}
        for name, days in [
                ("Alice", 400), ("Bob", 400), ("Carol", 100), ("Dave", 900)]:
            parties[name] = self.create_party(name)
            sales[name] = self.create_sale(
                parties[name], 'done', today - dt.timedelta(days=days))
        self.work()
        self.assertEqual(
            self.smtp.by_recipient.keys(),
            {'alice@example.com', 'bob@example.com'})
        self.click(self.mails("Alice")[0])
        self.create_sale(parties["Bob"], 'processing', today)
        # It is too old to enter
        self.write(
            'sale.sale', sales["Alice"],
            sale_date=today - dt.timedelta(days=800))
        self.work()
        self.work(14)
        self.assertEqual(self.todos(), ["Call Alice"])
        self.assertEqual(len(self.mails("Bob")), 1)
        self.assertEqual(self.reasons(), {"Bob": 'converted'})


del GuaranteeTestCase
