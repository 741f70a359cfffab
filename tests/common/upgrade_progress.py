# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check that the scenarios go on after the update of a database.

test_upgrade runs it in a process of its own, because it needs, and changes,
the database named by the environment.
"""

import datetime as dt
import unittest
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import proteus
import time_machine
from sql.aggregate import Max
from werkzeug.test import Client
from werkzeug.wrappers import Response

from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import app

from ..tools import BASE, links, process, start_server, trigger
from .upgrade import (
    ACTIVITY, QUOTATION, RECORD_ACTIVITY, REMINDER, SCENARIO, SURVEY, THANKS,
    UNSUBSCRIBED, WAIT, WELCOME, content)


def setUpModule():
    proteus.config.set_trytond()


class ProgressTestCase(unittest.TestCase):
    "Test the scenarios go on where the former module has left them"
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.server = start_server(self)
        self.client = Client(app, Response)

    @with_transaction(user=0)
    def start(self):
        "Return the time at which the former module did its last"
        table = Pool().get(RECORD_ACTIVITY).__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                Max(table.at), where=table.activity == WELCOME))
        at, = cursor.fetchone()
        if isinstance(at, str):
            at = dt.datetime.fromisoformat(at)
        return at

    def run_crons(self, now):
        "Run the crons at the time and return the messages that were sent"
        count = len(self.server.messages)
        with time_machine.travel(now.replace(tzinfo=dt.timezone.utc)):
            trigger()
            process()
        return self.server.messages[count:]

    @with_transaction(user=0)
    def due(self, activity, now):
        "Return the number of mails that are due by address"
        pool = Pool()
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Unsubscribed = pool.get(UNSUBSCRIBED)
        unsubscribed = {
            (r.party, r.scenario) for r in Unsubscribed.search([])}
        addresses = Counter()
        for record_activity in RecordActivity.search([
                    ('activity', '=', activity),
                    ('state', '=', 'waiting'),
                    ('at', '<=', now),
                    ]):
            record = record_activity.record
            party = record.record.marketing_party
            if (not record.blocked
                    and (party, record.scenario) not in unsubscribed
                    and party.email):
                addresses[party.email] += 1
        return addresses

    @with_transaction(user=0)
    def states(self, activity):
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        return Counter(
            r.state for r in RecordActivity.search([
                    ('activity', '=', activity),
                    ]))

    @staticmethod
    def recipients(messages, subject):
        return Counter(
            m.rcpt_tos[0] for m in messages
            if str(m.message['Subject']) == subject)

    def test_progress(self):
        "Test what waited is done once, what was done is not done again"
        start = self.start()
        self.edit_draft()
        self.set_campaign()

        # What is dated before the update is due at the date it had
        now = start + dt.timedelta(hours=1)
        self.assertEqual(self.run_crons(now), [])

        now = start + dt.timedelta(days=2)
        thanks, quotation = self.due(THANKS, now), self.due(QUOTATION, now)
        self.assertTrue(thanks)
        self.assertTrue(quotation)
        messages = self.run_crons(now)
        self.assertEqual(self.recipients(messages, "Thank you"), thanks)
        self.assertEqual(
            self.recipients(messages, "Your quotation"), quotation)
        self.assertEqual(
            len(messages), thanks.total() + quotation.total())
        self.assertEqual(self.run_crons(now), [])
        states = self.states(QUOTATION)
        self.assertEqual(states['done'], quotation.total())
        self.assertEqual(states.total(), 8)
        self.assertLessEqual(
            states.keys(), {'done', 'cancelled', 'skipped'})
        self.assertEqual(
            self.states(SURVEY), {'waiting': thanks.total()})

        now = start + dt.timedelta(days=4)
        reminder = self.due(REMINDER, now)
        self.assertTrue(reminder)
        messages = self.run_crons(now)
        self.assertEqual(self.recipients(messages, "Still there?"), reminder)
        self.assertEqual(self.run_crons(now), [])
        self.follow_link(messages[0], now)

        self.run_stopped(start)
        self.enter(now)

        now += dt.timedelta(days=20)
        survey = self.due(SURVEY, now)
        self.assertEqual(survey, thanks)
        messages = self.run_crons(now)
        self.assertEqual(self.recipients(messages, "Survey"), survey)
        self.assertEqual(self.run_crons(now), [])

        self.assertEqual(set(self.server.by_message_id.values()), {1})
        self.assertEqual(self.states(WELCOME), {'done': 22})
        self.check_log()

    def edit_draft(self):
        "Change the draft, also what is fixed once it runs"
        Scenario = proteus.Model.get(SCENARIO)
        Activity = proteus.Model.get(ACTIVITY)
        scenario, = Scenario.find([('state', '=', 'draft')])
        scenario.name = "Still a draft"
        scenario.model = 'sale.sale'
        scenario.domain = '[["state", "=", "quotation"]]'
        scenario.save()
        activity = Activity(name="Another", parent=scenario)
        activity.save()
        self.assertEqual(activity.scenario, scenario)
        self.assertEqual(scenario.state, 'draft')

    def set_campaign(self):
        Activity = proteus.Model.get(ACTIVITY)
        activity = Activity(REMINDER)
        for name, value in [
                ('campaign', "spring"), ('medium', "mail"), ('source', "erp")]:
            Parameter = proteus.Model.get(f'marketing.{name}')
            parameter = Parameter(name=value)
            parameter.save()
            setattr(activity, f'marketing_{name}', parameter)
        activity.save()

    def follow_link(self, mail, now):
        "Click in a mail of this module"
        urls, pixel = links(mail.message)
        self.assertTrue(pixel.startswith(BASE))
        # A program would be faster and tell another name
        now += dt.timedelta(hours=2)
        with time_machine.travel(now.replace(tzinfo=dt.timezone.utc)):
            response = self.client.get(
                urlsplit(urls["See"]).path, headers={
                    'User-Agent':
                    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) '
                    'Gecko/20100101 Firefox/140.0'})
        self.assertEqual(response.status_code, 302)
        target = urlsplit(response.headers['Location'])
        self.assertEqual(
            target._replace(query='').geturl(), 'https://shop.example.com/new')
        self.assertEqual(parse_qs(target.query), {
                'utm_campaign': ['spring'],
                'utm_medium': ['mail'],
                'utm_source': ['erp'],
                })
        self.run_crons(now + dt.timedelta(hours=1))
        with Transaction().start(DB_NAME, 0, readonly=True):
            activity = Pool().get(ACTIVITY)(REMINDER)
            self.assertEqual(
                (activity.email_opened, activity.email_clicked), (1, 1))

    def run_stopped(self, start):
        "What waits of a stopped scenario waits until it runs again"
        now = start + dt.timedelta(days=6)
        self.run_crons(now)
        self.assertEqual(self.states(WAIT), {'waiting': 1})
        scenario = proteus.Model.get(SCENARIO)(4)
        scenario.click('run')
        self.run_crons(now)
        self.assertEqual(self.states(WAIT)['done'], 1)

    def enter(self, now):
        "A new party enters the running scenario"
        Party = proteus.Model.get('party.party')
        Lang = proteus.Model.get('ir.lang')
        party = Party(name="Chloé Nouvelle")
        party.lang, = Lang.find([('code', '=', 'fr')])
        party.contact_mechanisms.new(type='email', value='new@example.com')
        party.save()
        messages = self.run_crons(now)
        self.assertEqual(
            [(m.rcpt_tos, str(m.message['Subject'])) for m in messages],
            [(['new@example.com'], "Bienvenue Chloé Nouvelle")])

    @with_transaction(user=0)
    def check_log(self):
        "The former and the new mails are in the log"
        Email = Pool().get('ir.email')
        emails = Email.search([
                ('marketing_automation_activity', '!=', None),
                ['OR',
                    ('resource', 'like', 'party.party,%'),
                    ('resource', 'like', 'sale.sale,%'),
                    ]])
        self.assertEqual(
            len(emails),
            content()['ir_email'] + len(self.server.messages))
