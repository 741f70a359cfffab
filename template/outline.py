# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Outlines: the events of a rendered template without the words of the recipient.

Results of the same outline only differ in the words, at the same places, so
that their message is composed once (see :mod:`mail.mail_merge`).

Only words that mean nothing to HTML, to URLs and to the format of the text
part are left out of an outline.  A result with any other has none.
"""

import re
import secrets

from genshi.core import END, START, TEXT, Attrs
from genshi.template import directives
from genshi.template.base import EXPR, SUB, _apply_directives

from .value import Value

__all__ = ['PLACE', 'compact', 'place', 'trace']

# Words, maybe with spaces between them
_WORDS = re.compile(
    r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f]"
    r"(?:[ ]?[A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f.,'-])*")
# What is the same in a URL as elsewhere
_WORD = re.compile(r'[A-Za-z0-9](?:[A-Za-z0-9.~-]*[A-Za-z0-9])?')
_LENGTH = 200
_COUNT = 1000
# The attributes that may contain a word; what else has one may have a meaning
_ATTRIBUTES = {
    'align', 'alt', 'bgcolor', 'class', 'height', 'href', 'src', 'style',
    'width'}
_URLS = ('http://', 'https://')
_VERBATIM = {'script', 'style', 'title', 'textarea', 'pre', 'code', 'xmp'}
# The directives that do not look into what they contain
_TRANSPARENT = (
    directives.ChooseDirective, directives.ForDirective,
    directives.IfDirective, directives.OtherwiseDirective,
    directives.WhenDirective, directives.WithDirective)

# Nobody can write it into a template
_nonce = ''.join(chr(ord('a') + byte % 26) for byte in secrets.token_bytes(12))
#: What finds the places in a text, their number is in one of the groups
PLACE = re.compile(f'http://u{_nonce}([a-j]+)z|v{_nonce}([a-j]+)z')
_digits = str.maketrans('0123456789', 'abcdefghij')


def place(number, url=False):
    "Return the word that stands for the one of the number"
    word = str(number).translate(_digits)
    return f'http://u{_nonce}{word}z' if url else f'v{_nonce}{word}z'


class _Static(tuple):
    "Events that are always the same"
    __slots__ = ()


def compact(stream):
    "Return the events with those that are always the same as one"
    result, run = [], []

    def flush():
        if run:
            result.append((_Static, _Static(run), None))
            run.clear()

    for event in stream:
        kind, data, pos = event
        if kind is SUB:
            flush()
            subs, substream = data
            if all(isinstance(d, _TRANSPARENT) for d in subs):
                substream = compact(substream)
            result.append((SUB, (subs, substream), pos))
        elif kind is EXPR or kind is START and any(
                type(v) is list for _, v in data[1]):
            flush()
            result.append(event)
        else:
            run.append(event)
    flush()
    return result


def trace(stream, scope):
    """
    Return the outline (which is hashable), the words and the function that
    returns the events with the places; or None if there is no outline.
    """
    outline, words, events = [], [], []
    stack, stream = [], iter(stream)
    while True:
        for kind, data, pos in stream:
            if kind is _Static:
                outline.append(id(data))
                events.append((kind, data, pos))
            elif kind is EXPR:
                value = data.evaluate(scope)
                if value is None:
                    continue
                if (type(value) is not Value or len(value) > _LENGTH
                        or not _WORDS.fullmatch(value)):
                    return None
                outline.append(None)
                words.append(str(value))
                events.append((kind, None, pos))
            elif kind is SUB:
                stack.append(stream)
                stream = _apply_directives(data[1], data[0], scope, {})
                break
            elif kind is START:
                attributes = _trace_attributes(data[1], scope, words)
                if attributes is None:
                    return None
                data = data[0], attributes
                outline.append(data)
                events.append((kind, data, pos))
            else:
                if type(data) is Value:
                    return None
                outline.append((kind, data))
                events.append((kind, data, pos))
        else:
            if not stack:
                break
            stream = stack.pop()
    if len(words) <= _COUNT:
        return tuple(outline), words, lambda: _events(events)


def _trace_attributes(attrs, scope, words):
    "Return the attributes with None for the words, or None"
    result = []
    for name, value in attrs:
        if type(value) is Value:
            return None
        if type(value) is list:
            parts = []
            for kind, data, _ in value:
                if kind is EXPR:
                    data = data.evaluate(scope)
                    if data is None:
                        continue
                    if len(data) > _LENGTH or not _WORD.fullmatch(data):
                        return None
                    words.append(str(data))
                    data = None
                parts.append(data)
            if not parts:
                continue
            value = tuple(parts)
        result.append((name, value))
    return tuple(result)


def _events(events):
    "Return the events with the places, None if a word may have a meaning"
    result, verbatim = [], 0
    number = iter(range(len(events) * 100))
    for kind, data, pos in events:
        if kind is _Static:
            result.extend(data)
            for kind, data, _ in data:
                verbatim += _enters(kind, data)
            continue
        if kind is EXPR:
            if verbatim:
                return None
            kind, data = TEXT, Value(place(next(number)))
        elif kind is START:
            tag, attrs = data
            values = []
            for name, value in attrs:
                if type(value) is tuple:
                    if None in value and not _is_harmless(tag, name, value):
                        return None
                    value = ''.join(
                        place(next(number)) if p is None else p
                        for p in value)
                values.append((name, value))
            data = tag, Attrs(values)
        verbatim += _enters(kind, data)
        result.append((kind, data, pos))
    return result


def _enters(kind, data):
    "Return the number of elements entered in which text is something else"
    if kind is START and data[0].localname.lower() in _VERBATIM:
        return 1
    if kind is END and data.localname.lower() in _VERBATIM:
        return -1
    return 0


def _is_harmless(tag, name, parts):
    if name not in _ATTRIBUTES:
        return False
    if name == 'href' and tag.localname != 'a':
        return False
    if name in {'href', 'src'}:
        return bool(parts[0]) and parts[0].startswith(_URLS)
    return True
