# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from types import SimpleNamespace
from unittest.mock import patch

import trytond.config as config
from trytond.modules.marketing_automation import tracking
from trytond.modules.marketing_automation.tracking import (
    CLICK, OPEN, UNSUBSCRIBE, base, click_url, decode, encode, open_url,
    unsubscribe_url)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    DB_NAME, RouteTestCase, TestCase, with_transaction)
from trytond.transaction import Transaction
from trytond.wsgi import Base64Converter

DAY = dt.timedelta(days=1)


def configure(test, section, option, value):
    "Set the option for the duration of the test"
    former = config.get(section, option)
    if not config.has_section(section):
        config.add_section(section)
    config.set(section, option, value or '')
    test.addCleanup(config.set, section, option, former or '')


def later(delta):
    "Return a patch that lets the time of the tracking go by"
    class DateTime(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return dt.datetime.now(tz) + delta

    return patch.object(
        tracking, 'dt', SimpleNamespace(
            datetime=DateTime, timedelta=dt.timedelta))


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
        Hit = Pool(DB_NAME).get('marketing.automation.hit')
        self.addCleanup(Hit._reactions.clear)

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
    def test_secret(self):
        "Test each database has one secret which nobody reads"
        pool = Pool()
        Secret = pool.get('marketing.automation.secret')

        secret, = Secret.search([])
        self.assertEqual(secret.number, 0)
        self.assertEqual(len(secret.key), 64)
        self.assertIsNone(secret.valid_until)
        self.assertFalse(Secret.__rpc__)

    @with_transaction()
    def test_secret_rotate(self):
        "Test the links of the former key work until a date"
        Secret = Pool().get('marketing.automation.secret')
        token = encode(OPEN, 42)

        Secret.rotate(DAY)

        self.assertNotEqual(encode(OPEN, 42), token)
        self.assertEqual(decode(OPEN, token), (42, None))
        self.assertEqual(decode(OPEN, encode(OPEN, 42)), (42, None))
        with later(2 * DAY):
            self.assertIsNone(decode(OPEN, token))
            self.assertEqual(decode(OPEN, encode(OPEN, 42)), (42, None))

    @with_transaction()
    def test_secret_rotate_again(self):
        "Test a rotation never prolongs a key and drops those expired"
        Secret = Pool().get('marketing.automation.secret')
        token = encode(OPEN, 42)

        Secret.rotate(2 * DAY)
        Secret.rotate(10 * DAY)

        with later(3 * DAY):
            self.assertIsNone(decode(OPEN, token))
            Secret.rotate(DAY)
        self.assertEqual(
            {s.number for s in Secret.search([])}, {1, 2, 3})

        Secret.rotate(dt.timedelta())
        secret, = Secret.search([('valid_until', '=', None)])
        self.assertEqual(set(Secret.keys()), {secret.number})

    @with_transaction()
    def test_secret_rotate_number(self):
        "Test the numbers of the keys fit in a byte"
        Secret = Pool().get('marketing.automation.secret')
        secret, = Secret.search([])
        Secret.write([secret], {'number': 255})

        Secret.rotate(DAY)

        self.assertEqual(Secret.current()[0], 0)

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
    def test_hit(self):
        "Test a hit is kept raw"
        Hit = Pool().get('marketing.automation.hit')
        Hit.add('open', record_activity=42, user_agent="Mozilla/5.0")
        Hit.add('click', record_activity=42, link=7)
        Hit.add('unsubscribe', record=3)

        unsubscribe, click, open_ = Hit.search([], order=[('id', 'DESC')])
        self.assertEqual(open_.record_activity, 42)
        self.assertEqual(open_.agent, 'apple proxy')
        self.assertFalse(open_.applied)
        self.assertLess(dt.datetime.now() - open_.at, DAY)
        self.assertEqual(click.link, 7)
        self.assertIsNone(click.agent)
        self.assertEqual(unsubscribe.record, 3)
        self.assertTrue(unsubscribe.applied)

    @with_transaction()
    def test_hit_repeated(self):
        "Test many hits of one client do not make many rows"
        Hit = Pool().get('marketing.automation.hit')
        for _ in range(1000):
            Hit.add('click', record_activity=42, link=7, user_agent="curl/8")
        self.assertEqual(count_hits(), 1)

        Hit.add('click', record_activity=42, link=8, user_agent="curl/8")
        Hit.add('click', record_activity=43, link=7, user_agent="curl/8")
        Hit.add('click', record_activity=42, link=7, user_agent="Firefox/9")
        Hit.add('open', record_activity=42, user_agent="curl/8")
        self.assertEqual(count_hits(), 5)

        with later(dt.timedelta(minutes=2)):
            Hit.add('click', record_activity=42, link=7, user_agent="curl/8")
        self.assertEqual(count_hits(), 6)

    @with_transaction()
    def test_hit_pending(self):
        "Test the hits are pending until they are applied"
        Hit = Pool().get('marketing.automation.hit')
        Hit.add('unsubscribe', record=1)
        for i in range(1, 4):
            Hit.add('open', record_activity=i)
        Hit.add('click', record_activity=4, link=7, user_agent="curl/8")

        pending = Hit.pending()

        self.assertEqual([h[2] for h in pending], [1, 2, 3, 4])
        id, kind, record_activity, link, at, agent = pending[-1]
        self.assertEqual(
            (kind, record_activity, link, agent), ('click', 4, 7, 'program'))
        self.assertIsInstance(at, dt.datetime)
        self.assertEqual(Hit.pending(2), pending[:2])
        Hit.mark_applied([h[0] for h in pending[:3]])
        self.assertEqual(Hit.pending(), pending[3:])
        Hit.mark_applied([])

    @with_transaction()
    def test_hit_schedule(self):
        "Test one task serves the hits of some seconds"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Queue = pool.get('ir.queue')
        configure(self, 'queue', 'worker', 'True')
        record_activity = create_record_activity()

        # Nobody can react for what has been deleted
        Hit.add('open', record_activity=2 ** 31 - 1)
        self.assertFalse(Queue.search([]))

        Hit.add('open', record_activity=record_activity.id)
        Hit.add('open', record_activity=record_activity.id)
        Hit.add('click', record_activity=record_activity.id, link=1)
        Hit.add('unsubscribe', record=record_activity.record.id)

        task, = Queue.search([])
        self.assertEqual(task.data['method'], 'react')
        self.assertEqual(
            list(task.data['instances']), [record_activity.id])
        self.assertGreater(task.scheduled_at, dt.datetime.now())

        monotonic = tracking.time.monotonic() + 10
        with patch.object(
                tracking.time, 'monotonic', return_value=monotonic):
            Hit.add('click', record_activity=record_activity.id, link=2)
        self.assertEqual(len(Queue.search([])), 2)

    @with_transaction()
    def test_hit_no_worker(self):
        "Test nothing is queued without worker"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Queue = pool.get('ir.queue')
        configure(self, 'queue', 'worker', 'False')

        Hit.add('open', record_activity=create_record_activity().id)

        self.assertFalse(Queue.search([]))
        self.assertFalse(Transaction().tasks)

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
