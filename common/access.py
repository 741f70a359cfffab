# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Access rights of actions and templates.

Actions are executed as the system, for which Tryton checks nothing.  So nobody
can draw what he may not do himself, nor what the groups of the virtual reader
may not do.
"""

from collections import defaultdict
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from trytond.model.modelstorage import EvalEnvironment
from trytond.pool import Pool
from trytond.pyson import PYSON, PYSONDecoder, PYSONEncoder
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from .sql import SLICE

__all__ = [
    'Access', 'VirtualReaders', 'Refused', 'actors', 'check_write', 'holds',
    'may_click', 'writable_ids']


def actors(Target):
    """
    Return the accesses of the current user, unless it is root, and of the
    virtual reader of the model.
    """
    users = [Access.user()] if Transaction().user else []
    return [*users, Access.virtual(Target)]


def check_write(Target, Model, names):
    """
    Raise an AccessError if the fields of the model may not be written.

    :param Target: the model of the scenario, whose groups are asked.
    """
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    FieldAccess = pool.get('ir.model.field.access')
    for actor in actors(Target):
        with actor.reader():
            ModelAccess.check(Model.__name__, 'write')
            FieldAccess.check(Model.__name__, list(names), 'write')


def may_click(Target, name):
    "Return if the button of the target may be clicked"
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    Button = pool.get('ir.model.button')
    User = pool.get('res.user')
    groups = Button.get_groups(Target.__name__, name)
    for actor in actors(Target):
        with actor.reader():
            # A button without group asks for the right to write
            if groups and not groups & set(User.get_groups()):
                return False
            for mode in ['read'] if groups else ['read', 'write']:
                if not ModelAccess.check(
                        Target.__name__, mode, raise_exception=False):
                    return False
    return True


def writable_ids(targets):
    """
    Return the ids of those of the targets that their virtual readers may
    write, by the rules of the records.
    """
    if not targets:
        return set()
    Model = targets[0].__class__
    Rule = Pool().get('ir.rule')
    contexts, groups = {}, defaultdict(list)
    for target in targets:
        context = target.marketing_access_context
        key = tuple(sorted(context.items()))
        contexts[key] = context
        groups[key].append(target.id)
    found = set()
    for key, ids in groups.items():
        access = Access(contexts[key])
        with access.reader():
            domain = Rule.domain_get(Model.__name__, mode='write')
            if not domain:
                found.update(ids)
                continue
            with Transaction().set_user(0, set_context=True), \
                    inactive_records(), without_check_access():
                found.update(r.id for r in Model.search(
                        [('id', 'in', ids), domain], order=[]))
    return found


def holds(record, statement):
    "Return if the PYSON statement of a state holds for the record"
    if not isinstance(statement, PYSON):
        return bool(statement)
    environment = EvalEnvironment(record, record.__class__)
    environment['context'] = Transaction().context
    environment['active_model'] = record.__name__
    environment['active_id'] = record.id
    return bool(PYSONDecoder(environment).decode(
            PYSONEncoder().encode(statement)))


class Refused(Exception):
    "Access that a template has not, in words for its author"


# No user has it, so no user can become administrator with it
_VIRTUAL_USER = -1


class _Rights(NamedTuple):
    hidden: frozenset
    domain: Any
    readable: set
    forbidden: set


class Access:
    """
    Access rights of a reader.

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
    def virtual(cls, Target):
        "Return the access of the virtual reader, whatever the record"
        return cls({'_groups': Target._marketing_groups()})

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
            i for i in islice(siblings, start, start + SLICE)
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


def is_offered(name, field):
    return not (
        field._type == 'binary' or name.startswith('_') or 'password' in name)


class VirtualReaders:
    "The virtual readers of the records of a batch"

    def __init__(self):
        self._accesses = {}

    def access(self, record):
        "Return what the virtual reader of the record may read"
        context = record.marketing_access_context
        key = tuple(sorted(context.items()))
        if key not in self._accesses:
            self._accesses[key] = Access(context)
        return self._accesses[key]
