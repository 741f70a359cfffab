# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re
import unittest
from collections import Counter
from contextlib import ExitStack

from trytond.modules import create_graph, get_modules, load_translations
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction

from .common import upgrade
from .common.module_data import MODULE, module_data
from .tools import activate_all

# What an administrator has added to the form of the scenario
CUSTOM = re.compile('<newline/><label id="house_rule" [^>]*>')
# What marketers see of the other modules
OTHERS = re.compile(r'marketing_(email|campaign|medium|source)|inbound_email')


@unittest.skipUnless(
    upgrade.available('flat'), f"no database of Tryton {upgrade.SERIES}")
class FlatUpgradeTestCase(unittest.TestCase):
    "Test the update of a database of when the module had no rooms"
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        cls.database = stack.enter_context(upgrade.new_database('flat'))
        cls.former = upgrade.Snapshot(cls.database)
        cls.former_views = cls.views()
        cls.database.update()
        cls.updated = upgrade.Snapshot(cls.database)
        cls.updated_views = cls.views()
        cls.data = cls.database.module_data()

    @classmethod
    def views(cls):
        return {
            view['id']: view for view in cls.database.rows('ir_ui_view')}

    @classmethod
    def fresh(cls):
        "Return the data of the module in a new database"
        activate_all()
        cls.addClassCleanup(drop_db)
        cls.fresh = staticmethod(lambda data=cls._fresh(): data)
        return cls.fresh()

    @staticmethod
    @with_transaction()
    def _fresh():
        for node in create_graph(get_modules()):
            # The latter extends the views of the former
            if node.name in {MODULE, 'marketing_campaign'}:
                load_translations(Pool(), node, {'fr'})
        return module_data()

    def test_content(self):
        "Test the fixture holds what is to be kept"
        content = upgrade.content('flat')
        rows = self.former.rows
        states = [
            r['state'] for r in rows['marketing_automation_record_activity']]

        self.assertEqual(
            {table: len(rows[table]) for table in content['counts']},
            content['counts'])
        self.assertEqual(
            {state: states.count(state) for state in set(states)},
            content['states'])
        self.assertGreaterEqual(len(content['states']), 4)
        self.assertTrue(all(content['counts'].values()))

    def test_rows(self):
        "Test each row has its values"
        for table, rows in self.former.rows.items():
            with self.subTest(table=table):
                updated = self.updated.rows[table]
                names = rows[0].keys() if rows else ()

                self.assertEqual(
                    [{n: row[n] for n in names} for row in updated], rows)

    def test_sizes(self):
        "Test no table is lost, nor rows of other modules"
        self.assertEqual(
            self.former.sizes.keys() - self.updated.sizes.keys(), set())
        for table, size in self.former.sizes.items():
            if OTHERS.match(table):
                with self.subTest(table=table):
                    self.assertEqual(self.updated.sizes[table], size)

    def test_fields(self):
        "Test each field has kept its type"
        self.assertTrue(self.former.fields)
        self.assertEqual(self.former.fields - self.updated.fields, set())

    def test_xml_ids(self):
        "Test each XML id leads to the same record"
        self.assertGreater(len(self.former.ids), 900)
        self.assertEqual({
                key: self.updated.ids.get(key) for key in self.former.ids},
            self.former.ids)

    def test_translations_of_marketers(self):
        "Test the translations of what marketers wrote are kept"
        self.assertEqual(
            {language for _, _, language, *_ in self.former.translations},
            {'en', 'fr', 'de'})
        self.assertEqual(
            self.updated.translations, self.former.translations)

    def test_views_left(self):
        "Test no view is left over, and the one of the administrator stays"
        modules = [v['module'] for v in self.updated_views.values()]
        views = [id for model, id in self.updated.ids if model == 'ir.ui.view']
        self.assertEqual(modules.count(MODULE), len(views))
        custom, = [
            v for v in self.former_views.values()
            if CUSTOM.search(v['data'] or '')]
        self.assertEqual(self.updated_views[custom['id']], custom)

    def assertSame(self, updated, fresh):
        self.assertTrue(fresh)
        self.assertEqual(fresh.keys() ^ updated.keys(), set())
        for key, value in fresh.items():
            with self.subTest(key):
                self.assertEqual(updated[key], value)

    def test_records(self):
        "Test each record from XML is as in a new database"
        self.assertSame(self.data['records'], self.fresh()['records'])

    def test_translations(self):
        "Test the translations are those of a new database"
        updated, fresh = (
            Counter(map(tuple, data['translations']))
            for data in [self.data, self.fresh()])

        self.assertGreater(fresh.total(), 3000)
        self.assertEqual(updated - fresh, Counter(), "left over")
        self.assertEqual(fresh - updated, Counter(), "missing")

    def test_views(self):
        "Test each view shows the same in the same order as in a new database"
        for language in ['en', 'fr']:
            name = f'views_{language}'
            updated = self.data[name]
            type_, arch = updated['marketing_automation.scenario_view_form']
            arch, count = CUSTOM.subn('', arch)
            self.assertEqual(count, 1)
            with self.subTest(language=language):
                self.assertSame({
                        **updated,
                        'marketing_automation.scenario_view_form': [
                            type_, arch],
                        }, self.fresh()[name])

    def test_mails(self):
        "Test the links in the mails work after the update"
        self.database.check('upgrade_mails')


@unittest.skipUnless(
    upgrade.available('flat'), f"no database of Tryton {upgrade.SERIES}")
class FlatTestCase(unittest.TestCase):
    "Test a database of when the module had no rooms, before its update"

    def test_mails(self):
        "Test the links in the mails work before the update"
        with upgrade.new_database('flat') as database:
            former = [
                row['report'] for row in database.rows('ir_action_report')
                if row['report_name'] == 'marketing.automation.unsubscribe']
            self.assertEqual(former, ['marketing_automation/unsubscribe.html'])
            database.check('upgrade_mails')
