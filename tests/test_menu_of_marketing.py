# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

from lxml import etree

from trytond.model import ModelView
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)

from .tools import as_marketer


class DeskTestCase(unittest.TestCase):
    "Test what who is only in the group Marketing sees"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module(['marketing_automation', 'sale'])

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
        views = []
        for view in View.search([
                    ('module', '=', 'marketing_automation'),
                    ('inherit', '=', None),
                    ('model', 'like', 'marketing.automation.%'),
                    ]):
            Model = pool.get(view.model)
            if issubclass(Model, ModelView):
                views.append((Model, view, self.names(Model, view)))
        missing = set()
        with as_marketer(self):
            for Model, view, everything in views:
                missing |= everything - self.names(Model, view)
        self.assertEqual(missing, set())
