# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Importer: from the document of a scenario to its records.
"""

import inspect
from collections import defaultdict

from trytond.i18n import gettext
from trytond.ir.lang import get_parent_language
from trytond.pool import Pool
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ...exceptions import ExchangeMissingError
from .domain import read_domain
from .fields import (
    KEYS, TO_ONE, base_language, domain_fields, error, exchange_fields,
    languages)
from .format import read_value

__all__ = ['Importer']

_TREE = {
    'marketing.automation.scenario', 'marketing.automation.activity'}


class _Node:
    "Record to be created, with the rows below it"

    def __init__(self, Model):
        self.Model = Model
        self.values = {}
        self.translations = defaultdict(dict)
        self.rows = {}
        self.active = True


class Importer:
    "Import of one scenario"

    def __init__(self, replacements=None):
        self.replacements = replacements or {}
        self.base = base_language()
        self.languages = languages()
        self.missing = []

    def run(self, document):
        "Create the scenario and return its id"
        Scenario = Pool().get('marketing.automation.scenario')
        self.check_modules(document)
        for key in document.keys() - {'format', 'modules', 'scenario'}:
            raise error('key', path=key)
        if 'scenario' not in document:
            raise error('no_scenario')
        node = self.node(Scenario, document['scenario'], 'scenario')
        if self.missing:
            raise ExchangeMissingError(gettext(
                    'marketing_automation.msg_exchange_missing',
                    records='\n'.join(
                        f'- {Pool().get(model).__names__()["model"]}: {name}'
                        for model, name in self.missing)),
                missing=self.missing)
        with inactive_records():
            record, = self.create([node])
            self.finish(node, record)
        return record.id

    @without_check_access
    def check_modules(self, document):
        Module = Pool().get('ir.module')
        modules = document.get('modules', [])
        if (not isinstance(modules, list)
                or not all(isinstance(m, str) for m in modules)):
            raise error('value', path='modules', value=repr(modules)[:100])
        active = {m.name for m in Module.search([
                    ('name', 'in', modules),
                    ('state', 'in', ['activated', 'to upgrade']),
                    ])}
        missing = [m for m in modules if m not in active]
        if missing:
            raise error('modules', modules=', '.join(missing))

    # Read

    def node(self, Model, document, path, exclude=()):
        "Return the record to be created, without creating anything"
        if not isinstance(document, dict):
            raise error('object', path=path)
        node = _Node(Model)
        names = exchange_fields(Model, exclude)
        for name in document:
            if name not in names:
                raise error(
                    'field', path=f'{path}.{name}', field=name,
                    **Model.__names__())
        for name in names:
            if name in document:
                self.read(node, name, document[name], f'{path}.{name}')
        return node

    def read(self, node, name, value, path):
        field = node.Model._fields[name]
        if field._type == 'one2many':
            Target = field.get_target()
            node.rows[name] = [
                self.node(Target, row, f'{path}[{i}]', {field.field})
                for i, row in enumerate(_list(value, path))]
        elif field._type == 'many2many':
            Target = field.get_target()
            node.values[name] = [('add', [
                        self.reference(Target.__name__, r, f'{path}[{i}]')
                        for i, r in enumerate(_list(value, path))])]
        elif field._type == 'reference':
            node.values[name] = self.any_reference(value, path)
        elif field._type in TO_ONE:
            node.values[name] = self.reference(
                field.get_target().__name__, value, path)
        elif (name in domain_fields(node.Model)
                and isinstance(value, (list, dict))):
            node.values[name] = read_domain(
                value, lambda record: self.any_id(record, path))
        elif getattr(field, 'translate', False) and isinstance(value, dict):
            self.read_translations(node, name, value, path)
        else:
            value = _simple(node.Model, name, value, path)
            if name == 'active':
                node.active = value
            else:
                node.values[name] = value

    def read_translations(self, node, name, value, path):
        texts = {
            language: _simple(
                node.Model, name, text, f'{path}.{language}')
            for language, text in value.items()}
        if not texts:
            raise error('object', path=path)
        for code in [self.base, 'en', *texts]:
            if texts.get(code):
                node.values[name] = texts[code]
                break
        for language in self.languages:
            code = language
            while code and not texts.get(code):
                code = get_parent_language(code)
                if code in self.languages or code == self.base:
                    # Its translation is used
                    code = None
            if code:
                node.translations[language][name] = texts[code]

    def any_reference(self, value, path):
        if value is None:
            return None
        id_ = self.any_id(value, path)
        return f'{value["model"]},{id_}' if id_ is not None else None

    def any_id(self, value, path):
        "Return the id of the record of any model or, if it is missing, None"
        if not isinstance(value, dict) or 'model' not in value:
            raise error('object', path=path)
        model = value['model']
        if model not in {name for name, _ in Pool().iterobject()}:
            raise error('model', path=path, model=str(model)[:100])
        return self.reference(
            model, {k: v for k, v in value.items() if k != 'model'}, path)

    def reference(self, model, value, path):
        "Return the id of the record or, if it is missing, None"
        if value is None:
            return None
        if (not isinstance(value, dict) or len(value) != 1
                or not value.keys() <= {'xml_id', 'name'}
                or not all(isinstance(v, str) for v in value.values())):
            raise error('reference', path=path)
        (kind, name), = value.items()
        if (model, name) in self.replacements:
            return self.replacements[model, name]
        ids = getattr(self, f'_find_{kind}')(model, name)
        if len(ids) == 1:
            return ids[0]
        if (model, name) not in self.missing:
            self.missing.append((model, name))

    @without_check_access
    def _find_xml_id(self, model, name):
        ModelData = Pool().get('ir.model.data')
        module, _, fs_id = name.partition('.')
        return [
            d.db_id for d in ModelData.search([
                    ('model', '=', model),
                    ('module', '=', module),
                    ('fs_id', '=', fs_id),
                    ], limit=1)
            if d.db_id is not None]

    def _find_name(self, model, name):
        Model = Pool().get(model)
        if model in KEYS:
            _, get_domain = KEYS[model]
            return [r.id for r in Model.search(get_domain(name))]
        return [
            r.id for r in Model.search([('rec_name', '=', name)], limit=100)
            if r.rec_name == name]

    # Create

    def create(self, nodes, **values):
        """
        Create the records of the nodes, the tree with what is above first.
        """
        if not nodes:
            return []
        Model = nodes[0].Model
        records = Model.create([{**self.values(n), **values} for n in nodes])
        for node, record in zip(nodes, records):
            for name, children in node.rows.items():
                field = Model._fields[name]
                if field.get_target().__name__ in _TREE:
                    self.create(children, **{
                            field.field: str(record)
                            if field.get_target()._fields[
                                field.field]._type == 'reference'
                            else record.id})
        return records

    def values(self, node):
        "Return the values with the rows that belong to the record"
        values = dict(node.values)
        for name, rows in node.rows.items():
            if node.Model._fields[name].get_target().__name__ not in _TREE:
                values[name] = [('create', [self.values(r) for r in rows])]
        return values

    def finish(self, node, record):
        """
        Write the translations of the record and of those below, and then
        deactivate them, as they can not be modified any more.
        """
        for language, values in node.translations.items():
            with Transaction().set_context(
                    language=language, fuzzy_translation=False):
                node.Model.write([node.Model(record.id)], values)
        for name, rows in node.rows.items():
            # They were created in this order
            created = sorted(
                getattr(node.Model(record.id), name), key=lambda r: r.id)
            for row, row_record in zip(rows, created):
                self.finish(row, row_record)
        if not node.active:
            node.Model.write([node.Model(record.id)], {'active': False})


def _list(value, path):
    if value is None:
        return []
    if not isinstance(value, list):
        raise error('list', path=path)
    return value


def _simple(Model, name, value, path):
    field = Model._fields[name]
    try:
        value = read_value(field._type, value)
    except KeyError:
        raise error('type', **Model.__names__(name)) from None
    except ValueError as exception:
        raise error(
            'value', path=path, value=repr(value)[:100]) from exception
    if field._type == 'selection' and value is not None:
        selection = field.selection
        if isinstance(selection, str):
            selection = getattr(Model, selection)
            selection = selection() if inspect.ismethod(selection) else None
        if selection is not None and value not in dict(selection):
            raise error(
                'selection', path=path, value=value[:100],
                **Model.__names__(name))
    return value
