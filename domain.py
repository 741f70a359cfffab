# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check what a domain reads.
"""

from trytond.i18n import gettext
from trytond.model import ModelStorage
from trytond.pool import Pool

from .reader import is_offered

__all__ = ['check_fields']


def check_fields(Model, domain):
    """
    Raise an error if a clause of the domain uses a field which does not exist
    or which the user may not read.

    Tryton ignores some unknown fields, and answers a search on a field that
    may not be read.

    :raises ValueError: if the field is unknown.
    :raises trytond.model.exceptions.AccessError: if it may not be read.
    """
    for clause in domain:
        if isinstance(clause, str):
            continue
        elif clause and isinstance(clause[0], str) and len(clause) > 2:
            _check_clause(Model, clause)
        else:
            check_fields(Model, clause)


def _check_clause(Model, clause):
    if clause[0] in {'AND', 'OR'}:
        return check_fields(Model, clause[1:])
    target = clause[3] if len(clause) > 3 else None
    Relation = _check_path(Model, clause[0], target)
    if clause[1].endswith('where') and Relation:
        check_fields(Relation, clause[2])


def _check_path(Model, path, target=None):
    "Return the model to which the last field of the path leads"
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    FieldAccess = pool.get('ir.model.field.access')
    for name in path.split('.'):
        if (not Model or name not in Model._fields
                or not is_offered(name, Model._fields[name])):
            raise ValueError(gettext(
                    'marketing_automation.msg_field_unknown',
                    field=path,
                    **(Model.__names__() if Model else {'model': ''})))
        ModelAccess.check(Model.__name__, 'read')
        FieldAccess.check(Model.__name__, [name], 'read')
        Model = _target(Model._fields[name], target)
    if Model:
        ModelAccess.check(Model.__name__, 'read')
    return Model


def _target(field, name):
    "Return the model, of the name if the field is a reference, or None"
    if field._type == 'reference':
        return Pool().get(name) if name else None
    try:
        Target = field.get_target()
    except AttributeError:
        return None
    return Target if issubclass(Target, ModelStorage) else None
