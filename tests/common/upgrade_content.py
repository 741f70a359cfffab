# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check that everything is still in a database after its update.

test_upgrade runs it in a process of its own, because it needs the database
named by the environment.
"""

import unittest
from collections import defaultdict

import proteus
from lxml import etree

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, inactive_records

from .upgrade import (
    ACTIVITY, RECORD, RECORD_ACTIVITY, SCENARIO, UNSUBSCRIBED, WELCOME,
    content)


def setUpModule():
    proteus.config.set_trytond()


def figures(record, names):
    return {name: getattr(record, name) for name in names}


class ContentTestCase(unittest.TestCase):
    "Test what has been found in the database"
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = content()

    @with_transaction(user=0)
    def test_scenarios(self):
        "Test the scenarios are as before"
        Scenario = Pool().get(SCENARIO)

        self.assertEqual([
                figures(s, [
                        'id', 'name', 'model', 'domain', 'state',
                        'unsubscribable'])
                for s in Scenario.search([], order=[('id', 'ASC')])],
            self.content['scenarios'])

    @with_transaction(user=0)
    def test_activities(self):
        "Test the activities are as before and know their scenario"
        Activity = Pool().get(ACTIVITY)
        activities = Activity.search([], order=[('id', 'ASC')])

        self.assertEqual([{
                    **figures(a, [
                            'id', 'name', 'event', 'negative', 'action']),
                    'parent': str(a.parent),
                    'delay': a.delay.total_seconds() if a.delay else None,
                    } for a in activities],
            self.content['activities'])
        self.assertEqual(
            [a.scenario.id for a in activities], [1, 1, 1, 1, 1, 2, 3, 4])
        self.assertEqual(
            [a.on for a in activities][:4], [
                None, 'email_opened', 'email_clicked', 'email_clicked_not'])

    @with_transaction(user=0)
    def test_valid(self):
        "Test what is valid for the former module is so for this one"
        pool = Pool()
        for name in [SCENARIO, ACTIVITY, RECORD, RECORD_ACTIVITY]:
            with self.subTest(model=name):
                Model = pool.get(name)
                Model.validate_fields(Model.search([]), None)
                Model._validate(Model.search([]))

    @with_transaction(user=0)
    def test_records(self):
        "Test the records are counted as before"
        Scenario = Pool().get(SCENARIO)
        for scenario in Scenario.search([]):
            with self.subTest(scenario=scenario.name):
                expected = self.content['records'].get(
                    str(scenario.id), {'records': 0, 'blocked': 0})
                records, blocked = expected['records'], expected['blocked']

                self.assertEqual(scenario.record_count, records)
                self.assertEqual(scenario.record_count_blocked, blocked)
                if records:
                    self.assertAlmostEqual(
                        scenario.block_rate, blocked / records, places=4)
                else:
                    self.assertIsNone(scenario.block_rate)
                self.assertTrue(scenario.block_rate_trend)

    @with_transaction(user=0)
    def test_record_activities(self):
        "Test the record activities are as before"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        counts = defaultdict(lambda: [0, 0, 0])
        for record_activity in RecordActivity.search([]):
            count = counts[record_activity.activity.id, record_activity.state]
            count[0] += 1
            count[1] += record_activity.email_opened
            count[2] += record_activity.email_clicked

        self.assertEqual(counts, {
                (r['activity'], r['state']):
                [r['count'], r['opened'], r['clicked']]
                for r in self.content['record_activities']})

    @with_transaction(user=0)
    def test_figures(self):
        "Test the figures of the activities are made of the former rows"
        Activity = Pool().get(ACTIVITY)
        activity = Activity(WELCOME)
        row, = (
            r for r in self.content['record_activities']
            if r['activity'] == WELCOME)
        done, opened, clicked = row['count'], row['opened'], row['clicked']

        for name, expected in [
                ('record_count', done),
                ('email_opened', opened),
                ('email_clicked', clicked),
                ('email_open_rate', opened / done),
                ('email_click_rate', clicked / done),
                ('email_click_through_rate', clicked / opened),
                ]:
            with self.subTest(name=name):
                self.assertAlmostEqual(
                    getattr(activity, name), expected, places=4)
        for row in self.content['record_activities']:
            activity = Activity(row['activity'])
            self.assertEqual(
                getattr(activity, f'{row["state"]}_count'), row['count'])

    @with_transaction(user=0)
    def test_reporting(self):
        "Test the former rows are in the reports"
        pool = Pool()
        Report = pool.get('marketing.automation.reporting.activity')
        with Transaction().set_context(period='year'):
            report, = Report.search([('activity', '=', WELCOME)])
            self.assertEqual(
                (report.record_count, report.email_opened,
                    report.email_clicked),
                (21, 11, 5))

    @with_transaction(user=0)
    def test_reasons(self):
        "Test what was cancelled has a reason"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        cancelled = RecordActivity.search([('state', '=', 'cancelled')])

        self.assertEqual({r.reason for r in cancelled}, {'opposite'})

    @with_transaction(user=0)
    def test_unsubscribed(self):
        "Test who unsubscribed stays unsubscribed and blocked"
        pool = Pool()
        Unsubscribed = pool.get(UNSUBSCRIBED)
        Record = pool.get(RECORD)
        rows = Unsubscribed.search([], order=[('id', 'ASC')])

        self.assertEqual(
            [r.scenario.id for r in rows],
            [r['scenario'] for r in self.content['unsubscribed']])
        for row in rows:
            self.assertIn(
                row.scenario, row.party.marketing_scenario_unsubscribed)
            record, = (
                r for r in Record.search([('scenario', '=', row.scenario.id)])
                if r.blocked)
            self.assertEqual(record.record.marketing_party, row.party)
        if backend.name == 'sqlite':
            self.assertEqual(
                [{'party': r.party.id, 'scenario': r.scenario.id}
                    for r in rows],
                self.content['unsubscribed'])

    @with_transaction(user=0)
    def test_emails(self):
        "Test the log of the sent e-mails is kept"
        Email = Pool().get('ir.email')
        emails = Email.search([
                ('marketing_automation_activity', '=', WELCOME),
                ('resource', 'like', 'party.party,%'),
                ])

        self.assertEqual(len(emails), self.content['ir_email'])
        for email in emails:
            self.assertEqual(
                email.marketing_automation_record.record, email.resource)

    @with_transaction(user=0)
    def test_links(self):
        "Test what the links in the sent e-mails need is kept"
        pool = Pool()
        Record = pool.get(RECORD)
        Shortened = pool.get('web.shortened_url')

        self.assertEqual(
            Shortened.search([], count=True), self.content['shortened_count'])
        if backend.name == 'sqlite':
            for row in self.content['uuids']:
                self.assertEqual(Record(row['record']).uuid, row['uuid'])
            for row in self.content['shortened']:
                shortened = Shortened(row['id'])
                self.assertEqual({
                        **figures(shortened, ['id', 'redirect_url', 'method']),
                        'record': str(shortened.record)}, row)

    @with_transaction(user=0)
    def test_translations(self):
        "Test the translations are found in their language"
        pool = Pool()
        names = defaultdict(set)
        for row in self.content['translations_fr']:
            model, field = row['name'].split(',')
            names[model, row['res_id']].add(field)
        for (model, id), names_ in names.items():
            Model = pool.get(model)
            english = figures(Model(id), names_)
            with Transaction().set_context(language='fr'):
                french = figures(Model(id), names_)
            for field in names_:
                self.assertTrue(french[field])
                self.assertNotEqual(french[field], english[field])

    @with_transaction(user=0)
    def test_fields(self):
        "Test each field of the former module is there"
        pool = Pool()
        ModelField = pool.get('ir.model.field')
        rows = ModelField.search([('module', '=', 'marketing_automation')])
        self.assertGreater(len(rows), 100)
        for row in rows:
            with self.subTest(model=row.model, field=row.name):
                self.assertIn(row.name, pool.get(row.model)._fields)

    @with_transaction(user=0)
    def test_leave(self):
        "Test nobody leaves a scenario that did not say so"
        Scenario = Pool().get(SCENARIO)
        with inactive_records():
            scenarios = Scenario.search([])
        self.assertTrue(scenarios)
        self.assertEqual({bool(s.leave) for s in scenarios}, {False})
        self.assertEqual({s.goal for s in scenarios}, {None})
        self.assertEqual({s.unicity for s in scenarios}, {None})

    @with_transaction(user=0)
    def test_crons(self):
        "Test each cron is there once"
        Cron = Pool().get('ir.cron')
        with inactive_records():
            crons = Cron.search([('method', 'like', 'marketing.automation.%')])

        for method, number, type_ in [
                (f'{SCENARIO}|trigger', 1, 'hours'),
                (f'{RECORD_ACTIVITY}|process', 15, 'minutes'),
                ]:
            with self.subTest(method=method):
                cron, = (c for c in crons if c.method == method)
                self.assertEqual(
                    (cron.interval_number, cron.interval_type),
                    (number, type_))

    @with_transaction(user=0)
    def test_campaign_view(self):
        "Test marketing_campaign has its part of the form of the activity"
        pool = Pool()
        Activity = pool.get(ACTIVITY)
        ModelData = pool.get('ir.model.data')
        view = Activity.fields_view_get(
            view_id=ModelData.get_id(
                'marketing_automation', 'activity_view_form'),
            view_type='form')
        arch = etree.fromstring(view['arch'])

        for name in [
                'marketing_campaign', 'marketing_medium', 'marketing_source']:
            self.assertIn(name, view['fields'])
            self.assertTrue(
                arch.xpath(f'/form/notebook/page//field[@name="{name}"]'))

    @unittest.skipUnless(
        backend.name == 'postgresql', "SQLite does not alter tables")
    @with_transaction(user=0)
    def test_schema(self):
        "Test the tables were altered to what the models define"
        pool = Pool()
        cursor = Transaction().connection.cursor()
        actions = {
            'a': 'RESTRICT', 'r': 'RESTRICT', 'c': 'CASCADE', 'n': 'SET NULL'}
        for name in [
                SCENARIO, ACTIVITY, RECORD, RECORD_ACTIVITY, UNSUBSCRIBED]:
            Model = pool.get(name)
            cursor.execute(
                "SELECT a.attname, a.attnotnull, c.confdeltype::text "
                "FROM pg_attribute a LEFT JOIN pg_constraint c "
                "ON c.conrelid = a.attrelid AND c.contype = 'f' "
                "AND c.conkey = ARRAY[a.attnum] "
                "WHERE a.attrelid = %s::regclass AND a.attnum > 0 "
                "AND NOT a.attisdropped",
                (f'"{Model._table}"',))
            columns = {column: rest for column, *rest in cursor}
            cursor.execute(
                "SELECT conname FROM pg_constraint "
                "WHERE conrelid = %s::regclass", (f'"{Model._table}"',))
            constraints = {constraint for constraint, in cursor}
            for field in Model._fields.values():
                if (isinstance(field, fields.Function)
                        or field._type == 'one2many'
                        or field._type == 'many2many'
                        or field.name.endswith('_uid')):
                    continue
                with self.subTest(model=name, field=field.name):
                    required, action = columns[field.name]
                    self.assertEqual(
                        required, bool(field.required or field.name == 'id'))
                    if field._type == 'many2one':
                        self.assertEqual(actions[action], field.ondelete)
            for constraint, _, _ in Model._sql_constraints:
                if constraint == 'id_positive':
                    # The names of the tables are too long for some
                    continue
                with self.subTest(model=name, constraint=constraint):
                    self.assertTrue(
                        any(c.endswith(constraint) for c in constraints))
