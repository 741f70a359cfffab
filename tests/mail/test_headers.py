# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import email
import re
import unittest
from email.policy import default as default_policy
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from trytond.modules.marketing_automation.mail import headers
from trytond.modules.marketing_automation.mail.smtp import Session
from trytond.modules.marketing_automation.tracking.url import (
    UNSUBSCRIBE, decode)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..tools import BASE, start_server
from .test_activity import MailTestCase

# RFC 2919 2 and RFC 5322 3.2.3
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LIST_ID = re.compile(rf'<{ATOM}(\.{ATOM})+>')
LABEL = re.compile(r'[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?')
URLS = re.compile(r'<([^>]+)>(?:,\s*)?')


class PureHeadersTestCase(unittest.TestCase):
    "Test the headers without a mail"

    def test_domain(self):
        "Test the domain of the base"
        for base, result in [
                ('https://m.example.com', ('m.example.com', True)),
                ('https://M.Example.com:8000/x', ('m.example.com', True)),
                ('https://m.example.com./', ('m.example.com', True)),
                ('https://bücher.example/', ('xn--bcher-kva.example', True)),
                ('http://localhost:8000', ('localhost', True)),
                ('http://127.0.0.1:8000', ('127.0.0.1', False)),
                ('http://[2001:db8::1]/', ('2001:db8::1', False)),
                ]:
            with self.subTest(base=base):
                self.assertEqual(headers.domain(base), result)

    def test_message_id(self):
        "Test the Message-ID is on the own domain"
        for base, domain in [
                (BASE, 'marketing.example.com'),
                ('https://bücher.example/', 'xn--bcher-kva.example'),
                ('http://127.0.0.1:8000', '[127.0.0.1]'),
                ('http://[2001:db8::1]/', '[IPv6:2001:db8::1]'),
                ]:
            with self.subTest(base=base):
                first, second = (
                    headers.message_id(base) for _ in range(2))
                self.assertNotEqual(first, second)
                self.assertRegex(first, r'^<[\w.]+@' + re.escape(domain))

    def test_list_id(self):
        "Test the List-Id is valid and unique, whatever the names"
        databases = [
            'tryton', 'Tryton', 'my_db', 'my-db', 'my.db', ':memory:',
            'böse', 'a b', '', '-', '日本', '"<>@,;', 'x' * 300]
        bases = [
            BASE, 'https://bücher.example/', 'http://localhost:8000',
            'http://127.0.0.1:8000', 'http://[2001:db8::1]/']
        found = set()
        for base in bases:
            for database in databases:
                list_id = headers.bulk(base, database, 1, 2)['List-Id']
                with self.subTest(base=base, database=database):
                    self.assertTrue(LIST_ID.fullmatch(list_id), list_id)
                    self.assertLessEqual(len(list_id), 255)
                    for label in list_id[1:-1].split('.'):
                        self.assertTrue(LABEL.fullmatch(label), label)
                    found.add(list_id)
        self.assertEqual(len(found), len(bases) * len(databases))

    def test_feedback_id(self):
        "Test the Feedback-ID has four parts, the last for all the same"
        first = headers.bulk(BASE, 'tryton', 1, 2)['Feedback-ID']
        second = headers.bulk(BASE, 'tryton', 3, 4)['Feedback-ID']
        self.assertEqual(first.split(':')[:3], ['2', '1', 'marketing'])
        *_, sender = first.split(':')
        self.assertEqual(second, f'4:3:marketing:{sender}')
        self.assertRegex(sender, r'^\w{5,15}$')

    def test_list_unsubscribe(self):
        "Test the ways to unsubscribe"
        url = f'{BASE}/m/ZGI/u/token'
        for url, address, value, one_click in [
                (url, None, f'<{url}>', True),
                (url, '', f'<{url}>', True),
                (url, 'out@example.com',
                    f'<{url}>, <mailto:out@example.com'
                    '?subject=unsubscribe%20token>', True),
                (url, '"a>b"@example.com',
                    f'<{url}>, <mailto:%22a%3Eb%22@example.com'
                    '?subject=unsubscribe%20token>', True),
                ('http://example.com/m/ZGI/u/token', None,
                    '<http://example.com/m/ZGI/u/token>', False),
                ]:
            with self.subTest(value=value):
                result = headers.list_unsubscribe(url, address)
                self.assertEqual(result['List-Unsubscribe'], value)
                self.assertEqual(
                    'List-Unsubscribe-Post' in result, one_click)


class HeadersTestCase(unittest.TestCase):
    "Test the headers as a receiver reads them"

    add_email = MailTestCase.add_email
    create_party = MailTestCase.create_party
    create_activity = MailTestCase.create_activity
    execute = MailTestCase.execute

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        super().setUp()
        start_server(self)

    def receive(self, **options):
        "Return the content of a mail that went through a server"
        server = start_server(self, **options)
        self.create_party()
        activity = self.create_activity()
        outgoing, = self.execute(activity).values()
        with Session() as session:
            self.assertEqual(session.send(outgoing).state, 'done')
        accepted, = server.messages
        self.assertEqual(
            outgoing.message_id,
            email.message_from_bytes(
                accepted.content, policy=default_policy)['Message-ID'])
        return accepted.content, activity

    @with_transaction()
    def test_received(self):
        "Test what a receiver finds"
        content, activity = self.receive(
            marketing__unsubscribe_email='unsubscribe@example.com')
        message = email.message_from_bytes(content, policy=default_policy)

        self.assertEqual(message.defects, [])
        for name in [
                'Date', 'From', 'To', 'Subject', 'Message-ID',
                'MIME-Version', 'List-Id', 'List-Unsubscribe',
                'List-Unsubscribe-Post', 'Feedback-ID', 'Auto-Submitted',
                'Precedence', 'X-Auto-Response-Suppress']:
            with self.subTest(name=name):
                value, = message.get_all(name)
                self.assertEqual(value.defects, ())
        date = parsedate_to_datetime(message['Date'])
        self.assertLess(
            abs(date.replace(tzinfo=None) - dt.datetime.utcnow()),
            dt.timedelta(minutes=1))
        self.assertRegex(
            message['Message-ID'], r'^<[^@\s<>]+@marketing\.example\.com>$')
        self.assertTrue(LIST_ID.fullmatch(message['List-Id']))
        self.assertTrue(message['Feedback-ID'].startswith(
                f'{activity.id}:{activity.scenario.id}:marketing:'))
        self.assertEqual(message['Auto-Submitted'], 'auto-generated')
        self.assertEqual(message['Precedence'], 'bulk')
        self.assertEqual(message.get_content_type(), 'multipart/alternative')
        self.assertEqual(
            [p.get_content_type() for p in message.iter_parts()],
            ['text/plain', 'text/html'])

    @with_transaction()
    def test_unsubscribe(self):
        "Test the headers to unsubscribe lead to the record"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        content, activity = self.receive(
            marketing__unsubscribe_email='unsubscribe@example.com')
        message = email.message_from_bytes(content, policy=default_policy)
        record_activity, = RecordActivity.search(
            [('activity', '=', activity.id)])

        self.assertEqual(
            message['List-Unsubscribe-Post'], 'List-Unsubscribe=One-Click')
        url, mailto = map(
            urlsplit, URLS.findall(message['List-Unsubscribe']))
        self.assertEqual(url.scheme, 'https')
        token = url.path.split('/')[-1]
        self.assertEqual(
            decode(UNSUBSCRIBE, token), (record_activity.record.id, None))
        self.assertEqual(
            (mailto.scheme, unquote(mailto.path)),
            ('mailto', 'unsubscribe@example.com'))
        self.assertEqual(
            parse_qs(mailto.query), {'subject': [f'unsubscribe {token}']})

    @with_transaction()
    def test_long(self):
        "Test a long URL arrives in one piece"
        base = 'https://' + 'x' * 60 + '.example.com/' + 'y' * 100
        content, _ = self.receive(
            marketing__automation_base=base,
            marketing__unsubscribe_email='z' * 60 + '@example.com')
        head, _, _ = content.partition(b'\r\n\r\n')
        message = email.message_from_bytes(content, policy=default_policy)

        self.assertNotIn(b'=?', head)
        self.assertLessEqual(max(map(len, head.split(b'\r\n'))), 998)
        url, mailto = URLS.findall(message['List-Unsubscribe'])
        self.assertTrue(url.startswith(base + '/m/'))
        self.assertNotRegex(url + mailto, r'\s')

    @with_transaction()
    def test_unsubscribable(self):
        "Test there is no way to send e-mails without a way out"
        Scenario = Pool().get('marketing.automation.scenario')
        self.create_party()
        activity = self.create_activity()
        Scenario.write(
            [Scenario(activity.scenario.id)], {'unsubscribable': False})
        with Transaction().set_user(0):
            outgoing, = self.execute(activity).values()

        self.assertIn('List-Unsubscribe', outgoing.content)
        self.assertNotIn('List-Unsubscribe-Post', outgoing.content)

    @with_transaction()
    def test_again(self):
        "Test what is sent again has the same Message-ID"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        self.create_party()
        activity = self.create_activity()
        first, = self.execute(activity).values()
        record_activities = RecordActivity.search(
            [('activity', '=', activity.id)])
        RecordActivity.write(
            list(record_activities), {'message_id': first.message_id})
        second, = self.execute(activity).values()

        self.assertEqual(first.message_id, second.message_id)


del MailTestCase
