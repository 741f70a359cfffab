# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.modules.marketing_automation.common.sql import values_table
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

WORDS = [
    "It's", '"quoted"', '{a,b}', 'back\\slash', 'NULL', '', ' ', 'é%s', None]


class ToolsTestCase(unittest.TestCase):
    "Test what composes statements"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_row_table(self):
        "Test the rows come back as they were given"
        rows = [[i, word] for i, word in enumerate(WORDS)]
        self.assertEqual(self.read(rows, ['INTEGER', 'VARCHAR']), rows)

    @with_transaction()
    def test_row_table_nothing(self):
        "Test columns without any value"
        rows = [[i, None, None] for i in range(3)]
        self.assertEqual(
            self.read(rows, ['INTEGER', 'VARCHAR', 'TIMESTAMP']), rows)

    @with_transaction()
    def test_row_table_time(self):
        "Test times"
        at = dt.datetime(2026, 11, 22, 9, 45, 30)
        (time,), = self.read([[at]], ['TIMESTAMP'])
        self.assertEqual(str(time), str(at))

    def read(self, rows, types):
        table = values_table(rows, types)
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                *(getattr(table, f'column{i}')
                    for i, _ in enumerate(types, 1)),
                order_by=[table.column1]))
        return list(map(list, cursor))
