# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import datetime as dt
import hashlib
import re

from lxml import html

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from ...tracking.url import UNSUBSCRIBE
from ..test_routes import BASE, BUTTON, TARGET, RoutesTestCase
from ..tracking.test_url import configure, create_record_activity

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
        # Browsers take what is left open for the rest of the page
        self.assertFalse(re.search(
                r'<(?!meta|input|br|link)[a-z]+[^<>]*/>',
                response.get_data(as_text=True)))
        # Everything has a label
        for field in form.xpath('.//select|.//textarea'):
            self.assertTrue(
                page.xpath('//label[@for=$id]', id=field.get('id')))
        for field in form.xpath('.//input'):
            self.assertTrue(field.xpath('ancestor::label'))
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
        "Test how it was done is logged"
        for data, method in [(BUTTON, 'link'), (ONE_CLICK, 'one-click')]:
            with self.subTest(method=method):
                self.client().post(
                    self.url(UNSUBSCRIBE, self.record), data=data)
                self.assertEqual(self.entries(), [
                        ('stopped', 'scenario', method, None, None)])
                self.clean()

    def test_choices(self):
        "Test what can be chosen"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        page = html.document_fromstring(client.get(url).data)
        self.assertEqual(
            page.xpath('//input[@type="radio"]/@value'),
            ['scenario', 'all', 'pause'])
        self.assertEqual(page.xpath('//input[@checked]/@value'), ['scenario'])
        for choice, title in [
                ('scenario', "You have been unsubscribed"),
                ('all', "You have been unsubscribed from everything"),
                ('pause', "You will get no e-mails for a while"),
                ]:
            with self.subTest(choice=choice):
                for _ in range(2):
                    response = client.post(
                        url, data={**BUTTON, 'choice': choice})
                    self.assertPage(response, 200, title)
                self.assertEqual(self.entries(), [
                        ('stopped', choice, 'link', None, None)])
                self.assertEqual(self.wishes(), {
                        'scenario': choice == 'scenario',
                        'all': choice == 'all',
                        'pause': choice == 'pause',
                        })
                self.clean()

    def test_choice_unknown(self):
        "Test a choice that does not exist does nothing"
        for choice in ['', 'everything', 'tracking', '\0', 'x' * 10_000]:
            with self.subTest(choice=choice[:20]):
                response = self.client().post(
                    self.url(UNSUBSCRIBE, self.record),
                    data={**BUTTON, 'choice': choice})
                self.assertPage(response, 400, "Unsubscribe")
        self.assertEqual(self.entries(), [])

    def test_choice_link(self):
        "Test every choice leads to the link of the template"
        url = self.url(UNSUBSCRIBE, self.record, self.link)
        for choice in ['scenario', 'all', 'pause']:
            with self.subTest(choice=choice):
                response = self.client().post(
                    url, data={**BUTTON, 'choice': choice})
                self.assertEqual(response.status_code, 303)
                self.assertEqual(response.headers['Location'], TARGET)
        response = self.client().post(url, data={'undo': '1'})
        self.assertPage(response, 200, "Everything is as before")

    def test_reason(self):
        "Test the reason is kept, what is not one is not"
        for reason, comment, result in [
                ('too_many', " Every\r\nday ", ('too_many', "Every day")),
                ('', '', (None, None)),
                ('because', '\0', (None, None)),
                ('other', 'é' * 2_000, ('other', 'é' * 500)),
                ('unasked', '<b>"x"</b>', ('unasked', '<b>"x"</b>')),
                ]:
            with self.subTest(reason=reason):
                response = self.client().post(
                    self.url(UNSUBSCRIBE, self.record), data={
                        **BUTTON, 'choice': 'all',
                        'reason': reason, 'comment': comment})
                self.assertEqual(response.status_code, 200)
                self.assertEqual(self.entries(), [
                        ('stopped', 'all', 'link', *result)])
                self.clean()

    def test_undo(self):
        "Test what was done can be undone, once"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        for choice in ['scenario', 'all', 'pause']:
            with self.subTest(choice=choice):
                page = html.document_fromstring(client.post(
                        url, data={**BUTTON, 'choice': choice}).data)
                number, = page.xpath('//button[@name="undo"]/@value')
                # Also who comes back later finds it
                page = html.document_fromstring(client.get(url).data)
                self.assertEqual(
                    page.xpath('//button[@name="undo"]/@value'), [number])
                for _ in range(2):
                    response = client.post(url, data={'undo': number})
                    page = self.assertPage(
                        response, 200, "Everything is as before")
                    self.assertFalse(page.xpath('//button'))
                self.assertFalse(any(self.wishes().values()))
                self.assertEqual(self.entries(), [
                        ('stopped', choice, 'link', None, None),
                        ('resumed', choice, 'link', None, None)])
                self.assertFalse(self.unsubscribed())
                self.clean()

    def test_undo_one_click(self):
        "Test the page undoes what the mail program did"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        client.post(url, data=ONE_CLICK)
        client.post(url, data={'undo': '1'})

        self.assertFalse(self.unsubscribed())

    def test_undo_unknown(self):
        "Test nothing else can be undone"
        client = self.client()
        client.post(
            self.url(UNSUBSCRIBE, self.french),
            data={**BUTTON, 'choice': 'all'})
        client.post(self.url(UNSUBSCRIBE, self.record), data=BUTTON)
        for number in [
                '', '0', '2', '-1', '1.0', 'x', '٢', '9' * 50, '1\0']:
            with self.subTest(number=number):
                response = client.post(
                    self.url(UNSUBSCRIBE, self.record),
                    data={'undo': number})
                self.assertPage(response, 400, "Unsubscribe")
        self.assertTrue(self.unsubscribed())

    def test_undo_late(self):
        "Test it is undone only for a day"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        client.post(url, data=BUTTON)
        self.age(dt.timedelta(days=1, minutes=1))

        page = html.document_fromstring(client.get(url).data)
        self.assertFalse(page.xpath('//button[@name="undo"]'))
        response = client.post(url, data={'undo': '1'})
        self.assertPage(response, 400, "Unsubscribe")
        self.assertTrue(self.unsubscribed())

    def test_undo_flood(self):
        "Test the log does not grow for ever"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.record)
        for number in range(1, 60, 2):
            client.post(url, data=BUTTON)
            client.post(url, data={'undo': str(number)})

        self.assertLess(len(self.entries()), 25)
        self.assertTrue(self.unsubscribed())

    def test_target_deleted(self):
        "Test who can not be known any more can still unsubscribe"
        client = self.client()
        url = self.url(UNSUBSCRIBE, self.lost())
        page = html.document_fromstring(client.get(url).data)
        self.assertEqual(
            page.xpath('//input[@type="radio"]/@value'), ['scenario'])
        response = client.post(url, data={**BUTTON, 'choice': 'all'})
        self.assertPage(response, 400, "Unsubscribe")
        for data in [BUTTON, ONE_CLICK]:
            self.assertEqual(client.post(url, data=data).status_code, 200)
        self.assertEqual(self.entries(), [])

    @with_transaction()
    def lost(self):
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Party = pool.get('party.party')
        party, = Party.create([{'name': "Lost"}])
        record = create_record_activity(
            Activity(self.activity), party).record.id
        Party.delete([party])
        Transaction().commit()
        return record

    @with_transaction()
    def entries(self):
        Consent = Pool().get('marketing.automation.consent')
        return [
            (c.change, c.scope, c.how, c.reason, c.comment)
            for c in Consent.search([], order=[('id', 'ASC')])]

    @with_transaction()
    def wishes(self):
        Party = Pool().get('party.party')
        party = Party(self.party)
        self.assertEqual(
            bool(party.marketing_refused_at), party.marketing_refused)
        return {
            'scenario': bool(party.marketing_scenario_unsubscribed),
            'all': party.marketing_refused,
            'pause': bool(party.marketing_paused_until),
            }

    @with_transaction()
    def age(self, delta):
        Consent = Pool().get('marketing.automation.consent')
        for entry in Consent.search([]):
            Consent.write([entry], {'at': entry.at - delta})
        Transaction().commit()

    def clean(self):
        super().clean()
        self.clean_consent()

    @with_transaction()
    def clean_consent(self):
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Party = pool.get('party.party')
        Party.write(list(Party.search([])), {
                'marketing_refused': False,
                'marketing_paused_until': None,
                })
        Consent.delete(list(Consent.search([])))
        Transaction().commit()

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
