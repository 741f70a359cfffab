# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import base64
import unittest

from werkzeug.test import Client

from trytond.modules.marketing_automation.common.access import actors
from trytond.modules.marketing_automation.template.engine import Markup
from trytond.modules.marketing_automation.template.insertable import offers
from trytond.modules.marketing_automation.template.view import View
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, drop_db, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import app

from ..mail.test_activity import MailMixin
from ..tools import activate_all

MAIL = (
    '<p>Hello ${record.name}</p>'
    '<p><a href="https://shop.example.com/">Shop</a></p>')


class PreviewTestCase(MailMixin, unittest.TestCase):
    "Test previews"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    def create_user(self, *groups, login='marketer'):
        pool = Pool()
        User = pool.get('res.user')
        ModelData = pool.get('ir.model.data')
        user, = User.create([{
                    'name': "Marketer",
                    'login': login,
                    'password': 'secret-password-1',
                    'groups': [('add', [
                                ModelData.get_id(*g.split('.'))
                                for g in groups])],
                    }])
        return user

    def form(self, activity=None, **values):
        "Return the activity as the form of the client has it"
        Activity = Pool().get('marketing.automation.activity')
        if activity:
            values = {
                'action': activity.action,
                'parent': str(activity.parent),
                'email_title': activity.email_title,
                'email_template': activity.email_template,
                'preview_record': activity.preview_record
                and str(activity.preview_record),
                **values}
        return Activity(activity.id if activity else None, **values)

    @with_transaction()
    def test_preview(self):
        "Test the preview of what is saved"
        party = self.create_party()
        activity = self.create_activity(email_template=MAIL)
        preview = activity.preview(party)
        self.assertIsNone(preview.failure)
        self.assertEqual(preview.subject, "Hello Alice")
        self.assertIn("Hello Alice", preview.html)
        self.assertIn('href="https://shop.example.com/"', preview.html)
        self.assertNotIn('/m/', preview.html)
        self.assertIn("Hello Alice", preview.text)
        self.assertTrue(preview.unsubscribes)
        self.assertGreater(preview.size, len(preview.html))
        for name in ['record', 'record.activity', 'link', 'hit']:
            self.assertFalse(Pool().get(
                    f'marketing.automation.{name}').search([]), name)

    @with_transaction()
    def test_form(self):
        "Test the preview of what is not saved"
        self.create_party()
        activity = self.create_activity(email_template=MAIL)
        form = self.form(activity, email_template='<p>Bye ${record.name}</p>')
        html = form.on_change_with_preview_html().decode()
        self.assertIn("Bye Alice", html)
        self.assertIn('prefers-color-scheme', html)
        self.assertIn("Bye Alice", form.on_change_with_preview_text())
        self.assertEqual(form.on_change_with_preview_subject(), "Hello Alice")
        self.assertIn(
            "sender identity", form.on_change_with_warnings())
        self.assertIn(
            f'/marketing_automation/preview/{activity.id}?record=party',
            form.on_change_with_preview_url())

    @with_transaction()
    def test_new(self):
        "Test the preview of an activity that is new"
        party = self.create_party()
        scenario = self.create_activity().scenario
        form = self.form(
            action='send_email', parent=str(scenario), email_title="T",
            email_template="<p>New ${record.name}</p>")
        form.on_change_action()
        self.assertEqual(form.preview_record, party)
        self.assertIn(
            "New Alice", form.on_change_with_preview_html().decode())
        self.assertIsNone(form.on_change_with_preview_url())
        form.email_template = "<p>${record.lang.name}</p>"
        self.assertIn(
            "E-Mail Template", form.on_change_with_preview_text())

    @with_transaction()
    def test_failure(self):
        "Test the words stand where the preview stands"
        self.create_party()
        activity = self.create_activity(email_template=MAIL)
        for template, words in [
                ('<p>', 'not closed'),
                ('<p>\n${record.lang.name}</p>', 'line 2'),
                ('<p>${record.foo}</p>', 'foo'),
                ('<p>${<b>}</p>', '')]:
            with self.subTest(template=template):
                form = self.form(activity, email_template=template)
                html = form.on_change_with_preview_html().decode()
                self.assertIn('<p style="color', html)
                self.assertIn(words, html)
                self.assertTrue(form.on_change_with_warnings())
        form = self.form(activity, preview_record=None)
        self.assertIn(
            "no record", form.on_change_with_preview_html().decode())

    @with_transaction()
    def test_language(self):
        "Test the language of the recipient or the one that is chosen"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Lang = pool.get('ir.lang')
        Lang.write(
            Lang.search([('code', '=', 'fr')]), {'translatable': True})
        self.create_party(lang='fr')
        activity = self.create_activity(email_template=MAIL)
        with Transaction().set_context(language='fr'):
            Activity.write(
                [Activity(activity.id)], {'email_title': "Bonjour"})
        activity = Activity(activity.id)
        form = self.form(activity, email_title="Hi")
        self.assertEqual(form.on_change_with_preview_subject(), "Bonjour")
        self.assertIn(
            '<html lang="fr">',
            form.on_change_with_preview_html().decode())
        form.preview_language = 'en'
        self.assertEqual(form.on_change_with_preview_subject(), "Hi")
        form.preview_language = 'fr'
        form.email_template = "<p>New</p>"
        # It has no translation of its own
        self.assertIn("New", form.on_change_with_preview_text())

    @with_transaction()
    def test_rights(self):
        "Test neither the user nor the virtual reader shows what is not theirs"
        pool = Pool()
        ModelFieldAccess = pool.get('ir.model.field.access')
        party = self.create_party()
        activity = self.create_activity(
            email_template='<p>${record.code}</p>')
        user = self.create_user('marketing.group_marketing')
        with Transaction().set_user(user.id), \
                Transaction().set_context(_check_access=True):
            form = self.form(activity, preview_record=str(party))
            self.assertIn(
                party.code, form.on_change_with_preview_text())
        ModelFieldAccess.create([{
                    'model': 'party.party',
                    'field': 'code',
                    'perm_read': False,
                    }])
        with Transaction().set_user(user.id), \
                Transaction().set_context(_check_access=True):
            form = self.form(activity, preview_record=str(party))
            self.assertIn(
                "may not be read", form.on_change_with_preview_text())
            for _, expression in offers(
                    party.__class__, actors(party.__class__)):
                self.assertNotRegex(expression, r'record\.code\b')

    @with_transaction()
    def test_offers(self):
        "Test each expression that is offered can be inserted"
        pool = Pool()
        Party = pool.get('party.party')
        party = self.create_party()
        offered = offers(Party, actors(Party))
        self.assertIn(('Name', '${record.name}'), offered)
        self.assertIn((
                'Language › Name',
                "${record.lang.name if record.lang else ''}"), offered)
        self.assertNotIn('password', str(offered))
        activity = self.create_activity()
        *_, access = actors(Party)
        context = activity.email_context(View(Party(party.id), access))
        for _, expression in offered:
            with self.subTest(expression=expression):
                Markup(expression).render(context)

    @with_transaction()
    def test_warnings(self):
        "Test what should be corrected"
        party = self.create_party()
        activity = self.create_activity(email_template=MAIL)
        Layout = Pool().get('marketing.automation.layout')
        Layout.write(
            Layout.search([]), {'sender': "Shop, 1 Main Street"})

        def warnings(**values):
            form = self.form(
                activity, preview_record=str(party), **values)
            return form.on_change_with_warnings() or ''

        self.assertEqual(warnings(), '')
        for values, words in [
                ({'email_title': "${''}"}, "subject is empty"),
                ({'email_title': "x" * 71}, "71 characters"),
                ({'email_template': '<html><body><p>x</p></body></html>'},
                    "unsubscribe"),
                ({'email_template': (
                            '<html><body><a href="unsubscribe">'
                            '<img alt="" src="https://example.com/i.png"/>'
                            '</a></body></html>')}, "no text"),
                ({'email_template': '<a href="http://x.example/">x</a>'},
                    "http://x.example/"),
                ({'email_template': '<a href="">there</a>'}, "there"),
                ({'email_template': '<img src="https://x.example/a.png"/>'},
                    "a.png"),
                ({'email_template': '<p>%s</p>' % ('x ' * 60_000)},
                    "102 kB"),
                ]:
            with self.subTest(words=words):
                found = warnings(**values)
                self.assertIn(words, found)
                self.assertEqual(len(found.splitlines()), 1, found)

    @with_transaction()
    def test_sms(self):
        "Test the preview of a SMS"
        party = self.create_party()
        activity = self.create_activity(
            action='send_sms', sms_text="Hello ${record.name}")
        self.assertEqual(activity.preview(party).text, "Hello Alice")
        form = self.form(activity, sms_text="Bye ${record.name}")
        self.assertEqual(form.on_change_with_preview_text(), "Bye Alice")

    def test_page(self):
        "Test the page of the preview in the browser"
        url = self.create_page()
        client = Client(app)
        self.assertEqual(client.get(url).status_code, 401)
        token = base64.b64encode(b'reader:secret-password-1').decode()
        headers = {'Authorization': f'Basic {token}'}
        response = client.get(url, headers=headers)
        self.assertEqual(response.status_code, 200)
        self.assertIn("Hello Alice", response.text)
        self.assertTrue(response.headers[
                'Content-Security-Policy'].startswith('sandbox;'))
        self.assertIn("no record", client.get(
                url + '?record=res.user,1', headers=headers).text)
        self.assertEqual(client.get(
                url.replace('preview/', 'preview/9'),
                headers=headers).status_code, 404)

    @with_transaction()
    def create_page(self):
        self.create_user('marketing.group_marketing', login='reader')
        self.create_party()
        activity = self.create_activity(email_template=MAIL)
        Transaction().commit()
        return f'/{DB_NAME}/marketing_automation/preview/{activity.id}'
