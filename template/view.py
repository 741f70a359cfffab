# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Records as templates and conditions see them: fields only, read-only, and only
those that the reader may read.

Mails are rendered as root, for whom Tryton checks nothing.  So the rights are
checked here, for a reader who is no user but only has groups and companies.
"""


from trytond.model import Model

from ..common.access import Refused, is_offered
from .value import SCALARS, register

__all__ = ['PYSONEnvironment', 'View', 'unknown_fields', 'wrap']

_PLAIN = frozenset(SCALARS)
_RELATIONS = {'many2one', 'one2one', 'one2many', 'many2many'}


class View:
    """
    A record that only has its fields, for reading.

    Selections also have ``<field>_string``, the label in the language of the
    record.  Relations are views again.  As text it is its ``rec_name``, and it
    is equal to the views of the same record.
    """
    __slots__ = ('_record', '_access', '_values')

    def __init__(self, record, access):
        access.check_record(record)
        self._record = record
        self._access = access
        self._values = {}

    def __str__(self):
        return _read(self, 'rec_name') or ''

    def __repr__(self):
        return f'{self._record.__name__},{self._record.id}'

    def __int__(self):
        return self._record.id

    def __eq__(self, other):
        if not isinstance(other, View):
            return NotImplemented
        return self._record == other._record

    def __hash__(self):
        return hash(self._record)


def _read(view, name):
    "Return the attribute of a view"
    values = view._values
    if name not in values:
        value = _raw(view._record, name, view._access)
        if isinstance(value, str) and _is_reference(view._record, name):
            # The target does not exist any more
            value = None
        values[name] = wrap(value, view._access)
    return values[name]


register(View, read=_read)


def _raw(record, name, access):
    "Return the value of a field that may be read"
    Model = record.__class__
    if name == 'id':
        return record.id
    field = Model._fields.get(name)
    if field is not None:
        if not is_offered(name, field):
            raise Refused(f'"{name}" of "{Model.__name__}" may not be read')
        access.check_field(Model, name)
        value = getattr(record, name)
        if field._type == 'boolean' and value is not None:
            # SQLite has integers
            value = bool(value)
        return value
    base = name[:-len('_string')]
    field = Model._fields.get(base)
    if not name.endswith('_string') or not _is_selection(field):
        raise Refused(f'"{Model.__name__}" has no field "{name}"')
    access.check_field(Model, base)
    return field.translated(base).__get__(record, Model)


def _is_reference(record, name):
    field = record._fields.get(name)
    return field is not None and field._type == 'reference'


def _is_selection(field):
    return field is not None and field._type in {
        'selection', 'multiselection', 'reference'}


def wrap(value, access):
    "Return the value as a template may have it: plain, or a view"
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Model):
        return View(value, access)
    if isinstance(value, (list, tuple)):
        return tuple(wrap(v, access) for v in value)
    if isinstance(value, dict):
        return {str(k): wrap(v, access) for k, v in value.items()}
    for kind in SCALARS:
        if isinstance(value, kind):
            # A subclass may do more than its base
            return str(value) if kind is str else value
    raise Refused(f"a value of type {type(value).__name__} may not be read")


class PYSONEnvironment(dict):
    """
    A record as environment of a PYSON condition.

    Unlike the one of Tryton it checks the access, and only an unknown name
    gets the default: what fails, raises.
    """
    __slots__ = ('_record', '_access')

    def __init__(self, record, access):
        super().__init__()
        if record is not None:
            access.check_record(record)
        self._record = record
        self._access = access

    def __getitem__(self, item):
        if not self._knows(item):
            return super().__getitem__(item)
        if not item.startswith('_parent_'):
            return self._value(item)
        parent = _raw(self._record, item[len('_parent_'):], self._access)
        return PYSONEnvironment(
            parent if isinstance(parent, Model) else None, self._access)

    def _knows(self, item):
        return (self._record is not None
            and item.removeprefix('_parent_') in self._record._fields)

    def _value(self, name):
        value = _raw(self._record, name, self._access)
        if isinstance(value, Model):
            if self._record._fields[name]._type == 'reference':
                return str(value)
            return value.id
        if isinstance(value, (list, tuple)):
            return [v.id if isinstance(v, Model) else v for v in value]
        return value

    def get(self, item, default=None):
        if self._knows(item):
            return self[item]
        return super().get(item, default)

    def __bool__(self):
        return self._record is not None


def unknown_fields(paths, Model):
    """
    Return the paths of a template that lead to nothing.

    :param paths: the ``paths`` of a template.
    :param Model: the model of the record.
    :return: a list of the dotted name and the line of each.
    """
    unknown = []
    for names, line in paths:
        Target = Model
        for i, name in enumerate(names[1:], 2):
            if name == 'id':
                break
            field = Target._fields.get(name)
            if field is None:
                if (name.endswith('_string')
                        and _is_selection(Target._fields.get(name[:-7]))):
                    break
                unknown.append(('.'.join(names[:i]), line))
                break
            if not is_offered(name, field):
                unknown.append(('.'.join(names[:i]), line))
                break
            if field._type not in _RELATIONS:
                break
            if (field._type.endswith('many')
                    and names[i:] and names[i] in {'count', 'index'}):
                break
            Target = field.get_target()
    return unknown
