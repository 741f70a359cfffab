# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import email
import unittest
from email.policy import SMTP, default

from hypothesis import given, settings
from hypothesis import strategies as st

from trytond.modules.marketing_automation.mail.mail_merge import MailMerge
from trytond.modules.marketing_automation.mail.message import compose
from trytond.modules.marketing_automation.mail.page import Page, text_of
from trytond.modules.marketing_automation.mail.serialized import serialize
from trytond.modules.marketing_automation.template.engine import (
    Markup, TemplateRenderError)

PIXEL = 'https://example.com/m/pixel'

# What is around the values, also what the text part treats in its own way
FRAGMENTS = [
    '<p>Hello ${a}!</p>',
    '<p>${a} ${b}</p>',
    '<p>${a}${b}</p>',
    '<p>Dear <b>${a}</b>, <i> ${b} </i>bye</p>',
    '<p>${a}. And - or + more</p>',
    '<p>1${a}</p><p>- ${a}</p>',
    '<h1>${a}</h1>',
    '<ul><li>${a}</li><li py:if="b">${b}</li></ul>',
    '<ol><li py:for="c in [a, b, a]">${c}</li></ol>',
    '<table><tr><th>${a}</th><td>${b}</td></tr></table>',
    '<pre>${a}\n  ${b}</pre>',
    '<p><code>${a}</code></p>',
    '<blockquote>${a}<br/>${b}</blockquote>',
    '<a href="https://example.com/${a}">${b}</a>',
    '<a href="https://example.com/?a=${a}&amp;b=${b}#x">here</a>',
    '<a href="${a}">${a}</a>',
    '<a href="https://example.com/${a}" title="${b}">title</a>',
    '<a href="https://example.com/${a}">https://example.com/${a}</a>',
    '<a href="mailto:x@example.com?subject=${a}">mail</a>',
    '<a href="https://example.com/${a}" data-track="no">plain</a>',
    '<a href="unsubscribe">${a}</a>',
    '<a href="unsubscribe|https://example.com/bye/${a}">bye</a>',
    '<img src="https://example.com/${a}.png" alt="${b}"/>',
    '<p style="color: ${a}">styled</p>',
    '<p py:attrs="{\'title\': a}">attributes</p>',
    '<p py:choose="a"><b py:when="b">same</b><i py:otherwise="">${a}</i></p>',
    '<p py:with="c = a + b">${c}</p>',
    '<span py:strip="a">${b}</span>',
    '<p py:content="a">gone</p>',
    '<style>p { color: ${a} }</style>',
    '<title>${a}</title>',
    '<!--[if mso]><a href="https://example.com/mso">mso</a><![endif]-->',
    '<p>*${a}* _${b}_ `${a}` [${a}](${b})</p>',
    '<p>http://${a}/ and www.${b}.example.com</p>',
    '<em>${a}</em><em>${b}</em>${a}',
    ]
VALUES = st.one_of(
    st.sampled_from([
            '', None, 'Alice', 'Zoé', "Jean-Luc O'Neil", 'Acme Inc.', '1.',
            '12', '- x', '+ x', '<b>', '&amp;', ' x ', 'a  b', 'a\nb', '*a*',
            '_a_', '[x](y)', 'javascript:alert(1)', 'https://example.com/',
            'unsubscribe', 'x|y', '"', "'", 'ÿ', '\xa0', '漢字', 'a.',
            'www.example.com', 'red', 'A', '#', 'a,b', 'Mr. X', 'x' * 300]),
    st.text(max_size=12),
    st.from_regex(r"[A-Za-zÀ-ž][A-Za-zÀ-ž0-9 .,'-]{0,20}", fullmatch=True))
# The email package takes other characters for the end of a line as well
LINES = st.characters(exclude_categories=['Cc', 'Cs', 'Zl', 'Zp'])


def click(url):
    return f'https://example.com/m/c/{abs(hash(url))}'


def unsubscribe(url):
    return f'https://example.com/m/u/{abs(hash(url))}'


def slowly(template, context):
    page = Page(template.render(context))
    urls = page.urls
    page.rewrite(click, unsubscribe)
    page.add_pixel(PIXEL)
    html = page.html()
    return html, text_of(html), urls


class StencilTestCase(unittest.TestCase):
    "Test what is made by mail merge is what is made without"

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6),
        VALUES, VALUES, VALUES, VALUES)
    def test_fill(self, fragments, a, b, c, d):
        "Test the parts and the URLs, cut for others or for the same"
        template = Markup('<html><body>%s</body></html>' % ''.join(fragments))
        first, second = {'a': a, 'b': b}, {'a': c, 'b': d}
        try:
            traced = template.outline(first), template.outline(second)
            page = Page(template.render(first))
            expected = slowly(template, second)
        except TemplateRenderError:
            return
        if None in traced or traced[0][0] != traced[1][0]:
            return
        (_, words, outline), (_, others, _) = traced
        mail_merge = MailMerge.make(outline, words, page)
        if not mail_merge:
            return
        result = mail_merge.fill(others, click, unsubscribe, PIXEL)
        self.assertEqual(
            (*result, mail_merge.urls(others)), expected)

    def test_personal(self):
        "Test a URL with words is one link for all of them"
        template = Markup(
            '<html><body><a href="https://example.com/">all</a>'
            '<a href="https://example.com/${a}?b=${b}">one</a></body></html>')
        context = {'a': "Alice", 'b': "Bob"}
        _, words, outline = template.outline(context)
        mail_merge = MailMerge.make(
            outline, words, Page(template.render(context)))
        pattern = 'https://example.com/', '?b=', ''
        self.assertEqual(
            mail_merge.links(words), {'https://example.com/', pattern})
        # What is too long for a token
        long = 'https://example.com/%s?b=b' % ('x' * 300)
        self.assertEqual(
            mail_merge.links(['x' * 300, 'b']), {'https://example.com/', long})
        clicked = []

        def click(url, values):
            clicked.append((url, values))
            return 'https://example.com/m/'
        mail_merge.fill(words, click, unsubscribe, PIXEL, personal=True)
        self.assertEqual(clicked, [
                ('https://example.com/', None), (pattern, ['Alice', 'Bob'])])

    def test_used(self):
        "Test the usual mails have a mail merge"
        for fragment in FRAGMENTS[:9] + FRAGMENTS[13:15] + FRAGMENTS[20:21]:
            with self.subTest(fragment=fragment):
                template = Markup(f'<html><body>{fragment}</body></html>')
                context = {'a': "Alice", 'b': "Bob"}
                _, words, outline = template.outline(context)
                self.assertTrue(MailMerge.make(
                        outline, words, Page(template.render(context))))

    def test_not_used(self):
        "Test a mail does without a mail merge if that gives something else"
        page = Page('<p>Alice</p>')
        for outline in [
                lambda: None, lambda: 1 / 0, lambda: '<p>Bob</p>',
                lambda: '']:
            self.assertIsNone(MailMerge.make(outline, [], page))

    def test_outline(self):
        "Test results that differ in more than words have different outlines"
        template = Markup(
            '<p>${a}<b py:if="b">x</b><i py:for="c in d">${c}</i></p>')

        def outline_of(**values):
            return template.outline(values)[0]

        base = outline_of(a="A", b=True, d=["x"])
        self.assertEqual(base, outline_of(a="B", b=1, d=["y"]))
        for other in [
                outline_of(a="A", b=False, d=["x"]),
                outline_of(a=None, b=True, d=["x"]),
                outline_of(a="A", b=True, d=["x", "y"])]:
            self.assertNotEqual(base, other)

    def test_no_outline(self):
        "Test values that may have a meaning have no outline"
        template = Markup('<p>${a}</p>')
        for value in [
                '', '<b>', '1.', '*', '[x]', ' a', 'a ', 'a\nb', '&', '_a_',
                'x' * 300]:
            with self.subTest(value=value):
                self.assertIsNone(template.outline({'a': value}))

    @settings(deadline=None, max_examples=100)
    @given(
        st.sampled_from([
                "Alice", "Zoé", "Doe, John", 'A "B" C', "", "x" * 90,
                "=?utf-8?q?x?=", "a@b", "漢字 " * 30]) | st.text(max_size=20),
        st.sampled_from([
                'a@example.com', 'x' * 60 + '@' + 'y' * 50 + '.example',
                "o'neil+x@example.com"]),
        st.sampled_from([
                "Hello", "", "x" * 100, "Héllo", "=?utf-8?q?x?=", ": x"])
        | st.text(max_size=90),
        st.text(LINES, max_size=300), st.text(LINES, max_size=300))
    def test_letter(self, name, address, subject, text, html):
        "Test the letter reads like the message"
        headers = {
            'Message-ID': '<1@example.com>',
            'List-Unsubscribe': f'<https://example.com/{"u" * 90}>',
            }
        html = f'<p>{html}</p>'.replace('\x00', '')
        message = email.message_from_bytes(compose(
                'shop@example.com', 'Shop <shop@example.com>', name, address,
                subject, html, headers).as_bytes(policy=SMTP), policy=default)
        data = serialize(
            'shop@example.com', 'Shop <shop@example.com>', name, address,
            subject, text_of(html), html, headers)
        self.assertTrue(data.isascii())
        read = email.message_from_bytes(bytes(data), policy=default)
        for kind in ['plain', 'html']:
            first, second = [
                m.get_body([kind]).get_content().replace('\r\n', '\n')
                for m in [read, message]]
            self.assertEqual(first, second)
        for values in [message, read]:
            del values['Date']
            del values['Content-Type']
        self.assertEqual(
            sorted((n, str(v)) for n, v in read.items()),
            sorted((n, str(v)) for n, v in message.items()))
        self.assertEqual(data['To'], data.to)
