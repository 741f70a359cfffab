# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import base64
import email
import html
import re
import unittest
from email.policy import SMTP, default

from werkzeug.test import Client

from trytond.modules.marketing_automation.check.visual_editor import (
    fragile, tidy)
from trytond.modules.marketing_automation.exceptions import (
    AttachmentError, SendMeError)
from trytond.modules.marketing_automation.mail.message import compose
from trytond.modules.marketing_automation.mail.mime_attachment import (
    attach, parts)
from trytond.modules.marketing_automation.mail.serialized import (
    SerializedMessage)
from trytond.modules.marketing_automation.mail.smtp import Session
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    DB_NAME, activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction
from trytond.wsgi import app

from ..tools import WELCOME, configured, start_server
from .test_activity import MailMixin

MAIL = '<p>Hello ${record.name}</p>'
CONDITION = '<p py:if="record.lang">Bonjour</p>\n<p>Bye</p>'


class PureTestCase(unittest.TestCase):
    "Test what needs no database"

    def test_attach(self):
        "Test the message stays the same beside its attachments"
        message = compose(
            'shop@example.com', 'Shop <shop@example.com>', "Zoé",
            'zoe@example.com', "Hé", '<p>Été</p>', {'X-Test': 'yes'})
        files = [("a.txt", b'text'), ("Zoé.pdf", bytes(range(256)) * 50)]
        data = attach(message.as_bytes(policy=SMTP), parts(files))
        read = email.message_from_bytes(data, policy=default)
        self.assertEqual(read.get_content_type(), 'multipart/mixed')
        self.assertEqual(str(read['Subject']), "Hé")
        self.assertEqual(read['X-Test'], 'yes')
        self.assertEqual(len(read.get_all('MIME-Version')), 1)
        self.assertFalse(read.defects)
        body, *attached = read.iter_parts()
        self.assertEqual(body.get_content_type(), 'multipart/alternative')
        for kind in ['plain', 'html']:
            self.assertEqual(
                read.get_body([kind]).get_content().strip(),
                message.get_body([kind]).get_content().strip())
        for part, (name, content) in zip(attached, files, strict=True):
            self.assertEqual(part.get_filename(), name)
            self.assertEqual(part.get_content_disposition(), 'attachment')
            data = part.get_content()
            self.assertEqual(
                data.strip().encode() if isinstance(data, str) else data,
                content)

    def test_fragile(self):
        "Test what the editor would drop"
        self.assertFalse(fragile(
                '<h1>Hi ${record.name}</h1><p><a href="unsubscribe">x</a>'
                '<img src="https://x.example/a.png" alt=""/></p>'))
        for source, name in [
                (WELCOME, '<head>'), (WELCOME, '<body>'), (CONDITION, 'py:…'),
                ('<mjml/>', '<mj…>'),
                ('<py:if test="x">y</py:if>', '<py:…>')]:
            if name != '<head>':
                self.assertIn(name, fragile(source))

    def test_tidy(self):
        "Test what the editor saves can be compiled"
        self.assertEqual(
            tidy('<p>a<br>b<img src="x" alt=""><hr class="y" /></p>'
                '<a href="https://x.example/$%7Brecord.code%7D">c</a>'
                '<a href="unsubscribe%7Chttps://x.example/">d</a>'),
            '<p>a<br/>b<img src="x" alt=""/><hr class="y"/></p>'
            '<a href="https://x.example/${record.code}">c</a>'
            '<a href="unsubscribe|https://x.example/">d</a>')


class WriteTestCase(MailMixin, unittest.TestCase):
    "Test attachments, the visual editor and what is sent to who writes"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        drop_db()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def attach(self, activity, *files):
        Attachment = Pool().get('marketing.automation.activity.attachment')
        return Attachment.create([
                {'activity': activity.id, 'name': name, 'data': data}
                for name, data in files])

    @with_transaction()
    def test_attachments(self):
        "Test the attachments are made once for all mails"
        server = start_server(self)
        for name in ["Alice", "Bob"]:
            self.create_party(name)
        activity = self.create_activity(email_template=MAIL)
        self.attach(activity, ("a.txt", b'text'), ("b.bin", b'\x00\xff'))
        outcomes = self.execute(activity)
        self.assertIs(
            outcomes["Alice"].enclosure, outcomes["Bob"].enclosure)
        for outcome in outcomes.values():
            self.assertIsInstance(outcome.content, SerializedMessage)
        with Session() as session:
            for outcome in outcomes.values():
                self.assertEqual(session.send(outcome).state, 'done')
        self.assertEqual(len(server.messages), 2)
        for accepted in server.messages:
            message = accepted.message
            self.assertEqual(
                [p.get_filename() for p in message.iter_attachments()],
                ["a.txt", "b.bin"])
            self.assertIn("Hello", message.get_body(['html']).get_content())

    @with_transaction()
    def test_attachments_size(self):
        "Test mails that servers refuse can not be made"
        activity = self.create_activity()
        with configured(marketing__attachment_size=1000):
            self.attach(activity, ("a", b'x' * 600))
            with self.assertRaises(AttachmentError):
                self.attach(activity, ("b", b'x' * 600))

    @with_transaction()
    def test_send_me(self):
        "Test it is sent for real but not counted"
        server = start_server(self)
        pool = Pool()
        User = pool.get('res.user')
        user = User(Transaction().user)
        user.email = 'writer@example.com'
        user.save()
        party = self.create_party()
        activity = self.create_activity()
        self.attach(activity, ("a.txt", b'text'))
        self.assertEqual(
            activity.send_sample(party, None, user), 'writer@example.com')
        accepted, = server.messages
        message = accepted.message
        self.assertEqual(message['Subject'], "[Test] Hello Alice")
        self.assertIn('writer@example.com', message['To'])
        html_ = message.get_body(['html']).get_content()
        self.assertIn('href="https://shop.example.com/"', html_)
        self.assertNotIn('/m/', html_)
        self.assertEqual(len(list(message.iter_attachments())), 1)
        for name in ['record', 'record.activity', 'link', 'hit']:
            self.assertFalse(
                pool.get(f'marketing.automation.{name}').search([]), name)

    @with_transaction()
    def test_send_me_failed(self):
        "Test who writes is told why it was not sent"
        User = Pool().get('res.user')
        user = User(Transaction().user)
        party = self.create_party()
        activity = self.create_activity()
        for address, uri, words in [
                (None, 'smtp://127.0.0.1:1', "no e-mail address"),
                ('writer@example.com', 'smtp://127.0.0.1:1', "not be sent"),
                ]:
            user.email = address
            with configured(email__uri=uri, email__from='a@example.com'):
                with self.assertRaises(SendMeError) as manager:
                    activity.send_sample(party, None, user)
            self.assertIn(words, manager.exception.message)

    @with_transaction()
    def create_editable(self, template):
        User = Pool().get('res.user')
        if not User.search([('login', '=', 'editor')]):
            ModelData = Pool().get('ir.model.data')
            User.create([{
                        'name': "Editor",
                        'login': 'editor',
                        'password': 'secret-password-1',
                        'groups': [('add', [ModelData.get_id(
                                        'marketing', 'group_marketing')])],
                        }])
        activity = self.create_activity(email_template=template)
        editable = activity.email_editable
        Transaction().commit()
        return activity.id, editable

    @with_transaction()
    def template(self, id):
        Activity = Pool().get('marketing.automation.activity')
        return Activity(id).email_template

    def edit(self, id, change):
        "Save with the visual editor and return the status"
        try:
            from trytond.ir.routes import Base
            path = f'r/{Base.__name__}/html'
        except ImportError:
            path = 'ir/html'
        url = (f'/{DB_NAME}/{path}/marketing.automation.activity/{id}'
            '/email_template')
        token = base64.b64encode(b'editor:secret-password-1').decode()
        headers = {'Authorization': f'Basic {token}'}
        client = Client(app)
        page = client.get(url, headers=headers)
        self.assertEqual(page.status_code, 200)
        text, = re.findall(r'<textarea[^>]*>(.*?)</textarea>', page.text, re.S)
        token, = re.findall(r'name="_csrf_token".*?value="(.*?)"', page.text)
        return client.post(url, headers=headers, data={
                'text': change(html.unescape(text)),
                '_csrf_token': token,
                }).status_code

    def test_editor(self):
        "Test what is safe is saved by the editor"
        id, editable = self.create_editable(MAIL)
        self.assertTrue(editable)
        self.assertEqual(
            self.edit(id, lambda text: text.replace('Hello', 'Hi<br>')), 302)
        self.assertEqual(
            self.template(id), MAIL.replace('Hello', 'Hi<br/>'))

    def test_editor_damage(self):
        "Test what the editor would damage is not saved"
        for template, change in [
                (CONDITION, lambda text: re.sub(r' py:if="[^"]*"', '', text)),
                (WELCOME, lambda text: re.search(
                        r'<body>(.*)</body>', text, re.S)[1])]:
            with self.subTest(template=template):
                id, editable = self.create_editable(template)
                self.assertFalse(editable)
                self.assertGreaterEqual(self.edit(id, change), 400)
                self.assertEqual(self.template(id), template)
