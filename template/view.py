# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Records as templates and conditions see them: fields only, read-only, and only
those that the reader may read.

Mails are rendered as root, for whom Tryton checks nothing.  So the rights are
checked here, for a reader who is no user but only has groups and companies.
"""

from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from trytond.model import Model
from trytond.pool import Pool
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from .value import OFFERED, SCALARS, SHOWN, Refused

__all__ = ['Access', 'PYSONEnvironment', 'View', 'unknown_fields', 'wrap']

# No user has it, so no user can become administrator with it
_VIRTUAL_USER = -1
_SLICE = 500
_PLAIN = frozenset(SCALARS)
_RELATIONS = {'many2one', 'one2one', 'one2many', 'many2many'}


class _Rights(NamedTuple):
    hidden: frozenset
    domain: Any
    readable: set
    forbidden: set


class Access:
    """
    What a reader may read.

    :param context: the ``marketing_access_context`` of the target: the
        ``_groups`` and ``_companies`` that the reader has, none by default.
        None checks nothing.

    The rights are read once per model and the record rules once for the
    records that were browsed together, so an instance is made for a batch and
    thrown away with it.
    """

    def __init__(self, context):
        self._rights = {}
        self._user = self._context = None
        if context is not None:
            self._user = _VIRTUAL_USER
            self._context = {
                **context,
                # A cache of Tryton has them as key
                '_groups': tuple(context.get('_groups') or ()),
                '_companies': tuple(context.get('_companies') or ()),
                }

    @classmethod
    def user(cls):
        "Return the access of the current user, root may read all"
        access = cls(None)
        if user := Transaction().user:
            access._user = user
            access._context = {}
        return access

    @contextmanager
    def reader(self):
        "Be the reader for a while"
        transaction = Transaction()
        with transaction.set_user(self._user), \
                transaction.set_context(self._context, _check_access=True):
            yield

    def _model(self, Model):
        "Return the rights for the model or raise if it may not be read"
        name = Model.__name__
        if name not in self._rights:
            pool = Pool()
            ModelAccess = pool.get('ir.model.access')
            FieldAccess = pool.get('ir.model.field.access')
            Rule = pool.get('ir.rule')
            rights = None
            with self.reader():
                if ModelAccess.check(name, raise_exception=False):
                    fields = FieldAccess.get_access([name])[name]
                    rights = _Rights(
                        frozenset(
                            f for f, a in fields.items() if not a['read']),
                        Rule.domain_get(name), set(), set())
            self._rights[name] = rights
        rights = self._rights[name]
        if rights is None:
            raise Refused(f'"{name}" may not be read')
        return rights

    def check_field(self, Model, name):
        "Raise if the field may not be read"
        if self._user is not None and name in self._model(Model).hidden:
            raise Refused(f'"{name}" of "{Model.__name__}" may not be read')

    def reads_all(self, Model, names):
        "Return if the fields may be read and no rule hides a record"
        try:
            for name in names:
                self.check_field(Model, name)
            return (
                all(is_offered(n, Model._fields[n]) for n in names)
                and not self._model(Model).domain)
        except (Refused, KeyError):
            return False

    def check_record(self, record):
        "Raise if the record may not be read"
        if self._user is None:
            return
        rights = self._model(record.__class__)
        id_ = record.id
        if (not rights.domain or id_ in rights.readable
                or id_ is None or id_ < 0):
            return
        if id_ not in rights.forbidden:
            self._apply_rules(record, rights)
        if id_ in rights.forbidden:
            raise Refused(f'"{record.__class__.__name__}" may not be read')

    def _apply_rules(self, record, rights):
        siblings = record._ids
        start = siblings.index(record.id)
        known = rights.readable | rights.forbidden
        ids = {
            i for i in islice(siblings, start, start + _SLICE)
            if i is not None and i >= 0 and i not in known}
        with self.reader(), \
                Transaction().set_user(0, set_context=True), \
                inactive_records(), without_check_access():
            found = {
                r.id for r in record.__class__.search([
                        ('id', 'in', list(ids)),
                        rights.domain,
                        ], order=[])}
        rights.readable.update(found)
        rights.forbidden.update(ids - found)


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


OFFERED[View] = _read
SHOWN.add(View)


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


def is_offered(name, field):
    return not (
        field._type == 'binary' or name.startswith('_') or 'password' in name)


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
