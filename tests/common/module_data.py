# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The records, views and translations of the module in a database, without its
ids, such that two databases can be compared.

As a program it writes those of the database named by the environment into a
file.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

from lxml import etree

from trytond.model import fields
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, inactive_records

MODULE = 'marketing_automation'
# What is not stored in the row of the record, or changes on its own
_DERIVED = (fields.Function, fields.One2Many, fields.One2One)
_CHANGING = {
    'create_date', 'create_uid', 'id', 'next_call', 'write_date', 'write_uid'}


def _names():
    "Return the XML id by model and id of the records of all modules"
    Data = Pool().get('ir.model.data')
    return {
        (d.model, d.db_id): f'{d.module}.{d.fs_id}' for d in Data.search([])}


def _module_records():
    "Return the records of the module by XML id, those that it updates"
    pool = Pool()
    Data = pool.get('ir.model.data')
    ids = defaultdict(dict)
    for data in Data.search([
                ('module', '=', MODULE),
                ('noupdate', 'in', [False, None]),
                ]):
        ids[data.model][data.db_id] = data.fs_id
    return {
        (model, ids[model][record.id]): record
        for model in ids for record in pool.get(model).browse(ids[model])}


def _value(names, record, name):
    "Return the value of the field with XML ids for ids"
    value = getattr(record, name)
    field = record._fields[name]
    if isinstance(field, fields.Many2Many):
        return sorted(_target(names, v) for v in value)
    if isinstance(field, (fields.Many2One, fields.Reference)):
        return _target(names, value)
    return value if isinstance(value, (bool, int, str)) else str(value)


def _target(names, record):
    if record is None or isinstance(record, str):
        return record
    key = record.__name__, record.id
    return names.get(key) or f'{record.__name__},{record.rec_name}'


def _records(names):
    return {
        f'{model} {fs_id}': {
            name: _value(names, record, name)
            for name, field in record._fields.items()
            if name not in _CHANGING and not isinstance(field, _DERIVED)}
        for (model, fs_id), record in _module_records().items()}


def _views(names):
    "Return the views, as they are shown, that the module has or extends"
    pool = Pool()
    View = pool.get('ir.ui.view')
    bases = set()
    for view in View.search([('module', '=', MODULE)]):
        while not view.basis:
            view = view.inherit
        bases.add(view)
    result = {}
    for view in bases:
        if view.model:
            shown = pool.get(view.model).fields_view_get(view.id)
        else:
            shown = view.view_get()
        result[_target(names, view)] = [shown['type'], _arch(names, shown)]
    return result


def _arch(names, shown):
    "Return the architecture of the view, without ids and the order of sets"
    tree = etree.fromstring(shown['arch'])
    for element in tree.iter():
        if states := element.get('states'):
            states = json.loads(states)
            states.get('depends', []).sort()
            element.set('states', json.dumps(states))
        if change := element.get('change'):
            element.set('change', json.dumps(sorted(json.loads(change))))
    for link in tree.iter('link'):
        link.attrib.pop('id', None)
    for field in tree.iterfind('.//field[@view_ids]'):
        field.set('view_ids', ','.join(
                names['ir.ui.view', int(id)]
                for id in field.get('view_ids').split(',')))
    return etree.tostring(tree, encoding='unicode')


def _translations(names):
    pool = Pool()
    Data = pool.get('ir.model.data')
    Translation = pool.get('ir.translation')
    fixed = {
        (d.model, d.db_id) for d in Data.search([
                ('module', '=', MODULE),
                ('noupdate', '=', True),
                ])}
    result = []
    for translation in Translation.search([
                ('module', '=', MODULE),
                ('lang', 'in', ['en', 'fr']),
                ]):
        id = translation.res_id
        model = translation.name.partition(',')[0]
        if translation.type == 'model' and (model, id) in fixed:
            continue
        result.append([
                translation.lang, translation.type, translation.name,
                names.get((model, id)) if (id or -1) >= 0 else None,
                translation.src or '', translation.value or '',
                bool(translation.fuzzy)])
    return sorted(result, key=str)


def module_data():
    "Return the data of the module in the transaction"
    names = _names()
    with inactive_records():
        result = {
            'records': _records(names),
            'translations': _translations(names),
            }
        for language in ['en', 'fr']:
            with Transaction().set_context(language=language):
                result[f'views_{language}'] = _views(names)
    return result


@with_transaction()
def main():
    Path(sys.argv[1]).write_text(json.dumps(module_data()), encoding='utf-8')


if __name__ == '__main__':
    import proteus
    proteus.config.set_trytond()
    main()
