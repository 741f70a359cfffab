# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The HTML page of an e-mail: its links, its pixel and its text part."

import html
import re

import html2text
import lxml.html

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

_PIXEL_STYLE = 'border:0;display:block;height:1px;width:1px'


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
