# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest
from contextlib import ExitStack

from .common import upgrade
from .common.upgrade import Snapshot


@unittest.skipUnless(
    upgrade.available(), f"no database of Tryton {upgrade.SERIES}")
class UpgradeTestCase(unittest.TestCase):
    """
    Test the update of a database that was filled by the module of the Tryton
    project
    """
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        cls.database = stack.enter_context(upgrade.new_database())
        cls.former = Snapshot(cls.database)
        cls.database.update()
        cls.updated = Snapshot(cls.database)
        cls.database.update()
        cls.again = Snapshot(cls.database)

    def test_kept(self):
        "Test each former row is still there and has its former values"
        for table, rows in self.former.rows.items():
            with self.subTest(table=table):
                updated = {
                    row['id']: row for row in self.updated.rows[table]}

                self.assertEqual([{
                            name: updated[former['id']][name]
                            for name in former}
                        for former in rows],
                    rows)
                if table != 'ir_cron':
                    self.assertEqual(len(updated), len(rows))

    def test_translations(self):
        "Test the translations of what marketers wrote are kept"
        french = {
            translation[:2] for translation in self.former.translations
            if translation[2] == 'fr'}

        self.assertEqual(
            french, {
                (translation['name'], translation['res_id'])
                for translation in upgrade.content()['translations_fr']})
        self.assertEqual(
            self.updated.translations, self.former.translations)

    def test_fields(self):
        "Test each field has kept its type"
        self.assertTrue(self.former.fields)
        self.assertEqual(self.former.fields - self.updated.fields, set())

    def test_xml_ids(self):
        "Test what other modules extend has kept its name"
        for model in [
                'ir.action.report', 'ir.cron', 'ir.model.access',
                'ir.model.button', 'ir.ui.menu', 'ir.ui.view']:
            with self.subTest(model=model):
                former = {id for m, id in self.former.ids if m == model}

                self.assertTrue(former)
                self.assertEqual(
                    former - {id for m, id in self.updated.ids if m == model},
                    set())

    def test_update_again(self):
        "Test a second update changes nothing"
        self.assertEqual(self.again.schema, self.updated.schema)
        self.assertEqual(self.again.rows, self.updated.rows)
        self.assertEqual(self.again.sizes, self.updated.sizes)
        self.assertEqual(self.again.translations, self.updated.translations)

    def test_works(self):
        "Test the scenarios go on"
        self.database.check(
            'upgrade_content', 'upgrade_links', 'upgrade_progress')
