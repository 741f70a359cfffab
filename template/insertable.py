# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Insertable fields: those of a record that its templates can show.
"""

from ..common.access import Refused, is_offered

__all__ = ['offers']

_NEVER = {
    'id', 'create_uid', 'create_date', 'write_uid', 'write_date', 'xml_id',
    'active', 'marketing_party'}
_FORMATS = {
    'date': 'format_date({})',
    'datetime': 'format_datetime({})',
    'timestamp': 'format_datetime({})',
    'timedelta': 'format_timedelta({})',
    'float': 'format_number({}, None, digits=2)',
    'numeric': 'format_number({}, None, digits=2)',
    }
_PLAIN = {'char', 'text', 'fulltext', 'integer', 'time'}
_TO_ONE = {'many2one', 'one2one'}
_TO_MANY = {'one2many', 'many2many'}


def offers(Model, accesses, depth=2):
    """
    Return a list of the label and the expression of each field.

    :param accesses: what all of them may read is offered.
    :param depth: how many fields are read one of the other.
    """
    return list(_offers(Model, accesses, depth, 'record', ''))


def _offers(Model, accesses, depth, path, label):
    below, guards = [], [path] if path != 'record' else []
    fields = Model.fields_get(list(Model._fields))
    for name, string in sorted(
            ((n, d['string']) for n, d in fields.items()),
            key=lambda item: (item[0] != 'rec_name', item[1])):
        field, value = Model._fields[name], f'{path}.{name}'
        if (name in _NEVER or not is_offered(name, field)
                or not _readable(Model, name, field, accesses)):
            continue
        words = f'{label}{string}'
        if field._type in _TO_ONE:
            yield words, _insert(f'{value}.rec_name', [*guards, value])
            if depth > 1:
                below.append((field.get_target(), value, words))
        elif field._type in _TO_MANY and not guards:
            yield words, (
                f'<li py:for="item in {value}">${{item.rec_name}}</li>')
        elif field._type in _PLAIN:
            yield words, _insert(value, guards)
        elif field._type == 'selection':
            yield words, _insert(f'{value}_string', guards)
        elif field._type in _FORMATS:
            yield words, _insert(
                _FORMATS[field._type].format(value),
                [*guards, f'{value} is not None'])
    for Target, value, words in below:
        yield from _offers(Target, accesses, depth - 1, value, f'{words} › ')


def _insert(expression, guards):
    "Return what inserts the expression, nothing if there is no value"
    if guards:
        expression += f" if {' and '.join(guards)} else ''"
    return f'${{{expression}}}'


def _readable(Model, name, field, accesses):
    try:
        for access in accesses:
            access.check_field(Model, name)
            if field._type in _TO_ONE | _TO_MANY:
                access.check_field(field.get_target(), 'rec_name')
    except Refused:
        return False
    return True
