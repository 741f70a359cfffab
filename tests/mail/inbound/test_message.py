# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest
from email.message import EmailMessage

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trytond.modules.marketing_automation.mail.inbound import \
    message as notification
from trytond.modules.marketing_automation.mail.inbound.message import (
    BOUNCE, COMPLAINT, REPLY, UNSUBSCRIBE, Notice, is_hard, read)

from ..bounces import complaint, odd_bounce, out_of_office, reply, status
from ..smtp import Accepted

ID = '<1.2.3@marketing.example.com>'
NOTHING = Notice()


def create_mail(subject="News"):
    message = EmailMessage()
    message['From'] = 'marketing@example.com'
    message['To'] = 'ann@example.org'
    message['Subject'] = subject
    message['Message-ID'] = ID
    message.set_content("Hello\n")
    return Accepted(
        'bounce+x@example.com', ['ann@example.org'], message.as_bytes(), [],
        1)


class NotificationTestCase(unittest.TestCase):
    "Test what messages say"

    def test_status(self):
        "Test delivery status notifications"
        for headers_only in [False, True]:
            notice = read(status(create_mail(), headers_only=headers_only))
            self.assertEqual(notice.kind, BOUNCE)
            self.assertTrue(notice.hard)
            self.assertEqual(notice.detail, "550 5.1.1 User unknown")
            self.assertEqual(notice.message_ids, (ID,))
            self.assertIn('bounce+x@example.com', notice.addresses)

    def test_status_action(self):
        "Test what is not the end of a delivery"
        for action in ['delayed', 'delivered', 'relayed', 'expanded', '']:
            with self.subTest(action=action):
                self.assertEqual(
                    read(status(create_mail(), action=action)), NOTHING)

    def test_status_code(self):
        "Test what is hard and what is soft"
        for code, words, hard in [
                ('5.1.1', '', True),
                ('5.0.0', '', True),
                ('5.0.0', '550 5.2.2 Mailbox full', False),
                ('5.0.0', '550 5.1.1 Unknown', True),
                ('5.2.1', '', True),
                ('5.2.2', '', False),
                ('5.7.1', 'Blocked', False),
                ('5.6.0', '', False),
                ('4.2.2', '', False),
                ('4.4.7', '550 expired', False),
                ('', '550 No such user', True),
                ('', '450 Later', False),
                ('', '', False)]:
            with self.subTest(code=code, words=words):
                notice = read(status(create_mail(), code=code, words=words))
                self.assertEqual((notice.kind, notice.hard), (BOUNCE, hard))

    def test_is_hard(self):
        "Test numbers that are no codes"
        for text in ['', 'at 192.0.2.15', '1.5.1.1', '2.0.0', 'version 5.1']:
            with self.subTest(text=text):
                self.assertIsNone(is_hard(text))

    def test_odd(self):
        "Test a bounce of another format, and only from who bounces"
        notice = read(odd_bounce(create_mail()))
        self.assertEqual(
            (notice.kind, notice.hard, notice.message_ids),
            (BOUNCE, True, (ID,)))
        self.assertIn('550 5.1.1', notice.detail)
        data = odd_bounce(create_mail())
        for old, new in [
                (b'Return-Path: <>\r\n', b''),
                (b'From: MAILER-DAEMON@', b'From: ann@')]:
            data = data.replace(old, new)
        self.assertEqual(read(data), NOTHING)

    def test_complaint(self):
        "Test feedback reports"
        notice = read(complaint(create_mail()))
        self.assertEqual(
            (notice.kind, notice.message_ids), (COMPLAINT, (ID,)))
        self.assertIn('bounce+x@example.com', notice.addresses)
        for type_ in ['not-spam', 'virus', 'other', '']:
            with self.subTest(type=type_):
                self.assertEqual(
                    read(complaint(create_mail(), type_)), NOTHING)

    def test_reply(self):
        "Test a reply"
        for headers in [
                {}, {'In_Reply_To': '<other@example.org>'},
                {'References': ''}, {'Auto_Submitted': 'no'},
                {'Subject': "Away with it!"}]:
            with self.subTest(headers=headers):
                notice = read(reply(create_mail(), **headers))
                self.assertEqual(notice.kind, REPLY)
                self.assertIn(ID, notice.message_ids)

    def test_automatic(self):
        "Test what programs answer is no reply"
        self.assertEqual(read(out_of_office(create_mail())), NOTHING)
        for name, value in [
                ('Auto_Submitted', 'auto-generated'),
                ('Auto_Submitted', 'auto-replied; owner=x'),
                ('Precedence', 'bulk'), ('Precedence', 'Auto_Reply'),
                ('X_Autoreply', 'yes'), ('X_Autorespond', 'x'),
                ('X_Auto_Response_Suppress', 'All'),
                ('Return_Path', '<>'), ('List_Id', '<l.example.org>'),
                ('From', 'MAILER-DAEMON@example.org'),
                ('Subject', "Automatic reply: News"),
                ('Subject', "Out of Office: back soon"),
                ('Subject', "Réponse automatique : News"),
                ('Subject', "Abwesenheitsnotiz: News")]:
            with self.subTest(name=name, value=value):
                self.assertEqual(
                    read(reply(create_mail(), **{name: value})), NOTHING)

    def test_unsubscribe(self):
        "Test the subject which unsubscribes"
        token = 'Ab-_' * 8
        for subject, expected in [
                (f"unsubscribe {token}", token),
                (f"Re: Unsubscribe {token}", token),
                ("unsubscribe", None), ("unsubscribe me please", None)]:
            with self.subTest(subject=subject):
                notice = read(create_mail(subject).content)
                self.assertEqual(notice.token, expected)
                self.assertEqual(
                    notice.kind, UNSUBSCRIBE if expected else None)

    def test_malformed(self):
        "Test what is not, or more than, a message"
        deep = b''.join(
            b'Content-Type: multipart/mixed; boundary=%d\n\n--%d\n' % (i, i)
            for i in range(3000))
        for data in [
                b'', b'\0', '', b'\xff' * 100, deep,
                b'Subject: ' + b'x' * 10 ** 6,
                b'In-Reply-To: ' + b'<a@b>' * 10 ** 5,
                b'Content-Type: multipart/report\n\nnothing',
                b'Subject: =?unknown?q?=FF?= =?utf-8?b?!?=\n\n',
                b'From: \xe9\nIn-Reply-To: \xe9\n\n\xe9']:
            with self.subTest(data=data[:30]):
                notice = read(data)
                self.assertLessEqual(len(notice.message_ids), 50)

    def test_huge(self):
        "Test only the begin of a huge message is read"
        mail = create_mail()
        huge = mail._replace(content=mail.content + b'x' * 5 * 10 ** 6)
        self.assertEqual(read(status(huge)).message_ids, (ID,))


pieces = st.sampled_from([
        b'\r\n', b'\r\n\r\n', b' ', b';', b'<', b'>', b'=', b'"',
        b'--=_report',
        b'Content-Type: ', b'multipart/report', b'message/rfc822',
        b'message/delivery-status', b'message/feedback-report',
        b'message/global-delivery-status', b'text/rfc822-headers',
        b'; boundary="=_report"', b'Content-Transfer-Encoding: base64',
        b'Action: failed', b'Status: 5.1.1', b'Feedback-Type: abuse',
        b'Subject: unsubscribe ', b'From: MAILER-DAEMON', b'=?utf-8?b?',
        b'In-Reply-To: ', b'Message-ID: ', b'charset=', b'\xff\xfe', b'\0'])


class FuzzTestCase(unittest.TestCase):
    "Test nothing makes the reader raise"

    def check(self, data):
        notice = notification._read(data, '')
        self.assertIn(
            notice.kind, {None, BOUNCE, COMPLAINT, REPLY, UNSUBSCRIBE})

    @settings(
        max_examples=150, deadline=None,
        suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(pieces, st.binary(max_size=10)), max_size=40))
    def test_pieces(self, parts):
        "Test pieces of messages"
        self.check(b''.join(parts))

    @settings(
        max_examples=150, deadline=None,
        suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from([status, complaint, odd_bounce, reply]),
        st.lists(st.tuples(
                st.floats(0, 1), st.integers(0, 20),
                st.one_of(pieces, st.binary(max_size=10))), max_size=8))
    def test_broken(self, make, changes):
        "Test messages with something cut out and put in"
        data = make(create_mail())
        for place, length, piece in changes:
            start = int(place * len(data))
            data = data[:start] + piece + data[start + length:]
        self.check(data)


if __name__ == '__main__':
    unittest.main()
