# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from contextlib import contextmanager
from unittest.mock import patch

import time_machine

from trytond.modules.marketing_automation.tracking import hit
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, RouteTestCase, with_transaction
from trytond.transaction import Transaction

from ..common.crowd import create_crowd
from .test_bot_rule import CHROME
from .test_url import (
    configure, count_hits, create_activity, create_record_activity)

APPLE = "Mozilla/5.0"
GMAIL = "Mozilla/5.0 Firefox/11.0 (via ggpht.com GoogleImageProxy)"
START = dt.datetime(2026, 3, 1, 12, 0, 0)
DELIVERED = START - dt.timedelta(hours=1)


def seconds(number):
    return dt.timedelta(seconds=number)


@contextmanager
def at(delay):
    "Be the seconds later"
    with time_machine.travel(START + seconds(delay), tick=False):
        yield


class HitTestCase(RouteTestCase):
    "Test the hits"
    module = 'marketing_automation'

    def setUp(self):
        super().setUp()
        configure(self, 'marketing', 'automation_base', 'https://m.example')
        Hit = Pool(DB_NAME).get('marketing.automation.hit')
        self.addCleanup(Hit._reactions.clear)

    def create_mail(self, ended_at=DELIVERED, **values):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        record_activity = create_record_activity()
        RecordActivity.write(
            [record_activity], {'ended_at': ended_at, **values})
        return record_activity.id

    def create_links(self, count):
        Link = Pool().get('marketing.automation.link')
        activity = create_activity()
        ids = Link.ids({
                (activity.id, f'https://shop.example/{i}')
                for i in range(count)})
        return sorted(ids.values())

    def hit(self, delay, kind, mail, link=None, agent=CHROME):
        Hit = Pool().get('marketing.automation.hit')
        with at(delay):
            Hit.add(
                kind, record_activity=mail, link=link, user_agent=agent)

    def react(self, delay=60):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        with at(delay):
            RecordActivity.react()

    def verdicts(self):
        Hit = Pool().get('marketing.automation.hit')
        return [
            (h.kind, h.verdict, h.reason)
            for h in Hit.search([], order=[('id', 'ASC')])]

    def flags(self, mail):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        mail, = RecordActivity.search([('id', '=', mail)])
        return (
            bool(mail.email_opened), bool(mail.email_clicked),
            bool(mail.email_opened_raw), bool(mail.email_clicked_raw))

    def assertVerdicts(self, *verdicts):
        self.assertEqual(self.verdicts(), list(verdicts))


class AddTestCase(HitTestCase):
    "Test the hits are kept"

    @with_transaction()
    def test_add(self):
        "Test a hit is kept raw"
        Hit = Pool().get('marketing.automation.hit')
        Hit.add('open', record_activity=42, user_agent=APPLE)
        Hit.add('click', record_activity=42, link=7, address='192.0.2.33')
        Hit.add('unsubscribe', record=3)

        unsubscribe, click, open_ = Hit.search([], order=[('id', 'DESC')])
        self.assertEqual(open_.record_activity, 42)
        self.assertEqual(open_.agent, 'apple proxy')
        self.assertFalse(open_.applied)
        self.assertLess(dt.datetime.now() - open_.at, seconds(60))
        self.assertEqual(click.link, 7)
        self.assertIsNone(click.agent)
        self.assertIsNone(click.address)
        self.assertEqual(unsubscribe.record, 3)
        self.assertTrue(unsubscribe.applied)

    @with_transaction()
    def test_address(self):
        "Test the address is kept as configured"
        Hit = Pool().get('marketing.automation.hit')
        configure(self, 'marketing', 'keep_address', 'network')
        Hit.add('open', record_activity=42, address='192.0.2.33')
        configure(self, 'marketing', 'keep_address', 'full')
        Hit.add('click', record_activity=42, link=7, address='192.0.2.33')

        click, open_ = Hit.search([], order=[('id', 'DESC')])
        self.assertEqual(open_.address, '192.0.2.0/24')
        self.assertEqual(click.address, '192.0.2.33')

    @with_transaction()
    def test_repeated(self):
        "Test many hits of one client do not make many rows"
        for _ in range(1000):
            self.hit(0, 'click', 42, 7, "curl/8")
        self.assertEqual(count_hits(), 1)

        self.hit(0, 'click', 42, 8, "curl/8")
        self.hit(0, 'click', 43, 7, "curl/8")
        self.hit(0, 'click', 42, 7, "Firefox/9")
        self.hit(0, 'open', 42, None, "curl/8")
        self.assertEqual(count_hits(), 5)

        self.hit(120, 'click', 42, 7, "curl/8")
        self.assertEqual(count_hits(), 6)

    @with_transaction()
    def test_repeated_always(self):
        "Test a client that never ends makes a few rows each minute"
        for delay in range(2 * 60):
            self.hit(delay, 'click', 42, 7)

        self.assertLessEqual(count_hits(), 10)

    @with_transaction()
    def test_pending(self):
        "Test the hits are pending until they are judged"
        Hit = Pool().get('marketing.automation.hit')
        configure(self, 'marketing', 'quarantine', '0')
        Hit.add('unsubscribe', record=1)
        for i in range(1, 4):
            Hit.add('open', record_activity=i)
        Hit.add('click', record_activity=4, link=7, user_agent="curl/8")

        pending = Hit.pending()

        self.assertEqual([h.record_activity for h in pending], [1, 2, 3, 4])
        click = pending[-1]
        self.assertEqual(
            (click.kind, click.link, click.agent), ('click', 7, 'program'))
        self.assertIsInstance(click.at, dt.datetime)
        self.assertEqual(Hit.pending(2), pending[:2])
        self.assertEqual(Hit.apply_classification(pending[:3]), pending[:3])
        self.assertEqual(Hit.pending(), pending[3:])
        self.assertEqual(Hit.apply_classification(pending[3:]), [])
        self.assertEqual(Hit.pending(), [])
        self.assertEqual(Hit.apply_classification([]), [])

    @with_transaction()
    def test_schedule(self):
        "Test one task serves the hits of some seconds"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Queue = pool.get('ir.queue')
        configure(self, 'queue', 'worker', 'True')
        record_activity = create_record_activity()

        # Nobody can react for what has been deleted
        Hit.add('open', record_activity=2 ** 31 - 1)
        self.assertFalse(Queue.search([]))

        now = dt.datetime.now()
        Hit.add('open', record_activity=record_activity.id)
        Hit.add('open', record_activity=record_activity.id)
        Hit.add('click', record_activity=record_activity.id, link=1)
        Hit.add('unsubscribe', record=record_activity.record.id)

        task, = Queue.search([])
        self.assertEqual(task.data['method'], 'react')
        self.assertEqual(
            list(task.data['instances']), [record_activity.id])
        # Those of the next seconds have left quarantine
        self.assertGreaterEqual(task.scheduled_at, now + seconds(15))

        monotonic = hit.time.monotonic() + 10
        with patch.object(hit.time, 'monotonic', return_value=monotonic):
            Hit.add('click', record_activity=record_activity.id, link=2)
        self.assertEqual(len(Queue.search([])), 2)

    @with_transaction()
    def test_no_worker(self):
        "Test nothing is queued without worker"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Queue = pool.get('ir.queue')
        configure(self, 'queue', 'worker', 'False')

        Hit.add('open', record_activity=create_record_activity().id)

        self.assertFalse(Queue.search([]))
        self.assertFalse(Transaction().tasks)


class FiguresTestCase(HitTestCase):
    "Test what is shown of the hits"

    @with_transaction()
    def test_raw(self):
        "Test the raw figures beside those of humans"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Hit = pool.get('marketing.automation.hit')
        Party = pool.get('party.party')
        activity = create_activity()
        mails = [
            create_record_activity(activity, party).id
            for party in Party.create([{'name': str(i)} for i in range(4)])]
        self.hit(0, 'open', mails[0])
        self.hit(0, 'click', mails[1], 7, "curl/8")
        self.hit(0, 'open', mails[2], agent=APPLE)
        self.react()

        for _ in range(2):
            activity = Activity(activity.id)
            self.assertEqual(activity.email_opened, 1)
            self.assertEqual(activity.email_opened_raw, 3)
            self.assertEqual(activity.email_clicked, 0)
            self.assertEqual(activity.email_clicked_raw, 1)
            self.assertEqual(activity.email_open_rate, .25)
            self.assertEqual(activity.email_open_rate_raw, .75)
            self.assertEqual(activity.email_click_rate, 0)
            self.assertEqual(activity.email_click_rate_raw, .25)
            # The totals stay without the hits
            Hit.delete(list(Hit.search([])))

    @with_transaction()
    def test_raw_button(self):
        "Test what a marketer tells is in both figures"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Reporting = pool.get('marketing.automation.reporting.activity')
        record_activity = create_record_activity()
        record_activity.email_opened = True
        record_activity.save()

        activity = Activity(record_activity.activity.id)
        self.assertEqual(activity.email_opened, 1)
        self.assertEqual(activity.email_opened_raw, 1)
        reporting, = Reporting.search([('activity', '=', activity.id)])
        self.assertEqual(reporting.email_opened_raw, 1)
        self.assertEqual(reporting.email_click_rate_raw, 0)

    @with_transaction()
    def test_names(self):
        "Test the names of what the hits are about, also of what is gone"
        Hit = Pool().get('marketing.automation.hit')
        record_activity = create_record_activity()
        link, = self.create_links(1)
        Hit.add(
            'click', record_activity=record_activity.id,
            record=record_activity.record.id, link=link)
        Hit.add('click', record_activity=2 ** 31 - 1, link=2 ** 31 - 2)

        gone, found = Hit.search([], order=[('id', 'DESC')])
        self.assertEqual(
            found.record_activity_name, record_activity.rec_name)
        self.assertEqual(found.record_name, "Jane")
        self.assertEqual(found.link_name, 'https://shop.example/0')
        self.assertEqual(gone.record_activity_name, '(2147483647)')
        self.assertEqual(gone.link_name, '(2147483646)')
        self.assertIsNone(gone.record_name)
        self.assertTrue(found.rec_name)

    @with_transaction()
    def test_queries(self):
        "Test the number of queries does not depend on the number of hits"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        activity = create_activity()
        links = self.create_links(2)
        counts = []
        for count in [3, 40]:
            for party in create_crowd([("P", None)] * count):
                mail = create_record_activity(activity, party).id
                self.hit(0, 'open', mail)
                self.hit(0, 'click', mail, links[0])
                self.hit(0, 'click', mail, links[1], "curl/8")
            with count_queries() as react:
                self.react()
            hits = Hit.search([], limit=count)
            with count_queries() as read:
                Hit.read(
                    [h.id for h in hits],
                    ['record_activity_name', 'link_name', 'agent'])
            counts.append((len(react), len(read)))
        self.assertEqual(*counts)
        self.assertTrue(all(counts[0]))

    @with_transaction()
    def test_button(self):
        "Test a marketer may judge and nobody else"
        pool = Pool()
        Button = pool.get('ir.model.button')
        ModelData = pool.get('ir.model.data')
        group = ModelData.get_id('marketing', 'group_marketing')
        self.assertEqual(
            Button.get_groups('marketing.automation.hit', 'judge'), {group})


@contextmanager
def count_queries():
    "Return a list of what is executed"
    queries = []
    connection = Transaction().connection
    Cursor = type(connection.cursor())
    execute = Cursor.execute

    def count(cursor, query, *args, **kwargs):
        queries.append(query)
        return execute(cursor, query, *args, **kwargs)

    if hasattr(connection, 'set_trace_callback'):
        connection.set_trace_callback(queries.append)
        try:
            yield queries
        finally:
            connection.set_trace_callback(None)
    else:
        with patch.object(Cursor, 'execute', count):
            yield queries


del RouteTestCase
