# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.modules.marketing_automation.outcome import OutgoingMessage
from trytond.modules.marketing_automation.tracking.url import (
    PERSONAL_CLICK, decode_personal)
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction
from trytond.transaction import Transaction

from ..tools import BASE, WELCOME, activate_all, configured, links


class MailMixin:
    "Compose mails"

    def setUp(self):
        super().setUp()
        manager = configured(
            email__from='erp@example.com',
            marketing__email_from='marketing@example.com',
            marketing__automation_base=BASE)
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)

    def create_party(self, name="Alice", email=None, lang=None):
        pool = Pool()
        Party = pool.get('party.party')
        Lang = pool.get('ir.lang')
        party = Party(name=name)
        if lang:
            party.lang, = Lang.search([('code', '=', lang)])
        party.save()
        if email is None:
            email = f'{name.lower()}@example.com'
        if email:
            self.add_email(party, email)
        return party

    def add_email(self, party, email):
        ContactMechanism = Pool().get('party.contact_mechanism')
        ContactMechanism.create([{
                    'party': party.id,
                    'type': 'email',
                    'value': email,
                    }])

    def create_activity(self, **values):
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Activity = pool.get('marketing.automation.activity')
        scenario, = Scenario.create([{
                    'name': "Scenario",
                    'model': 'party.party',
                    'domain': '[]',
                    }])
        activity, = Activity.create([{
                    'name': "Activity",
                    'parent': str(scenario),
                    'action': 'send_email',
                    'email_title': "Hello ${record.name}",
                    'email_template': WELCOME,
                    **values}])
        return activity

    def execute(self, activity):
        "Return the outcome of the activity by the name of the target"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        Record.enter(activity.scenario, dt.datetime.now())
        record_activities = RecordActivity.search(
            [('activity', '=', activity.id)])
        with Transaction().set_user(0):
            outcomes = activity.execute_send_email(list(record_activities))
        return {
            r.record.record.name: outcomes[r.id] for r in record_activities}

    def mail(self, **values):
        "Return the parts of the mail of the activity with the values"
        outcome, = self.execute(self.create_activity(**values)).values()
        self.assertIsInstance(outcome, OutgoingMessage, outcome)
        text, html = outcome.content.iter_parts()
        return outcome.content, text.get_content(), html.get_content()


class MailTestCase(MailMixin, unittest.TestCase):
    "Test the composition of mails"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()

    @with_transaction()
    def test_parcel(self):
        "Test what is handed over"
        self.create_party()
        outcome = self.execute(self.create_activity())["Alice"]
        self.assertEqual(outcome.recipient, 'alice@example.com')
        self.assertEqual(outcome.sender, 'marketing@example.com')
        self.assertEqual(outcome.subject, "Hello Alice")
        self.assertEqual(outcome.message_id, outcome.content['Message-ID'])
        self.assertRegex(
            outcome.message_id, r'^<[^@\s]+@marketing\.example\.com>$')

    @with_transaction()
    def test_links(self):
        "Test the links, the pixel and that they cost no row per recipient"
        Link = Pool().get('marketing.automation.link')
        for name in ["Alice", "Bob", "Carol"]:
            self.create_party(name)
        outcomes = self.execute(self.create_activity())
        self.assertEqual(len(outcomes), 3)
        link, = Link.search([])
        self.assertEqual(link.url, 'https://shop.example.com/')
        found = set()
        for outcome in outcomes.values():
            urls, pixel = links(outcome.content)
            self.assertRegex(urls['Shop'], rf'^{BASE}/m/[^/]+/c/[\w-]+$')
            self.assertRegex(
                urls['Unsubscribe'], rf'^{BASE}/m/[^/]+/u/[\w-]+$')
            self.assertRegex(pixel, rf'^{BASE}/m/[^/]+/o/[\w-]+$')
            found |= {*urls.values(), pixel}
        self.assertEqual(len(found), 9)

    @with_transaction()
    def test_language(self):
        "Test that the mail is in the language of the party"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Lang = pool.get('ir.lang')
        Lang.write(
            Lang.search([('code', 'in', ['fr', 'de'])]),
            {'translatable': True})
        for name, lang in [
                ("Alice", 'en'), ("Amélie", 'fr'), ("Hans", 'de'),
                ("Nobody", None)]:
            self.create_party(name, f'{name[0]}@example.com'.lower(), lang)
        activity = self.create_activity(email_template=(
                '<p>Date: ${format_date(datetime.date(2026, 3, 1))}</p>'))
        with Transaction().set_context(language='fr'):
            Activity.write([Activity(activity.id)], {
                    'email_title': "Bonjour ${record.name}",
                    'email_template': (
                        '<p>Le ${format_date(datetime.date(2026, 3, 1))}'
                        '</p>'),
                    'email_from': 'boutique@example.com',
                    })
        outcomes = self.execute(activity)
        mail = {n: o.content for n, o in outcomes.items()}
        self.assertEqual(mail["Alice"]['Subject'], "Hello Alice")
        self.assertEqual(mail["Amélie"]['Subject'], "Bonjour Amélie")
        self.assertEqual(mail["Amélie"]['From'], 'boutique@example.com')
        self.assertEqual(mail["Hans"]['Subject'], "Hello Hans")
        self.assertEqual(mail["Nobody"]['Subject'], "Hello Nobody")
        for name, text in [
                ("Alice", "Date: 03/01/2026"), ("Amélie", "Le 01.03.2026"),
                ("Hans", "Date: 01.03.2026")]:
            with self.subTest(name=name):
                self.assertIn(
                    text,
                    mail[name].get_body(['plain']).get_content())

    @with_transaction()
    def test_helpers(self):
        "Test the functions that templates have"
        self.create_party(lang='en')
        for source, result in [
                ("format_date(datetime.date(2026, 3, 1))", "03/01/2026"),
                ("format_datetime(datetime.datetime(2026, 3, 1, 10, 30))",
                    "03/01/2026\xa010:30:00"),
                ("format_timedelta(datetime.timedelta(hours=2))", "02:00"),
                ("format_number(1234.5, None, digits=2)", "1,234.50"),
                ("format_date(datetime.date(2026, 3, 1), record.lang)",
                    "03/01/2026"),
                ("record.lang.name", "English"),
                ("len(record.contact_mechanisms)", "1"),
                ]:
            with self.subTest(source=source):
                _, text, html = self.mail(
                    email_template='<p>[${%s}]</p>' % source)
                self.assertIn(f"[{result}]", html)

    @with_transaction()
    def test_short(self):
        "Test the function short"
        self.create_party()
        message, text, html = self.mail(email_template=(
                '<p>Go to ${short("https://example.com/a")}</p>'))
        self.assertNotIn('https://example.com/a', text)
        self.assertNotIn('short.invalid', text + html)
        self.assertRegex(text, rf'Go to .*{BASE}/m/[^/]+/c/[\w-]+')

    @with_transaction()
    def test_mjml(self):
        "Test a MJML template with its links and pixel"
        self.create_party()
        message, text, html = self.mail(email_template=(
                '<mjml><mj-body><mj-section><mj-column>'
                '<mj-text>Hello ${record.name}</mj-text>'
                '<mj-button href="https://example.com/a">Shop</mj-button>'
                '<mj-text><a href="unsubscribe">Stop</a></mj-text>'
                '</mj-column></mj-section></mj-body></mjml>'))
        urls, pixel = links(message)
        self.assertIn("Hello Alice", text)
        self.assertNotIn('<mj-', html)
        self.assertTrue(urls['Shop'].startswith(f'{BASE}/m/'))
        self.assertIn('/u/', urls['Stop'])
        self.assertIn('/o/', pixel)

    @with_transaction()
    def test_personal_link(self):
        "Test a link with a value of the record"
        Link = Pool().get('marketing.automation.link')
        party = self.create_party()
        message, _, _ = self.mail(email_template=(
                '<a href="https://example.com/?a=1&amp;id=${record.id}">A</a>'
                ))
        link, = Link.search([])
        self.assertEqual(
            link.url, 'https://example.com/?a=1&id=\N{HORIZONTAL ELLIPSIS}')
        urls, _ = links(message)
        _, link_id, values = decode_personal(
            PERSONAL_CLICK, urls['A'].rpartition('/')[2])
        self.assertEqual(
            Link.target(link_id, values),
            f'https://example.com/?a=1&id={party.id}')

    @with_transaction()
    def test_skipped(self):
        "Test what is not sent"
        self.create_party("Alice", email='')
        outcome = self.execute(self.create_activity())["Alice"]
        self.assertEqual(outcome[:2], ('skipped', 'no_address'))

    @with_transaction()
    def test_failed(self):
        "Test that one failure is alone and says why"
        self.create_party("Alice")
        self.create_party("Bob").save()
        outcomes = self.execute(self.create_activity(
                email_template=(
                    '<p>\n${1 / (0 if record.name == "Bob" else 1)}</p>')))
        self.assertIsInstance(outcomes["Alice"], OutgoingMessage)
        state, reason, detail, *_ = outcomes["Bob"]
        self.assertEqual((state, reason), ('failed', 'template_error'))
        for text in ["Activity", "Bob", "line 2", "1 / (0", "division"]:
            self.assertIn(text, detail)

    @with_transaction()
    def test_address(self):
        "Test an address that is none"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        self.create_party()
        table = ContactMechanism.__table__()
        for address in ['a b@@c', 'nobody', 'a, victim@example.com']:
            Transaction().connection.cursor().execute(*table.update(
                    [table.value, table.value_compact], [address, address]))
            outcome = self.execute(self.create_activity())["Alice"]
            with self.subTest(address=address):
                self.assertEqual(
                    outcome[:2], ('failed', 'address_invalid'))

    @with_transaction()
    def test_local_part(self):
        "Test an address that only some servers accept"
        party = self.create_party("Alice", email='')
        self.add_email(party, 'älice@example.com')
        outgoing = self.execute(self.create_activity())["Alice"]
        self.assertEqual(outgoing.recipient, 'älice@example.com')
        self.assertIn(
            "Hello Alice",
            outgoing.content.get_body(['plain']).get_content())

    @with_transaction()
    def test_inactive(self):
        "Test that a mail does not show what has been deactivated"
        ContactMechanism = Pool().get('party.contact_mechanism')
        party = self.create_party("Alice", email='')
        self.add_email(party, 'old@example.com')
        ContactMechanism.write(
            ContactMechanism.search([]), {'active': False})
        self.add_email(party, 'new@example.com')
        outgoing = self.execute(self.create_activity(email_template=(
                    '<p>[${record.email}] '
                    '[${len(record.contact_mechanisms)}]</p>')))["Alice"]
        self.assertEqual(outgoing.recipient, 'new@example.com')
        html = outgoing.content.get_body(['html']).get_content()
        self.assertIn('[new@example.com] [1]', html)

    @with_transaction()
    def test_access(self):
        "Test that a mail shows only what its reader may read"
        pool = Pool()
        Access = pool.get('ir.model.field.access')
        self.create_party()
        Access.create([{
                    'model': 'party.party',
                    'field': 'code',
                    'perm_read': False,
                    'perm_write': False,
                    }])
        outcome = self.execute(self.create_activity(
                email_template='<p>${record.code}</p>'))["Alice"]
        self.assertEqual(outcome[:2], ('failed', 'template_error'))
