# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What the actions may do with records.

They are executed as the system, for which Tryton checks nothing.  So nobody
can draw what he may not do himself, nor what the groups of the virtual reader
may not do.
"""

from collections import defaultdict

from trytond.model.modelstorage import EvalEnvironment
from trytond.pool import Pool
from trytond.pyson import PYSON, PYSONDecoder, PYSONEncoder
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)

from ..template.view import Access

__all__ = ['check_write', 'holds', 'may_click', 'writable']


def _actors(Target):
    "Yield the contexts in which the rights are asked"
    if Transaction().user:
        yield check_access()
    yield Access({'_groups': Target._marketing_groups()}).reader()


def check_write(Target, Model, names):
    """
    Raise an AccessError if the fields of the model may not be written.

    :param Target: the model of the scenario, whose groups are asked.
    """
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    FieldAccess = pool.get('ir.model.field.access')
    for actor in _actors(Target):
        with actor:
            ModelAccess.check(Model.__name__, 'write')
            FieldAccess.check(Model.__name__, list(names), 'write')


def may_click(Target, name):
    "Return if the button of the target may be clicked"
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    Button = pool.get('ir.model.button')
    User = pool.get('res.user')
    groups = Button.get_groups(Target.__name__, name)
    for actor in _actors(Target):
        with actor:
            # A button without group asks for the right to write
            if groups and not groups & set(User.get_groups()):
                return False
            for mode in ['read'] if groups else ['read', 'write']:
                if not ModelAccess.check(
                        Target.__name__, mode, raise_exception=False):
                    return False
    return True


def writable(targets):
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
