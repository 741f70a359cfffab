# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import email
from email.message import EmailMessage
from unittest.mock import patch

from trytond.modules.marketing_automation.outcome import done
from trytond.modules.marketing_automation.tests.mail.test_smtp import (
    MODULE, SessionTestCase, outgoing)


class ContentTestCase(SessionTestCase):
    "Test the content of the message"

    def receive(self, *messages, **kwargs):
        server = self.serve(**kwargs)
        with self.session(server) as session:
            for item in messages:
                self.assertEqual(session.send(item), done())
        return server.messages

    def test_smtputf8(self):
        "Test a local part outside of ASCII"
        content = outgoing().content
        del content['To']
        content['To'] = 'josé@example.com'
        with self.subTest("offered"):
            plain, message, _ = self.receive(
                outgoing(), outgoing('josé@example.com', content=content),
                outgoing())
            self.assertEqual(message.rcpt_tos, ['josé@example.com'])
            self.assertIn('SMTPUTF8', message.options)
            self.assertNotIn('SMTPUTF8', plain.options)
            self.assertIn('To: josé@example.com'.encode(), message.content)
        with self.subTest("not offered"):
            server = self.serve(smtputf8=False)
            with self.session(server) as session:
                self.assertOutcome(
                    session.send(outgoing('josé@example.com')),
                    'failed', 'smtputf8', 'josé@example.com')
                self.assertOutcome(
                    session.send(outgoing(sender='josé@example.com')),
                    'failed', 'smtputf8')
                self.assertEqual(session.send(outgoing()), done())
            self.assertEqual(server.commands['mail'], 1)

    def test_idn(self):
        "Test a domain outside of ASCII needs no extension"
        message, = self.receive(
            outgoing('jane@bücher.example'), smtputf8=False)
        self.assertEqual(message.rcpt_tos, ['jane@xn--bcher-kva.example'])
        self.assertNotIn('SMTPUTF8', message.options)

    def test_eight_bit(self):
        "Test a content outside of ASCII"
        body = "Größe äöü €\n"
        for eight_bit in [True, False]:
            for content in [
                    outgoing(body=body).content,
                    outgoing(body=body).content.as_bytes()]:
                with self.subTest(eight_bit=eight_bit, type=type(content)):
                    message, = self.receive(
                        outgoing(content=content), eight_bit=eight_bit)
                    self.assertEqual(
                        'BODY=8BITMIME' in message.options, eight_bit)
                    self.assertEqual(message.content.isascii(), not eight_bit)
                    self.assertEqual(message.text, body)

    def test_ascii(self):
        "Test no extension is used without need"
        message, = self.receive(outgoing())
        self.assertNotIn('BODY=8BITMIME', message.options)

    def test_subject(self):
        "Test long subjects and those outside of ASCII"
        for subject in [
                "Größe", "x" * 300, "word " * 100 + "end", "é" * 300,
                "😀 " * 50 + "end", "العربية", "a: b; c", "=?utf-8?q?no?="]:
            with self.subTest(subject=subject):
                message, = self.receive(outgoing(subject=subject))
                head = message.content.partition(b'\r\n\r\n')[0]
                self.assertTrue(head.isascii())
                self.assertLess(max(map(len, head.split(b'\r\n'))), 998)
                if '=?' not in subject:
                    self.assertEqual(message.message['Subject'], subject)

    def test_line_break_in_header(self):
        "Test no header can be injected"
        message = email.message.Message()
        message['To'] = 'jane@example.com'
        message['Subject'] = "Hello\r\nX-Injected: 1"
        address = EmailMessage()
        address['To'] = 'jane@example.com'
        address['Subject'] = '=?utf-8?q?a=0D=0AX-Injected=3A_1?='
        for content in [message, address]:
            server = self.serve()
            with self.session(server) as session, patch(f'{MODULE}.logger'):
                outcome = session.send(outgoing(content=content))
                if outcome != done():
                    self.assertOutcome(outcome, 'failed', 'message_invalid')
                self.assertEqual(session.send(outgoing()), done())
            for accepted in server.messages:
                self.assertNotIn(b'\nX-Injected', accepted.content)
        with self.assertRaises(ValueError):
            outgoing(subject="Hello\r\nX-Injected: 1")
        with self.assertRaises(ValueError):
            address['From'] = (
                '=?utf-8?q?a=0D=0AX-Injected=3A_1?= <a@example.com>')

    def test_not_serializable(self):
        "Test a message that cannot be serialized fails alone"
        server = self.serve()
        content = EmailMessage()
        content['Subject'] = "Hello"
        content.set_payload(object())
        with self.session(server) as session:
            for value in [content, object(), None, 'Subject: x\n\nx']:
                with self.assertLogs(MODULE):
                    self.assertOutcome(
                        session.send(outgoing()._replace(content=value)),
                        'failed', 'message_invalid')
            self.assertEqual(session.send(outgoing()), done())
        self.assertEqual(server.commands['mail'], 1)

    def test_dots(self):
        "Test lines that begin with a dot"
        body = ".\n..\n.hidden\n.\nend\n"
        for content in [None, b'Subject: x\r\n\r\n.\r\n..\r\n.x\r\n.\r\n']:
            with self.subTest(content=content):
                message, _ = self.receive(
                    outgoing(body=body, content=content), outgoing())
                if content:
                    self.assertEqual(message.content, content)
                else:
                    self.assertEqual(message.text, body)

    def test_ends_of_line(self):
        "Test no end of line but CRLF is sent"
        message, _ = self.receive(
            outgoing(content=b'Subject: x\n\na\n.\nMAIL FROM:<a@b.c>\rb\r\nc'),
            outgoing())
        self.assertEqual(
            message.content,
            b'Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<a@b.c>\r\nb\r\nc\r\n')

    def test_long_lines(self):
        "Test a line that is too long for SMTP"
        body = "x" * 5000 + "\n"
        message, = self.receive(outgoing(body=body))
        self.assertEqual(message.text, body)

    def test_size(self):
        "Test a message that is too large"
        server = self.serve(size=10000)
        with self.session(server) as session:
            self.assertOutcome(
                session.send(outgoing(body="word\n" * 10000)),
                'failed', 'refused', '552')
            self.assertEqual(server.commands['data'], 0)
            self.assertEqual(session.send(outgoing()), done())
