# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Domains: decode, check the access to their fields, describe in words.
"""

import datetime as dt
import time

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.transaction import check_access

from . import field_path

__all__ = [
    'NOBODY', 'check_fields', 'check_search', 'checked', 'decode',
    'describe']

# The domain of who is still to be chosen
NOBODY = '[["id", "=", -1]]'
# How many records are named
_NAMED = 100


def decode(text):
    """
    Return the PYSON domain evaluated at the present time.

    :raises ValueError: if it is no domain.
    """
    domain = PYSONDecoder({
            'current_date': dt.date.today(),
            'time': time,
            }).decode(text)
    if not isinstance(domain, list):
        raise ValueError(gettext(
                'marketing_automation.msg_domain_no_list'))
    return domain


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


def checked(Model, domain):
    """
    Return the domain if the user may search the model with it.

    :raises ValueError: if it is no domain, or one of an unknown field.
    :raises trytond.model.exceptions.AccessError: if a field may not be read.
    """
    fields.domain_validate(domain)
    # Tryton validates without checking the access of the user
    with check_access():
        check_fields(Model, domain)
    return domain


def check_search(Model, domain):
    "Raise an error if the user can not search the model with the domain"
    domain = checked(Model, domain)
    with check_access():
        Model.search(domain, limit=1, order=[])


def _check_clause(Model, clause):
    if clause[0] in {'AND', 'OR'}:
        return check_fields(Model, clause[1:])
    target = clause[3] if len(clause) > 3 else None
    *_, (_, field) = field_path.walk(Model, clause[0], target)
    Relation = field_path.target(field, target)
    if Relation:
        Pool().get('ir.model.access').check(Relation.__name__, 'read')
    if clause[1].endswith('where') and Relation:
        check_fields(Relation, clause[2])


def describe(Model, domain):
    "Return the domain as lines of text that a person can read"
    return '\n'.join(_lines(Model, domain))


def _lines(Model, domain):
    operator, clauses = 'AND', list(domain)
    if clauses and clauses[0] in ['AND', 'OR']:
        operator = clauses.pop(0)
    parts = [
        [_words(Model, c)] if _is_clause(c) else _lines(Model, c)
        for c in clauses if c]
    parts = [p for p in parts if p]
    if operator == 'AND' or len(parts) < 2:
        return [line for part in parts for line in part]
    # What belongs together is indented behind its bullet
    lines = [gettext('marketing_automation.msg_domain_or')]
    for part in parts:
        for number, line in enumerate(part):
            lines.append(('  ' if number else '- ') + line)
    return lines


def _is_clause(clause):
    return (
        clause and isinstance(clause[0], str) and len(clause) > 2
        and clause[0] not in ['AND', 'OR'])


def _words(Model, clause):
    path, operator, value = clause[:3]
    labels, selection = [], {}
    target = clause[3] if len(clause) > 3 else None
    for name in path.split('.'):
        if not Model or name not in Model._fields:
            labels.append(name)
            Model = None
            continue
        labels.append(Model.__names__(name)['field'])
        selection = _selection(Model, name)
        Model = field_path.target(Model._fields[name], target)
    if operator.endswith('where') and Model:
        words = ', '.join(_lines(Model, value))
    else:
        values = value if isinstance(value, (list, tuple)) else [value]
        names = _names(Model, values) if Model else {}
        words = ', '.join(
            names[v] if type(v) is int and v in names
            else _value(v, selection) for v in values)
    return f"{' / '.join(labels)} {operator} {words}"


def _names(Model, values):
    "Return a dictionary of the names of the records which may be read"
    ids = [v for v in values if type(v) is int][:_NAMED]
    with check_access():
        return {
            r.id: r.rec_name for r in Model.search(
                [('id', 'in', ids)], order=[])} if ids else {}


def _selection(Model, name):
    "Return the labels by value of the field, if it is the same for all"
    if Model._fields[name]._type not in {'selection', 'multiselection'}:
        return {}
    definition = Model.fields_get([name])
    selection = definition.get(name, {}).get('selection')
    return dict(selection) if isinstance(selection, (list, tuple)) else {}


def _value(value, selection):
    if isinstance(value, str):
        return str(selection.get(value, value)) or "''"
    return "''" if value is None else str(value)
