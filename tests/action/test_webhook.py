# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import datetime as dt
import hashlib
import hmac
import json
import time
import unittest
from email.utils import format_datetime

from trytond.model.exceptions import ValidationError
from trytond.modules.marketing_automation.action.webhook_client import (
    Transport)
from trytond.modules.marketing_automation.exceptions import ActivityError
from trytond.pool import Pool

from ..mail.https import HTTPSServer
from .common import ActionTestCase

KEY = b'0123456789abcdef0123456789abcdef'
SECRET = 'whsec_' + base64.b64encode(KEY).decode()
OLD = b'the key that was used until last week'


class WebhookTestCase(ActionTestCase):
    "Test the action that calls a webhook"

    def serve(self, *answers, **options):
        server = self.enter(HTTPSServer(*answers))
        self.configure(**{
                'marketing__webhook_hosts': f'example.com {server.host}',
                'marketing__webhook_private': True,
                'marketing__webhook_secret': SECRET,
                'marketing__webhook_ca': server.certificate,
                'marketing__webhook_timeout': 60,
                **options})
        return server

    def hook(self, server, **values):
        _, activity = self.draw(**{
                'action': 'webhook',
                'webhook_url': server.url,
                'webhook_fields': ['name', 'lang', 'active'],
                **values})
        return activity

    def attempts(self, activity):
        with self.transaction():
            RecordActivity = Pool().get(
                'marketing.automation.record.activity')
            return [(r.state, r.reason, r.attempts, r.at)
                for r in RecordActivity.search(
                    [('activity', '=', activity)])]

    def test_post(self):
        "Test what is posted and that its signature is right"
        server = self.serve(marketing__webhook_secret=(
                f'{SECRET} {base64.b64encode(OLD).decode()}'))
        with self.transaction():
            lang, = Pool().get('ir.lang').search([('code', '=', 'en')])
        alice, = self.create_named("Alice Ä", lang=lang.id)
        activity = self.hook(server)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice Ä": ('done', None)})
        received, = server.received
        self.assertEqual(received.path, '/hook?a=b')
        headers = received.headers
        self.assertEqual(headers['Content-Type'], 'application/json')
        self.assertAlmostEqual(
            int(headers['webhook-timestamp']), time.time(), delta=60)
        signed = '.'.join([
                headers['webhook-id'], headers['webhook-timestamp'], ''])
        self.assertEqual(
            headers['webhook-signature'], ' '.join(
                'v1,' + base64.b64encode(hmac.digest(
                        key, signed.encode() + received.content,
                        hashlib.sha256)).decode()
                for key in [KEY, OLD]))
        content = json.loads(received.content)
        self.assertEqual(content['id'], headers['webhook-id'])
        self.assertEqual(content['type'], 'marketing.activity')
        dt.datetime.fromisoformat(content['timestamp'])
        data = content['data']
        self.assertEqual(data['activity']['name'], "Activity")
        self.assertEqual(data['scenario']['name'], "Scenario")
        with self.transaction():
            record, = Pool().get('marketing.automation.record').search([])
            record_uuid = record.uuid
        self.assertEqual(data['record'], {
                'uuid': record_uuid,
                'model': 'party.party',
                'id': alice,
                'test': False,
                'fields': {
                    'name': "Alice Ä",
                    'lang': {'id': lang.id, 'name': "English"},
                    'active': True,
                    },
                })

    def test_again(self):
        "Test what is postponed is posted with the same id"
        server = self.serve(
            (503, {'Retry-After': '7200'}, b'later'),
            (429, {'Retry-After': format_datetime(
                        dt.datetime.now(dt.timezone.utc)
                        + dt.timedelta(hours=5))}, b''),
            (500, {}, b''), (204, {}, b''))
        self.create_named("Alice")
        activity = self.hook(server)
        for hours, attempts in [(2, 1), (5, 2), (0, 3)]:
            self.enter_all()
            (state, reason, count, at), = self.attempts(activity)
            self.assertEqual(
                (state, reason, count), ('waiting', 'webhook_busy', attempts))
            self.assertGreater(at, dt.datetime.now() + dt.timedelta(
                    hours=hours, minutes=-1))
            self.make_due()
        self.enter_all()
        self.assertEqual(self.outcomes(activity), {"Alice": ('done', None)})
        self.assertEqual(len(server.received), 4)
        self.assertEqual(
            len({r.headers['webhook-id'] for r in server.received}), 1)

    def test_refused(self):
        "Test what the other side refuses, a redirect is not followed"
        for status, headers in [
                (400, {}), (404, {}),
                (302, {'Location': 'https://example.com/'})]:
            with self.subTest(status=status):
                self.clear()
                server = self.serve((status, headers, b'what\r\n ever'))
                self.create_named("Alice")
                activity = self.hook(server)
                self.enter_all()
                self.assertEqual(
                    self.outcomes(activity),
                    {"Alice": ('failed', 'webhook_refused')})
                self.assertIn(
                    f'{status}', self.details(activity)["Alice"])
                self.assertIn(
                    'what ever', self.details(activity)["Alice"])
                self.assertEqual(len(server.received), 1)

    def test_timeout(self):
        "Test the other side says nothing"
        server = self.serve(3600, marketing__webhook_timeout=3)
        self.create_named("Alice")
        activity = self.hook(server)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('waiting', 'webhook_lost')})

    def test_away(self):
        "Test the host is out of reach, which is tried once in a batch"
        server = self.serve()
        self.create_named("Alice", "Bob")
        activity = self.hook(server)
        server._server.socket.close()
        self.enter_all()
        self.assertEqual(
            set(self.outcomes(activity).values()),
            {('waiting', 'webhook_away')})

    def test_certificate(self):
        "Test a certificate that nobody trusts"
        server = self.serve()
        self.configure(marketing__webhook_ca='')
        self.create_named("Alice")
        activity = self.hook(server)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('waiting', 'webhook_away')})
        self.assertIn(
            'certificate', self.details(activity)["Alice"].lower())
        self.assertEqual(server.received, [])

    def test_private(self):
        "Test the own network is out of reach"
        server = self.serve(marketing__webhook_private=False)
        self.create_named("Alice")
        activity = self.hook(server)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('waiting', 'webhook_away')})
        self.assertIn('localhost', self.details(activity)["Alice"])
        self.assertEqual(server.received, [])

    def test_url(self):
        "Test which URLs are refused where they are typed"
        server = self.serve()
        for url in [
                'http://example.com/', 'https://example.org/',
                'https://example.com:8443/', 'https://localhost/',
                'https://user@example.com/', 'https://example.com@evil.org/',
                'https://example.com.evil.org/', 'https:///', 'example.com',
                'https://example.com/a b', 'https://example.com\\@evil.org/',
                'https://[::1]/', 'https://example.com:x/',
                'https://example.com/\r\nX: y', '', 'file:///etc/passwd']:
            with self.subTest(url=url), \
                    self.assertRaises(ValidationError):
                self.hook(server, webhook_url=url)
        self.hook(server, webhook_url='https://EXAMPLE.com/x')

    def test_no_hosts(self):
        "Test no host is allowed by default"
        server = self.serve(marketing__webhook_hosts='')
        with self.assertRaises(ActivityError) as raised:
            self.hook(server)
        self.assertIn('webhook_hosts', str(raised.exception))

    def test_secret(self):
        "Test without secret nothing runs"
        for secret in ['', 'short', 'whsec_c2hvcnQ=']:
            with self.subTest(secret=secret):
                server = self.serve(marketing__webhook_secret=secret)
                with self.assertRaises(ActivityError) as raised:
                    self.hook(server)
                self.assertIn('webhook_secret', str(raised.exception))

    def test_later(self):
        "Test a host that is not allowed any more"
        server = self.serve()
        self.create_named("Alice")
        activity = self.hook(server)
        self.configure(marketing__webhook_hosts='example.com')
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('failed', 'not_allowed')})
        self.assertEqual(server.received, [])

    def test_fields(self):
        "Test fields that may not be read"
        server = self.serve()
        with self.transaction(0):
            Access = Pool().get('ir.model.field.access')
            access, = Access.create([{
                        'model': 'party.party', 'field': 'lang',
                        'perm_read': False}])
        try:
            with self.assertRaises(ActivityError):
                self.hook(server)
            self.hook(server, webhook_fields=['name'])
        finally:
            with self.transaction(0):
                Access = Pool().get('ir.model.field.access')
                Access.delete([Access(access.id)])

    def test_courier_idle(self):
        "Test nothing is connected to before there is something to send"
        self.serve(marketing__webhook_hosts='')
        with Transport():
            pass


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
