# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from contextlib import contextmanager
from unittest.mock import patch

import trytond.config as config
from trytond import backend
from trytond.modules.marketing_automation.execution import claim
from trytond.transaction import Transaction

NOW = dt.datetime(2026, 1, 1)
# How many seconds to wait for what surely happens
PATIENCE = 120
# Enough of a process that works on a batch
HOLDER = """
import sys, time
import trytond.config as config
from trytond.transaction import Transaction
from trytond.modules.marketing_automation.execution import claim

config.set('database', 'uri', sys.argv[1])
config.set('database', 'path', sys.argv[2])
with Transaction().start(sys.argv[3], 0) as transaction:
    with claim.hold(int(sys.argv[4])):
        transaction.commit()
        print('held', flush=True)
        sys.stdin.readline()
"""


@contextmanager
def holder(database, number):
    "Hold the number in another process"
    process = subprocess.Popen([
            sys.executable, '-c', HOLDER,
            config.get('database', 'uri'), config.get('database', 'path'),
            database, str(number)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == 'held\n'
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


class _ClaimTestCase:
    "Tests of a database where the death of a process is known at once"

    def transaction(self):
        return Transaction().start(self.database, 0)

    def dead(self, *numbers):
        "Return the numbers that are dead for a process that keeps none"
        with claim.adopt(dict.fromkeys(numbers, NOW), NOW) as result:
            return result

    def test_new(self):
        "Test numbers fit into an integer"
        numbers = {claim.new() for _ in range(1000)}
        self.assertGreater(len(numbers), 990)
        self.assertGreater(min(numbers), 0)
        self.assertLess(max(numbers), 2 ** 31)
        with patch.object(claim.secrets, 'randbelow', lambda n: n - 1):
            number = claim.new()
        with self.transaction(), claim.hold(number):
            pass

    def test_own(self):
        "Test what this process holds is not dead"
        with self.transaction() as transaction:
            number = claim.new()
            with claim.hold(number):
                self.assertEqual(self.dead(number), set())
                transaction.commit()
                self.assertEqual(self.dead(number), set())
                transaction.rollback()
                self.assertEqual(self.dead(number), set())
            self.assertEqual(self.dead(number), {number})
            with claim.hold(number):
                pass

    def test_hold_twice(self):
        "Test a number is held once"
        with self.transaction():
            number = claim.new()
            with claim.hold(number):
                with self.assertRaises(ValueError):
                    claim.hold(number).__enter__()
                self.assertEqual(self.dead(number), set())

    def test_dead(self):
        "Test a claim is adopted once"
        with self.transaction():
            one, two = claim.new(), claim.new()
            claims = {one: NOW, two: NOW}
            with claim.hold(two):
                self.assertEqual(claim.dead(claims, NOW), {one})
                self.assertEqual(claim.dead(claims, NOW), set())
                claim.release({one})
                self.assertEqual(self.dead(one), {one})

    def test_dead_error(self):
        "Test nothing is kept when something goes wrong"
        with self.transaction():
            number = claim.new()
            with self.assertRaises(TypeError):
                claim.dead({number: NOW, claim.new(): None}, NOW)
            self.assertEqual(self.dead(number), {number})

    def test_other_thread(self):
        "Test what another thread holds is not dead"
        number = claim.new()
        held, end = threading.Event(), threading.Event()

        def work():
            with self.transaction(), claim.hold(number):
                held.set()
                end.wait(PATIENCE)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            held.wait(PATIENCE)
            with self.transaction():
                self.assertEqual(self.dead(number), set())
        finally:
            end.set()
            thread.join()
        with self.transaction():
            self.assertEqual(self.dead(number), {number})

    def test_other_process(self):
        "Test what another process holds is not dead until it ends"
        number = claim.new()
        with holder(self.database, number) as process:
            with self.transaction():
                self.assertEqual(self.dead(number), set())
                with self.assertRaises(ValueError):
                    claim.hold(number).__enter__()
                # however long ago
                self.assertEqual(
                    claim.dead({number: NOW - dt.timedelta(days=9)}, NOW),
                    set())
                process.stdin.write('\n')
                process.stdin.flush()
                self.assertEqual(process.wait(), 0)
                self.assertEqual(self.dead(number), {number})

    def test_kill(self):
        "Test what a killed process held is dead"
        for signal_ in [signal.SIGKILL, signal.SIGTERM]:
            with self.subTest(signal=signal_):
                number = claim.new()
                with holder(self.database, number) as process:
                    with self.transaction():
                        self.assertEqual(self.dead(number), set())
                    process.send_signal(signal_)
                    process.wait()
                    # The database server notices it a bit later
                    deadline = time.monotonic() + PATIENCE
                    while time.monotonic() < deadline:
                        with self.transaction():
                            if self.dead(number):
                                break
                    else:
                        self.fail("claim is still alive")

    @unittest.skipUnless(hasattr(os, 'fork'), "requires fork")
    def test_fork(self):
        "Test a process does not inherit claims"
        with self.transaction():
            number = claim.new()
            with claim.hold(number), patch.object(
                    claim.os, 'getpid', lambda: -1):
                self.assertNotIn(claim._identity(number), claim._held)

    def test_exception(self):
        "Test a number is released after an error"
        number = claim.new()
        with self.assertRaises(RuntimeError):
            with self.transaction(), claim.hold(number):
                raise RuntimeError
        with self.transaction():
            self.assertEqual(self.dead(number), {number})

    def test_sql_error(self):
        "Test a number is released after an error of SQL"
        number = claim.new()
        with self.assertRaisesRegex(Exception, 'not a table'):
            with self.transaction() as transaction, claim.hold(number):
                cursor = transaction.connection.cursor()
                cursor.execute('SELECT * FROM "not a table"')
        with self.transaction():
            self.assertEqual(self.dead(number), {number})

    def test_exclusive(self):
        "Test exclusive lets the body run"
        with self.transaction() as transaction:
            with claim.exclusive('test'):
                transaction.commit()
                with claim.exclusive('other'):
                    pass


@unittest.skipUnless(backend.name == 'sqlite', "requires SQLite")
@unittest.skipUnless(claim.fcntl, "requires locks on files")
class FileTestCase(_ClaimTestCase, unittest.TestCase):
    "Test claims with a file"

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = config.get('database', 'path')
        config.set('database', 'path', folder.name)
        self.addCleanup(config.set, 'database', 'path', path)
        # The cache of the databases is by name
        self.database = f'test_claim_{claim.new()}'
        with Transaction().start(None, 0) as transaction:
            transaction.database.create(transaction.connection, self.database)


@unittest.skipUnless(backend.name == 'sqlite', "requires SQLite")
class LeaseTestCase(unittest.TestCase):
    "Test claims that end by themselves"

    def test_lease(self):
        "Test age of the claim"
        with Transaction().start(':memory:', 0):
            self.assertGreater(claim.LEASE, claim.DEADLINE)
            number = claim.new()
            second = dt.timedelta(seconds=1)
            for age, expected in [
                    (dt.timedelta(0), set()),
                    (claim.LEASE, set()),
                    (claim.LEASE + second, {number})]:
                with self.subTest(age=age), \
                        claim.adopt({number: NOW - age}, NOW) as dead:
                    self.assertEqual(dead, expected)
            with claim.hold(number):
                with claim.adopt(
                        {number: NOW - claim.LEASE - second}, NOW) as dead:
                    self.assertEqual(dead, set())


@unittest.skipUnless(backend.name == 'postgresql', "requires PostgreSQL")
class AdvisoryTestCase(_ClaimTestCase, unittest.TestCase):
    "Test claims with advisory locks"
    database = 'postgres'

    def locks(self, transaction):
        "Return the keys of the advisory locks of the connection"
        cursor = transaction.connection.cursor()
        cursor.execute(
            "SELECT classid, objid FROM pg_locks "
            "WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        return cursor.fetchall()

    def test_key(self):
        "Test the key is none of trytond"
        with self.transaction() as transaction:
            number = claim.new()
            with claim.hold(number), claim.exclusive('test'):
                keys = self.locks(transaction)
                self.assertEqual(len(keys), 2)
                for space, _ in keys:
                    self.assertTrue(0 < space < 2 ** 31)
                self.assertEqual(len({s for s, _ in keys}), 2)
            self.assertEqual(self.locks(transaction), [])

    def test_released(self):
        "Test no lock stays on the connection"
        with self.transaction() as transaction:
            for _ in range(3):
                number = claim.new()
                with claim.hold(number):
                    self.dead(number)
                    transaction.commit()
                with claim.adopt({number: NOW}, NOW):
                    transaction.rollback()
            self.assertEqual(self.locks(transaction), [])

    def test_exception_in_exclusive(self):
        "Test exclusive ends after an error of SQL"
        with self.transaction() as transaction:
            with self.assertRaisesRegex(Exception, 'nonsense'):
                with claim.exclusive('test'):
                    transaction.connection.cursor().execute('nonsense')
            transaction.rollback()
            self.assertEqual(self.locks(transaction), [])

    def test_work_is_kept(self):
        "Test the release does not roll back"
        with self.transaction() as transaction:
            cursor = transaction.connection.cursor()
            with claim.hold(claim.new()):
                cursor.execute('CREATE TEMPORARY TABLE kept (id INTEGER)')
            cursor.execute('SELECT count(*) FROM kept')
            transaction.rollback()

    def test_connection_lost(self):
        "Test a number is released when the connection is lost"
        number = claim.new()
        with self.assertRaises(backend.DatabaseOperationalError):
            with self.transaction() as transaction, claim.hold(number):
                cursor = transaction.connection.cursor()
                cursor.execute('SELECT pg_terminate_backend(pg_backend_pid())')
        with self.transaction():
            self.assertEqual(self.dead(number), {number})

    def test_exclusive_wait(self):
        "Test each sees what the others did"
        with self.transaction() as transaction:
            cursor = transaction.connection.cursor()
            cursor.execute('DROP TABLE IF EXISTS test_claim_counter')
            cursor.execute('CREATE TABLE test_claim_counter (value INTEGER)')
            cursor.execute('INSERT INTO test_claim_counter VALUES (0)')
            transaction.commit()
        errors = []

        def work():
            try:
                with self.transaction() as transaction:
                    transaction.commit()
                    for _ in range(20):
                        with claim.exclusive('counter'):
                            cursor = transaction.connection.cursor()
                            cursor.execute(
                                'SELECT value FROM test_claim_counter')
                            value, = cursor.fetchone()
                            time.sleep(.001)
                            cursor.execute(
                                'UPDATE test_claim_counter SET value = %s',
                                (value + 1,))
                            transaction.commit()
            except Exception as exception:
                errors.append(exception)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.transaction() as transaction:
            cursor = transaction.connection.cursor()
            cursor.execute('SELECT value FROM test_claim_counter')
            self.assertEqual(cursor.fetchone(), (80,))
            cursor.execute('DROP TABLE test_claim_counter')
        self.assertEqual(errors, [])

    def test_adopted_once(self):
        "Test two recoverers do not adopt the same claim"
        numbers = [claim.new() for _ in range(50)]
        adopted = []
        barrier = threading.Barrier(4)

        def work():
            with self.transaction():
                barrier.wait(PATIENCE)
                with claim.adopt(dict.fromkeys(numbers, NOW), NOW) as dead:
                    adopted.extend(dead)
                    barrier.wait(PATIENCE)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(adopted), sorted(numbers))


del _ClaimTestCase
