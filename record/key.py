# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Key of a record: the value of a field, reached by a dotted path, made
comparable.

Of a text the key is a digest (SHA-256): it has room in an index, and does not
show the value to who may not read it.
"""

import hashlib

from sql import Cast, Literal
from sql.conditionals import NullIf
from sql.functions import Function, Lower, Trim

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Model as BaseModel
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction, inactive_records

__all__ = ['check', 'expression', 'fold', 'paths', 'prepare', 'read']

_SPACES = ' \t\r\n'
_TYPES = {
    'char', 'date', 'integer', 'many2one', 'one2one', 'reference',
    'selection'}
_RELATIONS = {'many2one', 'one2one'}
_MECHANISMS = {'email', 'fax', 'mobile', 'phone', 'website'}


def fold(text):
    "Return the digest of the text as it is compared, None if it is empty"
    text = (text or '').strip(_SPACES).casefold()
    return hashlib.sha256(text.encode()).hexdigest() if text else None


class _Fold(Function):
    "Case folding of SQLite, which by itself knows the letters of ASCII only"
    __slots__ = ()
    _function = 'MARKETING_FOLD'


class _ConvertTo(Function):
    __slots__ = ()
    _function = 'CONVERT_TO'


class _Encode(Function):
    __slots__ = ()
    _function = 'ENCODE'


class _Sha256(Function):
    __slots__ = ()
    _function = 'SHA256'


def prepare():
    "Let the expressions be usable in the present transaction"
    if backend.name == 'sqlite':
        Transaction().connection.create_function('marketing_fold', 1, fold)


def _sql_fold(column):
    if backend.name == 'sqlite':
        return _Fold(column)
    folded = Lower(Trim(column, characters=_SPACES))
    text = NullIf(folded, Literal(''))
    return _Encode(
        _Sha256(_ConvertTo(text, Literal('UTF8'))), Literal('hex'))


def check(Model, path):
    """
    Raise an error if the values at the path can not be compared.

    :raises ValueError: if it leads through many records, or to a value which
        is no text, number, date, choice or record.
    """
    *through, name = path.split('.')
    for step in through:
        field = Model._fields[step]
        if field._type not in _RELATIONS:
            raise ValueError(gettext(
                    'marketing_automation.msg_key_many', field=step,
                    **Model.__names__()))
        Model = field.get_target()
    field = Model._fields[name]
    if field._type not in _TYPES or getattr(field, 'translate', False):
        raise ValueError(gettext(
                'marketing_automation.msg_key_type', field=name,
                **Model.__names__()))


def paths(Model):
    "Yield the paths of the fields of the model that may be a key"
    def names(Model):
        for name, field in sorted(Model._fields.items()):
            if (field._type in _TYPES - _RELATIONS
                    and not getattr(field, 'translate', False)
                    and name not in {'rec_name', 'xml_id'}):
                yield name
    yield from names(Model)
    for name, field in sorted(Model._fields.items()):
        if field._type in _RELATIONS and name not in {
                'create_uid', 'write_uid'}:
            yield name
            if field.get_target().__name__ == 'party.party':
                yield from (f'{name}.{n}' for n in names(field.get_target()))


def expression(Model, row, path):
    """
    Return the SQL expression of the key of the row, None if it can only be
    read.
    """
    name, _, rest = path.partition('.')
    if not rest and Model.__name__ == 'party.party' and name in _MECHANISMS:
        return _mechanism(row.id, name)
    field = Model._fields[name]
    if isinstance(field, fields.Function) or not field.sql_type():
        return None
    column = getattr(row, name)
    if not rest:
        if field._type == 'char':
            return _sql_fold(column)
        elif field._type in {'selection', 'reference'}:
            return NullIf(column, Literal(''))
        return Cast(column, fields.Char('').sql_type().base)
    Target = field.get_target()
    if Target.table_query:
        return None
    table = Target.__table__()
    nested = expression(Target, table, rest)
    if nested is not None:
        return table.select(nested, where=table.id == column)


def _mechanism(party, type_):
    "Return the SQL expression of the key of a contact of the party"
    table = Pool().get('party.contact_mechanism').__table__()
    return table.select(
        _sql_fold(table.value),
        where=(table.party == party)
        & (table.type == type_)
        & (table.active == Literal(True)),
        order_by=[table.sequence.asc.nulls_first, table.id.asc],
        limit=1)


def read(Model, ids, path):
    "Return a dictionary of the keys by id, without those that are empty"
    names = path.split('.')
    keys = {}
    with inactive_records():
        # Some may have been deleted
        found = Model.search([('id', 'in', list(ids))], order=[])
    for record in Model.browse([r.id for r in found]):
        value = record
        for name in names:
            value = getattr(value, name) if value else None
        if (value := _as_text(value)) is not None:
            keys[record.id] = value
    return keys


def _as_text(value):
    if isinstance(value, BaseModel):
        return str(value.id)
    elif isinstance(value, str):
        return fold(value)
    return None if value is None else str(value)
