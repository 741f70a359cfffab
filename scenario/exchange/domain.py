# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Domains in the exchange format: records by name or XML id instead of id.
"""

import json

from ...common.field_path import target

__all__ = ['read_domain', 'write_domain']

_OPERATORS = {'=', '!=', 'in', 'not in', 'child_of', 'not child_of',
    'parent_of', 'not parent_of'}


def write_domain(Model, text, reference):
    """
    Return the document of the PYSON text of a domain.

    :param Model: the model that the domain searches.
    :param reference: the function that returns the document of a record.
    """
    return _Writer(reference).write(Model, json.loads(text))


def read_domain(document, find):
    """
    Return the PYSON text of the document of a domain.

    :param find: the function that returns the id of the document of a record.
    """
    def read(value):
        if isinstance(value, list):
            return [read(v) for v in value]
        elif isinstance(value, dict):
            if value.keys() == {'record'}:
                return find(value['record'])
            return {k: read(v) for k, v in value.items()}
        return value
    return json.dumps(read(document), ensure_ascii=False)


class _Writer:
    "Domain with its records as documents"

    def __init__(self, reference):
        self.reference = reference

    def write(self, Model, domain):
        if not isinstance(domain, list):
            return domain
        if (len(domain) > 2
                and isinstance(domain[0], str) and domain[0] not in
                {'AND', 'OR'}
                and isinstance(domain[1], str)):
            return self.clause(Model, domain)
        return [self.write(Model, d) for d in domain]

    def clause(self, Model, clause):
        path, operator, value, *rest = clause
        Target = _target(Model, path, rest[0] if rest else None)
        if Target:
            if operator.endswith('where'):
                value = self.write(Target, value)
            elif operator in _OPERATORS:
                value = self.value(Target, value)
        return [path, operator, value, *rest]

    def value(self, Target, value):
        if isinstance(value, list):
            return [self.value(Target, v) for v in value]
        if isinstance(value, bool) or not isinstance(value, int):
            return value
        for record in Target.search([('id', '=', value)]):
            return {
                'record': {
                    'model': Target.__name__,
                    **self.reference(record),
                    },
                }
        # It does not exist any more
        return value


def _target(Model, path, reference=None):
    "Return the model of the records to which the last field of the path leads"
    for name in path.split('.'):
        if not Model or name not in Model._fields:
            return
        if name != 'id':
            Model = target(Model._fields[name], reference)
    return Model
