# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, RouteTestCase, with_transaction
from trytond.transaction import Transaction

from ..tools import EXTRAS
from .test_url import create_activity, create_record_activity

MODEL = 'marketing.automation.record.activity'


class WebShortenerTestCase(RouteTestCase):
    "Test the shortened URLs of former releases"
    module = 'marketing_automation'
    extras = EXTRAS

    @classmethod
    def setUpDatabase(cls):
        pool = Pool()
        Campaign = pool.get('marketing.campaign')
        ShortenedURL = pool.get('web.shortened_url')
        record_activity = create_record_activity()
        cls.record_activity = record_activity.id
        activity = record_activity.activity
        activity.marketing_campaign = Campaign.from_name('spring')
        activity.save()
        opened, clicked = ShortenedURL.create([{
                    'redirect_url': 'https://m.example/m/empty.gif',
                    'record': str(record_activity),
                    'method': f'{MODEL}|on_email_opened',
                    }, {
                    'redirect_url': 'https://shop.example/',
                    'record': str(record_activity),
                    'method': f'{MODEL}|on_email_clicked',
                    }])
        cls.opened, cls.clicked = opened.shortened_url, clicked.shortened_url

    @with_transaction()
    def flags(self):
        RecordActivity = Pool().get(MODEL)
        record_activity = RecordActivity(self.record_activity)
        return record_activity.email_opened, record_activity.email_clicked

    @with_transaction()
    def delete(self):
        RecordActivity = Pool().get(MODEL)
        RecordActivity.delete([RecordActivity(self.record_activity)])
        Transaction().commit()

    def assertLocation(self, response, url):
        location, _, query = response.headers['Location'].partition('?')
        self.assertEqual(location, url)
        self.assertIn(query, ['', 'utm_campaign=spring'])

    def test_access(self):
        "Test the shortened URLs work, also without the record activity"
        client = self.client()
        self.assertLocation(
            client.get(self.opened), 'https://m.example/m/empty.gif')
        self.assertEqual(self.flags(), (True, False))
        self.assertLocation(
            client.get(self.clicked), 'https://shop.example/')
        self.assertEqual(self.flags(), (True, True))

        self.delete()
        self.assertLocation(
            client.get(self.clicked), 'https://shop.example/')

    @with_transaction()
    def test_selection(self):
        "Test the values of the former rows are in the selections"
        ShortenedURL = Pool(DB_NAME).get('web.shortened_url')

        self.assertIn(MODEL, dict(ShortenedURL.get_models()))
        self.assertLessEqual(
            {f'{MODEL}|on_email_opened', f'{MODEL}|on_email_clicked'},
            set(dict(ShortenedURL().get_methods())))

    @with_transaction()
    def test_utm(self):
        "Test a link gets the parameters of the campaign"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Campaign = pool.get('marketing.campaign')
        Link = pool.get('marketing.automation.link')
        activity = create_activity()
        activity.marketing_campaign = Campaign.from_name('spring')
        activity.save()
        link, = Link.ids({(activity.id, 'https://shop.example/?a=1')}).values()

        self.assertEqual(
            Link.target(link),
            'https://shop.example/?a=1&utm_campaign=spring')

        Activity.delete([activity])
        self.assertEqual(Link.target(link), 'https://shop.example/?a=1')


del RouteTestCase
