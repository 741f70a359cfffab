# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import sqlite3
import unittest
from types import SimpleNamespace
from unittest.mock import patch

from trytond.modules.marketing_automation.common import transaction
from trytond.modules.marketing_automation.common.transaction import (
    is_transient)
from trytond.transaction import TransactionError

try:
    import psycopg
except ImportError:
    psycopg = None


class RetryTestCase(unittest.TestCase):
    "Test what deserves another try"

    def backend(self, name, error):
        return patch.object(transaction, 'backend', SimpleNamespace(
                name=name, DatabaseOperationalError=error))

    @unittest.skipUnless(psycopg, "needs psycopg")
    def test_postgresql(self):
        "Test the errors of PostgreSQL"
        with self.backend('postgresql', psycopg.OperationalError):
            for name in [
                    'SerializationFailure', 'DeadlockDetected',
                    'LockNotAvailable', 'AdminShutdown', 'CrashShutdown',
                    'CannotConnectNow', 'ConnectionFailure']:
                with self.subTest(error=name):
                    self.assertTrue(
                        is_transient(getattr(psycopg.errors, name)()))
            self.assertTrue(is_transient(psycopg.OperationalError(
                        "the connection is closed")))
            for name in [
                    'QueryCanceled', 'ProgramLimitExceeded', 'DiskFull',
                    'UniqueViolation', 'SyntaxError']:
                with self.subTest(error=name):
                    self.assertFalse(
                        is_transient(getattr(psycopg.errors, name)()))

    def test_sqlite(self):
        "Test the errors of SQLite"
        with self.backend('sqlite', sqlite3.OperationalError):
            self.assertTrue(is_transient(
                    sqlite3.OperationalError("database is locked")))
            self.assertFalse(is_transient(
                    sqlite3.OperationalError("no such table: t")))

    def test_others(self):
        "Test what does not come from the database"
        self.assertTrue(is_transient(TransactionError()))
        self.assertFalse(is_transient(ValueError("locked")))
