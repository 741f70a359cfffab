# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import re
import unittest
from unittest.mock import patch

from trytond.exceptions import UserError
from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.exceptions import (
    ActivityError, SenderError, TemplateError, TrackingError)
from trytond.modules.marketing_automation.outcome import (
    OutgoingMessage, TransportUnavailable)
from trytond.modules.marketing_automation.sms.draft import (
    find_urls, replace_urls)
from trytond.modules.marketing_automation.sms.gateway import (
    Gateway, NumberError, e164)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..tools import configured
from .gateway import SMS_BASE, start_provider

NUMBERS = {
    "Alice": '+12025550101',
    "Bob": '+12025550102',
    "Carol": '+12025550103',
    }


def create_activity(parent=None, **values):
    pool = Pool()
    Scenario = pool.get('marketing.automation.scenario')
    Activity = pool.get('marketing.automation.activity')
    if not parent:
        parent, = Scenario.create([{
                    'name': "Scenario",
                    'model': 'party.party',
                    'domain': '[["name", "!=", "Nobody"]]',
                    }])
    activity, = Activity.create([{
                'name': "Activity",
                'parent': str(parent),
                'action': 'send_sms',
                'sms_text': "Hello ${record.name}",
                **values}])
    return activity


def create_party(name, mobile=True, **values):
    Party = Pool().get('party.party')
    if mobile is True:
        mobile = NUMBERS[name]
    if mobile:
        values['contact_mechanisms'] = [('create', [{
                        'type': 'mobile', 'value': mobile}])]
    party, = Party.create([{'name': name, **values}])
    return party


def enter(activity):
    "Return the record activity of the activity by the name of the target"
    pool = Pool()
    Record = pool.get('marketing.automation.record')
    RecordActivity = pool.get('marketing.automation.record.activity')
    Record.enter(activity.scenario, dt.datetime.now())
    return {
        r.record.record.name: r for r in RecordActivity.search(
            [('activity', '=', activity.id)])}


def execute(activity):
    "Return the outcome of the activity by the name of the target"
    record_activities = enter(activity)
    with Transaction().set_user(0):
        outcomes = activity.execute_send_sms(list(record_activities.values()))
    return {n: outcomes[r.id] for n, r in record_activities.items()}


class PureTestCase(unittest.TestCase):
    "Test what knows no record"

    def test_numbers(self):
        "Test the numbers that can be called"
        for text, expected in [
                ('+1 202-555-0101', '+12025550101'),
                ('+49 (0) 30', None),
                ('0049 30 1234567', '+49301234567'),
                ('030 1234567', None),
                ('49301234567', None),
                ('+0123456789', None),
                ('+1234567890123456', None),
                ('', None),
                (None, None),
                ('+1202555010x', None),
                ('+1202555\n0101', '+12025550101'),
                ('+１２０２５５５０１０１', None),
                ]:
            with self.subTest(text=text):
                if expected:
                    self.assertEqual(e164(text), expected)
                else:
                    with self.assertRaises(NumberError):
                        e164(text)
        self.assertEqual(e164('49301234567', True), '+49301234567')
        self.assertEqual(e164('+49301234567', True), '+49301234567')

    def test_urls(self):
        "Test the links of a sentence"
        for text, expected in [
                ("see https://a.example.com/b.", ['https://a.example.com/b']),
                ("(http://a.example.com/?x=1&y=(2))",
                    ['http://a.example.com/?x=1&y=(2)']),
                ("HTTPS://A.example.com, http://b.example.com!",
                    ['HTTPS://A.example.com', 'http://b.example.com']),
                ("no www.example.com nor mailto:a@example.com", []),
                ("https:// and http://.", []),
                ("“https://a.example.com”", ['https://a.example.com']),
                ("https://a.example.com/\nhttps://a.example.com/x",
                    ['https://a.example.com/', 'https://a.example.com/x']),
                ]:
            with self.subTest(text=text):
                self.assertEqual([u for _, _, u in find_urls(text)], expected)
        self.assertEqual(
            replace_urls("a http://b.example.com. c", lambda u: '<>'),
            "a <>. c")


class SMSTestCase(unittest.TestCase):
    "Test the composition and the hand-over of SMS"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        super().setUp()
        self.provider = start_provider(self)

    def send(self, outgoing):
        with Gateway() as gateway:
            return gateway.send(outgoing)

    @with_transaction()
    def test_parcel(self):
        "Test what is handed over, and why not"
        create_party("Alice")
        create_party("Bob", mobile=None)
        create_party("Carol", mobile='+12025550103')
        Mechanism = Pool().get('party.contact_mechanism')
        table = Mechanism.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.value_compact], ['0301234'],
                where=table.value_compact == NUMBERS["Carol"]))
        outcomes = execute(create_activity(sms_from="Shop"))
        outgoing = outcomes["Alice"]
        self.assertEqual(outgoing.recipient, NUMBERS["Alice"])
        self.assertEqual(outgoing.content, ("Hello Alice", "Shop", 1))
        self.assertRegex(outgoing.message_id, r'^[0-9a-f]{32}$')
        self.assertEqual(outcomes["Bob"][:2], ('skipped', 'no_mobile'))
        self.assertEqual(
            outcomes["Carol"][:3], ('failed', 'number_invalid', '0301234'))

    @with_transaction()
    def test_again(self):
        "Test what was in flight at a crash goes out with the same reference"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        create_party("Alice")
        activity = create_activity()
        outgoing, = execute(activity).values()
        record_activity, = enter(activity).values()
        RecordActivity.store_sending(
            {record_activity.id: outgoing}, dt.datetime.now(), 7)
        clear_cache(RecordActivity)
        record_activity = RecordActivity(record_activity.id)
        self.assertEqual(record_activity.sms_number, NUMBERS["Alice"])
        self.assertEqual(record_activity.sms_segments, 1)
        again, = execute(activity).values()
        self.assertEqual(again, outgoing)

    @with_transaction()
    def test_first_mobile(self):
        "Test the order of the numbers decides"
        Mechanism = Pool().get('party.contact_mechanism')
        party = create_party("Alice")
        Mechanism.create([
                {'party': party.id, 'type': 'phone', 'sequence': 0,
                    'value': '+12025550199'},
                {'party': party.id, 'type': 'mobile', 'sequence': 2,
                    'value': '+12025550198'},
                {'party': party.id, 'type': 'mobile', 'sequence': 1,
                    'value': '+12025550197'},
                ])
        first = party.contact_mechanisms[0]
        for mechanism in party.contact_mechanisms:
            if mechanism.value_compact == NUMBERS["Alice"]:
                first = mechanism
        Mechanism.write([first], {'sequence': 3})
        self.assertEqual(
            party.marketing_mobiles([party])[party.id].value_compact,
            '+12025550197')

    @with_transaction()
    def test_links(self):
        "Test the links are short, tracked and one row for all recipients"
        Link = Pool().get('marketing.automation.link')
        for name in NUMBERS:
            create_party(name)
        outcomes = execute(create_activity(
                sms_text="Hi ${record.name}: "
                "${short('https://shop.example.com/a?b=c')}."
                "\nMore: https://shop.example.com/a?b=c"))
        link, = Link.search([])
        self.assertEqual(link.url, 'https://shop.example.com/a?b=c')
        texts = {o.content.text for o in outcomes.values()}
        self.assertEqual(len(texts), 3)
        for text in texts:
            self.assertRegex(
                text, rf'^Hi \w+: {SMS_BASE}/m/[\w-]+/s/[\w-]{{20,24}}\.'
                rf'\nMore: {SMS_BASE}/m/[\w-]+/s/[\w-]{{20,24}}$')

    @with_transaction()
    def test_privacy(self):
        "Test the levels and Do Not Track"
        url = 'https://shop.example.com/'
        create_party("Alice")
        create_party("Bob", marketing_do_not_track=True)
        activity = create_activity(sms_text=url)
        RecordActivity = Pool().get('marketing.automation.record.activity')
        for level, kind in [
                ('individually', 's'), ('anonymously', 't'), ('none', None)]:
            activity.scenario.tracking = level
            activity.scenario.save()
            outcomes = execute(activity)
            self.assertEqual(outcomes["Bob"].content.text, url)
            if kind:
                self.assertRegex(
                    outcomes["Alice"].content.text, f'/{kind}/[^/]+$')
            else:
                self.assertEqual(outcomes["Alice"].content.text, url)
        with self.assertRaises(TrackingError):
            create_activity(
                parent=activity, action=None, event='sms_clicked')
        create_activity(parent=activity, action=None, event='sms_bounced')
        self.assertTrue(RecordActivity.search([]))

    @with_transaction()
    def test_language(self):
        "Test that the SMS is in the language of the party"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Lang = pool.get('ir.lang')
        german, = Lang.search([('code', '=', 'de')])
        Lang.write([german], {'translatable': True})
        create_party("Alice")
        create_party("Bob", lang=german.id)
        activity = create_activity()
        with Transaction().set_context(language='de'):
            Activity.write([Activity(activity.id)], {
                    'sms_text': "Hallo ${record.name}"})
        outcomes = execute(Activity(activity.id))
        self.assertEqual(
            {o.content.text for o in outcomes.values()},
            {"Hello Alice", "Hallo Bob"})

    @with_transaction()
    def test_too_long(self):
        "Test too long and empty texts are not sent"
        create_party("Alice")
        activity = create_activity(sms_text="${'x' * 161}")
        with configured(marketing__sms_segments=1):
            outcome, = execute(activity).values()
        self.assertEqual(outcome[:2], ('failed', 'sms_too_long'))
        self.assertIn('2', outcome.detail)
        outcome, = execute(activity).values()
        self.assertEqual(outcome.content.segments, 2)
        activity.sms_text = "${''}\n "
        activity.save()
        outcome, = execute(activity).values()
        self.assertEqual(outcome[:2], ('failed', 'sms_empty'))

    @with_transaction()
    def test_template_error(self):
        "Test an error belongs to one record"
        create_party("Alice")
        create_party("Bob", code="B")
        outcomes = execute(create_activity(
                sms_text="{% if record.name == 'Bob' %}${1 / 0}{% end %}Hi"))
        self.assertEqual(outcomes["Alice"].content.text, "Hi")
        self.assertEqual(outcomes["Bob"][:2], ('failed', 'template_error'))
        self.assertIn("Bob", outcomes["Bob"].detail)

    @with_transaction()
    def test_refused_when_typed(self):
        "Test what can not work is refused"
        for values, error in [
                ({'sms_text': "${record.nothing}"}, TemplateError),
                ({'sms_text': "${record.name"}, TemplateError),
                ({'sms_text': "${record.__class__}"}, TemplateError),
                ({'sms_from': "This is too long"}, SenderError),
                ({'sms_from': "Shöp"}, SenderError),
                ({'sms_from': "12"}, SenderError),
                ({'sms_text': None}, UserError),
                ]:
            with self.subTest(**values):
                with self.assertRaises(error):
                    create_activity(**values)
        for sender in ["Shop 24", '+12025550100', '12345']:
            create_activity(sms_from=sender)

    @with_transaction()
    def test_ready(self):
        "Test a scenario does not run without a function"
        activity = create_activity()
        activity.check_ready()
        for name in ['', 'nowhere.send', 'trytond.modules.none', 'json.x']:
            with self.subTest(name=name), configured(marketing__sms=name):
                with self.assertRaises(ActivityError):
                    activity.check_ready()
                with self.assertRaises(TransportUnavailable):
                    Gateway().__enter__()
        with configured(
                marketing__sms_base='', marketing__automation_base='',
                web__hostname=''):
            with self.assertRaises(ActivityError):
                activity.check_ready()

    @with_transaction()
    def test_size(self):
        "Test the size that is shown while it is typed"
        Activity = Pool().get('marketing.automation.activity')
        activity = Activity(
            parent=create_activity().scenario, action='send_sms',
            sms_text="Hello ${record.name}")
        self.assertEqual(
            activity.on_change_with_sms_size(),
            "22 characters (GSM alphabet), 1 messages to pay for the template "
            "as it is")
        create_party("Alice")
        self.assertEqual(
            activity.on_change_with_sms_size(),
            "11 characters (GSM alphabet), 1 messages to pay for Alice")
        activity.sms_text = "→ https://example.com/" + 'x' * 500
        size = activity.on_change_with_sms_size()
        self.assertIn("Unicode", size)
        self.assertLess(int(re.match(r'\d+', size)[0]), 70)
        activity.action = 'send_email'
        self.assertIsNone(activity.on_change_with_sms_size())

    @with_transaction()
    def test_gateway(self):
        "Test the answers of the provider become outcomes"
        create_party("Alice")
        outgoing, = execute(create_activity()).values()
        self.assertIsInstance(outgoing, OutgoingMessage)
        number = outgoing.recipient
        self.provider.replies[number] = [400, 503, None]
        self.assertEqual(
            self.send(outgoing)[:3], ('failed', 'sms_refused', "no 400"))
        self.assertEqual(
            self.send(outgoing)[:3], ('waiting', 'sms_busy', "no 503"))
        outcome = self.send(outgoing)
        # Only the name of an error that says more than it should
        self.assertEqual(
            outcome[:3], ('waiting', 'sms_busy', 'RemoteDisconnected'))
        outcome = self.send(outgoing)
        self.assertEqual((outcome.state, outcome.reference), ('done', 'SM1'))
        message, = self.provider.messages
        self.assertEqual(message['reference'], outgoing.message_id)

    @with_transaction()
    def test_function(self):
        "Test functions with and without the reference and with no answer"
        create_party("Alice")
        outgoing, = execute(create_activity()).values()
        calls = []

        def plain(text, to, from_):
            calls.append((text, to, from_))

        for function, expected in [
                (plain, outgoing.message_id),
                (lambda text, to, from_: 12, '12'),
                (lambda text, to, from_: True, outgoing.message_id),
                (lambda text, to, from_: "a\nb" + 'c' * 1000,
                    "a b" + 'c' * 247),
                ]:
            with patch(
                    'trytond.modules.marketing_automation'
                    '.sms.gateway.function',
                    return_value=function):
                self.assertEqual(self.send(outgoing).reference, expected)
        self.assertEqual(
            calls, [("Hello Alice", NUMBERS["Alice"], None)])
