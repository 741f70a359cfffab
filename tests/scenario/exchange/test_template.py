# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

from trytond.modules.marketing_automation.exceptions import (
    ScenarioTemplateError)
from trytond.modules.marketing_automation.scenario.exchange.template import (
    localized, safe_url, scenario_templates)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)

LANGUAGES = {'de', 'en', 'es', 'fr', 'it', 'nl'}
PAGE = 'https://shop.example.com/page?a=1&b=2'


class TemplateTestCase(unittest.TestCase):
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

        for name, template in scenario_templates().items():
            check(template.document, name)
            for texts in [
                    template.title, template.description, template.needs,
                    template.creates]:
                check(texts, name)

    def test_names(self):
        "Test no two templates are called alike"
        for language in LANGUAGES:
            titles = [b.title[language] for b in scenario_templates().values()]
            self.assertEqual(len(set(titles)), len(titles))

    def test_fill(self):
        "Test nothing that is asked for is left"
        for name, template in scenario_templates().items():
            values = dict.fromkeys(template.needs, "VALUE")
            with self.subTest(template=name):
                text = template.fill(values)
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
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_modules(self):
        "Test a template that needs a module tells it"
        Scenario = Pool().get('marketing.automation.scenario')
        for name, template in scenario_templates().items():
            with self.subTest(template=name):
                self.assertEqual(
                    Scenario.missing_modules(template), template.modules)
                if template.modules:
                    with self.assertRaises(ScenarioTemplateError) as cm:
                        Scenario.from_template(name, {})
                    self.assertIn(template.modules[0], cm.exception.message)

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
                with self.assertRaises(ScenarioTemplateError) as cm:
                    Scenario.from_template('tag_hot_contacts', values)
                self.assertIn(words, cm.exception.message)
