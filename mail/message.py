# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Make the message of a rendered template, without knowing any record.
"""

import functools
import html
import re
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, getaddresses

import html2text
import lxml.html

from trytond.tools.email_ import set_from_header

__all__ = ['Page', 'Shortener', 'compose', 'one_line', 'text_of']

UNSUBSCRIBE = 'unsubscribe'
# Elements whose href is no link to follow
_NO_LINKS = {'base', 'link'}
# What some programs read of conditional comments
_COMMENT_TAG = re.compile(r'<([a-z][\w:-]*)\s[^<>]*?\bhref\s*=[^<>]*>', re.I)
_COMMENT_HREF = re.compile(
    r'(\bhref\s*=\s*)(?:"([^"]*)"|\'([^\']*)\'|([^\s"\'>]+))', re.I)
_COMMENT_UNTRACKED = re.compile(r'data-track\s*=\s*["\']?no\b', re.I)
_HREFS = ['href', 'xlink:href']
_CONDITIONAL = re.compile(r'\s*\[if\b', re.I)
# The length of a line (RFC 5322 2.1.1)
_LINE = 78
_PIXEL_STYLE = 'border:0;display:block;height:1px;width:1px'


def one_line(text):
    "Return the text on one line without control characters"
    if text and text.isprintable() and text == ' '.join(text.split()):
        return text
    return ' '.join(
        ''.join(c if c.isprintable() else ' ' for c in text or '').split())


class Shortener:
    """
    The function short of the templates.

    A template is rendered before its links are known, so what it writes is
    replaced afterwards.
    """
    _base = 'http://short.invalid/'

    def __init__(self):
        self._urls = []

    def __call__(self, url):
        "Return a short URL which goes to the URL"
        url = str(url)
        if not _is_tracked(url):
            return url
        self._urls.append(url)
        return f'{self._base}{len(self._urls) - 1}/'

    @property
    def urls(self):
        return set(self._urls)

    def clear(self):
        self._urls.clear()

    def expand(self, url):
        "Return the URL for which short may have returned the one given"
        if url.startswith(self._base):
            return self._urls[int(url[len(self._base):].strip('/'))]
        return url

    def replace(self, text, click):
        "Replace what short has returned with the result of click"
        for i, url in enumerate(self._urls):
            text = text.replace(f'{self._base}{i}/', click(url))
        return text


class Page:
    "A HTML page with links that can be replaced"

    def __init__(self, html, short=None):
        self.short = short or Shortener()
        try:
            self._root = _parse(html)
        except lxml.etree.ParserError:
            # There is no element
            self._root = _parse(f'<html><body>{html}</body></html>')
        self._links = list(self._find_links())

    def _find_links(self):
        "Yield the element, the name of its attribute, the URL and if it ends"
        for element in self._root.iter():
            if element.tag is lxml.etree.Comment:
                continue
            if element.tag in _NO_LINKS:
                continue
            is_tracked = element.attrib.pop('data-track', None) != 'no'
            for name in _HREFS:
                href = element.get(name)
                if href is None:
                    continue
                ends, url = _split_href(self.short.expand(href.strip()))
                if ends or is_tracked and _is_tracked(url):
                    yield element, name, url, ends

    @property
    def urls(self):
        "The set of the URLs to which the links go"
        urls = {url for _, _, url, _ in self._links if url} | self.short.urls
        self._rewrite_comments(lambda url, ends: urls.add(url))
        return urls - {None}

    def rewrite(self, click, unsubscribe):
        """
        Replace each link by the result of click for its URL, or of
        unsubscribe for the URL (or None) where to go afterwards.
        """
        for element, name, url, ends in self._links:
            element.set(name, unsubscribe(url) if ends else click(url))
        self._rewrite_comments(
            lambda url, ends: unsubscribe(url) if ends else click(url))

    def _rewrite_comments(self, function):
        """
        Replace the links of the conditional comments by what the function
        returns for the URL and if it ends the subscription.
        """
        def replace_tag(tag):
            if tag[1].lower() in _NO_LINKS:
                return tag[0]
            is_tracked = not _COMMENT_UNTRACKED.search(tag[0])

            def replace_href(match):
                href = html.unescape(match[2] or match[3] or match[4] or '')
                ends, url = _split_href(href.strip())
                if not ends and not (is_tracked and _is_tracked(url)):
                    return match[0]
                url = function(url, ends)
                return f'{match[1]}"{html.escape(url)}"' if url else match[0]

            return _COMMENT_HREF.sub(replace_href, tag[0])

        for comment in self._comments():
            comment.text = _COMMENT_TAG.sub(replace_tag, comment.text)

    def _comments(self):
        for comment in self._root.iter(lxml.etree.Comment):
            if comment.text and _CONDITIONAL.match(comment.text):
                yield comment

    def add_pixel(self, url):
        "Add an image of one pixel at the end of the body"
        body = self._root.find('body')
        if body is None:
            body = self._root
        pixel = lxml.etree.SubElement(
            body, 'img', src=url, alt='', width='1', height='1',
            style=_PIXEL_STYLE)
        pixel.tail = '\n'

    def html(self):
        tree = self._root.getroottree()
        return lxml.html.tostring(
            tree, encoding='unicode',
            doctype=tree.docinfo.doctype or '<!DOCTYPE html>')


def _parse(html):
    return lxml.html.document_fromstring(
        html.encode('utf-8'),
        parser=lxml.html.HTMLParser(
            encoding='utf-8', default_doctype=False))


def _split_href(href):
    """
    Return if it is the word that ends the subscription, and the URL (where to
    go afterwards).
    """
    word, _, url = href.partition('|')
    if word.strip().lower() == UNSUBSCRIBE:
        url = url.strip()
        return True, url if _is_tracked(url) else None
    return False, href


def _is_tracked(url):
    return url.lower().startswith(('http://', 'https://'))


def text_of(html):
    "Return the text part of the HTML"
    converter = html2text.HTML2Text()
    converter.body_width = 0
    converter.ignore_images = True
    converter.protect_links = True
    converter.single_line_break = False
    return converter.handle(html).strip() + '\n'


def compose(sender, from_, name, address, subject, html, headers):
    """
    Return the message with a text and an HTML part (RFC 2046 5.1.4).

    :param sender: the address that the server is allowed to send from.
    :param from_: the address, with or without name, the mail comes from.
    :param name: the name of the recipient.
    :param address: the one address of the recipient.
    :param headers: a dictionary of further headers.
    """
    message = EmailMessage()
    set_from_header(message, sender, from_)
    set_recipient(message, one_line(name), address)
    set_subject(message, one_line(subject))
    message['Date'] = formatdate()
    for header, value in headers.items():
        message[header] = Words(header, one_line(value))
    message.set_content(text_of(html))
    message.add_alternative(html, subtype='html')
    return message


class Words(str):
    """
    The value of a header which is folded only between its words.

    The policy encodes words that are longer than a line, like a URL, and no
    other program understands them.
    """

    def __new__(cls, name, value):
        if not value.isascii():
            return value
        words = super().__new__(cls, value)
        words.name = name
        return words

    def fold(self, *, policy):
        first, *others = self.split() or ['']
        lines = [f'{self.name}: {first}']
        for word in others:
            if len(lines[-1]) + len(word) >= _LINE:
                lines.append('')
            lines[-1] += f' {word}'
        return policy.linesep.join(lines) + policy.linesep


def set_recipient(message, name, address):
    """
    Set the header To.

    What has to be folded is not left to the policy, which loses the quotes of
    what it folds, so that a part of a name may look like an address.
    """
    local, _, domain = address.rpartition('@')
    value = str(Address(name, local, domain))
    if is_plain(name) and len(value) <= _LINE - len('To: '):
        message['To'] = value
    elif len(address) > _LINE - len(' <>'):
        # The policy has to fold it, without a name it is harmless
        message['To'] = Address('', local, domain)
    else:
        message.set_raw('To', f'{_encoded("To", name)}\n <{address}>')


def set_subject(message, subject):
    if is_plain(subject) and len(subject) <= _LINE - len('Subject: '):
        message['Subject'] = subject
    else:
        message.set_raw('Subject', _encoded('Subject', subject))


def is_plain(text):
    return text.isascii() and '=?' not in text


def _encoded(name, text):
    "Return the text as folded value of the header (RFC 2047)"
    return Header(
        text, 'utf-8', maxlinelen=_LINE - 3, header_name=name).encode()


@functools.lru_cache(maxsize=256)
def address_of(from_):
    "Return the address of a header, empty if it has not exactly one"
    addresses = getaddresses([from_])
    return addresses[0][1] if len(addresses) == 1 else ''
