# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Conversion of the result of an expression to the value of a field.
"""

import datetime as dt
from decimal import Decimal

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import active_records

from ..common.access import is_offered
from .value import text
from .view import View

__all__ = ['Converter', 'is_settable', 'plain']

_SYSTEM = frozenset([
        'id', 'create_uid', 'create_date', 'write_uid', 'write_date'])


def is_settable(name, field):
    "Return if an action can set the field, whatever the rights are"
    return (
        field._type in _CONVERSIONS
        and not field.readonly
        and is_offered(name, field)
        and name not in _SYSTEM
        and not (isinstance(field, fields.Function) and not field.setter))


class Converter:
    """
    Convert for the fields of a model; what is looked up is kept, so an
    instance is made for a batch.
    """

    def __init__(self, Model):
        self.Model = Model
        self._found = {}
        self._selection_values = {}

    def convert(self, name, value, access):
        """
        Return the value that can be written.

        :param access: what the reader may read.
        :raises ValueError: if there is none, in the words for its author.
        """
        if isinstance(value, str):
            value = str(value)
        if value is None or value == '':
            return None
        field = self.Model._fields[name]
        return _CONVERSIONS[field._type](self, name, field, value, access)

    def _unsuitable(self, name, value):
        return ValueError(gettext(
                'marketing_automation.msg_value_unsuitable',
                value=plain(value), **self.Model.__names__(name)))

    def _text(self, name, field, value, access):
        if isinstance(value, (list, tuple, dict)):
            raise self._unsuitable(name, value)
        value = text(value)
        size = getattr(field, 'size', None)
        if isinstance(size, int) and len(value) > size:
            raise self._unsuitable(name, value)
        return value

    def _boolean(self, name, field, value, access):
        if not isinstance(value, bool):
            raise self._unsuitable(name, value)
        return value

    def _numeric(self, name, field, value, access):
        if isinstance(value, bool) or not isinstance(
                value, (int, float, Decimal, str)):
            raise self._unsuitable(name, value)
        try:
            number = Decimal(str(value))
        except ArithmeticError as exception:
            raise self._unsuitable(name, value) from exception
        if not number.is_finite():
            raise self._unsuitable(name, value)
        return number

    def _integer(self, name, field, value, access):
        number = self._numeric(name, field, value, access)
        if number.adjusted() > 18 or number != int(number):
            raise self._unsuitable(name, value)
        return int(number)

    def _float(self, name, field, value, access):
        return float(self._numeric(name, field, value, access))

    def _date(self, name, field, value, access):
        if isinstance(value, dt.datetime):
            return value.date()
        return self._temporal(dt.date, name, value)

    def _datetime(self, name, field, value, access):
        if type(value) is dt.date:
            return dt.datetime.combine(value, dt.time())
        value = self._temporal(dt.datetime, name, value)
        if value.tzinfo:
            value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
        if field._type == 'datetime':
            value = value.replace(microsecond=0)
        return value

    def _time(self, name, field, value, access):
        return self._temporal(dt.time, name, value).replace(microsecond=0)

    def _temporal(self, type_, name, value):
        if isinstance(value, str):
            try:
                return type_.fromisoformat(value)
            except ValueError as exception:
                raise self._unsuitable(name, value) from exception
        if not isinstance(value, type_):
            raise self._unsuitable(name, value)
        return value

    def _timedelta(self, name, field, value, access):
        if not isinstance(value, dt.timedelta):
            raise self._unsuitable(name, value)
        return value

    def _selection(self, name, field, value, access):
        selection = self._selections(name)
        # Without, it depends on the record, which is validated when written
        if selection is not None and value not in selection:
            raise self._unsuitable(name, value)
        return value

    def _selections(self, name):
        "Return the values of the selection, None if they are not fixed"
        if name not in self._selection_values:
            selection = self.Model.fields_get([name])[name]['selection']
            self._selection_values[name] = (
                None if isinstance(selection, str)
                else {value for value, _ in selection})
        return self._selection_values[name]

    def _multiselection(self, name, field, value, access):
        if not isinstance(value, (list, tuple)):
            value = [value]
        return tuple(
            self._selection(name, field, v, access) for v in value)

    def _many2one(self, name, field, value, access):
        Target = field.get_target()
        record = self._find(Target, value)
        if record is None:
            raise self._unsuitable(name, value)
        access.check_record(record)
        return record.id

    def _reference(self, name, field, value, access):
        if isinstance(value, View):
            record = value._record
        else:
            model, _, id_ = str(value).partition(',')
            models = self._selections(name)
            if not model or model not in models or not id_.isdecimal():
                raise self._unsuitable(name, value)
            record = self._find(Pool().get(model), int(id_))
        if record is None:
            raise self._unsuitable(name, value)
        access.check_record(record)
        return str(record)

    def _find(self, Target, value):
        "Return the record of the id or of the name, None if there is not one"
        if isinstance(value, View):
            record = value._record
            return record if record.__name__ == Target.__name__ else None
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return None
        key = Target.__name__, value
        if key not in self._found:
            name = 'rec_name' if isinstance(value, str) else 'id'
            with active_records():
                records = Target.search([(name, '=', value)], limit=2)
            self._found[key] = records[0] if len(records) == 1 else None
        return self._found[key]


_CONVERSIONS = {
    'char': Converter._text,
    'text': Converter._text,
    'boolean': Converter._boolean,
    'integer': Converter._integer,
    'biginteger': Converter._integer,
    'float': Converter._float,
    'numeric': Converter._numeric,
    'date': Converter._date,
    'datetime': Converter._datetime,
    'timestamp': Converter._datetime,
    'time': Converter._time,
    'timedelta': Converter._timedelta,
    'selection': Converter._selection,
    'multiselection': Converter._multiselection,
    'many2one': Converter._many2one,
    'reference': Converter._reference,
    }


def plain(value):
    "Return the value as it can be shown or put into JSON"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, View):
        return str(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return text(value)
