# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Fields of a model that a rule may use, and their operators.
"""

from trytond.model import fields
from trytond.pool import Pool

from ..common import field_path
from ..common.access import actors, is_offered

__all__ = ['OPERATORS', 'VALUES', 'kinds', 'parent_name', 'target']

_EMPTY = ['empty', 'not_empty']
# The operators of each kind of field
OPERATORS = {
    'text': ['contains', 'not_contains', 'is', 'is_not', 'starts', *_EMPTY],
    'number': ['equal', 'not_equal', 'less', 'at_most', 'more', 'at_least',
        *_EMPTY],
    'date': ['last', 'older', 'next', 'on', 'before', 'after', *_EMPTY],
    'boolean': ['yes', 'no'],
    'choice': ['is', 'is_not', *_EMPTY],
    'one': ['is', 'is_not', 'below', 'not_below', 'contains', 'not_contains',
        *_EMPTY],
    'many': ['is', 'is_not', 'below', 'not_below', 'contains',
        'not_contains', *_EMPTY],
    }
_KINDS = {
    'char': 'text', 'text': 'text',
    'integer': 'number', 'float': 'number', 'numeric': 'number',
    'date': 'date', 'datetime': 'date', 'timestamp': 'date',
    'boolean': 'boolean',
    'selection': 'choice',
    'many2one': 'one', 'one2one': 'one',
    'one2many': 'many', 'many2many': 'many',
    }
_PERIODS = {'last', 'older', 'next'}
_NOTHING = {*_EMPTY, 'yes', 'no'}
_NEVER = {
    'id', 'xml_id', 'rec_name', 'create_uid', 'write_uid', 'write_date',
    'marketing_party', 'marketing_reach'}
VALUES = ['text', 'number', 'date', 'period', 'choice', 'record']


def value_of(kind, operator):
    "Return the kind of value that the operator needs, None if none"
    if not operator or operator in _NOTHING:
        return
    if operator in _PERIODS:
        return 'period'
    if kind in {'one', 'many'}:
        return 'text' if operator.endswith('contains') else 'record'
    return kind


def kinds(Model, Target, through=True):
    """
    Return the dictionary of the kind of the fields, by name, of the model that
    both the user and the virtual reader of the target may read.

    :param through: if the fields with many records are wanted.
    """
    found = {
        name: _KINDS[field._type] for name, field in Model._fields.items()
        if name not in _NEVER and field._type in _KINDS
        and is_offered(name, field) and field.searchable(Model)}
    if not through:
        found = {n: k for n, k in found.items() if k != 'many'}
    for actor in actors(Target):
        with actor.reader():
            found = _readable(Model, found)
    return found


def _readable(Model, found):
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    FieldAccess = pool.get('ir.model.field.access')
    if not ModelAccess.check(Model.__name__, 'read', raise_exception=False):
        return {}
    access = FieldAccess.get_access([Model.__name__])[Model.__name__]
    readable = {}
    for name, kind in found.items():
        if not access.get(name, {}).get('read', True):
            continue
        if kind in {'one', 'many'}:
            Relation = target(Model, name)
            if not Relation or not ModelAccess.check(
                    Relation.__name__, 'read', raise_exception=False):
                continue
        readable[name] = kind
    return readable


def target(Model, name):
    "Return the model of the records of the field, None if they have no list"
    field = Model._fields.get(name) if Model and name else None
    if field is None or _KINDS.get(field._type) not in {'one', 'many'}:
        return
    return field_path.target(field)


def parent_name(Model):
    "Return the name of the field with the parent of the records of the model"
    field = Model._fields.get('parent') if Model else None
    if (field is not None and field._type == 'many2one'
            and field.get_target() == Model
            and not isinstance(field, fields.Function)):
        return 'parent'
