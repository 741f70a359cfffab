# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Layout source: the text inside its layout, compiled as one template.

So the whole costs no more than a template that contains everything, and what
is always the same in the mails of an activity is found also around its text.
"""

import html
import re
from typing import NamedTuple, Optional

import lxml.html

__all__ = [
    'LayoutSource', 'LayoutSourceError', 'check', 'insert', 'is_whole', 'uses']

_COMMENT = re.compile(r'<!--.*?-->', re.DOTALL)
_WHOLE = re.compile(r'<(?:!doctype|html|head|body|mjml)\b', re.IGNORECASE)
_DECLARATION = re.compile(r'\s*<\?xml\s[^?]*\?>')
_CONTENT = re.compile(r'\$\{\s*content\s*\}')
_WORD = re.compile(r'\$\{\s*(sender|unsubscribe|language)\s*\}')
_SAMPLE = '<span data-content="1">x</span>'
# What shows no elements
_NO_PLACE = {'head', 'title', 'style', 'script', 'textarea'}


class LayoutSourceError(ValueError):
    "The layout has not exactly one place for the content"


class LayoutSource(NamedTuple):
    """
    A text inside a layout.

    :param source: the whole.
    :param first: the line of the source at which the text begins.
    :param count: the number of line breaks in the text.
    """
    source: str
    first: int
    count: int

    def place(self, line):
        "Return if the line is one of the text, and which line it is there"
        if not line or line < 1:
            return True, line
        if line < self.first:
            return False, line
        elif line <= self.first + self.count:
            return True, line - self.first + 1
        return False, line - self.count


def is_whole(source):
    "Return if the source is a whole page, which has no place in a layout"
    return bool(_WHOLE.search(_COMMENT.sub('', source)))


def insert(layout, content, words=None):
    """
    Return the :class:`LayoutSource` of the content inside the layout.

    :param layout: a source with a place for the content.
    :param words: the texts of the other places by name.
    :raises LayoutSourceError: if there is no place.
    """
    words = words or {}
    layout = _WORD.sub(
        lambda match: _words(words.get(match[1])), layout)
    match = _place(layout)
    if not match:
        raise LayoutSourceError
    content = _DECLARATION.sub(
        lambda match: '\n' * match[0].count('\n'), content, count=1)
    return LayoutSource(
        layout[:match.start()] + content + layout[match.end():],
        1 + layout.count('\n', 0, match.start()),
        content.count('\n'))


def uses(layout, name):
    "Return if the layout has a place for the word"
    return any(
        match[1] == name
        for match in _WORD.finditer(_COMMENT.sub('', layout)))


def check(layout):
    """
    Ensure that the content is shown once.

    :raises LayoutSourceError: if it is not.
    """
    if len(_CONTENT.findall(_COMMENT.sub('', layout))) != 1:
        raise LayoutSourceError
    source = insert(layout, _SAMPLE).source
    page = lxml.html.document_fromstring(source)
    for element in page.iter('span'):
        if element.get('data-content'):
            if any(a.tag in _NO_PLACE for a in element.iterancestors()):
                raise LayoutSourceError
            return
    raise LayoutSourceError


def _place(layout) -> Optional[re.Match]:
    comments = [m.span() for m in _COMMENT.finditer(layout)]
    for match in _CONTENT.finditer(layout):
        if not any(start <= match.start() < end for start, end in comments):
            return match


def _words(text):
    "Return the text on one line of the template, which shows it as it is"
    return '<br/>'.join(
        html.escape(line.strip()).replace('$', '$$')
        for line in (text or '').strip().splitlines())
