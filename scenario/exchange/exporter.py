# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Exporter: from the records of a scenario to its document.
"""

from collections import defaultdict

from trytond.pool import Pool
from trytond.transaction import without_check_access

from .domain import write_domain
from .fields import (
    KEYS, TO_ONE, base_language, domain_fields, error, exchange_fields,
    languages)
from .format import FORMAT, write_value

__all__ = ['Exporter']

# The modules that are always there
_ALWAYS = {
    'country', 'ir', 'marketing', 'marketing_automation', 'party', 'res'}


class Exporter:
    "Export of one scenario"

    def __init__(self):
        self.languages = languages()
        self.used = set()

    def document(self, scenario):
        self.used.add(scenario.model)
        values = self.record(scenario)
        document = {'format': FORMAT}
        modules = self.modules()
        if modules:
            document['modules'] = modules
        return {**document, 'scenario': values}

    @without_check_access
    def modules(self):
        "Return the sorted names of the modules that define what is used"
        pool = Pool()
        Field = pool.get('ir.model.field')
        Model = pool.get('ir.model')
        models = [u for u in self.used if isinstance(u, str)]
        modules = {
            m.module for m in Model.search([('name', 'in', models)])}
        by_model = defaultdict(list)
        for model, name in [u for u in self.used if isinstance(u, tuple)]:
            by_model[model].append(name)
        for model, names in by_model.items():
            modules.update(f.module for f in Field.search([
                        ('model', '=', model), ('name', 'in', names)]))
        return sorted(modules - _ALWAYS - {None})

    def record(self, record, exclude=()):
        Model = record.__class__
        names = exchange_fields(Model, exclude)
        # The attributes of instances do not check the access
        Model.read([record.id], names)
        defaults = Model.default_get(names, with_rec_name=False)
        result = {}
        for name in names:
            value = self.value(record, name)
            # What is not there is empty or has its default value
            if value in (None, False, '', [], {}):
                if not defaults.get(name):
                    continue
            elif value is not True or not defaults.get(name):
                self.used.add((Model.__name__, name))
            else:
                continue
            result[name] = value
        return result

    def value(self, record, name):
        field = record._fields[name]
        value = getattr(record, name)
        if field._type == 'one2many':
            return [self.record(r, {field.field}) for r in value]
        elif field._type == 'many2many':
            return sorted(
                (self.reference(r) for r in value),
                key=lambda r: sorted(r.items()))
        elif field._type == 'reference':
            if not value or isinstance(value, str):
                return None
            return {'model': value.__name__, **self.reference(value)}
        elif field._type in TO_ONE:
            return self.reference(value) if value else None
        elif value and name in domain_fields(record):
            return write_domain(
                Pool().get(record._exchange_model), value, self.reference)
        elif getattr(field, 'translate', False):
            return self.translations(record, name, value)
        try:
            return write_value(field._type, value)
        except KeyError:
            raise error('type', **record.__names__(name)) from None

    @without_check_access
    def translations(self, record, name, value):
        if not value:
            return None
        Translation = Pool().get('ir.translation')
        type_ = record._fields[name]._type
        result = {base_language(): write_value(type_, value)}
        translations = {
            t.lang: t.value for t in Translation.search([
                    ('type', '=', 'model'),
                    ('name', '=', f'{record.__name__},{name}'),
                    ('res_id', '=', record.id),
                    ('lang', 'in', self.languages),
                    ('fuzzy', '=', False),
                    ])}
        for language in self.languages:
            if translations.get(language):
                result[language] = write_value(type_, translations[language])
        return result

    def reference(self, record):
        model = record.__name__
        self.used.add(model)
        record.__class__.read([record.id], ['rec_name'])
        if model in KEYS:
            get_name, _ = KEYS[model]
            return {'name': get_name(record)}
        xml_id = _xml_id(record)
        if xml_id:
            return {'xml_id': xml_id}
        return {'name': record.rec_name}


@without_check_access
def _xml_id(record):
    ModelData = Pool().get('ir.model.data')
    for data in ModelData.search([
                ('model', '=', record.__name__),
                ('db_id', '=', record.id),
                ], order=[('id', 'ASC')], limit=1):
        return f'{data.module}.{data.fs_id}'
