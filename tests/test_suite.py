# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from unittest.mock import patch

import hypothesis

from trytond.cache import MemoryCache
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction

from .common.guarantee import database

MODULE = 'marketing_automation'
PARTY = 'party.party'


class SuiteTestCase(unittest.TestCase):
    "Test no test is in the way of another one"

    def setUp(self):
        super().setUp()
        self.addCleanup(drop_db)
        activate_module(MODULE)

    def create_party(self):
        "Create a party and return its id, the same in each new database"
        party, = Pool().get(PARTY).create([{'name': "Party"}])
        return party.id, party.code

    def parties(self, name=DB_NAME):
        with Transaction().start(name, 1):
            return Pool().get(PARTY).search([], count=True)

    def test_new(self):
        "Test what is committed is in no other database"
        created = set()
        for _ in range(2):
            drop_db()
            activate_module(MODULE)
            self.assertEqual(self.parties(), 0)
            with Transaction().start(DB_NAME, 1):
                created.add(self.create_party())
            self.assertEqual(self.parties(), 1)
        self.assertEqual(len(created), 1)
        drop_db()
        with database() as name:
            self.assertEqual(self.parties(name), 0)

    def test_classes(self):
        "Test databases with the same modules have the same classes"
        # The first one may just have been activated
        drop_db()
        activate_module(MODULE)
        with Transaction().start(DB_NAME, 1):
            Party = Pool().get(PARTY)
        drop_db()
        with database() as name, Transaction().start(name, 1):
            self.assertIs(Pool().get(PARTY), Party)
        activate_module(['party', 'company'])
        with Transaction().start(DB_NAME, 1):
            self.assertIsNot(Pool().get(PARTY), Party)
            self.assertFalse(hasattr(Pool().get(PARTY), 'marketing_refused'))
            with self.assertRaises(KeyError):
                Pool().get('marketing.automation.scenario')
        drop_db()
        activate_module(MODULE)
        with Transaction().start(DB_NAME, 1):
            self.assertIs(Pool().get(PARTY), Party)

    def test_synchronisation(self):
        "Test another transaction does not commit the one of the test"
        long_ago = dt.datetime.now() - dt.timedelta(days=9)
        with patch.object(MemoryCache, '_clean_last', long_ago):
            with Transaction().start(DB_NAME, 1) as transaction:
                self.create_party()
                with Transaction().new_transaction(readonly=True):
                    pass
                transaction.rollback()
        self.assertEqual(self.parties(), 0)

    def test_deadline(self):
        "Test properties have no deadline"
        self.assertIsNone(hypothesis.settings.default.deadline)
