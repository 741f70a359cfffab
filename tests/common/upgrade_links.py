# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check that the links in the mails sent before the update of a database work.

test_upgrade runs it in a process of its own, because it needs, and changes,
the database named by the environment.
"""

import datetime as dt
import unittest
from urllib.parse import urlsplit

import proteus
from lxml import html as lxml_html
from werkzeug.test import Client
from werkzeug.wrappers import Response

from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import Base64Converter, app

from .upgrade import OPENED, RECORD, RECORD_ACTIVITY, REMINDER, THANKS


def setUpModule():
    proteus.config.set_trytond()


class LinkTestCase(unittest.TestCase):
    "Test the links in the mails that the former module has sent"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = Client(app, Response)

    @with_transaction(user=0)
    def unsubscribe_url(self, number):
        Record = Pool().get(RECORD)
        record = Record.search([
                ('scenario', '=', 1),
                ('blocked', '=', False),
                ], order=[('id', 'ASC')])[number]
        name = Base64Converter(None).to_url(DB_NAME)
        return record.id, f'/m/{name}/unsubscribe?r={record.uuid}'

    @with_transaction(user=0)
    def is_unsubscribed(self, record):
        pool = Pool()
        record = pool.get(RECORD)(record)
        party = record.record.marketing_party
        scenarios = party.marketing_scenario_unsubscribed
        self.assertEqual(record.blocked, record.scenario in scenarios)
        return record.blocked

    def test_unsubscribe(self):
        "Test the page asks and its form unsubscribes"
        record, url = self.unsubscribe_url(0)

        response = self.client.get(url)
        self.assertEqual(response.status_code, 200)
        self.assertFalse(self.is_unsubscribed(record))

        root = lxml_html.fromstring(response.text, base_url=url)
        form, = root.forms
        self.assertEqual(form.method, 'POST')
        self.assertIn(form.get('action') or url, {url, ''})
        button, = form.xpath('.//button[@name]')
        response = self.client.post(url, data={
                **dict(form.form_values()),
                button.get('name'): button.get('value', ''),
                })
        self.assertEqual(response.status_code, 200)
        self.assertTrue(self.is_unsubscribed(record))
        self.assertEqual(self.client.get(url).status_code, 200)

    def test_unsubscribe_one_click(self):
        "Test the mail program unsubscribes"
        record, url = self.unsubscribe_url(1)

        response = self.client.post(
            url, data={'List-Unsubscribe': 'One-Click'})
        self.assertEqual(response.status_code, 200)
        self.assertTrue(self.is_unsubscribed(record))

    def test_unsubscribe_unknown(self):
        "Test a link of nobody is not found"
        _, url = self.unsubscribe_url(2)
        for uuid in ['', '0' * 32, "' OR 1 = 1 --"]:
            with self.subTest(uuid=uuid):
                response = self.client.get(
                    url.partition('?')[0], query_string={'r': uuid})
                self.assertEqual(response.status_code, 404)

    @with_transaction(user=0)
    def shortened(self, event, number):
        "Return an URL for the event of a mail without event"
        pool = Pool()
        Shortened = pool.get('web.shortened_url')
        url = [
            s for s in Shortened.search([
                    ('method', '=', f'{RECORD_ACTIVITY}|on_{event}'),
                    ], order=[('id', 'ASC')])
            if not (s.record.email_opened
                or s.record.email_clicked
                or s.record.record.blocked)][number]
        return (
            urlsplit(url.shortened_url).path, url.redirect_url, url.record.id)

    @with_transaction(user=0)
    def rows(self, id):
        "Return the values of the record activity and of its children"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        record_activity = RecordActivity(id)
        children = RecordActivity.search([
                ('record', '=', record_activity.record.id),
                ('id', '!=', id),
                ])
        return (
            (bool(record_activity.email_opened),
                bool(record_activity.email_clicked)), {
                r.activity.id: (r.state, r.at, r.reason) for r in children})

    def test_path(self):
        "Test the path of the shortened URL is the one in the mails"
        path, _, _ = self.shortened('email_opened', 0)
        name = Base64Converter(None).to_url(DB_NAME)
        self.assertRegex(path, rf'^/s/{name}(\$|%24)[0-9a-z]+$')

    def test_opened(self):
        "Test the pixel of a sent mail applies the open"
        path, target, id = self.shortened('email_opened', 0)
        start = dt.datetime.now().replace(microsecond=0)

        response = self.client.get(path)
        self.assertEqual(response.status_code, 301)
        self.assertEqual(response.headers['Location'], target)
        response = self.client.get(urlsplit(target).path)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.content_type, 'image/gif')

        events, children = self.rows(id)
        self.assertEqual(events, (True, False))
        state, at, _ = children[OPENED]
        self.assertEqual(state, 'waiting')
        self.assertGreaterEqual(at, start)
        self.assertEqual(children[THANKS][:2], ('waiting', None))
        self.assertEqual(children[REMINDER][0], 'waiting')

        self.client.get(path)
        self.assertEqual(self.rows(id), (events, children))

    def test_clicked(self):
        "Test the link of a sent mail applies the click"
        self.click(*self.shortened('email_clicked', 1))

    def test_clicked_null(self):
        "Test the click on a mail of before there were any events"
        path, target, id = self.shortened('email_clicked', 2)
        with Transaction().start(DB_NAME, 0) as transaction:
            table = Pool().get(RECORD_ACTIVITY).__table__()
            transaction.connection.cursor().execute(*table.update(
                    [table.email_opened, table.email_clicked], [None, None],
                    where=table.id == id))
            transaction.commit()

        self.click(path, target, id)

    def click(self, path, target, id):
        start = dt.datetime.now().replace(microsecond=0)

        response = self.client.get(path)
        self.assertEqual(response.status_code, 301)
        self.assertEqual(response.headers['Location'], target)

        events, children = self.rows(id)
        self.assertEqual(events, (True, True))
        state, at, _ = children[THANKS]
        self.assertEqual(state, 'waiting')
        self.assertGreaterEqual(at, start + dt.timedelta(hours=2))
        self.assertEqual(children[OPENED][0], 'waiting')
        self.assertGreaterEqual(children[OPENED][1], start)
        state, _, reason = children[REMINDER]
        self.assertEqual((state, reason), ('cancelled', 'opposite'))

        self.client.get(path)
        self.assertEqual(self.rows(id), (events, children))
