# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

from trytond.modules.marketing_automation.exceptions import (
    LayoutError, TemplateError)
from trytond.modules.marketing_automation.mail.layout_source import (
    LayoutSourceError, check, insert, is_whole)
from trytond.modules.marketing_automation.mail.serialized import (
    SerializedMessage)
from trytond.modules.marketing_automation.template.engine import Markup
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..tools import WELCOME
from .test_activity import MailMixin

AROUND = '<html><body>\n<b>Top</b>\n${content}\n<i>${sender}</i></body></html>'


class FrameTestCase(unittest.TestCase):
    "Test texts inside layouts"

    def test_whole(self):
        "Test what is a whole page"
        for source in [
                WELCOME, '<!DOCTYPE html><p/>', '<HTML><p/></HTML>',
                '<body><p/></body>', '<mjml/>', '\n<!-- x -->\n<html/>']:
            self.assertTrue(is_whole(source), source)
        for source in [
                '<p>Hello</p>', 'Hello', '<!-- <html> --><p/>',
                '<header>x</header>', '<mj-text>x</mj-text>']:
            self.assertFalse(is_whole(source), source)

    def test_place(self):
        "Test the lines are those of where they were written"
        result = insert(AROUND, '<p>\n1</p>', {'sender': "A\nB"})
        lines = result.source.splitlines()
        self.assertEqual(lines[2:4], ['<p>', '1</p>'])
        self.assertEqual(
            [result.place(i) for i in range(1, len(lines) + 1)],
            [(False, 1), (False, 2), (True, 1), (True, 2), (False, 4)])
        self.assertEqual(result.place(None), (True, None))

    def test_words(self):
        "Test the words are shown as they are"
        result = insert(
            AROUND, '', {'sender': '<Shop> & "Co" ${record}\n\n 1 Main St. '})
        self.assertIn(
            '<i>&lt;Shop&gt; &amp; "Co" ${record}<br><br>1 Main St.</i>',
            Markup(result.source).render({}))

    def test_content_is_no_word(self):
        "Test the places in the content are left alone"
        self.assertIn(
            '${sender}', insert(AROUND, '${sender}', {'sender': "A"}).source)

    def test_check(self):
        "Test the content has to be shown once"
        check(AROUND)
        check('<mjml><mj-body>${ content }</mj-body></mjml>')
        check('<p>${content}</p><!-- ${content} -->')
        for layout in [
                '<p>none</p>', '${content}${content}',
                '<!-- ${content} -->', '<p title="${content}">x</p>',
                '<html><head><title>${content}</title></head></html>',
                '<style>${content}</style>']:
            with self.subTest(layout=layout):
                with self.assertRaises(LayoutSourceError):
                    check(layout)
                    insert(layout, '')

    def test_no_place(self):
        with self.assertRaises(LayoutSourceError):
            insert('<p/>', 'x')


class LayoutTestCase(MailMixin, unittest.TestCase):
    "Test the layouts of e-mails"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def layout(self, html=AROUND, **values):
        Layout = Pool().get('marketing.automation.layout')
        layout, = Layout.create([{'name': "Layout", 'html': html, **values}])
        return layout

    @with_transaction()
    def test_standard(self):
        "Test the layout that new scenarios have"
        self.create_party()
        message, text, html = self.mail(
            email_template='<p>Hello ${record.name}</p>')
        self.assertIn('Hello Alice', text)
        self.assertIn('Unsubscribe', text)
        self.assertIn('<html lang="en">', html)
        self.assertIn('prefers-color-scheme: dark', html)
        self.assertRegex(html, r'href="[^"]*/u/[\w-]+"')

    @with_transaction()
    def test_language(self):
        "Test the layout is in the language of the recipient"
        pool = Pool()
        Lang = pool.get('ir.lang')
        Layout = pool.get('marketing.automation.layout')
        Lang.write(
            Lang.search([('code', '=', 'fr')]), {'translatable': True})
        layout = self.layout(sender="The Shop", unsubscribe="Leave")
        with Transaction().set_context(language='fr'):
            Layout.write([Layout(layout.id)], {'sender': "La Boutique"})
        self.create_party("Amélie", 'a@example.com', 'fr')
        _, text, html = self.mail(
            email_template='<p>x</p>', layout=layout.id)
        self.assertIn("La Boutique", text)

    @with_transaction()
    def test_whole(self):
        "Test a whole page has no layout"
        self.create_party()
        layout = self.layout()
        _, text, html = self.mail(layout=layout.id)
        self.assertNotIn('<b>Top</b>', html)

    @with_transaction()
    def test_mail_merge(self):
        "Test many mails in a layout are composed once"
        for name in ["Alice", "Bob"]:
            self.create_party(name)
        layout = self.layout(sender="Shop & Co, 1 Main Street")
        outcomes = self.execute(self.create_activity(
                email_template='<p>Hello ${record.name}</p>',
                layout=layout.id))
        for name, outgoing in outcomes.items():
            self.assertIsInstance(outgoing.content, SerializedMessage)
            text, html = outgoing.content.iter_parts()
            self.assertIn(f"Hello {name}", text.get_content())
            self.assertIn("Shop & Co", text.get_content())

    @with_transaction()
    def test_links(self):
        "Test the links of the layout are tracked"
        Link = Pool().get('marketing.automation.link')
        self.create_party()
        layout = self.layout(
            AROUND.replace('Top', '<a href="https://top.example.com/">T</a>'))
        self.mail(email_template='<p>x</p>', layout=layout.id)
        link, = Link.search([])
        self.assertEqual(link.url, 'https://top.example.com/')

    @with_transaction()
    def test_failure(self):
        "Test who wrote it is told where"
        self.create_party()
        layout = self.layout(
            '<p>\n${record.lang.name}\n</p>\n${content}')
        activity = self.create_activity(
            email_template='<p>x</p>', layout=layout.id)
        outcome, = self.execute(activity).values()
        self.assertEqual(outcome.reason, 'template_error')
        self.assertIn("Layout", outcome.detail)
        self.assertIn("2", outcome.detail)
        activity = self.create_activity(
            email_template='\n\n<p>${record.lang.name}</p>')
        outcome, = self.execute(activity).values()
        self.assertRegex(outcome.detail, r'\b3\b')

    @with_transaction()
    def test_invalid(self):
        "Test what can not be rendered is refused"
        with self.assertRaises(LayoutError):
            self.layout('<p>')
        with self.assertRaises(LayoutError) as manager:
            self.layout('<p>\n<b>${content}</p>')
        self.assertIn("line 2", manager.exception.message)
        layout = self.layout()
        activity = self.create_activity(
            email_template='<p>x</p>', layout=layout.id)
        # The text alone has to be closed, and fits the model of the scenario
        for template, line in [
                ('</body><body>', 1), ('x\n</i><i>', 2),
                ('<p>\n${record.foo}</p>', 2)]:
            with self.subTest(template=template):
                with self.assertRaises(TemplateError) as manager:
                    activity.__class__.write(
                        [activity], {'email_template': template})
                self.assertIn(f'line {line}', manager.exception.message)
        with self.assertRaises(TemplateError):
            layout.__class__.write(
                [layout], {'html': AROUND + '${record.foo}'})

    @with_transaction()
    def test_none(self):
        "Test without a layout the text is the whole"
        self.create_party()
        activity = self.create_activity(email_template='<p>x</p>')
        activity.scenario.layout = None
        activity.scenario.save()
        outcome, = self.execute(activity).values()
        _, html = outcome.content.iter_parts()
        self.assertNotIn('style', html.get_content().replace('style="', ''))

    @with_transaction()
    def test_preview(self):
        "Test the preview of what is written, also before it is saved"
        Layout = Pool().get('marketing.automation.layout')
        party = self.create_party()
        saved = self.layout()
        self.assertEqual(saved.preview_record, party)
        self.assertIn(b'<b>Top</b>', bytes(saved.preview_html))
        for id_ in [None, -1, saved.id]:
            with self.subTest(id=id_):
                layout = Layout(
                    id_, name="Layout", sender="Main St. 1", unsubscribe=None,
                    html=AROUND.replace('Top', 'Dear ${record.name}'),
                    preview_record=str(party))
                html = layout.on_change_with_preview_html().decode('utf-8')
                self.assertIn('<b>Dear Alice</b>', html)
                self.assertIn('<h1>A title</h1>', html)
                self.assertIn('<i>Main St. 1</i>', html)
        self.assertNotIn('/m/', html)

    @with_transaction()
    def test_preview_failure(self):
        "Test the preview says what is wrong"
        Layout = Pool().get('marketing.automation.layout')
        party = str(self.create_party())
        for html, record, error in [
                (AROUND, None, "Choose a record"),
                (AROUND, 'party.party,999', "Choose a record"),
                ('<p>x</p>', party, "${content}"),
                ('<p>\n<b>${content}</p>', party, "line 2"),
                (AROUND + '\n${record.foo}', party, "foo"),
                (None, party, None)]:
            with self.subTest(html=html):
                layout = Layout(
                    name="Layout", html=html, sender=None, unsubscribe=None,
                    preview_record=record)
                page = layout.on_change_with_preview_html()
                if error:
                    self.assertIn(error, page.decode('utf-8'))
                else:
                    self.assertIsNone(page)
