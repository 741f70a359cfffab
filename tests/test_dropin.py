# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What other modules, scripts and configurations use of the module of the Tryton
project has to be found here under the same name.
"""

import unittest

from lxml import etree

from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction

from ..common import address
from ..mixin import MarketingAutomationMixin
from ..tracking import url
from .common.upgrade import (
    ACTIVITY, RECORD, RECORD_ACTIVITY, SCENARIO, UNSUBSCRIBED)
from .tools import activate_all, configured

CONTEXT = 'marketing.automation.reporting.context'
REPORTING_SCENARIO = 'marketing.automation.reporting.scenario'
REPORTING_ACTIVITY = 'marketing.automation.reporting.activity'

# The type of the columns by model
COLUMNS = {
    SCENARIO: {
        'name': 'char', 'model': 'selection', 'domain': 'char',
        'unsubscribable': 'boolean', 'state': 'selection'},
    ACTIVITY: {
        'name': 'char', 'parent': 'reference', 'event': 'selection',
        'negative': 'boolean', 'condition': 'char', 'delay': 'timedelta',
        'action': 'selection', 'email_from': 'char', 'email_title': 'char',
        'email_template': 'text'},
    RECORD: {
        'scenario': 'many2one', 'record': 'reference', 'blocked': 'boolean',
        'uuid': 'char'},
    RECORD_ACTIVITY: {
        'record': 'many2one', 'activity': 'many2one', 'at': 'datetime',
        'email_opened': 'boolean', 'email_clicked': 'boolean',
        'state': 'selection'},
    UNSUBSCRIBED: {'party': 'many2one', 'scenario': 'many2one'},
    'ir.email': {
        'marketing_automation_activity': 'many2one',
        'marketing_automation_record': 'many2one'},
    }
TRANSLATED = {
    SCENARIO: {'name'},
    ACTIVITY: {'name', 'email_from', 'email_title', 'email_template'},
    }
# The values of the selections by model
SELECTIONS = {
    SCENARIO: {'state': {'draft', 'running', 'stopped'}},
    ACTIVITY: {'action': {'send_email'}},
    RECORD_ACTIVITY: {'state': {'waiting', 'done', 'cancelled'}},
    CONTEXT: {'period': {'year', 'month', 'day'}},
    }
# The type of the computed fields by model
COMPUTED = {
    SCENARIO: {
        'record_count': 'integer', 'record_count_blocked': 'integer',
        'block_rate': 'float', 'block_rate_trend': 'char'},
    ACTIVITY: {
        'on': 'selection', 'parent_action': 'selection',
        'record_count': 'integer', 'email_opened': 'integer',
        'email_clicked': 'integer', 'email_open_rate': 'float',
        'email_open_rate_trend': 'char', 'email_click_rate': 'float',
        'email_click_rate_trend': 'char',
        'email_click_through_rate': 'float',
        'email_click_through_rate_trend': 'char'},
    RECORD_ACTIVITY: {'activity_action': 'selection'},
    'party.party': {'marketing_party': 'many2one'},
    }
BUTTONS = {
    SCENARIO: {'draft', 'run', 'stop'},
    RECORD: {'block'},
    RECORD_ACTIVITY: {'on_email_opened', 'on_email_clicked'},
    }


class DropInTestCase(unittest.TestCase):
    "Test the names"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    @with_transaction()
    def test_columns(self):
        "Test the stored fields"
        for model, columns in COLUMNS.items():
            Model = Pool().get(model)
            for name, type_ in columns.items():
                with self.subTest(model=model, field=name):
                    field = Model._fields[name]
                    self.assertNotIsInstance(field, fields.Function)
                    self.assertEqual(field._type, type_)
                    self.assertEqual(
                        bool(getattr(field, 'translate', False)),
                        name in TRANSLATED.get(model, set()))

    @with_transaction()
    def test_selections(self):
        "Test the values of the selections"
        for model, selections in SELECTIONS.items():
            Model = Pool().get(model)
            for name, values in selections.items():
                with self.subTest(model=model, field=name):
                    self.assertLessEqual(
                        values, {v for v, _ in getattr(Model, name).selection})

    @with_transaction()
    def test_computed(self):
        "Test the computed fields"
        for model, computed in COMPUTED.items():
            Model = Pool().get(model)
            for name, type_ in computed.items():
                with self.subTest(model=model, field=name):
                    field = Model._fields[name]
                    self.assertIsInstance(field, fields.Function)
                    self.assertEqual(field._type, type_)

    @with_transaction()
    def test_relations(self):
        "Test the fields that lead to other models"
        pool = Pool()
        Scenario, Activity = pool.get(SCENARIO), pool.get(ACTIVITY)
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Party = pool.get('party.party')
        Email = pool.get('ir.email')

        self.assertIs(Scenario.activities.get_target(), Activity)
        self.assertIs(Activity.children.get_target(), Activity)
        self.assertEqual(
            {m for m, _ in Activity.parent.selection}, {SCENARIO, ACTIVITY})
        self.assertIs(RecordActivity.activity.get_target(), Activity)
        self.assertIs(
            RecordActivity.record.get_target(), pool.get(RECORD))
        self.assertIs(
            Party.marketing_scenario_unsubscribed.get_target(), Scenario)
        self.assertIs(
            Email.marketing_automation_activity.get_target(), Activity)
        self.assertIs(
            Email.marketing_automation_record.get_target(), pool.get(RECORD))

    @with_transaction()
    def test_events(self):
        "Test the events, also in the way that other modules add them"
        pool = Pool()
        Activity = pool.get(ACTIVITY)

        self.assertLessEqual(
            {'email_opened', 'email_clicked'},
            set(Activity._parent_action_events()['send_email']))
        self.assertLessEqual(
            {'email_opened', 'email_clicked'},
            {event for event, _ in Activity.get_events()})
        activity = Activity(
            event='email_clicked', negative=True, parent_action='send_email')
        self.assertEqual(activity.on_change_with_on(), 'email_clicked_not')
        self.assertLessEqual({
                'email_opened', 'email_opened_not',
                'email_clicked', 'email_clicked_not'},
            {on for on, _ in activity.get_on()})

    @with_transaction()
    def test_buttons(self):
        "Test the buttons work on lists, those of records also on instances"
        pool = Pool()
        for model, buttons in BUTTONS.items():
            Model = pool.get(model)
            for name in buttons:
                with self.subTest(model=model, button=name):
                    self.assertIn(name, Model._buttons)
                    getattr(Model, name)([])
        Record, RecordActivity = pool.get(RECORD), pool.get(RECORD_ACTIVITY)
        for method in [
                Record(1).block,
                RecordActivity(1).on_email_opened,
                RecordActivity(1).on_email_clicked,
                ]:
            with self.subTest(method=method):
                method()

    @with_transaction()
    def test_methods(self):
        "Test the methods that are called from outside or extended"
        pool = Pool()
        Scenario, Activity = pool.get(SCENARIO), pool.get(ACTIVITY)
        RecordActivity = pool.get(RECORD_ACTIVITY)

        Scenario.trigger()
        RecordActivity.process()
        # The queue may still hold the tasks of the former one
        RecordActivity.do([])
        self.assertTrue(callable(Activity(1).execute_send_email))
        self.assertIn('record', Activity(1).email_context(None))

    @with_transaction()
    def test_crons(self):
        "Test the methods of the crons"
        Cron = Pool().get('ir.cron')

        for method in [
                f'{SCENARIO}|trigger', f'{RECORD_ACTIVITY}|process']:
            self.assertIn(method, {m for m, _ in Cron.method.selection})
            self.assertEqual(
                len(Cron.search([('method', '=', method)])), 1)

    @with_transaction()
    def test_models(self):
        "Test the reporting models and the report"
        pool = Pool()
        Report = pool.get('marketing.automation.unsubscribe', type='report')

        self.assertTrue(issubclass(pool.get(CONTEXT), ModelView))
        for name in [REPORTING_SCENARIO, REPORTING_ACTIVITY]:
            self.assertTrue(issubclass(pool.get(name), ModelSQL))
        self.assertEqual(Report.__name__, 'marketing.automation.unsubscribe')

    @with_transaction()
    def test_mixin(self):
        "Test the mixin makes targets"
        pool = Pool()
        Scenario, Party = pool.get(SCENARIO), pool.get('party.party')

        self.assertTrue(issubclass(Party, MarketingAutomationMixin))
        self.assertIn('party.party', {m for m, _ in Scenario.get_models()})
        party = Party(name="Party")
        party.save()
        self.assertEqual(party.marketing_party, party)
        self.assertEqual(
            list(Party.search([('marketing_party', '=', party.id)])), [party])
        self.assertIsInstance(party.marketing_access_context, dict)

    @with_transaction()
    def test_shortened_urls(self):
        "Test the methods that the former module has given to short URLs"
        ShortenedURL = Pool().get('web.shortened_url')

        self.assertIn(
            RECORD_ACTIVITY, {m for m, _ in ShortenedURL.get_models()})
        self.assertLessEqual({
                f'{RECORD_ACTIVITY}|on_email_opened',
                f'{RECORD_ACTIVITY}|on_email_clicked'},
            set(ShortenedURL._get_methods()))

    @with_transaction()
    def test_campaign(self):
        "Test marketing_campaign extends the models and the form"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Activity = pool.get(ACTIVITY)

        self.assertTrue(
            callable(pool.get(RECORD_ACTIVITY).add_utm_parameters))
        view = Activity.fields_view_get(
            view_id=ModelData.get_id(
                'marketing_automation', 'activity_view_form'),
            view_type='form')
        arch = etree.fromstring(view['arch'])
        for name in [
                'marketing_campaign', 'marketing_medium', 'marketing_source']:
            with self.subTest(name=name):
                self.assertEqual(Activity._fields[name]._type, 'many2one')
                self.assertTrue(
                    arch.xpath(f'/form/notebook/page//field[@name="{name}"]'))

    def test_configuration(self):
        "Test the keys of the configuration"
        with configured(
                marketing__email_from='news@example.com',
                marketing__automation_base='https://news.example.com',
                email__from='erp@example.com'):
            self.assertEqual(address.sender(), 'news@example.com')
            self.assertEqual(url.base(), 'https://news.example.com')
