# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import base64
import datetime as dt
import json
import unittest

from proteus import Model
from proteus.config import set_trytond
from werkzeug.test import Client

from trytond.tests.test_tryton import drop_db
from trytond.wsgi import app

from ...tools import (
    activate_all, inbox_path, links, process, start_server, states, trigger)
from .. import bounces

TEMPLATE = """<html><body>
<p><a href="https://shop.example.com/">Shop</a></p>
<p><a href="unsubscribe">Leave</a></p>
</body></html>"""
ACTION = 'marketing.automation.record.activity|from_inbound_email'
CHILDREN = [
    ("Bounced", 'email_bounced'),
    ("Replied", 'email_replied'),
    ("Not opened", 'email_opened_not'),
    ]


class InboundTestCase(unittest.TestCase):
    """
    Test the whole conversation: a mail goes out by SMTP, what comes back
    arrives by HTTP and moves the tree.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_all()
        set_trytond()
        Inbox = Model.get('inbound.email.inbox')
        inbox = Inbox(name="Marketing")
        inbox.rules.new(action=ACTION)
        inbox.save()
        inbox.click('new_identifier')
        cls.path = inbox_path(inbox)

    def setUp(self):
        super().setUp()
        self.server = start_server(
            self, marketing__bounce_email='bounce@example.com',
            marketing__unsubscribe_email='leave@example.com',
            marketing__soft_bounces=2)
        self.addCleanup(self.clear)

    def clear(self):
        Suppression = Model.get('marketing.automation.suppression')
        for suppression in Suppression.find([('undone_at', '=', None)]):
            suppression.click('undo')

    def send(self, address, name=None):
        "Let a party enter a scenario and return its mail"
        name = name or self.id().rpartition('.')[2]
        Party = Model.get('party.party')
        Scenario = Model.get('marketing.automation.scenario')
        Activity = Model.get('marketing.automation.activity')
        parties = Party.find([('name', '=', address)])
        if not parties:
            party = Party(name=address)
            party.contact_mechanisms.new(type='email', value=address)
            party.save()
            parties = [party]
        scenario = Scenario(
            name=name, model='party.party',
            domain=json.dumps([['name', '=', address]]))
        scenario.save()
        mail = Activity(
            name="Mail", parent=scenario, action='send_email',
            email_title="News", email_template=TEMPLATE)
        mail.save()
        for child, on in CHILDREN:
            Activity(
                name=child, parent=mail, on=on,
                delay=dt.timedelta(days=1)).save()
        scenario.click('run')
        count = len(self.server.messages)
        trigger()
        process()
        return (self.server.messages[count:] or [None])[0]

    def post(self, data, type_='raw', status=204):
        response = Client(app).post(
            f'{self.path}?type={type_}', data=data,
            content_type='application/octet-stream')
        self.assertEqual(response.status_code, status, response.text)

    def states(self, name=None):
        return {
            activity: (state, reason)
            for activity, _, state, reason in states(
                name or self.id().rpartition('.')[2])}

    def suppressed(self):
        Suppression = Model.get('marketing.automation.suppression')
        return {
            (s.address, s.reason)
            for s in Suppression.find([('undone_at', '=', None)])}

    NOTHING = {
        "Mail": ('done', ''),
        "Bounced": ('waiting', ''),
        "Replied": ('waiting', ''),
        "Not opened": ('waiting', ''),
        }
    BOUNCED = {
        "Mail": ('done', ''),
        "Bounced": ('waiting', ''),
        "Replied": ('cancelled', 'bounced'),
        "Not opened": ('cancelled', 'bounced'),
        }

    def test_bounce(self):
        "Test a bounce by the return path, and what follows"
        mail = self.send('bounce@example.org')
        self.assertRegex(mail.mail_from, r'^bounce\+\w+@example\.com$')
        self.assertEqual(self.states(), self.NOTHING)
        # The original is not needed
        data = bounces.status(mail).replace(
            mail.message_id.encode(), b'<another@example.org>')
        for _ in range(2):
            self.post(data)
        self.assertEqual(self.states(), self.BOUNCED)
        self.assertEqual(
            self.suppressed(), {('bounce@example.org', 'hard_bounce')})
        self.assertIsNone(self.send('bounce@example.org', "again"))
        self.assertEqual(
            self.states("again"), {"Mail": ('skipped', 'suppressed')})

        Suppression = Model.get('marketing.automation.suppression')
        suppression, = Suppression.find([('undone_at', '=', None)])
        suppression.click('undo')
        self.assertIsNotNone(self.send('bounce@example.org', "undone"))

    def test_bounce_message_id(self):
        "Test a bounce by the Message-ID, of several formats"
        for i, make in enumerate([
                    bounces.status, bounces.odd_bounce,
                    lambda m, **k: bounces.status(
                        m, headers_only=True, **k)]):
            with self.subTest(make=make):
                mail = self.send(f'id{i}@example.org', f"id {i}")
                self.post(make(mail, mail_from='bounce@example.com'))
                self.assertEqual(self.states(f"id {i}"), self.BOUNCED)

    def test_soft(self):
        "Test a series of soft bounces"
        for i in range(2):
            self.assertEqual(self.suppressed(), set())
            mail = self.send('soft@example.org', f"soft {i}")
            self.post(bounces.status(
                    mail, code='4.2.2', words="452 4.2.2 Mailbox full"))
            self.assertEqual(self.states(f"soft {i}"), self.BOUNCED)
        self.assertEqual(
            self.suppressed(), {('soft@example.org', 'soft_bounces')})

    def test_delayed(self):
        "Test a delay is no bounce"
        mail = self.send('delayed@example.org')
        self.post(bounces.status(mail, code='4.4.1', action='delayed'))
        self.assertEqual(self.states(), self.NOTHING)

    def test_complaint(self):
        "Test a complaint"
        mail = self.send('angry@example.org')
        self.post(bounces.complaint(mail, 'not-spam'))
        self.assertEqual(self.states(), self.NOTHING)
        self.post(bounces.complaint(mail))
        self.assertEqual(self.states(), {
                **dict.fromkeys(self.NOTHING, ('cancelled', 'complained')),
                "Mail": ('done', ''),
                })
        self.assertEqual(
            self.suppressed(), {('angry@example.org', 'complaint')})

    def test_reply(self):
        "Test a reply, but not the one of a program"
        mail = self.send('reply@example.org')
        self.post(bounces.out_of_office(mail))
        self.assertEqual(self.states(), self.NOTHING)
        self.post(bounces.reply(mail))
        self.assertEqual(self.states(), {
                **self.NOTHING, "Not opened": ('cancelled', 'opposite')})
        RecordActivity = Model.get('marketing.automation.record.activity')
        replied, = RecordActivity.find([
                ('activity.name', '=', "Replied"),
                ('activity.scenario.name', '=', 'test_reply')])
        self.assertTrue(replied.at)

    def test_unsubscribe(self):
        "Test the mail that unsubscribes"
        mail = self.send('leave@example.org')
        self.assertIn(
            '<mailto:leave@example.com?subject=unsubscribe%20',
            mail.message['List-Unsubscribe'])
        _, _, token = links(mail.message)[0]["Leave"].rpartition('/')
        request = bounces.reply(
            mail, Subject=f"unsubscribe {token[:-2]}AA",
            In_Reply_To='<x@example.org>', References='<x@example.org>')
        self.post(request)
        self.assertEqual(self.states(), self.NOTHING)
        self.post(request.replace(
                f'{token[:-2]}AA'.encode(), token.encode()))
        self.assertEqual(self.states(), {
                **dict.fromkeys(self.NOTHING, ('cancelled', 'unsubscribed')),
                "Mail": ('done', ''),
                })
        Consent = Model.get('marketing.automation.consent')
        entry, = Consent.find([('party.name', '=', 'leave@example.org')])
        self.assertEqual(entry.how, 'email')

    def test_services_bounce(self):
        "Test a bounce that comes from each service"
        def postmark(data, mail):
            status = data.partition(b'message/delivery-status\r\n\r\n')[2]
            status = status.partition(b'--=_report')[0]
            return {
                'From': 'MAILER-DAEMON@mx.example.org',
                'OriginalRecipient': mail.mail_from,
                'Headers': [{'Name': 'Auto-Submitted', 'Value': 'x'}],
                'TextBody': "Sorry",
                'Attachments': [{
                        'Name': 'status',
                        'ContentType': 'message/delivery-status',
                        'Content': base64.b64encode(status).decode(),
                        }],
                }

        for name, make in [
                ('mailchimp', lambda d, m: {'mandrill_events': [{
                                'event': 'inbound',
                                'msg': {'raw_msg': d.decode()},
                                }]}),
                ('mailpace', lambda d, m: {'raw': d.decode()}),
                ('sendgrid', lambda d, m: {
                        'email': d.decode().replace(m.mail_from, 'a@b.c'),
                        'envelope': json.dumps({'to': [m.mail_from]})}),
                ('postmark', postmark)]:
            with self.subTest(service=name):
                mail = self.send(f'{name}@example.org', name)
                data = make(bounces.status(mail), mail)
                self.post(json.dumps(data), name)
                self.assertEqual(self.states(name), self.BOUNCED)

    def test_forged(self):
        "Test what is unknown, forged or broken has no effect and no error"
        mail = self.send('forged@example.org')
        local, _, domain = mail.mail_from.partition('@')
        forged = mail._replace(content=mail.content.replace(
                mail.message_id.encode(), b'<unknown@example.org>'))
        other = f'{local[:-1]}{"b" if local[-1] == "a" else "a"}@{domain}'
        for make in [bounces.status, bounces.complaint, bounces.odd_bounce]:
            self.post(make(forged, mail_from=other))
            self.post(make(forged, mail_from='bounce@example.com'))
        self.post(bounces.reply(forged))
        for data in [b'\0\xff', b'From: \n\n', b'x' * 10 ** 6]:
            self.post(data)
        for type_ in ['mailpace', 'sendgrid', 'postmark']:
            for data in ['{}', '[]', '{', '{"email": 1, "raw": [], '
                    '"Headers": 7, "Attachments": [{}]}']:
                self.post(data, type_)
        self.assertEqual(self.states(), self.NOTHING)
        self.assertEqual(self.suppressed(), set())


if __name__ == '__main__':
    unittest.main()
