# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re
import unittest
from contextlib import ExitStack

from .common import upgrade

# The tables that hold no data from XML
CONTENT = re.compile(
    r'marketing_automation_|party_|sale_|ir_cron$|ir_email|web_shortened_url')


class Snapshot:
    "What is in a database"

    def __init__(self, database):
        self.schema = database.schema()
        tables = database.tables()
        self.rows = {
            table: database.rows(table)
            for table in tables if CONTENT.match(table)}
        self.sizes = {table: len(database.rows(table)) for table in tables}
        self.ids = {
            (row['model'], row['fs_id'])
            for row in database.rows('ir_model_data')
            if row['module'] == 'marketing_automation'}
        self.fields = {
            (row['model'], row['name'], row['ttype'], row['relation'])
            for row in database.rows('ir_model_field')
            if row['module'] == 'marketing_automation'}
        self.translations = {
            (row['name'], row['res_id'], row['lang'], row['value'],
                row['fuzzy'])
            for row in database.rows('ir_translation')
            if row['type'] == 'model'
            and row['name'].startswith('marketing.automation.')
            # Those of a module come from its files
            and not row['module']
            # The names of the models themselves have no record
            and row['res_id'] not in {None, -1}}


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
        self.database.check()
