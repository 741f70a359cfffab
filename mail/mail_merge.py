# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Mail merge: the words and URLs of each recipient in a page composed once.

The HTML and the text part of the page have places for them.  The result equals
the one of `compose` for the page of the recipient.
"""

import hashlib
import logging
import secrets

from ..template.outline import PLACE, place
from .page import Page, text_of

__all__ = ['MailMerge']

logger = logging.getLogger(__name__)

# Quoted-printable never contains it (RFC 2045 6.7)
_BOUNDARY = f'=_{secrets.token_hex(12)}'
_PART = (
    f'\r\n--{_BOUNDARY}\r\n'
    'Content-Type: text/%s; charset="utf-8"\r\n'
    'Content-Transfer-Encoding: quoted-printable\r\n'
    '\r\n')
_TEXT, _HTML = (_PART % 'plain').encode(), (_PART % 'html').encode()
# What the URL of a click can contain
_VALUES = 200
_ELLIPSIS = '\N{HORIZONTAL ELLIPSIS}'
_SAMPLE = 'https://sample.example.com/m/'


class MailMerge:
    """
    The page of all results of a template that have the same outline.

    :param html: the result with places for the words.
    """

    def __init__(self, html, count):
        self._count = count
        page = Page(html)
        # What makes the URLs, with a place for each
        self._clicks, self._ends = {}, {}

        def click(url):
            return self._clicks.setdefault(url, self._next())

        def unsubscribe(url):
            return self._ends.setdefault(url, self._next())

        page.rewrite(click, unsubscribe)
        pixel = self._next()
        page.add_pixel(pixel)
        html = page.html()
        self._html, self._text = _split(html), _split(text_of(html))
        self._pixel = _number(pixel)
        self._clicks = [
            (_split(u), _number(p)) for u, p in self._clicks.items()]
        self._ends = [
            (_split(u or ''), _number(p)) for u, p in self._ends.items()]

    @classmethod
    def make(cls, render, words, page):
        """
        Return the mail merge of the HTML with places, or None if its result
        is not the one of the page with the words.

        :param render: the function that returns the HTML, None if there is
            none.
        """
        try:
            html = render()
            if html is None:
                return
            mail_merge = cls(html, len(words))
        except Exception as exception:
            # It is possible without
            logger.info("no mail merge error=%s", exception.__class__.__name__)
            return
        page.rewrite(_sample_click, _sample_end)
        page.add_pixel(_SAMPLE)
        html = page.html()
        if (mail_merge.fill(words, _sample_click, _sample_end, _SAMPLE)
                == (html, text_of(html))):
            return mail_merge

    def _next(self):
        self._count += 1
        return place(self._count - 1, url=True)

    def links(self, words):
        """
        Return the set of the URLs to which the links go, as a tuple of the
        texts around the words if it has words.
        """
        links = {self._link(url, words)[0] for url, _ in self._clicks}
        links.update(_fill(url, words) for url, _ in self._ends)
        return links - {''}

    def _link(self, parts, words):
        "Return the URL, or the texts around its words and the words"
        if len(parts) == 1:
            return parts[0], None
        values = [words[n] for n in parts[1::2]]
        texts = parts[0::2]
        if (sum(map(len, values)) > _VALUES
                or any(_ELLIPSIS in text for text in texts)):
            return _fill(parts, words), None
        return tuple(texts), values

    def urls(self, words):
        "Return the set of the URLs to which the links go"
        return {
            _fill(url, words) for url, _ in [*self._clicks, *self._ends]
            } - {''}

    def fill(self, words, click, unsubscribe, pixel, personal=False):
        """
        Return the HTML and the text part with the words.

        :param click: the function that returns what replaces a URL.
        :param unsubscribe: the one for the links that end the subscription.
        :param pixel: the URL of the pixel.
        :param personal: whether click is called with the texts around the
            words and the words, for the URLs that have any.
        """
        values = [*words, *[None] * (self._count - len(words))]
        for url, number in self._clicks:
            if personal:
                url, contained = self._link(url, words)
                values[number] = click(url, contained)
            else:
                values[number] = click(_fill(url, words))
        for url, number in self._ends:
            values[number] = unsubscribe(_fill(url, words) or None)
        values[self._pixel] = pixel
        return _fill(self._html, values), _fill(self._text, values)


def _sample_click(url):
    return f'{_SAMPLE}c/{hashlib.sha256(url.encode()).hexdigest()}'


def _sample_end(url):
    return f'{_SAMPLE}u/{hashlib.sha256((url or "").encode()).hexdigest()}'


def _number(word):
    match = PLACE.fullmatch(word)
    digits = match[1] or match[2]
    return int(''.join(str(ord(c) - ord('a')) for c in digits))


def _split(text):
    "Return the list of the texts and the numbers of the places between them"
    parts, start = [], 0
    for match in PLACE.finditer(text):
        parts.extend([text[start:match.start()], _number(match[0])])
        start = match.end()
    parts.append(text[start:])
    return parts


def _fill(parts, values):
    return ''.join([
            values[part] if type(part) is int else part for part in parts])
