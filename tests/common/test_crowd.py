# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

from sql import Table

from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from .crowd import create_crowd, enter_crowd, plan_crowd
from .history import create_scenarios

PEOPLE = [
    ("Ann", 'ann@example.com'), ("Bob", None), ("Cay", 'Cay@EXAMPLE.com'),
    ("Dan", None), ("Eve", 'eve@example.com'), ("Fay", 'fay@example.com')]
# What differs between two records that are alike
OWN = {
    'id', 'create_date', 'write_date', 'write_uid', 'code', 'code_alnum',
    'code_digit', 'uuid', 'party', 'record'}


class CrowdTestCase(unittest.TestCase):
    "Test a crowd is like what is created one by one"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def rows(self, table, column, ids):
        "Return what is stored, by the column"
        cursor = Transaction().connection.cursor()
        table = Table(table)
        cursor.execute(*table.select(
                where=getattr(table, column).in_(ids), order_by=table.id))
        names = [d[0] for d in cursor.description]
        result = {i: [] for i in ids}
        for row in cursor.fetchall():
            row = dict(zip(names, row))
            result[row[column]].append(
                {n: v for n, v in row.items() if n not in OWN})
        return list(result.values())

    @with_transaction()
    def test_parties(self):
        "Test the parties"
        pool = Pool()
        Lang = pool.get('ir.lang')
        Party = pool.get('party.party')
        french, = Lang.search([('code', '=', 'fr')])
        crowd = create_crowd(PEOPLE, lang=french.id)
        created = Party.create([{
                    'name': name,
                    'lang': french.id,
                    'contact_mechanisms': [('create', [{
                                    'type': 'email', 'value': address,
                                    }])] if address else None,
                    } for name, address in PEOPLE])
        for table, column in [
                ('party_party', 'id'),
                ('party_party_lang', 'party'),
                ('party_address', 'party'),
                ('party_contact_mechanism', 'party')]:
            with self.subTest(table=table):
                self.assertEqual(
                    self.rows(table, column, [p.id for p in crowd]),
                    self.rows(table, column, [p.id for p in created]))
        self.assertEqual([p.lang for p in crowd], [french] * len(PEOPLE))
        self.assertEqual([p.name for p in crowd], [n for n, _ in PEOPLE])
        self.assertEqual([p.email for p in crowd], [p.email for p in created])
        self.assertEqual(
            sorted(p.id for p in crowd), [p.id for p in crowd])
        self.assertEqual(len({p.code for p in [*crowd, *created]}), 12)
        for party in crowd:
            self.assertEqual(
                party.compute_fields(), {
                    'code_alnum': party.code_alnum,
                    'code_digit': party.code_digit,
                    })
        Party.validate_fields(crowd, None)

    @with_transaction()
    def test_records(self):
        "Test the records and what is planned"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        targets = create_crowd(PEOPLE * 2)
        half = len(PEOPLE)
        crowd = enter_crowd(scenario, targets[:half])
        created = Record.create([{
                    'scenario': scenario.id,
                    'record': str(t),
                    } for t in targets[half:]])
        planned = plan_crowd(activity, crowd)
        alone = RecordActivity.create([{
                    'record': r.id,
                    'activity': activity.id,
                    } for r in created])
        for one, other in [(crowd, created), (planned, alone)]:
            table = one[0]._table
            self.assertEqual(
                self.rows(table, 'id', [r.id for r in one]),
                self.rows(table, 'id', [r.id for r in other]))
        self.assertEqual([r.record for r in [*crowd, *created]], targets)
        self.assertEqual([r.record for r in planned], crowd)
        self.assertEqual(len({r.uuid for r in [*crowd, *created]}), 2 * half)
