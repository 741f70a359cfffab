# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest
from email import message_from_bytes
from email.policy import SMTP
from email.policy import default as default_policy

from trytond.modules.marketing_automation.common.text import one_line
from trytond.modules.marketing_automation.mail.message import compose
from trytond.modules.marketing_automation.mail.page import Page, Shortener


def click(url):
    return f'https://t.example.com/c/{url}'


def unsubscribe(url):
    return f'https://t.example.com/u/{url or ""}'


def rewrite(html):
    page = Page(html)
    page.rewrite(click, unsubscribe)
    return page.html()


class PageTestCase(unittest.TestCase):
    "Test the links of pages"

    def test_tracked(self):
        "Test that all that holds a http(s) link is tracked"
        for html in [
                '<a href="https://example.com/a">Text</a>',
                '<A HREF="https://example.com/a">Text</A>',
                "<a href='https://example.com/a'>Text</a>",
                '<a href=" https://example.com/a\n">Text</a>',
                '<a href=https://example.com/a>Text</a>',
                '<a class="x" href="https://example.com/a"><b>T</b></a>',
                '<map><area href="https://example.com/a"></map>',
                '<table><tr><td><a href="https://example.com/a"/></table>',
                '<svg><a href="https://example.com/a"></a></svg>',
                '<!--[if mso]><v:roundrect href="https://example.com/a">'
                '</v:roundrect><![endif]-->',
                '<!--[if mso]><v:rect x="1" href=https://example.com/a />'
                '<![endif]-->',
                '<svg><a xlink:href="https://example.com/a"></a></svg>',
                ]:
            with self.subTest(html=html):
                page = Page(html)
                self.assertEqual(page.urls, {'https://example.com/a'})
                self.assertIn(
                    'href="https://t.example.com/c/https://example.com/a"',
                    rewrite(html))

    def test_entities(self):
        "Test that a link keeps its query"
        page = Page('<a href="https://example.com/?a=1&amp;b=é">Text</a>')
        self.assertEqual(page.urls, {'https://example.com/?a=1&b=é'})

    def test_not_tracked(self):
        "Test that other links are left alone"
        for href in [
                'mailto:a@example.com', 'tel:+32', '#top', '/path', 'page',
                'ftp://example.com', '//example.com/a', '',
                'https.example.com',
                ]:
            with self.subTest(href=href):
                html = f'<a href="{href}">Text</a>'
                self.assertEqual(Page(html).urls, set())
                self.assertIn(html, rewrite(html))

    def test_not_tracked_elements(self):
        "Test that what is no link is left alone"
        for html in [
                '<img src="https://example.com/a.png">',
                '<link rel="stylesheet" href="https://example.com/a.css">',
                '<base href="https://example.com/">',
                '<!-- <a href="https://example.com/a">x</a> -->',
                '<p>https://example.com/a</p>',
                ]:
            with self.subTest(html=html):
                self.assertEqual(Page(html).urls, set())

    def test_comment(self):
        "Test the links of conditional comments"
        html = (
            '<!--[if mso]><v:rect href="https://example.com/?a=1&amp;b=2">'
            '</v:rect><a data-track="no" href="https://example.com/b">B</a>'
            '<a href="unsubscribe">C</a>'
            '<link href="https://example.com/c"><![endif]-->')
        self.assertEqual(Page(html).urls, {'https://example.com/?a=1&b=2'})
        html = rewrite(html)
        for text in [
                'href="https://t.example.com/c/https://example.com/'
                '?a=1&amp;b=2"',
                'href="https://example.com/b"',
                '<a href="https://t.example.com/u/">C',
                '<link href="https://example.com/c">']:
            with self.subTest(text=text):
                self.assertIn(text, html)

    def test_unsubscribe_untracked(self):
        "Test that the way out is never left as it is written"
        self.assertIn(
            'href="https://t.example.com/u/"',
            rewrite('<a data-track="no" href="unsubscribe">Stop</a>'))

    def test_do_not_track(self):
        "Test that a link can be marked as not tracked"
        html = rewrite('<a data-track="no" href="https://example.com/">T</a>')
        self.assertIn('<a href="https://example.com/">T</a>', html)

    def test_unsubscribe(self):
        "Test the links that end the subscription"
        for href, url in [
                ('unsubscribe', ''),
                (' Unsubscribe ', ''),
                ('unsubscribe|', ''),
                ('unsubscribe|https://example.com/bye',
                    'https://example.com/bye'),
                ('unsubscribe|javascript:alert(1)', ''),
                ]:
            with self.subTest(href=href):
                html = f'<a href="{href}">Text</a>'
                self.assertEqual(Page(html).urls, {url} if url else set())
                self.assertIn(
                    f'href="https://t.example.com/u/{url}"', rewrite(html))

    def test_short(self):
        "Test the function short of the templates"
        short = Shortener()
        url = short('https://example.com/a')
        html = f'<p>{url}</p><a href="{url}">Text</a>'
        page = Page(html, short)
        self.assertEqual(page.urls, {'https://example.com/a'})
        page.rewrite(click, unsubscribe)
        html = short.replace(page.html(), click)
        self.assertEqual(
            html.count('https://t.example.com/c/https://example.com/a'), 2)
        self.assertNotIn('short.invalid', html)
        self.assertEqual(short('mailto:a@b.c'), 'mailto:a@b.c')

    def test_pixel(self):
        "Test that the pixel is the last of the body"
        for html in [
                '<html><body><p>Text</p></body></html>',
                '<p>Text</p>', 'Text', '<p>Text</p><p>More</p>',
                '<!DOCTYPE html><html><head><title>T</title></head>'
                '<body style="color: red"><p>T</p></body></html>',
                ]:
            with self.subTest(html=html):
                page = Page(html)
                page.add_pixel('https://t.example.com/o/1')
                result = page.html()
                self.assertRegex(
                    result,
                    r'<img src="https://t.example.com/o/1"[^>]*>\s*</body>'
                    r'\s*</html>\s*$')

    def test_document(self):
        "Test that the document stays as it is"
        html = (
            '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
            '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n'
            '<html lang="fr"><head><meta charset="utf-8">'
            '<style>a { color: red }</style></head>'
            '<body style="margin: 0"><p>é ☃ &amp; &lt;</p>'
            '<!--[if mso]><p>Outlook</p><![endif]--></body></html>')
        self.assertEqual(Page(html).html().strip(), html)


class ComposeTestCase(unittest.TestCase):
    "Test the messages"

    def compose(self, **values):
        message = compose(**{
                'sender': 'marketing@example.com',
                'from_': 'marketing@example.com',
                'name': "Alice",
                'address': 'alice@example.com',
                'subject': "Hello",
                'html': '<p>Text <a href="https://example.com/">Link</a></p>',
                'headers': {},
                **values})
        return message_from_bytes(
            message.as_bytes(policy=SMTP), policy=default_policy)

    def test_parts(self):
        "Test that the text comes first"
        message = self.compose()
        text, html = message.iter_parts()
        self.assertEqual(message.get_content_type(), 'multipart/alternative')
        self.assertEqual(text.get_content_type(), 'text/plain')
        self.assertIn("Text", text.get_content())
        self.assertIn("https://example.com/", text.get_content())
        self.assertEqual(html.get_content_type(), 'text/html')

    def test_empty_text(self):
        "Test that a mail of one image has a text part"
        message = self.compose(html='<img src="https://example.com/a.png">')
        self.assertEqual(
            [p.get_content_type() for p in message.iter_parts()],
            ['text/plain', 'text/html'])

    def test_names(self):
        "Test the names that could be taken for something else"
        for name in [
                "Alice", "Söhne & Co", 'Say "Hi"', "a, victim@example.com",
                "victim@example.com", "Smith, John", "a\r\nBcc: b@example.com",
                "x" * 2000, "ÿ" * 1000, "(comment)", "<b@example.com>", "",
                ]:
            with self.subTest(name=name):
                message = self.compose(name=name)
                address, = message['To'].addresses
                self.assertEqual(address.addr_spec, 'alice@example.com')
                # Long names are folded, and unfolded with more spaces
                self.assertEqual(
                    ''.join(address.display_name.split()),
                    ''.join(one_line(name).split()))
                self.assertNotIn('Bcc', message)

    def test_subjects(self):
        "Test the subjects that could be taken for something else"
        for subject in [
                "Hello", "Grüße ☃", "a\r\nBcc: b@example.com", "x" * 2000,
                "é" * 1000, "=?utf-8?q?a?=", " \n ", "a\x00b",
                ]:
            with self.subTest(subject=subject):
                message = self.compose(subject=subject)
                self.assertNotIn('Bcc', message)
                if '=?' not in subject:
                    self.assertEqual(
                        str(message['Subject']).strip(), one_line(subject))

    def test_sender(self):
        "Test that the sender is one the server may use"
        message = self.compose(from_='Shop <shop@example.com>')
        self.assertEqual(str(message['From']), 'Shop <shop@example.com>')
        self.assertEqual(str(message['Sender']), 'marketing@example.com')
        message = self.compose(from_='Shop <shop@example.org>')
        self.assertEqual(str(message['From']), 'marketing@example.com')
        self.assertEqual(str(message['Reply-To']), 'Shop <shop@example.org>')
