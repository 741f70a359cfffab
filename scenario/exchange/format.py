# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Format of exchanged scenarios: JSON, and the values of simple fields.
"""

import base64
import datetime as dt
import json
import re
from decimal import Decimal

__all__ = [
    'FORMAT', 'SIZE', 'FormatError', 'dumps', 'file_name', 'from_lines',
    'loads', 'read_value', 'to_lines', 'write_value']

FORMAT = 'marketing_automation/1'
#: How many bytes a file may have
SIZE = 5 * 1024 * 1024
# How deep the lists and objects may be nested
_DEPTH = 200
_DURATION = re.compile(
    r'(?P<sign>-?)P(?:(?P<days>\d{1,9})D)?'
    r'(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?'
    r'(?:(?P<seconds>\d{1,9}(?:\.\d{1,6})?)S)?)?')
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


class FormatError(ValueError):
    """
    Error of a text that can not be read.

    :ivar code: the end of the name of the message that explains it.
    :ivar words: the variables of the message.
    """

    def __init__(self, code, **words):
        super().__init__(code, words)
        self.code = code
        self.words = words


def dumps(document):
    "Return the text of the document, the same for the same document"
    return json.dumps(document, indent=2, ensure_ascii=False) + '\n'


def loads(text):
    """
    Return the document of a text or of bytes in UTF-8.

    :raises FormatError: if it is not a document of a known format.
    """
    if len(text) > SIZE:
        raise FormatError('size', size=SIZE // 1024 // 1024)
    if isinstance(text, (bytes, bytearray)):
        try:
            text = bytes(text).decode('utf-8-sig')
        except UnicodeDecodeError as error:
            raise FormatError('json', line=1, error=str(error)) from error
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise FormatError(
            'json', line=error.lineno, error=error.msg) from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            'json', line='?',
            error=str(error) or type(error).__name__) from error
    _check_depth(document)
    return _check_format(document)


def _unique(pairs):
    result = {}
    for key, value in pairs:
        if key in result:
            raise FormatError('twice', key=key)
        result[key] = value
    return result


def _constant(name):
    raise FormatError('json', line='?', error=name)


def _check_depth(document):
    values, depth = [document], 0
    while values:
        depth += 1
        if depth > _DEPTH:
            raise FormatError('deep', depth=_DEPTH)
        following = []
        for value in values:
            if isinstance(value, dict):
                following.extend(value.values())
            elif isinstance(value, list):
                following.extend(value)
        values = following


def _check_format(document):
    if not isinstance(document, dict):
        raise FormatError('format', format=FORMAT)
    format_ = document.get('format')
    name, _, version = FORMAT.partition('/')
    if not isinstance(format_, str) or not format_.startswith(f'{name}/'):
        raise FormatError('format', format=FORMAT)
    if format_ != FORMAT:
        raise FormatError('version', found=format_, format=FORMAT)
    return document


def file_name(name):
    "Return the file name, without extension, for the name of a scenario"
    name = ' '.join(_UNSAFE.sub(' ', name or '').split()).strip(' .')
    # Most file systems have room for 255 bytes
    return name.encode()[:120].decode(errors='ignore') or 'scenario'


def to_lines(text):
    "Return a text of many lines as the list of them"
    return text.split('\n') if '\n' in text else text


def from_lines(value):
    "Return the text of the lines, or what it is if there are none"
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return '\n'.join(value)
    return value


# Values by the type of the field

def _write_duration(value):
    seconds = value.total_seconds()
    sign, value = ('-', -value) if seconds < 0 else ('', value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, rest = divmod(rest, 60)
    clock = ''.join([
            f'{hours}H' if hours else '',
            f'{minutes}M' if minutes else '',
            _write_seconds(rest, value.microseconds)])
    days = f'{value.days}D' if value.days or not clock else ''
    return f'{sign}P{days}{"T" if clock else ""}{clock}'


def _write_seconds(seconds, microseconds):
    if microseconds:
        return f'{seconds}.{microseconds:06}'.rstrip('0') + 'S'
    return f'{seconds}S' if seconds else ''


def _read_duration(value):
    match = _DURATION.fullmatch(value)
    if not match or value[-1] in 'PT':
        raise ValueError(value)
    values = match.groupdict(default='0')
    sign = -1 if values.pop('sign') == '-' else 1
    return sign * dt.timedelta(**{
            name: float(v) if '.' in v else int(v)
            for name, v in values.items()})


def _read_datetime(value):
    value = dt.datetime.fromisoformat(value)
    if value.tzinfo:
        raise ValueError("time zone")
    return value


def _same(*types):
    def read(value):
        if not isinstance(value, types) or (
                isinstance(value, bool) and bool not in types):
            raise ValueError(repr(value))
        return value
    return read


def _read_numeric(value):
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = Decimal(value)
        if value.is_finite():
            return value
    raise ValueError(repr(value))


def _read_texts(value):
    return [_same(str)(v) for v in _same(list)(value)]


def _isoformat(value):
    return value.isoformat()


_string = (to_lines, lambda value: _same(str)(from_lines(value)))
_datetime = (_isoformat, _read_datetime)
_BY_TYPE = {
    'boolean': (bool, _same(bool)),
    'integer': (int, _same(int)),
    'float': (float, lambda value: float(_same(int, float)(value))),
    'numeric': (str, _read_numeric),
    'char': _string,
    'text': _string,
    'fullText': _string,
    'selection': _string,
    'multiselection': (list, _read_texts),
    'timedelta': (_write_duration, _read_duration),
    'date': (_isoformat, dt.date.fromisoformat),
    'datetime': _datetime,
    'timestamp': _datetime,
    'time': (_isoformat, dt.time.fromisoformat),
    'dict': (dict, _same(dict)),
    'binary': (
        lambda value: base64.b64encode(value).decode(),
        lambda value: base64.b64decode(value, validate=True)),
    }


def write_value(type_, value):
    """
    Return what stands in the document for the value of a field of the type.

    :raises KeyError: if such fields can not be exchanged.
    """
    write, _ = _BY_TYPE[type_]
    return None if value is None else write(value)


def read_value(type_, value):
    """
    Return the value of a field of the type.

    :raises KeyError: if such fields can not be exchanged.
    :raises ValueError: if it is not a value of the type.
    """
    _, read = _BY_TYPE[type_]
    if value is None:
        return None
    try:
        return read(value)
    except (ArithmeticError, AttributeError, TypeError) as error:
        raise ValueError(repr(value)) from error
