# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from contextlib import contextmanager

from werkzeug.test import Client

from trytond.modules.company.tests import create_company, set_company
from trytond.modules.marketing_automation.blueprint import (
    blueprints, localized, safe_url)
from trytond.modules.marketing_automation.exceptions import BlueprintError
from trytond.pool import Pool
from trytond.tests.test_tryton import activate_module, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import app

from .promise import PromiseTestCase
from .tools import BASE, links

LANGUAGES = {'de', 'en', 'es', 'fr', 'it', 'nl'}
PAGE = 'https://shop.example.com/page?a=1&b=2'
ORGANIZATION = "Smith & <Sons> $5"


class BlueprintTestCase(unittest.TestCase):
    "Test the files of the templates"

    def test_languages(self):
        "Test each text is in all languages"
        def check(value, path):
            if isinstance(value, list):
                for i, v in enumerate(value):
                    check(v, f'{path}[{i}]')
            elif isinstance(value, dict):
                if LANGUAGES & value.keys():
                    with self.subTest(path=path):
                        self.assertEqual(value.keys(), LANGUAGES)
                        for text in value.values():
                            self.assertTrue(text)
                for k, v in value.items():
                    check(v, f'{path}.{k}')

        for name, blueprint in blueprints().items():
            check(blueprint.document, name)
            for texts in [
                    blueprint.title, blueprint.description, blueprint.needs,
                    blueprint.creates]:
                check(texts, name)

    def test_names(self):
        "Test no two templates are called alike"
        for language in LANGUAGES:
            titles = [b.title[language] for b in blueprints().values()]
            self.assertEqual(len(set(titles)), len(titles))

    def test_fill(self):
        "Test nothing that is asked for is left"
        for name, blueprint in blueprints().items():
            values = dict.fromkeys(blueprint.needs, "VALUE")
            with self.subTest(template=name):
                text = blueprint.fill(values)
                self.assertNotRegex(text, r'(?<!\$)\{\w+\}')
                self.assertEqual(
                    text.count("VALUE") >= len(values), True)

    def test_safe_url(self):
        "Test the URLs of the pages"
        for url, expected in [
                (PAGE, PAGE),
                (' http://example.com ', 'http://example.com'),
                ('https://example.com/${x}', 'https://example.com/%24%7Bx%7D'),
                ]:
            self.assertEqual(safe_url(url), expected)
        for url in [
                None, '', 'example.com', 'javascript:alert(1)', 'https://',
                'https://example.com/a b', 'https://example.com/"><b>']:
            with self.subTest(url=url):
                with self.assertRaises(ValueError):
                    safe_url(url)

    def test_localized(self):
        "Test the language of a text"
        texts = {'en': "E", 'es': "S"}
        for language, expected in [
                ('en', "E"), ('es', "S"), ('es_419', "S"), ('fr', "E"),
                (None, "E")]:
            self.assertEqual(localized(texts, language), expected)


class AloneTestCase(unittest.TestCase):
    "Test the templates without other modules"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        activate_module('marketing_automation', 'en')

    @with_transaction()
    def test_modules(self):
        "Test a template that needs a module tells it"
        Scenario = Pool().get('marketing.automation.scenario')
        for name, blueprint in blueprints().items():
            with self.subTest(template=name):
                self.assertEqual(
                    Scenario.missing_modules(blueprint), blueprint.modules)
                if blueprint.modules:
                    with self.assertRaises(BlueprintError) as cm:
                        Scenario.from_template(name, {})
                    self.assertIn(blueprint.modules[0], cm.exception.message)

    @with_transaction()
    def test_values(self):
        "Test what is missing or wrong is told"
        Scenario = Pool().get('marketing.automation.scenario')
        for values, words in [
                ({'url': PAGE}, "How you are called"),
                ({'organization': " ", 'url': PAGE}, "How you are called"),
                ({'organization': "A", 'url': 'foo'}, '"foo"'),
                ]:
            with self.subTest(values=values):
                with self.assertRaises(BlueprintError) as cm:
                    Scenario.from_template('tag_hot_contacts', values)
                self.assertIn(words, cm.exception.message)


class TemplatesTestCase(PromiseTestCase):
    "Test the templates run to their end"
    _extras = ['marketing_email', 'sale', 'sale_opportunity']
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
                    'marketing.email', 'sale.opportunity', 'sale.sale']:
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
            record_activity = RecordActivity.search([
                    ('activity.action', '=', 'send_email'),
                    ('state', '=', 'done'),
                    ('record.record.rec_name', 'like', f'{name}%',
                        'party.party'),
                    ], order=[('id', 'DESC')], limit=1)[0]
            RecordActivity.apply_events([
                    (record_activity.id, event, dt.datetime.now())])

    # What became of it

    def states(self, name):
        "Return the names and states of the activities of the target"
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            return sorted(
                (r.activity.name, r.state) for r in RecordActivity.search([])
                if name in r.record.record.marketing_party.name)

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
