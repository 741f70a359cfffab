# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import gc
import logging
import tracemalloc
from collections import Counter
from unittest.mock import patch

from trytond import backend
from trytond.modules.marketing_automation.execution import run
from trytond.modules.marketing_automation.outcome import done
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.guarantee import GuaranteeTestCase


class _Nowhere:
    "A courier that takes everything, and remembers nothing"

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def send(self, outgoing):
        return done()


class BatchTestCase(GuaranteeTestCase):
    "Test that nothing grows with the size of the run"
    _options = {'marketing__batch_size': 100}

    def setUp(self):
        super().setUp()
        Activity = Pool(self.name).get('marketing.automation.activity')
        self.enter(patch.object(
                Activity, 'courier_send_email', lambda self: _Nowhere()))
        self.transactions = 0

    def create_many(self, count):
        "Create a scenario with many mails for the same few parties"
        parties = self.create_parties('a@example.com')
        scenario = self.create_scenario(parties)
        with self.transaction():
            pool = Pool()
            Party = pool.get('party.party')
            Scenario = pool.get('marketing.automation.scenario')
            party, = Party.browse(parties)
            Party.copy([party] * (count - 1), default={'code': None})
            Scenario.write([Scenario(scenario)], {
                    'domain': f'[["id", ">=", {parties[0]}]]',
                    })
            Scenario.enter([Scenario(scenario)])

    def test_memory(self):
        "Test memory does not grow with the number of batches"
        self.create_many(1000)
        sizes = []
        watch = self.watch(lambda: sizes.append(
                (gc.collect(), tracemalloc.get_traced_memory()[0])[1]))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        with watch:
            self.process()
        self.assertEqual(self.states, {'done': 1000})
        self.assertEqual(len(sizes), 10)
        # What the first ones leave behind are caches
        growth = sizes[-1] - sizes[4]
        self.assertLess(growth, 250_000, sizes)

    def watch(self, call):
        "Call after each batch"
        RecordActivity = Pool(self.name).get(
            'marketing.automation.record.activity')
        original = RecordActivity.watch

        def watch(activity, trouble):
            original(activity, trouble)
            call()

        return patch.object(RecordActivity, 'watch', watch)

    def test_transactions(self):
        "Test no transaction is open for more than a batch"
        self.create_many(350)
        counts = []

        def count():
            counts.append(len(Transaction._local.transactions))

        with self.watch(count):
            self.process()
        self.assertEqual(set(counts), {1})
        self.assertEqual(len(counts), 4)

    def test_statements(self):
        "Test a batch has the same number of statements but for its outcomes"
        counts = {}
        for size in [10, 40]:
            self.clear()
            self.configure(marketing__batch_size=size)
            self.create_mails(size)
            with self.count_statements() as statements:
                self.process()
            self.assertEqual(self.states, {'done': size})
            counts[size] = statements.total()
        # The outcome of each is stored and committed
        self.assertLessEqual(counts[40] - counts[10], 30 * 2, counts)

    def count_statements(self):
        from contextlib import contextmanager

        @contextmanager
        def count():
            statements = Counter()
            if backend.name == 'postgresql':
                from trytond.backend.postgresql.database import LoggingCursor
                execute = LoggingCursor.execute

                def counted(cursor, query, *args, **kwargs):
                    statements[str(query)[:30]] += 1
                    return execute(cursor, query, *args, **kwargs)

                with patch.object(LoggingCursor, 'execute', counted):
                    yield statements
            else:
                connection = backend.Database(
                    self.name).connect().get_connection()
                connection.set_trace_callback(
                    lambda query: statements.update([query[:30]])
                    if query.startswith(('SELECT', 'UPDATE', 'INSERT'))
                    else None)
                try:
                    yield statements
                finally:
                    connection.set_trace_callback(None)
        return count()

    def test_interrupted(self):
        "Test a run goes on where it was interrupted"
        self.create_mails(30)
        self.configure(marketing__batch_size=10)
        calls = []

        def interrupt():
            calls.append(None)
            if len(calls) == 2:
                raise KeyboardInterrupt

        with self.watch(interrupt), self.assertRaises(KeyboardInterrupt):
            self.process()
        self.assertEqual(self.states, {'done': 20, 'waiting': 10})
        self.process()
        self.assertEqual(self.states, {'done': 30})

    def test_progress(self):
        "Test the progress is visible during the run"
        scenario = self.create_mails(30)
        self.configure(marketing__batch_size=10)
        seen = []

        def look():
            with Transaction().new_transaction():
                record = Pool().get('marketing.automation.scenario')(scenario)
                seen.append((record.done_count, record.waiting_count))

        with self.watch(look):
            self.process()
        self.assertEqual(seen, [(10, 20), (20, 10), (30, 0)])

    def test_deadline(self):
        "Test a batch that takes too long gives back the rest"
        self.create_mails(5)
        with patch.object(run, '_CHECK_INTERVAL', -1), \
                patch.object(run.claim, 'DEADLINE') as deadline:
            deadline.total_seconds.side_effect = [9, 9, -1, 9, 9, 9, 9, 9]
            with self.assertLogs(
                    'trytond.modules.marketing_automation.execution.run',
                    logging.INFO) as logs:
                self.process()
        self.assertEqual(
            [line.split('sent=')[1].split()[0]
                for line in logs.output if 'batch activity' in line],
            ['2', '3'])
        self.assertEqual(self.states, {'done': 5})


class LogTestCase(GuaranteeTestCase):
    "Test that the log tells what happens but nothing about persons"

    def test_personal_data(self):
        "Test there are neither names, nor addresses, nor tokens"
        party, other, third = self.create_parties(
            'alice@example.com', 'bob@example.com', 'carol@example.com')
        self.sql(
            "UPDATE party_contact_mechanism SET value = 'bob b@@c' "
            "WHERE party = %s", other)
        self.create_scenario([party, other, third])
        self.smtp.refuse_rcpt('carol', text='carol@example.com is unknown')
        self.smtp.drop_at('data')
        logger = logging.getLogger('trytond.modules')
        with self.assertLogs(logger, logging.DEBUG) as logs:
            self.process()
            self.make_due()
            self.process()
        self.assertEqual(
            self.states, {'done': 1, 'failed': 2})
        output = '\n'.join(logs.output)
        for word in ['alice', 'bob', 'carol', '@example', '@@']:
            self.assertNotIn(word, output)
        self.assertRegex(
            output, r'batch activity=\d+ claim=\d+ decided=3 messages=2 '
            r'sent=0 away=0 seconds=\d+\.\d+')
