# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json
import unittest

from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.modules.marketing_automation.exceptions import (
    DomainError, ExchangeError, ExchangeMissingError, TemplateError)
from trytond.modules.marketing_automation.scenario.exchange.exporter import (
    Exporter)
from trytond.modules.marketing_automation.scenario.exchange.fields import (
    exchange_fields)
from trytond.modules.marketing_automation.scenario.exchange.format import (
    FORMAT)
from trytond.modules.marketing_automation.scenario.exchange.importer import (
    Importer)
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction
from trytond.transaction import Transaction, inactive_records

from ...tools import WELCOME, activate_all, as_marketer

LANGUAGES = ['fr', 'de']


class ExchangeTestCase(unittest.TestCase):
    "Test the export and the import of scenarios"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    def activate_languages(self, *codes):
        Lang = Pool().get('ir.lang')
        Lang.write(list(Lang.search([('code', 'in', codes)])), {
                'translatable': True})

    def create_scenario(self):
        "Create a scenario with a tree in three languages"
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Activity = pool.get('marketing.automation.activity')
        self.activate_languages(*LANGUAGES)
        scenario, = Scenario.create([{
                    'name': "Welcome",
                    'model': 'party.party',
                    'domain': '[["name", "like", "A%"]]',
                    'unsubscribable': False,
                    }])
        first, second = Activity.create([{
                    'name': "B first",
                    'parent': str(scenario),
                    'action': 'send_email',
                    'email_from': "Shop <shop@example.com>",
                    'email_title': "Hello ${record.name}",
                    'email_template': WELCOME,
                    }, {
                    'name': "A second",
                    'parent': str(scenario),
                    'delay': dt.timedelta(days=2, hours=3),
                    'active': False,
                    }])
        Activity.create([{
                    'name': "Not clicked",
                    'parent': str(first),
                    'event': 'email_clicked',
                    'negative': True,
                    'delay': dt.timedelta(days=1),
                    'condition': json.dumps({
                            '__class__': 'Equal',
                            's1': {'__class__': 'Eval', 'v': 'self.name',
                                'd': ''},
                            's2': "Alice",
                            }),
                    }, {
                    'name': "Child of inactive",
                    'parent': str(second),
                    }])
        with Transaction().set_context(language='fr'):
            Scenario.write([Scenario(scenario.id)], {'name': "Bienvenue"})
            Activity.write([Activity(first.id)], {
                    'email_title': "Bonjour ${record.name}",
                    'email_template': WELCOME.replace("Hello", "Bonjour"),
                    })
        with Transaction().set_context(language='de'):
            Activity.write([Activity(first.id)], {'name': "Erste"})
        return scenario

    def export(self, scenario):
        return scenario.export_json()

    def import_(self, document, **kwargs):
        Scenario = Pool().get('marketing.automation.scenario')
        if not isinstance(document, (str, bytes)):
            document = json.dumps(document)
        return Scenario.import_json(document, **kwargs)

    def document(self, *activities, **values):
        return {
            'format': FORMAT,
            'scenario': {
                'name': "Scenario",
                'model': 'party.party',
                'domain': '[]',
                'activities': list(activities),
                **values,
                },
            }

    @with_transaction()
    def test_export(self):
        "Test the text of a scenario"
        scenario = self.create_scenario()
        text = self.export(scenario)
        document = json.loads(text)

        self.assertEqual(list(document), ['format', 'scenario'])
        values = document['scenario']
        self.assertEqual(list(values)[0], 'name')
        self.assertEqual(list(values)[-1], 'activities')
        self.assertEqual(
            values['name'], {'en': "Welcome", 'fr': "Bienvenue"})
        self.assertEqual(values['unsubscribable'], False)
        self.assertNotIn('state', values)
        self.assertNotIn('active', values)
        first, second = values['activities']
        self.assertEqual(
            first['name'], {'en': "B first", 'de': "Erste"})
        self.assertEqual(
            first['email_template']['fr'][3],
            '        <p>Bonjour ${record.name}</p>')
        self.assertEqual(second['delay'], 'P2DT3H')
        self.assertEqual(second['active'], False)
        self.assertEqual(
            [c['name'] for c in second['children']],
            [{'en': "Child of inactive"}])
        self.assertNotIn('scenario', second)
        self.assertNotIn('parent', second)
        # They are in their order
        self.assertNotIn('sequence', second)
        child, = first['children']
        self.assertEqual(child['event'], 'email_clicked')
        self.assertEqual(child['negative'], True)

    @with_transaction()
    def test_round_trip(self):
        "Test what is imported exports the same text"
        Activity = Pool().get('marketing.automation.activity')
        text = self.export(self.create_scenario())
        for source in [text, text.encode()]:
            copy = self.import_(source)
            self.assertEqual(self.export(copy), text)
        self.assertEqual(copy.state, 'draft')
        with inactive_records():
            self.assertEqual(
                Activity.search_count([('scenario', '=', copy.id)]), 4)
        with Transaction().set_context(language='fr'):
            Scenario = Pool().get('marketing.automation.scenario')
            self.assertEqual(Scenario(copy.id).name, "Bienvenue")

    @with_transaction()
    def test_language_of_user(self):
        "Test the language of who exports and imports does not matter"
        scenario = self.create_scenario()
        text = self.export(scenario)
        for language in ['fr', 'de', 'en']:
            with Transaction().set_context(language=language):
                self.assertEqual(self.export(scenario), text)
                self.assertEqual(self.export(self.import_(text)), text)

    @with_transaction()
    def test_running(self):
        "Test a running scenario is imported as a draft"
        scenario = self.create_scenario()
        scenario.state = 'running'
        scenario.problems = '{"enter": {"error": "foo"}}'
        scenario.save()
        copy = self.import_(self.export(scenario))
        self.assertEqual(copy.state, 'draft')
        self.assertFalse(copy.problems)

    @with_transaction()
    def test_copy(self):
        "Test the copy of a scenario has all that is exchanged"
        Scenario = Pool().get('marketing.automation.scenario')
        scenario = self.create_scenario()
        copy, = Scenario.copy([scenario])
        original, copied = (
            json.loads(self.export(s))['scenario'] for s in [scenario, copy])
        self.assertNotEqual(original.pop('name'), copied.pop('name'))
        self.assertEqual(self.flat(copied), self.flat(original))

    def flat(self, values):
        "Return the values with each language, translated or not"
        if isinstance(values, list):
            return [self.flat(v) for v in values]
        elif not isinstance(values, dict):
            return values
        elif 'en' in values:
            return [
                values.get(code, values['en']) for code in ['en', *LANGUAGES]]
        return {k: self.flat(v) for k, v in values.items()}

    @with_transaction()
    def test_languages(self):
        "Test the translations that are taken"
        Scenario = Pool().get('marketing.automation.scenario')
        self.activate_languages('fr', 'es_419')
        for name, expected in [
                ("Plain", {'en': "Plain", 'fr': "Plain"}),
                ({'fr': "F", 'en': "E"}, {'en': "E", 'fr': "F"}),
                ({'fr': "F"}, {'en': "F", 'fr': "F"}),
                ({'de': "D"}, {'en': "D", 'fr': "D"}),
                ({'en': "E", 'es': "S"}, {'fr': "E", 'es_419': "S"}),
                ]:
            with self.subTest(name=name):
                scenario = self.import_(self.document(name=name))
                for language, value in expected.items():
                    with Transaction().set_context(language=language):
                        self.assertEqual(Scenario(scenario.id).name, value)

    @with_transaction()
    def test_errors(self):
        "Test what the errors name"
        Scenario = Pool().get('marketing.automation.scenario')
        for document, error, words in [
                ('foo', ExchangeError, ["JSON", "line 1"]),
                ({'format': FORMAT}, ExchangeError, ['"scenario"']),
                ({'format': FORMAT, 'scenario': []}, ExchangeError,
                    ['"scenario"', "object"]),
                ({**self.document(), 'foo': 1}, ExchangeError, ['"foo"']),
                ({**self.document(), 'modules': ['sale', 'foo', 'bar']},
                    ExchangeError, ["foo, bar", "administrator"]),
                (self.document(foo=1), ExchangeError,
                    ['"scenario.foo"', 'Scenario"', "module"]),
                (self.document(state='running'), ExchangeError,
                    ['"scenario.state"']),
                (self.document(problems='{}'), ExchangeError,
                    ['"scenario.problems"']),
                (self.document(model='foo.bar'), ExchangeError,
                    ['"scenario.model"', '"foo.bar"', "module"]),
                (self.document(domain='[["foo", "=", 1]]'), DomainError,
                    ["foo"]),
                (self.document(unsubscribable='yes'), ExchangeError,
                    ['"scenario.unsubscribable"', "'yes'"]),
                (self.document({'name': "A", 'action': 'foo'}),
                    ExchangeError,
                    ['"scenario.activities[0].action"', '"foo"', "module"]),
                (self.document(
                        {'name': "A"},
                        {'name': "B", 'children': [
                                {'name': "C", 'event': 'foo'}]}),
                    ExchangeError,
                    ['"scenario.activities[1].children[0].event"', '"foo"']),
                (self.document({'name': "A", 'delay': '3 days'}),
                    ExchangeError, ['"scenario.activities[0].delay"']),
                (self.document({'name': "A", 'scenario': 1}),
                    ExchangeError, ['"scenario.activities[0].scenario"']),
                (self.document(activities={}), ExchangeError, ["list"]),
                (self.document({
                            'name': "A", 'action': 'send_email',
                            'email_title': "T", 'email_template': "<p>"}),
                    TemplateError, ['"A"']),
                (self.document({
                            'name': "A", 'action': 'send_email',
                            'email_title': "T",
                            'email_template': {
                                'en': "<p/>", 'fr': "${record.foo}"}}),
                    TemplateError, ["foo"]),
                ]:
            with self.subTest(document=document):
                self.activate_languages('fr')
                with self.assertRaises(error) as cm:
                    self.import_(document)
                for word in words:
                    self.assertIn(word, str(cm.exception))
                Transaction().rollback()
                self.assertFalse(Scenario.search([]))

    @with_transaction()
    def test_access(self):
        "Test a marketer imports and exports only what he may use"
        scenario = self.create_scenario()
        Scenario = Pool().get('marketing.automation.scenario')
        sale, = Scenario.create([{
                    'name': "Sales", 'model': 'sale.sale', 'domain': '[]'}])
        text, sale_text = map(self.export, [scenario, sale])
        self.assertEqual(json.loads(sale_text)['modules'], ['sale'])
        with as_marketer(self):
            self.assertEqual(self.export(scenario), text)
            self.assertEqual(self.export(self.import_(text)), text)
            with self.assertRaises((DomainError, AccessError)):
                self.import_(sale_text)

    @with_transaction()
    def test_no_access(self):
        "Test others do not import nor export"
        User = Pool().get('res.user')
        text = self.export(scenario := self.create_scenario())
        user, = User.create([{'name': "Other", 'login': 'other'}])
        with Transaction().set_user(user.id):
            with self.assertRaises(AccessError):
                self.import_(text)
            with self.assertRaises(AccessError):
                self.export(scenario)

    @with_transaction()
    def test_fields(self):
        "Test no fact and nothing of the database is exchanged"
        pool = Pool()
        for name, model in pool.iterobject():
            if not name.startswith('marketing.automation.activity') \
                    and name != 'marketing.automation.scenario':
                continue
            for field in exchange_fields(model):
                with self.subTest(model=name, field=field):
                    field = model._fields[field]
                    self.assertFalse(field.readonly)
                    self.assertNotIsInstance(field, fields.Function)

    @with_transaction()
    def test_domain(self):
        "Test the records of a domain are known by what they are called"
        pool = Pool()
        Category = pool.get('party.category')
        Scenario = pool.get('marketing.automation.scenario')
        hot, = Category.create([{'name': "Hot"}])
        hot_name = {'record': {'model': 'party.category', 'name': "Hot"}}
        for domain, expected in [
                ([['categories', '=', hot.id]],
                    [['categories', '=', hot_name]]),
                (['OR', ['categories', 'in', [hot.id, 0]],
                        [['name', '=', "1"]]],
                    ['OR', ['categories', 'in', [hot_name, 0]],
                        [['name', '=', "1"]]]),
                ([['categories', 'where', [['id', '=', hot.id]]]],
                    [['categories', 'where', [['id', '=', hot_name]]]]),
                ([['categories', 'child_of', [hot.id], 'parent']],
                    [['categories', 'child_of', [hot_name], 'parent']]),
                ([['replaced_by', '=', None]], [['replaced_by', '=', None]]),
                ]:
            with self.subTest(domain=domain):
                scenario, = Scenario.create([{
                            'name': "Scenario", 'model': 'party.party',
                            'domain': json.dumps(domain)}])
                text = self.export(scenario)
                self.assertEqual(
                    json.loads(text)['scenario']['domain'], expected)
                copy = self.import_(text)
                self.assertEqual(json.loads(copy.domain), domain)
                self.assertEqual(self.export(copy), text)
                if 'Hot' in text:
                    with self.assertRaises(ExchangeMissingError) as cm:
                        self.import_(text.replace('Hot', 'Cold'))
                    self.assertEqual(
                        cm.exception.missing, [('party.category', "Cold")])
                    copy = self.import_(
                        text.replace('Hot', 'Cold'), replacements={
                            ('party.category', "Cold"): hot.id})
                    self.assertEqual(json.loads(copy.domain), domain)

    @with_transaction()
    def test_references(self):
        "Test records that are known by their XML id, key or name"
        pool = Pool()
        Category = pool.get('party.category')
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        parent, = Category.create([{'name': "Parent"}])
        category, = Category.create([
                {'name': "Hot", 'parent': parent.id}])
        Party = pool.get('party.party')
        Party.create([{'name': "Twice"}, {'name': "Twice"}])
        group_id = ModelData.get_id('marketing', 'group_marketing')
        Group = pool.get('res.group')
        for record, reference in [
                (category, {'name': "Parent / Hot"}),
                (Group(group_id), {'xml_id': 'marketing.group_marketing'}),
                (User(1), {'name': 'admin'}),
                ]:
            with self.subTest(reference=reference):
                self.assertEqual(Exporter().reference(record), reference)
                importer = Importer()
                self.assertEqual(
                    importer.reference(record.__name__, reference, 'path'),
                    record.id)
                self.assertEqual(importer.missing, [])
        importer = Importer({('party.category', "Old"): category.id})
        self.assertEqual(importer.reference(
                'party.category', {'name': "Old"}, 'path'), category.id)
        missing = [('party.category', "Cold"), ('party.party', "Twice")]
        for model, name in missing * 2:
            self.assertIsNone(
                importer.reference(model, {'name': name}, 'path'))
        self.assertEqual(importer.missing, missing)
        for value in [1, "Hot", {}, {'name': 1}, {'id': 1}]:
            with self.assertRaises(ExchangeError):
                importer.reference('party.category', value, 'path')
        with self.assertRaises(ExchangeError):
            importer.any_reference({'model': 'foo.bar', 'name': "a"}, 'path')
        self.assertEqual(
            importer.any_reference({
                    'model': 'party.category', 'name': "Parent / Hot"},
                'path'),
            str(category))
        error = ExchangeMissingError("foo", missing=importer.missing)
        self.assertEqual(error.missing, importer.missing)
