# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.exceptions import ActivityError
from trytond.modules.marketing_automation.outcome import done
from trytond.modules.marketing_automation.tracking.link_click import (
    links_of, pattern)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)

from ...consent.test_consent import (
    RECORD_ACTIVITY, create_party, create_scenario, enter)

TEMPLATE = """<html xmlns:py="http://genshi.edgewall.org/"><body>
    <a href="https://shop.example.com/">Our <b>shop</b></a>
    <a href="https://shop.example.com/${record.id}"><img alt="Offer"/></a>
    <a href="unsubscribe">Leave</a>
</body></html>"""
NOW = dt.datetime(2030, 1, 1)
HOUR = dt.timedelta(hours=1)
MAIL = {
    'action': 'send_email',
    'email_title': "Title",
    'email_template': TEMPLATE,
    }


def create_mail(*children, parties=1):
    "Create an activity that has sent its mail, with what waits"
    Activity = Pool().get('marketing.automation.activity')
    _, activity, _ = create_scenario()
    Activity.write([activity], MAIL)
    for values in children:
        values.setdefault('name', '{}{}'.format(
                'not ' if values.get('negative') else '',
                values.get('event', 'after')))
        Activity.create([{'parent': str(activity), **values}])
    sent = [
        enter(activity, create_party(str(i)), state='sending', claim=7)
        for i in range(parties)]
    return activity, sent


def follow(activity):
    RecordActivity = Pool().get(RECORD_ACTIVITY)
    ids = [r.id for r in RecordActivity.search([
                ('activity', '=', activity.id), ('state', '=', 'sending')])]
    RecordActivity.store(dict.fromkeys(ids, done()), NOW, 7, handed_over=True)
    RecordActivity.follow(activity, claim=7)
    clear_cache(RecordActivity)


def waits(activity, record=None):
    "Return the state, the reason and the delay of the children by name"
    RecordActivity = Pool().get(RECORD_ACTIVITY)
    clear_cache(RecordActivity)
    return {
        r.activity.name: (r.state, r.reason, r.at - NOW if r.at else None)
        for r in RecordActivity.search([
                ('activity.parent', '=', str(activity))])}


class MailEventTestCase(unittest.TestCase):
    "Test what else can happen to a mail"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_on(self):
        "Test what can be selected, and that no other is accepted"
        Activity = Pool().get('marketing.automation.activity')
        activity, _ = create_mail({'event': 'email_bounced'})
        child, = activity.active_children
        values = [v for v, _ in child.get_on()]
        self.assertIn('email_replied_not', values)
        self.assertIn('email_link_clicked_not', values)
        self.assertIn('email_bounced', values)
        self.assertNotIn('email_bounced_not', values)
        self.assertNotIn('email_unsubscribed_not', values)
        with self.assertRaises(ActivityError):
            Activity.write([child], {'negative': True, 'delay': HOUR})

    @with_transaction()
    def test_replied(self):
        "Test a reply implies an open"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        activity, (sent,) = create_mail(
            {'event': 'email_replied', 'delay': HOUR},
            {'event': 'email_replied', 'negative': True, 'delay': HOUR},
            {'event': 'email_opened', 'negative': True, 'delay': HOUR},
            {'event': 'email_clicked', 'negative': True, 'delay': HOUR})
        follow(activity)
        for at in [NOW, NOW + HOUR]:
            RecordActivity.apply_events([(sent.id, 'email_replied', at)])
        self.assertEqual(waits(activity), {
                'email_replied': ('waiting', None, HOUR),
                'not email_replied': ('cancelled', 'opposite', HOUR),
                'not email_opened': ('cancelled', 'opposite', HOUR),
                'not email_clicked': ('waiting', None, HOUR),
                })
        sent = RecordActivity(sent.id)
        self.assertEqual(sent.email_replied_at, NOW)
        self.assertTrue(sent.email_opened)

    def check_bounced(self, before):
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        activity, (sent,) = create_mail(
            {},
            {'event': 'email_bounced'},
            {'event': 'email_replied'},
            {'event': 'email_opened'},
            {'event': 'email_opened', 'negative': True, 'delay': HOUR},
            {'event': 'email_clicked', 'negative': True, 'delay': HOUR})
        if not before:
            follow(activity)
        RecordActivity.apply_events([
                (sent.id, 'email_opened', NOW),
                (sent.id, 'email_bounced', NOW + HOUR)])
        if before:
            follow(activity)
        return activity, sent

    @with_transaction()
    def test_bounced(self):
        "Test a bounce resolves what waits for something else"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        for before in [False, True]:
            with self.subTest(before=before):
                activity, sent = self.check_bounced(before)
                expected = {
                    'after': ('waiting', None, HOUR * 0),
                    'email_bounced': ('waiting', None, HOUR),
                    'email_replied': ('cancelled', 'bounced', None),
                    'email_opened': ('waiting', None, HOUR * 0),
                    'not email_opened': ('cancelled', 'opposite', HOUR),
                    'not email_clicked': ('cancelled', 'bounced', HOUR),
                    }
                self.assertEqual(waits(activity), expected)
                # What comes later is only noted
                RecordActivity.apply_events([
                        (sent.id, 'email_replied', NOW + 2 * HOUR)])
                self.assertEqual(waits(activity), expected)
                self.assertTrue(RecordActivity(sent.id).email_replied)

    @with_transaction()
    def test_bounced_gate(self):
        "Test the gate knows of a bounce"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        activity, (sent,) = create_mail(
            {'event': 'email_clicked', 'negative': True, 'delay': HOUR})
        follow(activity)
        RecordActivity.write([sent], {
                'email_bounced': True, 'email_bounced_at': NOW})
        child, = activity.active_children
        waiting, = RecordActivity.search([('activity', '=', child.id)])
        outcome = RecordActivity.decide(child, [waiting.id])[waiting.id]
        self.assertEqual(outcome[:2], ('cancelled', 'bounced'))

    @with_transaction()
    def test_unsubscribed(self):
        "Test what follows an unsubscription but never speaks to who left"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Consent = pool.get('marketing.automation.consent')
        RecordActivity = pool.get(RECORD_ACTIVITY)
        activity, (sent,) = create_mail(
            {}, {'event': 'email_unsubscribed', 'delay': HOUR},
            {'event': 'email_opened'})
        child, = [
            c for c in activity.active_children
            if c.event == 'email_unsubscribed']
        grandchild, = Activity.create([
                {'name': "Last", 'parent': str(child)}])
        follow(activity)
        for _ in range(2):
            Consent.stop(sent.record.id, 'scenario', 'link')
        result = waits(activity)
        state, reason, delay = result.pop('email_unsubscribed')
        self.assertEqual((state, reason), ('waiting', None))
        self.assertIsNotNone(delay)
        self.assertEqual({s[:2] for s in result.values()}, {
                ('cancelled', 'unsubscribed')})
        sent = RecordActivity(sent.id)
        self.assertTrue(sent.email_unsubscribed)
        self.assertFalse(sent.email_opened)

        waiting, = RecordActivity.search([('activity', '=', child.id)])
        outcome = RecordActivity.decide(child, [waiting.id])[waiting.id]
        self.assertEqual(outcome, done())
        RecordActivity.store({waiting.id: outcome}, NOW, 8)
        RecordActivity.follow(child, claim=8)
        last, = RecordActivity.search([('activity', '=', grandchild.id)])
        self.assertEqual(last.state, 'waiting')
        self.assertEqual(
            RecordActivity.decide(grandchild, [last.id]), {last.id: done()})
        with self.assertRaises(ActivityError):
            Activity.write([grandchild], MAIL)


class ClickTestCase(unittest.TestCase):
    "Test a certain link"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def test_links(self):
        "Test the links of a template"
        self.assertEqual(links_of(TEMPLATE), [
                ('https://shop.example.com/', "Our shop"),
                ('https://shop.example.com/${record.id}', "Offer"),
                ])
        self.assertEqual(links_of(''), [])
        regex, fixed = pattern('https://a.example/$$?a=${b.c}&d=$e.f')
        self.assertEqual(fixed, len('https://a.example/$?a=&d='))
        self.assertTrue(regex.fullmatch('https://a.example/$?a=1&d=2'))
        self.assertFalse(regex.fullmatch('https://b.example/$?a=1&d=2'))

    @with_transaction()
    def test_check(self):
        "Test the link must be one of the parent"
        Activity = Pool().get('marketing.automation.activity')
        activity, _ = create_mail()
        child, = Activity.create([{
                    'name': "Child", 'parent': str(activity),
                    'event': 'email_link_clicked', 'event_link': "Our  shop",
                    }])
        self.assertEqual(child.autocomplete_event_link()[:2], [
                'https://shop.example.com/', "Our shop"])
        for link in ["Leave", 'https://other.example.com/']:
            with self.subTest(link=link), self.assertRaises(ActivityError):
                Activity.write([child], {'event_link': link})
        with self.assertRaises(ActivityError):
            Activity.write([activity], {'email_template': "<p>Nothing</p>"})

    @with_transaction()
    def test_click(self):
        "Test only a click on the link counts"
        pool = Pool()
        Link = pool.get('marketing.automation.link')
        RecordActivity = pool.get(RECORD_ACTIVITY)
        event = {'event': 'email_link_clicked', 'delay': HOUR}
        shop, offer = {'event_link': "Our shop"}, {'event_link': "Offer"}
        activity, (sent,) = create_mail(
            {'name': "shop", **event, **shop},
            {'name': "not shop", 'negative': True, **event, **shop},
            {'name': "offer", **event, **offer},
            {'name': "not offer", 'negative': True, **event, **offer},
            {'name': "clicked", 'event': 'email_clicked'})
        urls = ['https://shop.example.com/', 'https://shop.example.com/42']
        ids = Link.ids({(activity.id, u) for u in urls})
        home, product = [ids[activity.id, u] for u in urls]
        follow(activity)
        RecordActivity.apply_events([
                (sent.id, 'email_link_clicked', NOW, product)])
        expected = {
            'shop': ('waiting', None, None),
            'not shop': ('waiting', None, HOUR),
            'offer': ('waiting', None, HOUR),
            'not offer': ('cancelled', 'opposite', HOUR),
            'clicked': ('waiting', None, HOUR * 0),
            }
        self.assertEqual(waits(activity), expected)
        # Again, of a link that is gone, and of the other one
        RecordActivity.apply_events([
                (sent.id, 'email_link_clicked', NOW + HOUR, product),
                (sent.id, 'email_link_clicked', NOW + HOUR, 10 ** 6)])
        self.assertEqual(waits(activity), expected)
        for child in activity.active_children:
            times = RecordActivity.event_times(child, [sent.record.id])
            self.assertEqual(
                times, {} if 'shop' in child.name
                else {sent.record.id: NOW}, child.name)
        RecordActivity.apply_events([
                (sent.id, 'email_link_clicked', NOW + HOUR, home)])
        expected['shop'] = ('waiting', None, 2 * HOUR)
        expected['not shop'] = ('cancelled', 'opposite', HOUR)
        self.assertEqual(waits(activity), expected)

    @with_transaction()
    def test_gate(self):
        "Test the gate of the absence of a click on a certain link"
        pool = Pool()
        Link = pool.get('marketing.automation.link')
        RecordActivity = pool.get(RECORD_ACTIVITY)
        activity, sent = create_mail({
                'event': 'email_link_clicked', 'negative': True,
                'delay': HOUR, 'event_link': 'https://shop.example.com/'},
            parties=2)
        url = 'https://shop.example.com/'
        link, = Link.ids({(activity.id, url)}).values()
        RecordActivity.apply_events([
                (sent[0].id, 'email_link_clicked', NOW, link)])
        follow(activity)
        child, = activity.active_children
        rows = RecordActivity.search(
            [('activity', '=', child.id)], order=[('id', 'ASC')])
        self.assertEqual(
            [r.state for r in rows], ['cancelled', 'waiting'])
        outcomes = RecordActivity.decide(child, [r.id for r in rows])
        self.assertEqual(outcomes[rows[0].id].reason, 'opposite')
        self.assertEqual(outcomes[rows[1].id], done())


if __name__ == '__main__':
    unittest.main()
