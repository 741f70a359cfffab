#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Bring locale/*.po up to date with the strings of the module.

    translations.py [LANGUAGE...]

What is translated is kept, what is new is there without translation and what
does not exist any more is gone.  It must run with the environment of the 8.0
series, because later ones can not export.
"""

import os
import sys
from pathlib import Path

import polib

os.environ['TRYTOND_DATABASE_URI'] = 'sqlite://'
os.environ['DB_NAME'] = ':memory:'

MODULE = 'marketing_automation'
EXTRAS = [
    'inbound_email', 'marketing_campaign', 'marketing_email', 'sale',
    'sale_opportunity', 'web_shortener']
LANGUAGES = ['de', 'es', 'fr', 'it', 'nl']
LOCALE = Path(__file__).resolve().parent.parent / 'locale'


def export(languages):
    "Return the dictionary of the content of the file by language"
    from trytond.pool import Pool
    from trytond.tests.test_tryton import activate_module, with_transaction

    for language in languages:
        path = LOCALE / f'{language}.po'
        if not path.exists():
            path.write_text(
                'msgid ""\nmsgstr ""\n'
                '"Content-Type: text/plain; charset=utf-8\\n"\n')
    activate_module([MODULE, *EXTRAS], 'en')

    @with_transaction()
    def synchronize():
        pool = Pool()
        Lang = pool.get('ir.lang')
        Translation = pool.get('ir.translation')

        langs = Lang.search([('code', 'in', languages)])
        Lang.write(langs, {'translatable': True})
        for name, state, data in [
                ('ir.translation.set', 'set_', {}),
                ('ir.translation.clean', 'clean', {}),
                ]:
            _run(pool.get(name, type='wizard'), state, data)
        for lang in langs:
            path = LOCALE / f'{lang.code}.po'
            Translation.translation_import(lang.code, MODULE, str(path))
            _run(
                pool.get('ir.translation.update', type='wizard'), 'update',
                {'start': {'language': lang.id}})
            contents[lang.code] = _only(
                Translation.translation_export(lang.code, MODULE),
                Translation.translation_export('en', MODULE))

    contents = {}
    synchronize()
    return contents


def _only(content, english):
    """
    Return the content with only the strings of the English one: the import
    brings back those which do not exist any more.
    """
    strings = {
        (e.msgctxt, e.msgid) for e in polib.pofile(english.decode())}
    file = polib.pofile(content.decode())
    gone = [e for e in file if (e.msgctxt, e.msgid) not in strings]
    for entry in gone:
        file.remove(entry)
    return str(file).encode() if gone else content


def _run(Wizard, state, data):
    session_id, _, _ = Wizard.create()
    Wizard.execute(session_id, data, state)
    Wizard.delete(session_id)


def main():
    languages = sys.argv[1:] or LANGUAGES
    for language, content in export(languages).items():
        (LOCALE / f'{language}.po').write_bytes(content)
        print(language)


if __name__ == '__main__':
    main()
