# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

from lxml import etree

from trytond.model import ModelView
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction, check_access


class DeskTestCase(unittest.TestCase):
    "Test what who is only in the group Marketing sees"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module(['marketing_automation', 'sale'])

    def create_user(self):
        pool = Pool()
        User = pool.get('res.user')
        ModelData = pool.get('ir.model.data')
        user, = User.create([{
                    'name': "Marketer",
                    'login': 'marketer',
                    'groups': [('add', [ModelData.get_id(
                                    'marketing', 'group_marketing')])],
                    }])
        return user

    def names(self, Model, view):
        arch = Model.fields_view_get(view.id)['arch']
        return {
            (Model.__name__, e.get('name'))
            for e in etree.fromstring(arch).iter('field', 'button')}

    @with_transaction()
    def test_views(self):
        "Test no field and no button of the views is missing"
        pool = Pool()
        View = pool.get('ir.ui.view')
        user = self.create_user()
        missing = set()
        for view in View.search([
                    ('module', '=', 'marketing_automation'),
                    ('inherit', '=', None),
                    ('model', 'like', 'marketing.automation.%'),
                    ]):
            Model = pool.get(view.model)
            if not issubclass(Model, ModelView):
                continue
            everything = self.names(Model, view)
            with Transaction().set_user(user.id), check_access():
                missing |= everything - self.names(Model, view)
        self.assertEqual(missing, set())
