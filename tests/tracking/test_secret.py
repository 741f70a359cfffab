# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

import time_machine

from trytond.model.exceptions import AccessError
from trytond.modules.marketing_automation.tracking.url import (
    OPEN, decode, encode)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    TestCase, activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

DAY = dt.timedelta(days=1)
WIZARD = 'marketing.automation.secret.rotate'


def later(delta):
    "Be later than now"
    return time_machine.travel(dt.datetime.now() + delta)


class SecretTestCase(TestCase):
    "Test the keys that sign the links"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def create_user(self, *groups):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        user, = User.create([{
                    'name': "User",
                    'login': f'user {User.search([], count=True)}',
                    'groups': [('add', [
                                ModelData.get_id(*g) for g in groups])],
                    }])
        return user.id

    def rotate(self, user, days=30):
        "Do what the client of the user does"
        pool = Pool()
        Wizard = pool.get(WIZARD, type='wizard')
        with Transaction().set_user(user), \
                Transaction().set_context(_check_access=True):
            session_id, start, end = Wizard.create()
            Wizard.execute(session_id, {}, start)
            Wizard.execute(session_id, {'start': {'days': days}}, 'rotate')
            Wizard.delete(session_id)

    @with_transaction()
    def test_one(self):
        "Test each database has one secret which nobody reads"
        pool = Pool()
        Secret = pool.get('marketing.automation.secret')

        secret, = Secret.search([])
        self.assertEqual(secret.number, 0)
        self.assertEqual(len(secret.key), 64)
        self.assertIsNone(secret.valid_until)
        self.assertFalse(Secret.__rpc__)

    @with_transaction()
    def test_rotate(self):
        "Test the links of the former key work until a date"
        Secret = Pool().get('marketing.automation.secret')
        token = encode(OPEN, 42)

        Secret.rotate(DAY)

        self.assertNotEqual(encode(OPEN, 42), token)
        self.assertEqual(decode(OPEN, token), (42, None))
        self.assertEqual(decode(OPEN, encode(OPEN, 42)), (42, None))
        with later(2 * DAY):
            self.assertIsNone(decode(OPEN, token))
            self.assertEqual(decode(OPEN, encode(OPEN, 42)), (42, None))

    @with_transaction()
    def test_rotate_again(self):
        "Test a rotation never prolongs a key and drops those expired"
        Secret = Pool().get('marketing.automation.secret')
        token = encode(OPEN, 42)

        Secret.rotate(2 * DAY)
        Secret.rotate(10 * DAY)

        with later(3 * DAY):
            self.assertIsNone(decode(OPEN, token))
            Secret.rotate(DAY)
        self.assertEqual(
            {s.number for s in Secret.search([])}, {1, 2, 3})

        Secret.rotate(dt.timedelta())
        secret, = Secret.search([('valid_until', '=', None)])
        self.assertEqual(set(Secret.keys()), {secret.number})

    @with_transaction()
    def test_rotate_number(self):
        "Test the numbers of the keys fit in a byte"
        Secret = Pool().get('marketing.automation.secret')
        secret, = Secret.search([])
        Secret.write([secret], {'number': 255})

        Secret.rotate(DAY)

        self.assertEqual(Secret.current()[0], 0)

    @with_transaction()
    def test_wizard(self):
        "Test an administrator renews the secret"
        Secret = Pool().get('marketing.automation.secret')
        token = encode(OPEN, 42)

        self.rotate(self.create_user(
                ('marketing_automation', 'group_marketing_automation_admin')))

        self.assertNotEqual(encode(OPEN, 42), token)
        self.assertEqual(decode(OPEN, token), (42, None))
        with later(31 * DAY):
            self.assertIsNone(decode(OPEN, token))
        self.assertEqual(len(Secret.search([])), 2)

    @with_transaction()
    def test_wizard_first_user(self):
        "Test the first user is an administrator"
        token = encode(OPEN, 42)
        self.rotate(1, days=0)
        self.assertIsNone(decode(OPEN, token))

    @with_transaction()
    def test_wizard_marketer(self):
        "Test a marketer, or anybody else, does not renew the secret"
        token = encode(OPEN, 42)
        for groups in [[('marketing', 'group_marketing')], []]:
            user = self.create_user(*groups)
            with self.subTest(groups=groups):
                with self.assertRaises(AccessError):
                    self.rotate(user)
                self.assertEqual(encode(OPEN, 42), token)

    @with_transaction()
    def test_menu(self):
        "Test only an administrator sees the menu"
        pool = Pool()
        Menu = pool.get('ir.ui.menu')
        ModelData = pool.get('ir.model.data')
        menu = ModelData.get_id('marketing_automation', 'menu_secret_rotate')
        marketer = self.create_user(('marketing', 'group_marketing'))
        for user, visible in [(1, True), (marketer, False)]:
            with self.subTest(user=user), \
                    Transaction().set_user(user), \
                    Transaction().set_context(_check_access=True):
                self.assertEqual(
                    bool(Menu.search([('id', '=', menu)])), visible)
