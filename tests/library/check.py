# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Live through a scenario of the example, in a process that has its module.
"""

import datetime as dt
import unittest

from lxml import etree

from trytond.modules.marketing_automation.tests.tools import start_server
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module
from trytond.transaction import Transaction
from trytond.worker import run_task

DUE = dt.date(2050, 1, 1)
TEMPLATE = '<p>Dear ${record.reader.name}, about ${record.book}.</p>'


class LibraryTestCase(unittest.TestCase):
    "Test a module which adds a target, an action and an event"

    @classmethod
    def setUpClass(cls):
        activate_module('library')

    def setUp(self):
        super().setUp()
        self.smtp = start_server(self)

    def run_crons(self):
        for model, method in [
                ('marketing.automation.scenario', 'trigger'),
                ('marketing.automation.record.activity', 'process')]:
            with Transaction().start(DB_NAME, 0) as transaction:
                getattr(Pool().get(model), method)()
            while transaction.tasks:
                run_task(DB_NAME, transaction.tasks.pop())

    def test_scenario(self):
        "Test a scenario of loans to its end"
        with Transaction().start(DB_NAME, 1):
            self.create_loans()
            self.create_scenario()
        self.run_crons()
        with Transaction().start(DB_NAME, 1):
            Loan = Pool().get('library.loan')
            late, early, _ = Loan.search([], order=[('id', 'ASC')])
            self.assertEqual(late.due, DUE + dt.timedelta(days=7))
            Loan.write([early], {'returned': True})
        self.run_crons()

        self.assertEqual(self.states(), {
                ("Extend", "Late"): ('done', None),
                ("Extend", "Early"): ('done', None),
                ("Extend", "Returned"): ('skipped', 'loan_returned'),
                ("Remind", "Late"): ('waiting', None),
                ("Remind", "Early"): ('cancelled', 'opposite'),
                ("Thank", "Late"): ('waiting', None),
                ("Thank", "Early"): ('done', None),
                })
        message, = self.smtp.messages
        self.assertEqual(str(message.message['Subject']), "Thank you")
        self.assertIn("Dear Reader, about Early.", message.text)

    def create_loans(self):
        pool = Pool()
        Loan = pool.get('library.loan')
        Party = pool.get('party.party')
        reader, = Party.create([{
                    'name': "Reader",
                    'contact_mechanisms': [('create', [{
                                    'type': 'email',
                                    'value': 'reader@example.com',
                                    }])],
                    }])
        Loan.create([{
                    'book': book,
                    'reader': reader.id,
                    'due': DUE,
                    'returned': book == "Returned",
                    } for book in ["Late", "Early", "Returned"]])

    def create_scenario(self):
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Scenario = pool.get('marketing.automation.scenario')
        scenario, = Scenario.create([{
                    'name': "Loans",
                    'model': 'library.loan',
                    'domain': '[["reader.name", "=", "Reader"]]',
                    }])
        extend, = Activity.create([{
                    'name': "Extend",
                    'parent': str(scenario),
                    'action': 'extend_loan',
                    'loan_days': 7,
                    }])
        mail = {
            'parent': str(extend),
            'event': 'book_returned',
            'action': 'send_email',
            'email_template': TEMPLATE,
            }
        Activity.create([{
                    **mail,
                    'name': "Thank",
                    'email_title': "Thank you",
                    }, {
                    **mail,
                    'name': "Remind",
                    'negative': True,
                    'delay': dt.timedelta(days=7),
                    'email_title': "Please return it",
                    }])
        view = Activity.fields_view_get(view_type='form')
        self.assertTrue(
            etree.fromstring(view['arch']).xpath('//field[@name="loan_days"]'))
        Scenario.run([scenario])

    def states(self):
        with Transaction().start(DB_NAME, 1, readonly=True):
            RecordActivity = Pool().get('marketing.automation.record.activity')
            return {
                (r.activity.name, r.record.record.book): (r.state, r.reason)
                for r in RecordActivity.search([])}


if __name__ == '__main__':
    unittest.main()
