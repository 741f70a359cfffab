# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The functions, attributes and operators that a template may use on plain
values, each with an upper bound for what it makes.
"""

import datetime as dt
import functools
import operator
import re
from decimal import Decimal
from types import GeneratorType, MethodType

from ..common.access import Refused

__all__ = [
    'BUILTINS', 'CONTAINERS', 'OFFERED', 'Offer', 'SAFE_DATETIME', 'SCALARS',
    'Value', 'bounded', 'check_key', 'limited', 'modulo', 'multiply',
    'register', 'text']

MAX_TEXT = 1_000_000
MAX_RANGE = 10_000
MAX_WIDTH = 500
MAX_BITS = 512
MAX_DIGITS = 50
MAX_EXPONENT = 400

SCALARS = (
    str, bool, int, float, Decimal, dt.datetime, dt.date, dt.time,
    dt.timedelta)
CONTAINERS = (list, tuple, dict)
NUMBERS = (int, float, Decimal)


class Value(str):
    "A text that comes from the data and not from the author"
    __slots__ = ()


def bounded(value):
    "Return the value if nobody can be harmed by its size"
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise Refused("the text is too long")
    elif isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise Refused("the number is too big")
    elif isinstance(value, Decimal):
        if (value and value.is_finite()
                and abs(value.adjusted()) > MAX_EXPONENT):
            raise Refused("the number is too big")
    return value


def check_key(key):
    "Raise if the value is no safe key: hashing nested tuples may never end"
    if not isinstance(key, (*SCALARS, slice, type(None))):
        raise Refused(f"a {type(key).__name__} can not be used as key")


def multiply(a, b):
    if isinstance(b, (str, *CONTAINERS)):
        a, b = b, a
    if isinstance(a, CONTAINERS):
        raise Refused("a list can not be multiplied")
    if isinstance(a, str):
        if not isinstance(b, int) or b * len(a) > MAX_TEXT:
            raise Refused("the text is too long")
    return bounded(a * b)


_conversion = re.compile(
    r'%(?:%|(?:\(\w+\))?[-+ 0#]*(\d{0,3})(?:\.\d{0,2})?[sdifeEgGxXc])')


def modulo(a, b):
    if not isinstance(a, str):
        return bounded(a % b)
    if isinstance(b, dict):
        values = list(b.values())
    elif isinstance(b, tuple):
        values = list(b)
    else:
        values = [b]
    conversions = list(_conversion.finditer(a))
    if '%' in _conversion.sub('', a):
        raise Refused("the conversion is not allowed")
    texts = []
    for value in values:
        if isinstance(value, NUMBERS):
            bounded(value)
        texts.append(text(value) or '')
    width = max(map(len, texts), default=0) + MAX_EXPONENT + 999
    if len(a) + len(conversions) * width > MAX_TEXT:
        raise Refused("the text is too long")
    if not isinstance(b, (dict, tuple)) and not isinstance(b, SCALARS):
        b = texts[0]
    return a % b


def _is_text(value):
    return isinstance(value, SCALARS) or type(value) in SHOWN


def text(value):
    "Return how a value is shown"
    if value is None:
        return ''
    if isinstance(value, SCALARS):
        # The method of the base class ignores what a subclass makes of it
        return str.__str__(value) if isinstance(value, str) else str(value)
    if type(value) in SHOWN:
        return str(value)
    if isinstance(value, (list, tuple, GeneratorType)):
        texts = []
        for item in value:
            if item is None:
                continue
            if not _is_text(item):
                break
            texts.append(text(item))
        else:
            return _join('', texts)
    raise Refused(f"a value of type {type(value).__name__} can not be shown")


def _join(separator, values):
    values = list(values)
    size = sum(map(len, values)) + len(separator) * len(values)
    if size > MAX_TEXT:
        raise Refused("the text is too long")
    return separator.join(values)


def _replace(value, old, new, count=-1):
    size = len(value) + value.count(old) * max(len(new) - len(old), 0)
    if size > MAX_TEXT:
        raise Refused("the text is too long")
    return value.replace(old, new, count)


def _padded(method):
    def padded(value, width, *args):
        if width > MAX_WIDTH:
            raise Refused("the text is too long")
        return method(value, width, *args)
    return padded


_directive = re.compile(r'%[-_0^#]?[A-Za-z%]')


def _check_format(format):
    # A directive may have a width in the C library
    if len(format) > 200 or '%' in _directive.sub('', format):
        raise Refused("the date format is not allowed")


def _strftime(value, format):
    _check_format(format)
    return value.strftime(format)


def limited(function):
    """
    Return the function that formats its first argument, made safe.

    How to format comes from the template as well: a number of digits or a
    width in a format is as big as what is made of it.
    """
    @functools.wraps(function)
    def wrapper(value, *args, **kwargs):
        for option in (*args, *kwargs.values()):
            if isinstance(option, str):
                _check_format(option)
            elif isinstance(option, NUMBERS) and abs(option) > MAX_DIGITS:
                raise Refused("the number has too many digits")
        if isinstance(value, SCALARS):
            bounded(value)
        return function(value, *args, **kwargs)
    return wrapper


def _keyed(method):
    def keyed(value, key, *args):
        check_key(key)
        return method(value, key, *args)
    return keyed


def _searched(method):
    def searched(value, item):
        if not _is_text(item):
            raise Refused(f"a {type(item).__name__} can not be searched")
        return method(value, item)
    return searched


def _methods(kind, names):
    return {name: getattr(kind, name) for name in names.split()}


_METHODS = {
    str: {
        **_methods(str, """
            capitalize casefold count endswith find index isalnum isalpha
            isdecimal isdigit islower isnumeric isspace istitle isupper lower
            lstrip partition removeprefix removesuffix rfind rpartition rsplit
            rstrip split splitlines startswith strip swapcase title upper"""),
        'join': _join,
        'replace': _replace,
        'center': _padded(str.center),
        'ljust': _padded(str.ljust),
        'rjust': _padded(str.rjust),
        'zfill': _padded(str.zfill),
        },
    float: _methods(float, 'is_integer'),
    Decimal: _methods(Decimal, """
        copy_abs is_finite is_signed is_zero normalize quantize"""),
    dt.date: {
        **_methods(dt.date, 'isocalendar isoformat isoweekday replace weekday'
            ),
        'strftime': _strftime,
        },
    dt.datetime: {
        **_methods(dt.datetime, """
            date isocalendar isoformat isoweekday replace time weekday"""),
        'strftime': _strftime,
        },
    dt.time: {
        **_methods(dt.time, 'isoformat replace'),
        'strftime': _strftime,
        },
    dt.timedelta: _methods(dt.timedelta, 'total_seconds'),
    list: {
        'count': _searched(list.count),
        'index': _searched(list.index),
        },
    tuple: {
        'count': _searched(tuple.count),
        'index': _searched(tuple.index),
        },
    dict: {
        **_methods(dict, 'items keys values'),
        'get': _keyed(dict.get),
        },
    }
_PROPERTIES = {
    dt.date: {'year', 'month', 'day'},
    dt.datetime: {
        'year', 'month', 'day', 'hour', 'minute', 'second', 'microsecond'},
    dt.time: {'hour', 'minute', 'second', 'microsecond'},
    dt.timedelta: {'days', 'seconds', 'microseconds'},
    }


def _offered(kind):
    methods = _METHODS.get(kind, {})
    properties = _PROPERTIES.get(kind, set())

    def offered(value, name):
        if name in methods:
            return MethodType(methods[name], value)
        if name in properties:
            return getattr(value, name)
        raise Refused(f'a {kind.__name__} has no attribute "{name}"')
    return offered


def _offered_dict(value, name, _methods=_offered(dict)):
    try:
        return _methods(value, name)
    except Refused:
        if name in value:
            return value[name]
        raise


class Offer:
    "Object with the given attributes, which calls the function"
    __slots__ = ('_function', '_names')

    def __init__(self, function=None, **names):
        self._function = function
        self._names = names

    def __call__(self, *args, **kwargs):
        if self._function is None:
            raise Refused("this can not be called")
        return self._function(*args, **kwargs)


def _offered_names(offer, name):
    try:
        return offer._names[name]
    except KeyError:
        raise Refused(f'there is no "{name}"')


#: The function that reads an attribute, by the type of the value
OFFERED = {kind: _offered(kind) for kind in [*_METHODS, bool, int, range]}
OFFERED[dict] = _offered_dict
OFFERED[Offer] = _offered_names
#: The further types that are shown by their str()
SHOWN = set()


def register(kind, read):
    "Offer values of the kind to the templates: how an attribute is read"
    OFFERED[kind] = read
    SHOWN.add(kind)


#: What stands for the module datetime
SAFE_DATETIME = Offer(
    date=Offer(
        lambda year, month, day: dt.date(year, month, day),
        today=lambda: dt.date.today(),
        fromisoformat=lambda value: dt.date.fromisoformat(value)),
    datetime=Offer(
        lambda *args, **kwargs: dt.datetime(*args, **kwargs),
        now=lambda: dt.datetime.now(),
        today=lambda: dt.datetime.now(),
        combine=lambda date, time: dt.datetime.combine(date, time),
        fromisoformat=lambda value: dt.datetime.fromisoformat(value)),
    time=Offer(lambda *args, **kwargs: dt.time(*args, **kwargs)),
    timedelta=Offer(lambda *args, **kwargs: dt.timedelta(*args, **kwargs)),
    now=lambda: dt.datetime.now(),
    today=lambda: dt.date.today(),
    )


def _decimal(value=0):
    if isinstance(value, str) and len(value) > 100:
        raise Refused("the number is too big")
    return bounded(Decimal(value))


def _int(value=0):
    if isinstance(value, str) and len(value) > 100:
        raise Refused("the number is too big")
    if isinstance(value, Decimal):
        bounded(value)
    return int(value)


def _float(value=0):
    return float(bounded(value))


def _range(*args):
    values = range(*args)
    # The length of a range can exceed what len accepts
    if len(values[:MAX_RANGE + 1]) > MAX_RANGE:
        raise Refused("the range is too long")
    return values


def _round(value, digits=None):
    if digits is not None and abs(digits) > MAX_DIGITS:
        raise Refused("the number has too many digits")
    return round(value, digits)


def _check_sortable(key):
    values = key if isinstance(key, tuple) else [key]
    if len(values) > 20 or not all(
            isinstance(v, (*SCALARS, type(None))) for v in values):
        raise Refused("only plain values can be ordered")


def _sorted(values, key=None, reverse=False):
    pairs = []
    for value in values:
        order = key(value) if key else value
        _check_sortable(order)
        pairs.append((order, value))
    pairs.sort(key=operator.itemgetter(0), reverse=bool(reverse))
    return [value for _, value in pairs]


def _extreme(function):
    def extreme(*values, key=None, **default):
        if len(values) == 1:
            values = values[0]
        values = list(values)
        for value in values:
            _check_sortable(key(value) if key else value)
        return function(values, key=key, **default)
    return extreme


def _sum(values, start=0):
    values = list(values)
    if not all(
            isinstance(v, (*NUMBERS, dt.timedelta)) for v in [start, *values]):
        raise Refused("only numbers can be added up")
    if values and start == 0:
        return functools.reduce(operator.add, values)
    return sum(values, start)


def _hasattr(value, name):
    offer = OFFERED.get(type(value))
    if offer is None or not isinstance(name, str) or name.startswith('_'):
        return False
    try:
        offer(value, name)
    except Refused:
        return False
    return True


#: The functions that every template can use
BUILTINS = {
    'Decimal': _decimal,
    'abs': lambda value: abs(value),
    'all': lambda values: all(values),
    'any': lambda values: any(values),
    'bool': lambda value=False: bool(value),
    'dict': lambda **values: values,
    'enumerate': lambda values, start=0: enumerate(values, start),
    'float': _float,
    'hasattr': _hasattr,
    'int': _int,
    'len': lambda values: len(values),
    'list': lambda values=(): list(values),
    'max': _extreme(max),
    'min': _extreme(min),
    'range': _range,
    'reversed': lambda values: reversed(values),
    'round': _round,
    'sorted': _sorted,
    'str': text,
    'sum': _sum,
    'tuple': lambda values=(): tuple(values),
    'zip': lambda *values: zip(*values),
    }
