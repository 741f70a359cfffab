# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import re
from unittest.mock import patch

from lxml import html

from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.exceptions import TrackingError
from trytond.modules.marketing_automation.tracking import hit
from trytond.modules.marketing_automation.tracking.anonymous import _Recent
from trytond.modules.marketing_automation.tracking.url import decode
from trytond.pool import Pool
from trytond.tests.test_tryton import RouteTestCase, with_transaction
from trytond.transaction import Transaction

from ..consent.test_consent import state
from .test_url import configure

HOST = 'https://m.example'
TEMPLATE = """<html xmlns:py="http://genshi.edgewall.org/"><body>
<p>Hello ${record.name}, ${short('https://shop.example/short')}</p>
<a href="https://shop.example/">Shop</a>
<a href="unsubscribe|https://shop.example/bye">Unsubscribe</a>
</body></html>
"""
BROWSER = {'User-Agent': "Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0"}
SCANNER = {'User-Agent': "Barracuda Sentinel"}
LEVELS = ['individually', 'anonymously', 'none']


def create_mail(tracking='individually', names=("Jane",)):
    "Create an activity that sends an e-mail, with records that wait for it"
    pool = Pool()
    Activity = pool.get('marketing.automation.activity')
    Party = pool.get('party.party')
    Record = pool.get('marketing.automation.record')
    RecordActivity = pool.get('marketing.automation.record.activity')
    Scenario = pool.get('marketing.automation.scenario')
    scenario, = Scenario.create([{
                'name': "Welcome",
                'model': 'party.party',
                'domain': '[]',
                'tracking': tracking,
                }])
    activity, = Activity.create([{
                'name': "Mail",
                'parent': str(scenario),
                'action': 'send_email',
                'email_from': 'shop@example.com',
                'email_title': "Hello",
                'email_template': TEMPLATE,
                }])
    parties = Party.create([{
                'name': name,
                'contact_mechanisms': [('create', [{
                                'type': 'email',
                                'value': f'{name.lower()}@example.com',
                                }])],
                } for name in names])
    records = Record.create([{
                'scenario': scenario.id,
                'record': str(p),
                } for p in parties])
    return activity, list(RecordActivity.create([{
                    'record': r.id,
                    'activity': activity.id,
                    'at': dt.datetime.now().replace(microsecond=0),
                    } for r in records]))


def links(record_activity):
    "Return the links and the pixels of the mail"
    clear_cache(record_activity.__class__)
    outgoing, = record_activity.__class__.decide(
        record_activity.activity, [record_activity.id]).values()
    page = html.document_fromstring(
        outgoing.content.get_body(['html']).get_content())
    short, = re.findall(r'Hello \w+, (\S+)', page.text_content())
    return {
        'short': short,
        **{a.text: a.get('href') for a in page.iter('a')},
        }, page.xpath('//img/@src')


def token(url):
    return url.rsplit('/', 2)[1:]


class PrivacyTestCase(RouteTestCase):
    "Test the privacy"
    module = 'marketing_automation'

    def setUp(self):
        super().setUp()
        configure(self, 'marketing', 'automation_base', HOST)
        configure(self, 'marketing', 'email_from', 'acme@example.com')
        configure(self, 'marketing', 'quarantine', '0')
        configure(self, 'marketing', 'machine_seconds', '0')

    # The levels

    @with_transaction()
    def test_individually(self):
        "Test the links tell who clicks"
        _, (waiting,) = create_mail()
        urls, (pixel,) = links(waiting)
        for url in [urls['Shop'], urls['short']]:
            kind, value = token(url)
            self.assertEqual(kind, 'c')
            self.assertEqual(decode(kind, value)[0], waiting.id)
        self.assertEqual(decode(*token(pixel)), (waiting.id, None))

    @with_transaction()
    def test_anonymously(self):
        "Test the links tell nothing of the recipient but how to leave"
        activity, (jane, john) = create_mail(
            'anonymously', ["Jane", "John"])
        urls, pixels = links(jane)
        other_urls, other_pixels = links(john)
        for name in ['Shop', 'short']:
            self.assertEqual(urls[name], other_urls[name])
            kind, value = token(urls[name])
            self.assertEqual(kind, 'a')
            self.assertEqual(decode(kind, value)[0], activity.id)
        self.assertEqual(pixels, other_pixels)
        self.assertEqual(decode(*token(pixels[0])), (activity.id, None))
        self.assertEqual(
            decode(*token(urls['Unsubscribe']))[0], jane.record.id)

    @with_transaction()
    def test_none(self):
        "Test the links are plain"
        _, (waiting,) = create_mail('none')
        urls, pixels = links(waiting)
        self.assertEqual(urls['Shop'], 'https://shop.example/')
        self.assertEqual(urls['short'], 'https://shop.example/short')
        self.assertFalse(pixels)
        self.assertEqual(
            decode(*token(urls['Unsubscribe']))[0], waiting.record.id)

    @with_transaction()
    def test_do_not_track(self):
        "Test who wants no tracking gets plain links in every scenario"
        Party = Pool().get('party.party')
        for tracking in LEVELS:
            with self.subTest(tracking=tracking):
                _, (jane, john) = create_mail(tracking, ["Jane", "John"])
                Party.write(
                    [jane.record.record], {'marketing_do_not_track': True})
                urls, pixels = links(jane)
                self.assertEqual(urls['Shop'], 'https://shop.example/')
                self.assertFalse(pixels)
                self.assertEqual(
                    bool(links(john)[1]), tracking != 'none')

    @with_transaction()
    def test_event(self):
        "Test what needs to know who did something is refused"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Scenario = pool.get('marketing.automation.scenario')
        for tracking in LEVELS:
            for on in [
                    'email_opened', 'email_opened_not',
                    'email_clicked', 'email_clicked_not',
                    'email_link_clicked', None]:
                activity, _ = create_mail(tracking)
                child = {'name': "Child", 'parent': str(activity), 'on': on,
                    'delay': dt.timedelta()}
                if on == 'email_link_clicked':
                    child['event_link'] = "Shop"
                with self.subTest(tracking=tracking, on=on):
                    if tracking == 'individually' or not on:
                        Activity.create([child])
                    else:
                        with self.assertRaises(TrackingError):
                            Activity.create([child])
                    if tracking != 'individually':
                        continue
                    for change in ['anonymously', 'none']:
                        values = {'tracking': change}
                        if on:
                            with self.assertRaises(TrackingError):
                                Scenario.write([activity.scenario], values)
                        else:
                            Scenario.write([activity.scenario], values)

    @with_transaction()
    def test_former_mails(self):
        "Test the mails sent before tell nothing any more"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Party = pool.get('party.party')
        Scenario = pool.get('marketing.automation.scenario')
        activity, (jane, john, jack) = create_mail(
            names=["Jane", "John", "Jack"])
        RecordActivity = jane.__class__
        RecordActivity.write([jane, john, jack], {'state': 'done'})
        Party.write([jane.record.record], {'marketing_do_not_track': True})
        for record_activity in [jane, john]:
            Hit.add('open', record_activity=record_activity.id)
        with patch.object(hit, 'quarantine', dt.timedelta):
            RecordActivity.react()
            self.assertFalse(RecordActivity(jane.id).email_opened)
            self.assertTrue(RecordActivity(john.id).email_opened)
            self.assertEqual(
                [h.record_activity for h in Hit.search([])], [john.id])

            Scenario.write([activity.scenario], {'tracking': 'none'})
            Hit.add('open', record_activity=jack.id)
            RecordActivity.react()
        self.assertFalse(RecordActivity(jack.id).email_opened)

    # The figures

    @with_transaction()
    def visit(self, client, **mail):
        "Send an anonymous mail and return its URLs"
        activity, (waiting,) = create_mail('anonymously')
        urls, pixels = links(waiting)
        waiting.__class__.write([waiting], {'state': 'done'})
        Transaction().commit()
        return activity.id, urls['Shop'][len(HOST):], pixels[0][len(HOST):]

    @with_transaction()
    def figures(self, activity):
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Reporting = pool.get('marketing.automation.reporting.activity')
        names = [
            'record_count', 'email_opened', 'email_clicked',
            'email_opened_raw', 'email_clicked_raw']
        activity = Activity(activity)
        result = [getattr(activity, n) for n in names]
        with Transaction().set_context(period='day'):
            rows = Reporting.search([('activity', '=', activity.id)])
            self.assertEqual(
                [sum(getattr(r, n) for r in rows) for n in names], result)
        return result

    @with_transaction()
    def react(self):
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Hit.clean()
        pool.get('marketing.automation.record.activity').react()
        Transaction().commit()

    @with_transaction()
    def stored(self, activity):
        "Return the tallies, and what else is known of the activity"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Link = pool.get('marketing.automation.link')
        RecordActivity = pool.get('marketing.automation.record.activity')
        Tally = pool.get('marketing.automation.tally')
        self.assertFalse(Hit.search([]))
        for record_activity in RecordActivity.search([]):
            self.assertFalse(record_activity.email_opened)
            self.assertFalse(record_activity.email_opened_raw)
        link, = Link.search([
                ('activity', '=', activity),
                ('url', '=', 'https://shop.example/'),
                ])
        return (
            len(Tally.search([('activity', '=', activity)])),
            link.clicks or 0, link.clicks_raw or 0)

    def test_tally(self):
        "Test what is anonymous is only counted"
        client = self.client()
        activity, click, pixel = self.visit(client)
        for agent, address in [
                (BROWSER, '192.0.2.1'), (BROWSER, '192.0.2.2'),
                (SCANNER, '192.0.2.3')]:
            # Repeated by the same
            for _ in range(20):
                response = client.get(pixel, headers=agent, environ_base={
                        'REMOTE_ADDR': address})
                self.assertEqual(response.data[:6], b'GIF89a')
                self.assertEqual(
                    response.headers['Cache-Control'], 'no-store')
                response = client.get(click, headers=agent, environ_base={
                        'REMOTE_ADDR': address})
                self.assertEqual(response.status_code, 302)
                self.assertEqual(
                    response.headers['Location'], 'https://shop.example/')
                self.assertNotIn('Set-Cookie', response.headers)
        client.head(pixel)
        client.head(click)

        self.assertEqual(self.figures(activity), [1, 2, 2, 3, 3])
        self.assertEqual(self.stored(activity), (6, 0, 0))
        for _ in range(2):
            self.react()
            self.assertEqual(self.figures(activity), [1, 2, 2, 3, 3])
            self.assertEqual(self.stored(activity), (2, 2, 3))
        client.get(pixel, headers=BROWSER, environ_base={
                'REMOTE_ADDR': '192.0.2.9'})
        self.react()
        self.assertEqual(self.figures(activity), [1, 3, 2, 4, 3])
        self.assertEqual(self.stored(activity), (2, 2, 3))

    def test_tally_broken(self):
        "Test what is not genuine counts nothing"
        client = self.client()
        activity, click, pixel = self.visit(client)
        for url in [
                pixel[:-1], pixel + 'A', click.replace('/a/', '/p/')]:
            self.assertEqual(client.get(url).data[:6], b'GIF89a')
        for url in [
                click[:-1], click + 'A', click.replace('/a/', '/c/'),
                pixel.replace('/p/', '/a/')]:
            self.assertEqual(client.get(url).status_code, 404)
        for url in [pixel, click]:
            self.assertEqual(client.post(url).status_code, 405)
        self.assertEqual(self.figures(activity), [1, 0, 0, 0, 0])
        for url in [pixel, click]:
            self.assertLessEqual(len(url.split('/', 3)[3]), 40)

    def test_tally_gone(self):
        "Test the links work when the activity is gone"
        client = self.client()
        activity, click, pixel = self.visit(client)
        self.delete(activity)
        self.assertEqual(client.get(click).status_code, 302)
        self.assertEqual(client.get(pixel).status_code, 200)

    @with_transaction()
    def delete(self, activity):
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Record = pool.get('marketing.automation.record')
        activity = Activity(activity)
        Record.delete(list(Record.search([
                        ('scenario', '=', activity.scenario.id)])))
        Activity.delete([activity])
        Transaction().commit()

    def test_recent(self):
        "Test the memory of the requests is bounded"
        recent = _Recent()
        recent._size = 10
        self.assertTrue(recent.is_new('x', None))
        self.assertFalse(recent.is_new('x', None))
        self.assertTrue(recent.is_new('x', 'None'))
        for i in range(100):
            recent.is_new(i)
        self.assertLessEqual(len(recent._times), 10)

    # What does not last

    @with_transaction()
    def test_clean(self):
        "Test the totals stay when old hits are deleted"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Hit = pool.get('marketing.automation.hit')
        activity, (jane,) = create_mail()
        RecordActivity = jane.__class__
        RecordActivity.write([jane], {'state': 'done'})
        Hit.add('open', record_activity=jane.id)
        with patch.object(hit, 'quarantine', dt.timedelta):
            RecordActivity.react()
        before = Activity(activity.id).email_opened
        self.assertEqual(before, 1)
        Hit.write(Hit.search([]), {
                'at': dt.datetime.now() - dt.timedelta(days=1000)})
        Hit.clean()
        self.assertFalse(Hit.search([]))
        clear_cache(Activity, RecordActivity)
        self.assertEqual(Activity(activity.id).email_opened, before)
        self.assertEqual(state(jane)[0], 'done')
