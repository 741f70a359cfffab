# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import email
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path
from unittest.mock import patch

import trytond.config as config
from trytond.modules.marketing_automation.mail.smtp import (
    DETAIL_LENGTH, ServerUnavailable, Session, _with_timeout)
from trytond.modules.marketing_automation.outcome import OutgoingMessage, done
from trytond.modules.marketing_automation.tests.mail.smtp import (
    DROP, RESET, SMTPServer)

MODULE = 'trytond.modules.marketing_automation.mail.smtp'


def outgoing(
        recipient='jane@example.com', sender='shop@example.com',
        subject="Hello", body="Good morning\n", content=None):
    if content is None:
        content = EmailMessage()
        content['From'] = 'shop@example.com'
        content['To'] = 'jane@example.com'
        content['Subject'] = subject
        content['Message-ID'] = '<1@example.com>'
        content.set_content(body)
        content.add_alternative(f'<p>{body}</p>', subtype='html')
    return OutgoingMessage(
        recipient, content, '<1@example.com>', sender, subject)


class SessionTestCase(unittest.TestCase):
    "Helpers of the tests that talk to a server"

    def serve(self, **kwargs):
        server = SMTPServer(**kwargs)
        server.restart()
        self.addCleanup(server.die)
        return server

    def session(self, server, timeout=60):
        return Session(f'{server.uri}?timeout={timeout}')

    def assertOutcome(self, outcome, state, reason, detail=''):
        self.assertEqual((outcome.state, outcome.reason), (state, reason))
        self.assertIn(detail, outcome.detail)


class DeliveryTestCase(SessionTestCase):
    "Test the conversation with a server"

    def test_send(self):
        "Test several messages over one connection"
        server = self.serve()
        with self.session(server) as session:
            for _ in range(3):
                self.assertEqual(session.send(outgoing()), done())

        self.assertEqual(server.connections, 1)
        self.assertEqual(server.commands['quit'], 1)
        self.assertEqual(server.by_recipient, {'jane@example.com': 3})
        self.assertEqual(server.by_message_id, {'<1@example.com>': 3})
        message = server.messages[0]
        self.assertEqual(message.mail_from, 'shop@example.com')
        self.assertEqual(message.message['Subject'], "Hello")

    def test_no_connection_before_enter(self):
        "Test connection is opened when entered"
        server = self.serve()
        session = self.session(server)
        self.assertEqual(server.connections, 0)
        with session:
            self.assertEqual(server.connections, 1)

    def test_recipient(self):
        "Test the envelope has nobody from the headers"
        server = self.serve()
        content = outgoing().content
        content['Cc'] = 'cc@example.com'
        content['Bcc'] = 'bcc@example.com'
        content['Resent-To'] = 'resent@example.com'
        with self.session(server) as session:
            session.send(outgoing('real@example.com', content=content))

        message, = server.messages
        self.assertEqual(message.rcpt_tos, ['real@example.com'])
        self.assertNotIn(b'bcc@example.com', message.content)
        self.assertEqual(content['Bcc'], 'bcc@example.com')

    def test_unusual_recipient(self):
        "Test the envelope has the address unchanged"
        server = self.serve()
        recipients = [
            "o'neil@example.com",
            'customer/department=shipping@example.com',
            '!def!xyz%abc@example.com',
            'Jane.Doe+news@Example.COM',
            '-a@example.com',
            ]
        with self.session(server) as session:
            for recipient in recipients:
                self.assertEqual(session.send(outgoing(recipient)), done())
        self.assertEqual(
            [m.rcpt_tos for m in server.messages], [[r] for r in recipients])

    def test_no_sender(self):
        "Test a outgoing without sender"
        server = self.serve()
        with self.session(server) as session:
            self.assertEqual(session.send(outgoing(sender=None)), done())
        message, = server.messages
        self.assertEqual(message.mail_from, '<>')

    def test_address_invalid(self):
        "Test impossible addresses do not reach the server"
        server = self.serve()
        with self.session(server) as session:
            self.assertOutcome(
                session.send(outgoing('a, victim@example.com')),
                'failed', 'address_invalid', 'a, victim@example.com')
            self.assertOutcome(
                session.send(
                    outgoing('a@b.c\r\nRCPT TO:<victim@example.com>')),
                'failed', 'address_invalid', 'a@b.c RCPT TO:')
            self.assertOutcome(
                session.send(outgoing(None)), 'failed', 'address_invalid')
            self.assertOutcome(
                session.send(outgoing(sender='Shop <shop@example.com>')),
                'failed', 'sender_invalid')
            self.assertEqual(session.send(outgoing()), done())
        self.assertEqual(server.commands['mail'], 1)

    def test_refused(self):
        "Test a permanent answer at each step"
        for stage in ['mail', 'rcpt', 'data', 'dot']:
            with self.subTest(stage=stage):
                server = self.serve()
                server.on(stage, '550 5.7.1 not\twanted', times=1)
                with self.session(server) as session:
                    self.assertOutcome(
                        session.send(outgoing()),
                        'failed', 'refused', '550 5.7.1 not wanted')
                    self.assertEqual(session.send(outgoing()), done())
                self.assertEqual(server.connections, 1)
                self.assertEqual(len(server.messages), 1)

    def test_busy(self):
        "Test a temporary answer at each step"
        for stage in ['mail', 'rcpt', 'data', 'dot']:
            for code in [450, 451, 452]:
                with self.subTest(stage=stage, code=code):
                    server = self.serve()
                    server.on(stage, f'{code} 4.2.1 greylisted', times=1)
                    with self.session(server) as session:
                        self.assertOutcome(
                            session.send(outgoing()), 'waiting', 'server_busy',
                            f'{code} 4.2.1 greylisted')
                        self.assertEqual(session.send(outgoing()), done())
                    self.assertEqual(server.connections, 1)
                    self.assertEqual(len(server.messages), 1)

    def test_closing(self):
        "Test 421 at each step"
        for stage in ['mail', 'rcpt', 'data', 'dot']:
            with self.subTest(stage=stage):
                server = self.serve()
                server.on(stage, '421 shutting down', times=1)
                with self.session(server) as session:
                    self.assertOutcome(
                        session.send(outgoing()),
                        'waiting', 'server_busy', '421 shutting down')
                    self.assertEqual(session.send(outgoing()), done())
                self.assertEqual(server.connections, 2)
                self.assertEqual(len(server.messages), 1)

    def test_lost(self):
        "Test a connection lost at each step"
        for stage in ['mail', 'rcpt', 'data', 'dot', 'accepted']:
            for action in [DROP, RESET]:
                with self.subTest(stage=stage, action=action):
                    server = self.serve()
                    server.on(stage, action, times=1)
                    with self.session(server) as session:
                        self.assertOutcome(
                            session.send(outgoing()),
                            'waiting', 'connection_lost')
                        self.assertEqual(session.send(outgoing()), done())
                    self.assertEqual(server.connections, 2)
                    self.assertEqual(
                        len(server.messages), 1 + (stage == 'accepted'))

    def test_lost_between(self):
        "Test a connection lost between two messages"
        for action in [DROP, RESET, '421 too many messages']:
            with self.subTest(action=action):
                server = self.serve()
                server.on('mail', action, times=1, after=1)
                with self.session(server) as session:
                    for _ in range(3):
                        self.assertEqual(session.send(outgoing()), done())
                self.assertEqual(server.connections, 2)
                self.assertEqual(len(server.messages), 3)

    def test_lost_again(self):
        "Test a message is not tried for ever"
        server = self.serve()
        with self.session(server) as session:
            self.assertEqual(session.send(outgoing()), done())
            server.on('mail', DROP)
            self.assertOutcome(
                session.send(outgoing()), 'waiting', 'connection_lost')
        self.assertEqual(server.connections, 2)

    def test_lost_after_refused(self):
        "Test a server that hangs up after its refusal"
        server = self.serve()
        server.refuse_rcpt('john')
        server.drop_at('rset')
        with self.session(server) as session:
            self.assertOutcome(
                session.send(outgoing('john@example.com')),
                'failed', 'refused', '550')
            self.assertEqual(session.send(outgoing()), done())

    def test_stalled(self):
        "Test a server that does not answer"
        for stage, least in [
                ('mail', 1), ('rcpt', 1), ('data', 5), ('dot', 5)]:
            with self.subTest(stage=stage):
                server = self.serve()
                server.stall(300, stage)
                with self.session(server, timeout=1) as session:
                    start = time.monotonic()
                    self.assertOutcome(
                        session.send(outgoing()), 'waiting', 'connection_lost')
                    duration = time.monotonic() - start
                    self.assertGreater(duration, least - .05)
                    self.assertLess(duration, 120)
                    self.assertEqual(session.send(outgoing()), done())
                self.assertEqual(len(server.messages), 1)

    def test_patience(self):
        "Test a slow answer to the content is waited for"
        server = self.serve()
        server.stall(2, 'dot')
        with self.session(server, timeout=1) as session:
            self.assertEqual(session.send(outgoing()), done())
        self.assertEqual(len(server.messages), 1)

    def test_server_away(self):
        "Test no conversation possible at start"
        server = self.serve()
        with self.subTest("refused"):
            server.die()
            with self.assertRaises(ServerUnavailable):
                self.session(server).__enter__()
            server.restart()
        for stage, reply in [
                ('connect', '421 too busy'),
                ('connect', '554 go away'),
                ('connect', DROP),
                ('connect', RESET),
                ('ehlo', DROP),
                ]:
            with self.subTest(stage=stage, reply=reply):
                server.on(stage, reply, times=1)
                with self.assertRaises(ServerUnavailable) as context:
                    self.session(server).__enter__()
                if stage == 'connect' and len(reply) > 5:
                    self.assertEqual(str(context.exception), reply)
        with self.subTest("stalled"):
            server.stall(30, 'connect')
            with self.assertRaises(ServerUnavailable):
                self.session(server, timeout=1).__enter__()
        with self.subTest("TLS"), self.assertRaises(ServerUnavailable):
            Session(server.uri.replace('smtp:', 'smtp+tls:')).__enter__()
        with self.subTest("SSL"), self.assertRaises(ServerUnavailable):
            Session(server.uri.replace('smtp:', 'smtps:')
                + '?timeout=1').__enter__()
        with self.subTest("name"), self.assertRaises(ServerUnavailable):
            Session('smtp://host.invalid:25').__enter__()

    def test_server_dies(self):
        "Test server that goes away and comes back"
        server = self.serve()
        with self.session(server) as session:
            self.assertEqual(session.send(outgoing()), done())
            server.die()
            with self.assertRaises(ServerUnavailable):
                session.send(outgoing())
            with self.assertRaises(ServerUnavailable):
                session.send(outgoing())
            server.restart()
            self.assertEqual(session.send(outgoing()), done())
            server.drop_at('dot')
            self.assertOutcome(
                session.send(outgoing()), 'waiting', 'connection_lost')
            server.die()
            with self.assertRaises(ServerUnavailable):
                session.send(outgoing())
        self.assertEqual(len(server.messages), 2)

    def test_quit(self):
        "Test the end never raises"
        server = self.serve()
        for action in [DROP, RESET, '421 gone', '500 what']:
            with self.subTest(action=action):
                server.on('quit', action, times=1)
                with self.session(server) as session:
                    self.assertEqual(session.send(outgoing()), done())
        with self.subTest("dead"), self.session(server) as session:
            server.die()
        server.restart()
        server.stall(30, 'quit')
        with self.session(server, timeout=1):
            pass

    def test_login(self):
        "Test login"
        server = self.serve(login=('user@host', 'p/w?'))
        uri = f'smtp://%s@{server.host}:{server.port}'
        with Session(uri % 'user%40host:p%2Fw%3F') as session:
            self.assertEqual(session.send(outgoing()), done())
        with self.assertRaises(ServerUnavailable) as context:
            Session(uri % 'user%40host:wrongpw').__enter__()
        self.assertIn('535', str(context.exception))
        self.assertNotIn('wrongpw', str(context.exception))

    def test_login_missing(self):
        "Test a server that wants a login fails no message"
        server = self.serve()
        server.on('mail', '530 5.7.0 authentication required', times=1)
        with self.session(server) as session:
            self.assertOutcome(
                session.send(outgoing()), 'waiting', 'server_busy', '530')

    def test_configuration_invalid(self):
        "Test an invalid uri shows no password"
        for uri in [
                'smtp://user:secret/x@localhost',
                'smtp://user:secret@localhost:port',
                'smtp://user:secret@localhost?nothing',
                'smtp://user:secret@localhost?unknown=1',
                'smtp://localhost?timeout=secret',
                'smtp://localhost?timeout=0',
                'smtp:', 'localhost']:
            with self.subTest(uri=uri):
                with self.assertRaises(ServerUnavailable) as context:
                    Session(uri).__enter__()
                self.assertNotIn('secret', str(context.exception))

    def test_timeout(self):
        "Test there is always a timeout"
        section = config.get('marketing', 'smtp_timeout')
        self.assertIsNone(section)
        for uri, expected in [
                ('smtp://localhost:25', 'smtp://localhost:25?timeout=60'),
                ('smtp://localhost:25/', 'smtp://localhost:25/?timeout=60'),
                ('smtp+tls://u:p%40s@h:587?local_hostname=a.b',
                    'smtp+tls://u:p%40s@h:587?local_hostname=a.b&timeout=60'),
                ('smtps://h?timeout=7', 'smtps://h?timeout=7'),
                ('smtps://h?a=b&timeout=7&c=d',
                    'smtps://h?a=b&timeout=7&c=d'),
                ]:
            with self.subTest(uri=uri):
                self.assertEqual(_with_timeout(uri), expected)
        with patch.object(config, 'getint', return_value=3):
            self.assertEqual(
                _with_timeout('smtp://h'), 'smtp://h?timeout=3')
        server = self.serve()
        with patch.object(config, 'get', return_value=server.uri):
            with Session() as session:
                self.assertEqual(session._server.timeout, 60)

    def test_detail(self):
        "Test the words of the server are made safe"
        server = self.serve()
        server.on('rcpt', '550-5.1.1 \x1b[31mré\x00\u202e\r\n550 '
            + 'x' * 2 * DETAIL_LENGTH)
        with self.session(server) as session:
            outcome = session.send(outgoing())
        self.assertEqual(len(outcome.detail), DETAIL_LENGTH)
        self.assertTrue(
            outcome.detail.startswith('550 5.1.1 [31mré xxx'), outcome)

    def test_nonsense(self):
        "Test an answer that is none"
        server = self.serve()
        for stage, reply in [
                ('mail', 'what?'), ('rcpt', '354 go'), ('data', '250 fine'),
                ('dot', '354 more'), ('dot', 'x' * 20000)]:
            with self.subTest(stage=stage):
                server.on(stage, reply, times=1)
                with self.session(server) as session:
                    self.assertOutcome(
                        session.send(outgoing()), 'waiting', 'connection_lost')
                    self.assertEqual(session.send(outgoing()), done())


class ProcessTestCase(unittest.TestCase):
    "Test the server as process"

    def test_process(self):
        "Test the messages are stored as files"
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen([
                    sys.executable, '-m',
                    'trytond.modules.marketing_automation.tests.mail.smtp',
                    '--port', '0', '--out', folder, '--refuse', 'john'],
                stdout=subprocess.PIPE, text=True, env=dict(os.environ))
            try:
                uri = process.stdout.readline().strip()
                self.assertTrue(re.match(r'smtp://127.0.0.1:\d+$', uri), uri)
                with Session(uri) as session:
                    self.assertEqual(session.send(outgoing()), done())
                    self.assertEqual(
                        session.send(outgoing('john@example.com')).state,
                        'failed')
            finally:
                process.terminate()
                process.wait()
                process.stdout.close()
            path, = Path(folder).iterdir()
            message = email.message_from_bytes(
                path.read_bytes(), policy=default_policy)
        self.assertEqual(message['X-Envelope-To'], 'jane@example.com')
        self.assertEqual(message['X-Envelope-From'], 'shop@example.com')
        self.assertEqual(message['Message-ID'], '<1@example.com>')
