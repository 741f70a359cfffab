# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Statements that are composed once and planned by their indexes."

import datetime as dt
import re
from functools import partial
from weakref import WeakKeyDictionary

from sql import Cast, Expression, Flavor, Literal, Select, Values
from sql.conditionals import Coalesce
from sql.functions import Function

from trytond import backend
from trytond.model import fields
from trytond.transaction import Transaction

__all__ = [
    'SLICE', 'cached_query', 'exists_by_index', 'in_keys', 'inline',
    'opaque_id', 'scalar_subquery', 'to_date', 'to_datetime', 'values_table',
    'write_rows']

# How many ids or rows are given to one statement: its number of parameters is
# limited, and the planner takes long for more
SLICE = 500


class cached_query:
    """
    Decorator of a class method that composes a statement, which then returns
    the text and the parameters.

    To compose a statement takes longer than to execute it for a single row,
    so its text is kept.  The method must use its keyword arguments only as
    values, and its positional ones must tell all that the text depends on
    besides them.  A text is kept for each number of values in a tuple, but for
    a list only if it has one.
    """

    def __init__(self, compose):
        self._compose = compose
        self._texts = WeakKeyDictionary()

    def __get__(self, instance, owner):
        return partial(self._make, owner)

    def _make(self, owner, *args, **values):
        outlines = [*map(_outline, values.values())]
        if _MANY in outlines:
            return tuple(self._compose(owner, *args, **values))
        texts = self._texts.setdefault(owner, {})
        key = (Flavor.get().paramstyle, args, *values, *outlines)
        if key not in texts:
            if len(texts) >= _SIZE:
                texts.clear()
            texts[key] = tuple(self._compose(owner, *args, **{
                        n: _places(v, n) for n, v in values.items()}))
        text, places = texts[key]
        return text, [_fill(p, values) for p in places]


_MANY = 'many'
_SIZE = 100


def _outline(value):
    "Return the part of the value on which the text depends"
    if value is None:
        # The comparison with it is another one
        return None
    if isinstance(value, tuple):
        return tuple(map(_outline, value))
    if not isinstance(value, list):
        return 'one'
    # A row has columns
    if len(value) == 1:
        row, = value
        return f'row of {len(row)}' if isinstance(row, list) else 'list'
    return _MANY


class _Place:
    "Place of a value in the parameters"
    __slots__ = ('path',)

    def __init__(self, *path):
        self.path = path

    def value(self, values):
        for key in self.path:
            values = values[key]
        return values


def _places(value, *path):
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(_places(v, *path, i) for i, v in enumerate(value))
    if isinstance(value, list):
        return [
            _places(v, *path, i) if isinstance(v, list) else _Place(*path, i)
            for i, v in enumerate(value)]
    return _Place(*path)


def _fill(place, values):
    if isinstance(place, _Place):
        return place.value(values)
    if isinstance(place, (list, tuple)):
        return [_fill(p, values) for p in place]
    return place


class inline(Expression):
    """
    The SQL of a value that is part of the text of the statement.

    PostgreSQL plans what is often executed for any parameters, and uses a
    partial index only if its condition has literals in the statement.
    """
    __slots__ = ('_text',)
    params = ()

    def __init__(self, value):
        super().__init__()
        if isinstance(value, str):
            if not re.fullmatch(r'[\w.,]*', value):
                raise ValueError(value)
            self._text = f"'{value}'"
        else:
            self._text = str(value).upper()

    def __str__(self):
        return self._text


def exists_by_index(table, where):
    """
    Return the SQL clause whether the table has a row that fulfills the clause.

    Unlike of EXISTS PostgreSQL makes no join of it, whose kind it would choose
    by statistics that do not know what is new, and compare each row with each
    other: for each row it looks into an index, see also `opaque_id`.
    """
    row = table.select(Literal(1), where=where, limit=1)
    return Coalesce(row, Literal(0)) == Literal(1)


def scalar_subquery(table, expression, where):
    """
    Return the SQL of the expression of the one row of the table that fulfills
    the clause, null if there is none.

    PostgreSQL looks into an index for each row, see `exists_by_index`: a join
    would read all of a table that has some ten thousands of rows.
    """
    return table.select(expression, where=where, limit=1)


def opaque_id(id_):
    """
    Return the SQL of the id for which PostgreSQL expects as many rows as
    for any other.

    Of what is newer than its statistics it expects a single one, so any index
    with the id would do.
    """
    # What is not yet saved has none, and PostgreSQL no type for nothing
    return Select([Literal(-1 if id_ is None else id_)])


class _Unnest(Function):
    __slots__ = ()
    _function = 'UNNEST'


def values_table(values, types):
    """
    Return the SQL of the rows of values, with the columns column1, column2…

    PostgreSQL gets a list for each column: to read a place for each value
    takes long, its driver as well, and the statement would be another one for
    each number of rows.

    :param types: the SQL type of each column.
    """
    if backend.name != 'postgresql':
        return Values(values)
    return Select([
            _Unnest(Cast(list(column), f'{type}[]')).as_(f'column{i}')
            for i, (type, column) in enumerate(zip(types, zip(*values)), 1)])


def in_keys(column, key, keys):
    """
    Return the SQL clause that the column equals the key, which is one of the
    keys.

    They let PostgreSQL look into an index.  To join a table with so many rows
    it would read all of it, as long as it has some ten thousands.
    """
    return fields.SQL_OPERATORS['in'](column, keys) & (column == key)


def write_rows(table, where, values):
    """
    Write the values, a dictionary by the name of the column, on the rows of
    the table that fulfill the clause, and return their number.
    """
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.update(
            [getattr(table, n) for n in values], list(values.values()),
            where=where))
    return cursor.rowcount


def to_datetime(value):
    """
    Return the time that a database returned.

    SQLite returns a text for what is not the column of a field.
    """
    if isinstance(value, str):
        return dt.datetime.fromisoformat(value)
    return value


def to_date(value):
    "Return the day that a database returned, also as a text or as a time"
    if value is None:
        return None
    elif isinstance(value, str):
        return dt.date.fromisoformat(value[:10])
    return dt.date(value.year, value.month, value.day)
