# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.modules.marketing_automation.tracking.url import (
    CLICK, OPEN, UNSUBSCRIBE, base, click_url, decode, encode, open_url,
    unsubscribe_url)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    DB_NAME, RouteTestCase, TestCase, with_transaction)
from trytond.transaction import Transaction
from trytond.wsgi import Base64Converter

from ..tools import configured


def configure(test, section, option, value):
    "Set the option for the duration of the test"
    context = configured(**{f'{section}__{option}': value or ''})
    context.__enter__()
    test.addCleanup(context.__exit__, None, None, None)


def create_activity(name="Activity"):
    pool = Pool()
    Activity = pool.get('marketing.automation.activity')
    Scenario = pool.get('marketing.automation.scenario')
    scenario, = Scenario.create([{
                'name': "Welcome",
                'model': 'party.party',
                'domain': '[]',
                }])
    activity, = Activity.create([{
                'name': name,
                'parent': str(scenario),
                }])
    return activity


def create_record_activity(activity=None, party=None):
    pool = Pool()
    Party = pool.get('party.party')
    Record = pool.get('marketing.automation.record')
    RecordActivity = pool.get('marketing.automation.record.activity')
    if activity is None:
        activity = create_activity()
    if party is None:
        party, = Party.create([{'name': "Jane"}])
    record, = Record.create([{
                'scenario': activity.scenario.id,
                'record': str(party),
                }])
    record_activity, = RecordActivity.create([{
                'record': record.id,
                'activity': activity.id,
                'state': 'done',
                }])
    return record_activity


def count_hits(**values):
    Hit = Pool().get('marketing.automation.hit')
    return Hit.search([(n, '=', v) for n, v in values.items()], count=True)


class BaseTestCase(TestCase):
    "Test the start of the URLs"

    def test_base(self):
        "Test the start comes only from the configuration"
        for base_, hostname, certificate, root_path, result in [
                ('', '', '', '/', None),
                ('', 'example.com', '', '/', 'http://example.com'),
                ('', 'example.com:8000', '', '/', 'http://example.com:8000'),
                ('', 'example.com', '/cert.pem', '/', 'https://example.com'),
                ('', 'bücher.example', '', '/',
                    'http://xn--bcher-kva.example'),
                ('', 'example.com', '', '/tryton/',
                    'http://example.com/tryton'),
                ('https://m.example/', 'example.com', '', '/',
                    'https://m.example'),
                ('https://m.example/x', '', '', '/', 'https://m.example/x'),
                ]:
            with self.subTest(result=result):
                configure(self, 'marketing', 'automation_base', base_)
                configure(self, 'web', 'hostname', hostname)
                configure(self, 'ssl', 'certificate', certificate)
                configure(self, 'web', 'root_path', root_path)
                self.assertEqual(base(), result)


class TrackingTestCase(RouteTestCase):
    "Test the tracking"
    module = 'marketing_automation'

    def setUp(self):
        super().setUp()
        configure(self, 'marketing', 'automation_base', 'https://m.example')

    @with_transaction()
    def test_url(self):
        "Test the URLs"
        name = Base64Converter(None).to_url(DB_NAME)
        for url, kind, numbers in [
                (open_url(42), OPEN, (42, None)),
                (click_url(42, 7), CLICK, (42, 7)),
                (unsubscribe_url(42), UNSUBSCRIBE, (42, None)),
                (unsubscribe_url(42, 7), UNSUBSCRIBE, (42, 7)),
                ]:
            with self.subTest(url=url):
                start, token = url.rsplit('/', 1)
                self.assertEqual(start, f'https://m.example/m/{name}/{kind}')
                self.assertEqual(decode(kind, token), numbers)

    @with_transaction()
    def test_url_not_configured(self):
        "Test there is no URL without configuration"
        configure(self, 'marketing', 'automation_base', '')
        configure(self, 'web', 'hostname', '')
        with self.assertRaises(ValueError):
            open_url(42)

    @with_transaction(context={'_request': {
                'http_host': 'evil.example', 'is_secure': False}})
    def test_url_request(self):
        "Test the URL does not depend on the request"
        self.assertTrue(open_url(42).startswith('https://m.example/'))

    @with_transaction()
    def test_decode_shape(self):
        "Test the token of a kind has the numbers of the kind"
        self.assertIsNone(decode(OPEN, encode(OPEN, 1, 2)))
        self.assertIsNone(decode(CLICK, encode(CLICK, 1)))

    @with_transaction()
    def test_decode_no_query(self):
        "Test decoding makes no query"
        token = encode(CLICK, 1, 2)
        Secret = Pool().get('marketing.automation.secret')
        with patch.object(Secret, 'search', side_effect=AssertionError):
            self.assertEqual(decode(CLICK, token), (1, 2))
            self.assertIsNone(decode(CLICK, token[:-1]))

    @with_transaction()
    def test_link_ids(self):
        "Test a link is a row by activity and URL"
        Link = Pool().get('marketing.automation.link')
        activity, other = create_activity(), create_activity()
        pairs = {
            (activity.id, 'https://example.com/'),
            (activity.id, 'https://example.com/é?a=1&b=2'),
            (other.id, 'https://example.com/'),
            }

        ids = Link.ids(pairs)

        self.assertEqual(ids.keys(), pairs)
        self.assertEqual(len(set(ids.values())), 3)
        for (activity_id, url), id in ids.items():
            link = Link(id)
            self.assertEqual((link.activity.id, link.url), (activity_id, url))
        more = Link.ids(pairs | {(activity.id, 'https://example.org/')})
        self.assertEqual({p: more[p] for p in pairs}, ids)
        self.assertEqual(Link.search([], count=True), 4)
        self.assertEqual(Link.ids(set()), {})

    @with_transaction()
    def test_link_ids_concurrent(self):
        "Test a link that another made meanwhile is used"
        Link = Pool().get('marketing.automation.link')
        activity = create_activity()
        pair = (activity.id, 'https://example.com/')
        id, = Link.ids({pair}).values()
        find = Link._find
        with patch.object(Link, '_find') as missed:
            missed.side_effect = lambda keys: (
                {} if missed.call_count == 1 else find(keys))

            self.assertEqual(Link.ids({pair}), {pair: id})

    @with_transaction()
    def test_link_ids_queries(self):
        "Test the number of queries does not depend on the number of links"
        Link = Pool().get('marketing.automation.link')
        activity = create_activity()
        for start, count in [(0, 1), (1000, 400)]:
            pairs = {
                (activity.id, f'https://example.com/{i}')
                for i in range(start, start + count)}
            with patch.object(Link, '_find', wraps=Link._find) as find, \
                    patch.object(
                        Link, '_insert', wraps=Link._insert) as insert:
                Link.ids(pairs)
                Link.ids(pairs)
            self.assertEqual(find.call_count, 3)
            self.assertEqual(insert.call_count, 1)

    @with_transaction()
    def test_link_target(self):
        "Test a link goes only to the web"
        Link = Pool().get('marketing.automation.link')
        activity = create_activity()
        for url, target in [
                ('https://example.com/a?b=c#d', 'https://example.com/a?b=c#d'),
                (' https://example.com/\n\tpath ', 'https://example.com/path'),
                ('HTTP://example.com/', 'http://example.com/'),
                ('https://bücher.example/é ü?a=é', 'https://'
                    'xn--bcher-kva.example/%C3%A9%20%C3%BC?a=%C3%A9'),
                ('https://example.com/a%20b?c=%26',
                    'https://example.com/a%20b?c=%26'),
                ('http://[::1', None),
                ('http://\u2028/', None),
                ('https://', None),
                ('javascript:alert(1)', None),
                ('data:text/html,x', None),
                ('//example.com/', None),
                ('/path', None),
                ('', None),
                ]:
            with self.subTest(url=url):
                id, = Link.ids({(activity.id, url)}).values()
                self.assertEqual(Link.target(id), target)
        self.assertIsNone(Link.target(2 ** 31 - 1))

    @with_transaction()
    def test_link_activity_deleted(self):
        "Test a link goes on working without its activity"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Link = pool.get('marketing.automation.link')
        activity = create_activity()
        id, = Link.ids({(activity.id, 'https://example.com/')}).values()

        Activity.delete([activity])

        self.assertIsNone(Link(id).activity)
        self.assertEqual(Link.target(id), 'https://example.com/')

    @with_transaction()
    def test_access(self):
        "Test who may read"
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        group = ModelData.get_id('marketing', 'group_marketing')
        user, = User.create([{
                    'name': "Marketer",
                    'login': 'marketer',
                    'groups': [('add', [group])],
                    }])
        other, = User.create([{'name': "Other", 'login': 'other'}])
        for user_, model, read in [
                (user, 'secret', False),
                (user, 'link', True),
                (user, 'hit', True),
                (other, 'secret', False),
                (other, 'link', False),
                (other, 'hit', False),
                ]:
            with self.subTest(user=user_.login, model=model), \
                    Transaction().set_user(user_.id), \
                    Transaction().set_context(_check_access=True):
                name = f'marketing.automation.{model}'
                access = ModelAccess.get_access([name])[name]
                self.assertEqual(bool(access['read']), read)
                for mode in ['write', 'create', 'delete']:
                    self.assertFalse(access[mode])


del RouteTestCase
