# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.modules.marketing_automation.tracking.hit import Row
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ..common.history import (
    create_record_activities, create_records, create_scenarios, set_values)

LINK = 'marketing.automation.link'
TRACKER = 'marketing.automation.reporting.link'


class TrackerTestCase(unittest.TestCase):
    "Test the link tracker"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        super().setUp()
        self.day = dt.datetime.combine(dt.date.today(), dt.time(12))

    def create(self):
        "Return the record activities and the link of an activity"
        pool = Pool()
        scenario, = create_scenarios(1)
        activity, = scenario.activities
        done = create_record_activities(activity, create_records(scenario, 3))
        set_values(done, state='done', ended_at=self.day)
        ids = pool.get(LINK).ids([(activity.id, 'https://example.com/')])
        return done, *ids.values()

    def click(self, *clicks):
        """
        Count the clicks, given by the record activity, the link, the verdict
        and the days since.
        """
        Hit = Pool().get('marketing.automation.hit')
        rows, humans = [], []
        for record_activity, link, verdict, days in clicks:
            at = self.day - dt.timedelta(days=days)
            hit, = Hit.create([{
                        'kind': 'click', 'at': at, 'verdict': verdict,
                        'applied': True, 'link': link,
                        'record_activity': record_activity.id,
                        }])
            rows.append(Row(
                    hit.id, 'click', record_activity.id, link, at, None, None))
            if verdict == 'human':
                humans.append(rows[-1])
        Hit._count_clicks(rows, humans)

    def figures(self, link):
        for cache in Transaction().cache.values():
            cache.clear()
        tracker = Pool().get(TRACKER).figures(
            [link], ['clicks_raw', 'clicks', 'people'])
        return [tracker[n][link] for n in ['clicks_raw', 'clicks', 'people']]

    @with_transaction()
    def test_people(self):
        "A person counts once for a link, whatever is kept of the hits"
        pool = Pool()
        (one, two, three), link = self.create()
        self.click(
            (one, link, 'human', 40), (one, link, 'human', 40),
            (two, link, 'machine', 40))
        self.assertEqual(self.figures(link), [3, 2, 1])
        self.click((one, link, 'human', 1), (two, link, 'human', 1))
        self.assertEqual(self.figures(link), [5, 4, 2])

        pool.get('marketing.automation.link.click').add(
            {(one.id, link): self.day})
        table = pool.get('marketing.automation.hit').__table__()
        Transaction().connection.cursor().execute(*table.delete())
        self.click((one, link, 'human', 0))
        self.assertEqual(self.figures(link), [6, 5, 2])
        self.assertEqual(pool.get(LINK)(link).people, 2)
        self.assertEqual(pool.get(LINK)(link).clicks, 5)
        Counter = pool.get('marketing.automation.counter')
        self.assertEqual(Counter.verify(), 0)

    @with_transaction()
    def test_periods(self):
        "The clicks belong to their day"
        pool = Pool()
        (one, two, three), link = self.create()
        self.click(
            (one, link, 'human', 3), (two, link, 'human', 2),
            (three, link, 'human', 2))
        today = self.day.date()
        with Transaction().set_context(
                period='day', to_date=today,
                from_date=today - dt.timedelta(days=2)):
            line, = pool.get(TRACKER).search([
                    ('activity', '=', one.activity.id),
                    ('scenario', '=', one.activity.scenario.id),
                    ('url', '=', 'https://example.com/'),
                    ])
            self.assertEqual(line.date, today - dt.timedelta(days=2))
            self.assertEqual((line.clicks, line.people), (2, 2))
            model, domain = line.origins()
            self.assertEqual(pool.get(model).search(domain, count=True), 2)

    @with_transaction()
    def test_tests(self):
        "The clicks of tests do not count"
        (one, two, three), link = self.create()
        set_values([two], test=True)
        self.click((one, link, 'human', 0), (two, link, 'human', 0))
        self.assertEqual(self.figures(link), [1, 1, 1])

    @with_transaction()
    def test_anonymous(self):
        "The clicks of those who are not tracked count without people"
        pool = Pool()
        Tally = pool.get('marketing.automation.tally')
        (one, *_), link = self.create()
        Tally.add(
            'click', one.activity.id, link,
            user_agent='Mozilla/5.0 (X11; Linux x86_64; rv:140.0) '
            'Gecko/20100101 Firefox/140.0', address='192.0.2.1')
        Tally.fold()
        clicks = pool.get(LINK)(link).clicks
        self.assertEqual(self.figures(link), [1, clicks, 0])
