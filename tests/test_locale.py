# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import re
import unittest
from pathlib import Path

import polib

from trytond import __version__
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction

from .tools import activate_all

MODULE = 'marketing_automation'
LANGUAGES = ['de', 'es', 'fr', 'it', 'nl']
LOCALE = Path(__file__).resolve().parent.parent / 'locale'

_placeholder = re.compile(r'%\(\w+\)[sd]|\$\{[^}]*\}|%%')


class LocaleTestCase(unittest.TestCase):
    "Test that every string is translated"

    def test_translated(self):
        "Test that the files have no string without translation"
        for language in LANGUAGES:
            for entry in polib.pofile(str(LOCALE / f'{language}.po')):
                with self.subTest(language=language, entry=entry.msgctxt):
                    self.assertTrue(entry.translated())
                    self.assertEqual(
                        sorted(_placeholder.findall(entry.msgid)),
                        sorted(_placeholder.findall(entry.msgstr)))

    @unittest.skipUnless(
        __version__.startswith('8.0.'), "later series can not export")
    def test_complete(self):
        "Test that the files have all the strings and nothing else"
        activate_all()
        self.addCleanup(drop_db)
        strings = self._strings()
        self.assertTrue(strings)
        for language in LANGUAGES:
            with self.subTest(language=language):
                file = polib.pofile(str(LOCALE / f'{language}.po'))
                self.assertEqual(
                    {(e.msgctxt, e.msgid) for e in file}, strings)

    @with_transaction()
    def _strings(self):
        "Return the set of the contexts and strings of the module"
        pool = Pool()
        Translation = pool.get('ir.translation')
        for name, state in [
                ('ir.translation.set', 'set_'),
                ('ir.translation.clean', 'clean'),
                ]:
            Wizard = pool.get(name, type='wizard')
            session_id, _, _ = Wizard.create()
            Wizard.execute(session_id, {}, state)
            Wizard.delete(session_id)
        content = Translation.translation_export('en', MODULE)
        return {
            (e.msgctxt, e.msgid) for e in polib.pofile(content.decode())}
