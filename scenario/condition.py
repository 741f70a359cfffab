# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Conditions of activities: statements in PYSON.
"""

import functools
import json

from trytond.model import fields
from trytond.pyson import PYSONDecoder

__all__ = ['domains', 'evaluate', 'self_names']

_TEXTS = {'char', 'text', 'selection'}
_NUMBERS = {'integer', 'many2one'}
_MAX = 2 ** 31
# The operator for those which are, and for those which are not
_COMPARISONS = {
    ('Greater', False): ('>', '<='),
    ('Greater', True): ('>=', '<'),
    ('Less', False): ('<', '>='),
    ('Less', True): ('<=', '>'),
    }


def evaluate(source, context):
    "Return the value of the encoded PYSON"
    return _evaluate(_parse(source), PYSONDecoder(context).object_hook)


@functools.lru_cache(maxsize=256)
def _parse(source):
    "Return the PYSON as it is encoded, which must not be changed"
    return json.loads(source)


def _evaluate(pyson, hook):
    "Return the value of the parsed PYSON by the decoder with the hook"
    if isinstance(pyson, dict):
        return hook({k: _evaluate(v, hook) for k, v in pyson.items()})
    if isinstance(pyson, list):
        return [_evaluate(v, hook) for v in pyson]
    return pyson


def self_names(pyson):
    "Yield the names of the fields that an encoded condition reads on self"
    if isinstance(pyson, list):
        for value in pyson:
            yield from self_names(value)
    elif isinstance(pyson, dict):
        value = pyson.get('v')
        if pyson.get('__class__') == 'Eval':
            if isinstance(value, str) and value.startswith('self.'):
                yield value.split('.')[1]
        elif (pyson.get('__class__') == 'Get'
                and isinstance(value, dict)
                and value.get('__class__') == 'Eval'
                and value.get('v') == 'self'
                and isinstance(pyson.get('k'), str)):
            yield pyson['k']
        for value in pyson.values():
            yield from self_names(value)


class _Unknown(Exception):
    "A part that a database can not decide, or not surely alike"


def domains(source, Model):
    """
    Return the domain of the records that fulfill the encoded condition and the
    one of those that do not.

    It returns None unless a search surely finds the same as `evaluate`.
    """
    try:
        return _domains(_parse(source), Model)
    except (_Unknown, ValueError, LookupError, TypeError, AttributeError):
        # The evaluation raises its error
        return None


def _domains(pyson, Model):
    class_ = pyson['__class__']
    if class_ == 'Not':
        return _domains(pyson['v'], Model)[::-1]
    if class_ in {'And', 'Or'}:
        yes, no = zip(*[_domains(s, Model) for s in pyson['s']])
        if class_ == 'And':
            return [*yes], ['OR', *no]
        return ['OR', *yes], [*no]
    if class_ == 'Bool':
        return _compare(pyson['v'], True, Model, '=', '!=')
    if class_ == 'Equal':
        return _compare(pyson['s1'], pyson['s2'], Model, '=', '!=')
    if class_ == 'In':
        return _compare(pyson['k'], pyson['v'], Model, 'in', 'not in')
    operators = _COMPARISONS[class_, pyson['e']]
    return _compare(pyson['s1'], pyson['s2'], Model, *operators)


def _compare(pyson, value, Model, operator, opposite):
    "Return the domains of the comparison of a field of self with the value"
    name, = self_names(pyson)
    if pyson['__class__'] != 'Get':
        raise _Unknown
    field = Model._fields[name]
    if (isinstance(field, (fields.Function, fields.MultiValue))
            or getattr(field, 'translate', False)):
        raise _Unknown
    values = value if operator == 'in' else [value]
    if field._type == 'boolean':
        if values != [True] or value is not True:
            raise _Unknown
    elif field._type in _NUMBERS:
        # The order of identifiers has no meaning
        if (operator not in {'=', 'in'} and field._type != 'integer'
                or not all(map(_is_number, values))):
            raise _Unknown
    elif (field._type not in _TEXTS or operator not in {'=', 'in'}
            or not all(map(_is_text, values))):
        raise _Unknown
    domain = (name, operator, value)
    if field._type == 'boolean':
        return [domain], [(name, opposite, value)]
    return [domain], ['OR', (name, opposite, value), (name, '=', None)]


def _is_number(value):
    return (
        isinstance(value, int) and not isinstance(value, bool)
        and abs(value) < _MAX)


def _is_text(value):
    # What is searched is stripped, and empty is the same as none
    return (
        isinstance(value, str) and value == value.strip()
        and value.isprintable() and bool(value))
