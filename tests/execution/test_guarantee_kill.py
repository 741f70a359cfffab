# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import random
import time
import unittest
from collections import Counter, defaultdict
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory

from trytond import backend

from ..common.guarantee import GuaranteeTestCase, Runner

KILLS = 25
RECIPIENTS = 400


@unittest.skipUnless(
    backend.name == 'postgresql', "needs processes that work together")
class KillTestCase(GuaranteeTestCase):
    "Test that a process may be killed at any moment"
    _options = {'marketing__batch_size': 20}

    def start_smtp(self):
        "Start a mail server in a process of its own"
        self.folder = Path(self.enter(TemporaryDirectory()))
        port = self.smtp.port
        self.smtp.die()
        server = self.start(
            '-m', 'trytond.modules.marketing_automation.tests.mail.smtp',
            '--port', str(port), '--out', str(self.folder),
            '--delay', '0.03')
        self.wait(lambda: self.is_listening(port) or server.poll())

    def is_listening(self, port):
        import socket
        with socket.socket() as sock:
            return not sock.connect_ex(('127.0.0.1', port))

    def received(self):
        return len(list(self.folder.glob('*.eml')))

    def mails(self):
        "Return the Message-IDs by recipient"
        mails = defaultdict(list)
        for path in self.folder.glob('*.eml'):
            message = message_from_bytes(path.read_bytes())
            mails[message['X-Envelope-To']].append(message['Message-ID'])
        return mails

    def test_random(self):
        "Test kills at random moments"
        self.start_smtp()
        self.create_mails(RECIPIENTS)
        runner = Runner(self)
        seed = random.randrange(10 ** 6)
        moments = random.Random(seed)
        kills = 0
        for i in range(KILLS):
            self.schedule()
            before = self.received()
            runner.run()
            if i % 2:
                # while it is sending
                count = moments.randint(1, RECIPIENTS // KILLS)
                end = time.monotonic() + 5
                while (self.received() < before + count
                        and time.monotonic() < end):
                    time.sleep(0.001)
                time.sleep(moments.random() * 0.02)
            else:
                time.sleep(moments.random() * 0.8)
            kills += runner.kill()
        self.schedule()
        runner.run()
        self.assertFalse(runner.wait())

        with self.subTest(seed=seed):
            self.assertGreater(kills, KILLS // 2)
            self.assertEqual(self.states, {'done': RECIPIENTS})
            mails = self.mails()
            self.assertEqual(len(mails), RECIPIENTS)
            duplicates = sum(len(ids) - 1 for ids in mails.values())
            self.assertLessEqual(duplicates, kills)
            # Who gets it again can tell that it is the same
            for ids in mails.values():
                self.assertEqual(len(set(ids)), 1)
            self.assertEqual(
                Counter(self.rows('message_id')),
                Counter({ids[0]: 1 for ids in mails.values()}))

    def test_unanswered(self):
        "Test the kill between the acceptance and its answer"
        self.create_mails(5)
        self.smtp.on('accepted', 3600, after=2, times=1)
        runner = Runner(self)
        self.schedule()
        runner.run()
        self.wait(lambda: len(self.smtp.messages) == 3)
        self.assertTrue(runner.kill())
        self.assertEqual(self.states, {'done': 2, 'sending': 3})
        self.schedule()
        runner.run()
        runner.wait()

        self.assertEqual(self.states, {'done': 5})
        self.assertEqual(
            sorted(self.smtp.by_recipient.values()), [1, 1, 1, 1, 2])
        self.assertEqual(
            sorted(self.smtp.by_message_id.values()), [1, 1, 1, 1, 2])

    def test_children(self):
        "Test the children of what a killed process has done are planned"
        scenario = self.create_mails(3)
        self.add_child(scenario)
        self.smtp.on('mail', 3600, after=2, times=1)
        runner = Runner(self)
        self.schedule()
        runner.run()
        self.wait(lambda: self.states['done'] == 2)
        self.assertTrue(runner.kill())
        self.assertEqual(self.states, {'done': 2, 'sending': 1})
        self.schedule()
        runner.run()
        runner.wait()

        self.assertEqual(self.states, {'done': 6})
        self.assertOnce(3)

    def add_child(self, scenario):
        from trytond.pool import Pool
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            parent, = Activity.search([('scenario', '=', scenario)])
            Activity.create([{
                        'name': "Child",
                        'parent': str(parent),
                        }])
