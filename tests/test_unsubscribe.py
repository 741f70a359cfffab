# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import hashlib
import re
from unittest.mock import patch

from lxml import html

from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.transaction import Transaction

from ..tracking import UNSUBSCRIBE
from .test_routes import BASE, BUTTON, TARGET, RoutesTestCase
from .test_tracking import configure

ONE_CLICK = {'List-Unsubscribe': 'One-Click'}


class UnsubscribeTestCase(RoutesTestCase):
    "Test the unsubscribe page"

    def test_page(self):
        "Test the page asks and changes nothing"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        response = client.get(url)

        page = self.assertPage(response, 200, "Unsubscribe")
        self.assertEqual(page.get('lang'), 'en')
        self.assertEqual(page.get('dir'), 'ltr')
        self.assertIn("ACME", page.text_content())
        self.assertIn("Welcome", page.text_content())
        form, = page.forms
        self.assertEqual(form.method, 'POST')
        self.assertIsNone(form.action)
        self.assertEqual(
            [b.get('name') for b in form.iter('button')], list(BUTTON))
        self.assertTrue(page.xpath('//meta[@name="viewport"]'))
        self.assertEqual(response.headers['Referrer-Policy'], 'same-origin')
        head = client.head(url)
        self.assertEqual(dict(head.headers), dict(response.headers))
        self.assertFalse(self.unsubscribed())
        self.assertEqual(self.hits(), 0)

    def test_sender(self):
        "Test the page names who sends the mails"
        for email_from, sender in [
                ('"ACME & Co" <acme@example.com>', "ACME & Co"),
                ('acme@example.com', "example.com"),
                ('root', None),
                ('root@localhost', None),
                ]:
            with self.subTest(email_from=email_from):
                configure(self, 'marketing', 'email_from', email_from)
                response = self.client().get(
                    self.url(UNSUBSCRIBE, self.record))
                page = html.document_fromstring(response.data)
                self.assertEqual(
                    page.xpath('string(//p[@class="company"])') or None,
                    sender)

    def test_policy(self):
        "Test the policy allows the style and the form of the page"
        response = self.client().get(self.url(UNSUBSCRIBE, self.record))

        policy = response.headers['Content-Security-Policy']
        style, = re.findall(
            '<style>(.*)</style>', response.get_data(as_text=True), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest())
        self.assertIn(f"style-src 'sha256-{digest.decode()}'", policy)
        self.assertIn("form-action 'self';", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn('unsafe', policy)

        # The form leads to the target
        response = self.client().get(
            self.url(UNSUBSCRIBE, self.record, self.link))
        self.assertIn(
            "form-action 'self' https:",
            response.headers['Content-Security-Policy'])

    def test_language(self):
        "Test the page is in the language of the party or of the browser"
        client = self.client()
        for record, accept, language in [
                (self.french, 'en', 'fr'),
                (self.record, 'fr-CA,fr;q=0.9,en;q=0.5', 'fr'),
                (self.record, 'xx,en-GB', 'en'),
                (self.record, ';;;\xff', 'en'),
                ]:
            with self.subTest(accept=accept):
                response = client.get(
                    self.url(UNSUBSCRIBE, record),
                    headers={'Accept-Language': accept})
                page = html.document_fromstring(response.data)
                self.assertEqual(page.get('lang'), language)

    def test_button(self):
        "Test the button unsubscribes"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        for _ in range(2):
            response = client.post(url, data=BUTTON)
            self.assertPage(response, 200, "You have been unsubscribed")
            self.assertTrue(self.unsubscribed())
        self.assertEqual(self.hits(kind='unsubscribe', record=self.record), 1)

    def test_button_link(self):
        "Test the button leads to the link of the template"
        response = self.client().post(
            self.url(UNSUBSCRIBE, self.record, self.link)
            + '?next=https://evil.example/', data=BUTTON)

        self.assertEqual(response.status_code, 303)
        self.assertEqual(response.headers['Location'], TARGET)
        self.assertHeaders(response)
        self.assertTrue(self.unsubscribed())

    def test_one_click(self):
        "Test one-click in both encodings"
        client = self.client()
        boundary = 'x'
        multipart = (
            '--x\r\nContent-Disposition: form-data; '
            'name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n')
        for link in [None, self.link]:
            url = self.url(UNSUBSCRIBE, self.record, link)
            for data, content_type in [
                    ('List-Unsubscribe=One-Click',
                        'application/x-www-form-urlencoded'),
                    (multipart, f'multipart/form-data; boundary={boundary}'),
                    ]:
                with self.subTest(link=link, content_type=content_type):
                    response = client.post(
                        url, data=data, content_type=content_type)
                    self.assertEqual(response.status_code, 200)
                    self.assertNotIn('Location', response.headers)
                    self.assertHeaders(response)
                    self.assertTrue(self.unsubscribed())
                    self.clean()

    def test_method(self):
        "Test the way is told to the record"
        Record = Pool(DB_NAME).get('marketing.automation.record')
        for data, method in [(BUTTON, 'link'), (ONE_CLICK, 'one-click')]:
            with patch.object(Record, 'unsubscribe') as unsubscribe:
                self.client().post(
                    self.url(UNSUBSCRIBE, self.record), data=data)
            unsubscribe.assert_called_once_with(self.record, method)

    def test_nothing_asked(self):
        "Test a POST that asks for nothing does nothing"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        for arguments in [
                {},
                {'data': {'List-Unsubscribe': 'Maybe'}},
                {'data': {'list': 'One-Click'}},
                {'data': b'\xff\xfe%%%', 'content_type': 'text/plain'},
                {'data': b'--', 'content_type': 'multipart/form-data'},
                {'data': b'x', 'content_type':
                    'multipart/form-data; boundary=y'},
                {'json': ONE_CLICK},
                {'data': b'<x', 'content_type': 'text/xml'},
                {'query_string': ONE_CLICK},
                {'query_string': BUTTON},
                ]:
            with self.subTest(**arguments):
                response = client.post(url, **arguments)
                self.assertEqual(response.status_code, 400)
                self.assertPage(response, 400, "Unsubscribe")
        response = client.post(url, data={'unsubscribe': 'x' * 100_000})
        self.assertEqual(response.status_code, 413)
        self.assertFalse(self.unsubscribed())

    def test_null_origin(self):
        "Test the form can be sent from an opaque origin"
        response = self.client().post(
            self.url(UNSUBSCRIBE, self.record), data=BUTTON,
            headers={'Origin': 'null'})

        self.assertEqual(response.status_code, 200)
        self.assertTrue(self.unsubscribed())

    def test_same_origin(self):
        "Test the form can be sent from the page"
        response = self.client().post(
            self.url(UNSUBSCRIBE, self.record), data=BUTTON,
            headers={'Origin': 'https://localhost'})

        self.assertEqual(response.status_code, 200)

    def test_stopped(self):
        "Test unsubscribing from a stopped scenario"
        self.stop()
        response = self.client().post(
            self.url(UNSUBSCRIBE, self.record), data=ONE_CLICK)

        self.assertEqual(response.status_code, 200)
        self.assertTrue(self.unsubscribed())

    @with_transaction()
    def stop(self):
        Scenario = Pool().get('marketing.automation.scenario')
        Scenario.write([Scenario(self.scenario)], {
                'state': 'stopped', 'active': False})
        Transaction().commit()

    def test_unknown(self):
        "Test what can not be unsubscribed"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        for broken in [
                url[:-1], url + 'A', f'{BASE}/u/x',
                url.replace('/u/', '/c/'),
                f'{BASE}/u/' + 'A' * 60_000,
                self.url(UNSUBSCRIBE, self.gone[1]),
                self.url(UNSUBSCRIBE, 2 ** 31 - 1, self.link),
                self.url(UNSUBSCRIBE, 2 ** 49)]:
            with self.subTest(url=broken[:100]):
                self.assertUnknown(client.get(broken))
                if '/u/' in broken:
                    self.assertUnknown(client.post(broken, data=BUTTON))
                    self.assertUnknown(client.post(broken, data=ONE_CLICK))
                    self.assertUnknown(client.post(broken))
        self.assertFalse(self.unsubscribed())

    def test_former(self):
        "Test the links of former releases"
        client = self.client()
        url = f'{BASE}/unsubscribe?r={self.uuid}&next=https://evil.example/'
        self.assertPage(client.get(url), 200, "Unsubscribe")
        self.assertEqual(client.head(url).status_code, 200)
        self.assertFalse(self.unsubscribed())

        self.assertPage(
            client.post(url, data=BUTTON), 200, "You have been unsubscribed")
        self.assertTrue(self.unsubscribed())
        self.clean()

        self.assertEqual(client.post(url, data=ONE_CLICK).status_code, 200)
        self.assertTrue(self.unsubscribed())

    def test_former_unknown(self):
        "Test the broken links of former releases"
        client = self.client()
        for query in [
                '', '?r=', '?r=x', '?r=%00', '?r=%ff', "?r='", '?r=%25',
                f'?r={self.uuid[:-1]}', '?r=' + 'a' * 60_000,
                '?next=https://evil.example/',
                f'?r=x&r={self.uuid}']:
            with self.subTest(query=query[:100]):
                self.assertUnknown(client.get(f'{BASE}/unsubscribe{query}'))
                self.assertUnknown(client.post(
                        f'{BASE}/unsubscribe{query}', data=BUTTON))
        self.assertFalse(self.unsubscribed())
