# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
from unittest.mock import patch
from urllib.parse import quote, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html

from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, RouteTestCase, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import Base64Converter

from ..tracking.url import (
    CLICK, OPEN, PERSONAL_CLICK, UNSUBSCRIBE, anonymous_click_url, base,
    click_url, encode)
from .test_statements import executed
from .tracking.test_url import configure, count_hits, create_record_activity

BASE = '/m/' + Base64Converter(None).to_url(DB_NAME)
TARGET = 'https://shop.example/path?a=1&b=2#c'
BUTTON = {'unsubscribe': 'yes'}


class RoutesTestCase(RouteTestCase):
    "Test the public URLs"
    module = 'marketing_automation'

    @classmethod
    def setUpDatabase(cls):
        pool = Pool()
        Lang = pool.get('ir.lang')
        Link = pool.get('marketing.automation.link')
        Party = pool.get('party.party')
        Record = pool.get('marketing.automation.record')
        french, = Lang.search([('code', '=', 'fr')])
        Lang.write([french], {'translatable': True})
        record_activity = create_record_activity()
        cls.record_activity = record_activity.id
        cls.record = record_activity.record.id
        cls.scenario = record_activity.record.scenario.id
        cls.party = record_activity.record.record.id
        cls.uuid = record_activity.record.uuid
        activity = record_activity.activity
        cls.activity = activity.id
        cls.link, = Link.ids({(activity.id, TARGET)}).values()
        jean, = Party.create([{'name': "Jean", 'lang': french.id}])
        cls.french = create_record_activity(activity, jean).record.id
        gone = create_record_activity(
            activity, *Party.create([{'name': "Gone"}]))
        cls.gone = gone.id, gone.record.id
        Record.delete([gone.record])

    def setUp(self):
        super().setUp()
        configure(self, 'marketing', 'email_from', '"ACME" <acme@example.com>')
        self.addCleanup(self.clean)

    @with_transaction()
    def clean(self):
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Record = pool.get('marketing.automation.record')
        Unsubscribed = pool.get(
            'party.party-unsubscribed-marketing.automation.scenario')
        Hit.delete(list(Hit.search([])))
        Unsubscribed.delete(list(Unsubscribed.search([])))
        Record.write(list(Record.search([])), {
                'blocked': False,
                'end_reason': None,
                'ended_at': None,
                })
        Transaction().commit()

    @with_transaction()
    def url(self, kind, id, link=None):
        return f'{BASE}/{kind}/{encode(kind, id, link)}'

    @with_transaction()
    def hits(self, **values):
        return count_hits(**values)

    @with_transaction()
    def unsubscribed(self):
        pool = Pool()
        Party = pool.get('party.party')
        Record = pool.get('marketing.automation.record')
        party = Party(self.party)
        scenarios = {s.id for s in party.marketing_scenario_unsubscribed}
        result = self.scenario in scenarios
        self.assertEqual(Record(self.record).blocked, result)
        return result

    def assertHeaders(self, response):
        self.assertEqual(response.headers['Cache-Control'], 'no-store')
        self.assertNotIn('Set-Cookie', response.headers)

    def assertGIF(self, response):
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.headers['Content-Type'], 'image/gif')
        self.assertEqual(len(response.data), 43)
        self.assertEqual(response.data[:6], b'GIF89a')
        self.assertHeaders(response)

    def assertPage(self, response, status, title):
        self.assertEqual(response.status_code, status)
        self.assertEqual(
            response.headers['Content-Type'], 'text/html; charset=utf-8')
        self.assertNotIn('Location', response.headers)
        self.assertHeaders(response)
        text = response.get_data(as_text=True)
        page = html.document_fromstring(text)
        self.assertEqual(page.findtext('.//title'), title)
        self.assertTrue(page.get('lang'))
        self.assertFalse(page.xpath('//script|//link|//img|//@style|//@src'))
        self.assertIn(
            "default-src 'none'", response.headers['Content-Security-Policy'])
        return page

    def assertUnknown(self, response):
        self.assertPage(response, 404, "This link does not work")


class StatementsTestCase(RoutesTestCase):
    "Test what the requests ask the database"

    def test_statements(self):
        "Test the number of statements of each request"
        client = self.client()
        other = 2 ** 20
        one_click = {'data': {'List-Unsubscribe': 'One-Click'}}
        requests = [
            (1, client.get, {}, [
                    self.url(OPEN, i) for i in [other, self.record_activity]]),
            (1, client.get, {}, [
                    self.url(CLICK, i, self.link)
                    for i in [other, self.record_activity]]),
            (14, client.post, one_click, [
                    self.url(UNSUBSCRIBE, i)
                    for i in [self.french, self.record]]),
            ]
        for limit, method, options, (first, url) in requests:
            # The first fills the caches of the process
            method(first, **options)
            for again in [False, True]:
                with self.subTest(url=url, again=again):
                    with executed() as statements:
                        response = method(url, **options)
                    self.assertLess(response.status_code, 400)
                    self.assertLessEqual(
                        len(statements), limit, '\n'.join(statements))


class PersonalTestCase(RoutesTestCase):
    "Test the links that contain values of the recipient"
    parts = 'https://shop.example/', '/cart?id=', '#c'

    def setUp(self):
        super().setUp()
        configure(self, 'marketing', 'automation_base', 'https://m.example')

    @with_transaction()
    def personal(self, get_url, id, values):
        Link = Pool().get('marketing.automation.link')
        link, = Link.ids({(self.activity, self.parts)}).values()
        Transaction().commit()
        return link, get_url(id, link, values)[len(base()):]

    def test_click(self):
        "Test the values complete the URL of the template"
        values = ['jane', '42']
        link, url = self.personal(click_url, self.record_activity, values)
        response = self.client().get(url)

        self.assertEqual(response.status_code, 302)
        self.assertEqual(
            response.headers['Location'],
            'https://shop.example/jane/cart?id=42#c')
        self.assertEqual(self.hits(
                kind='click', record_activity=self.record_activity,
                link=link), 1)
        self.assertEqual(
            self.personal(click_url, 1, ['joe', '7'])[0], link)

    def test_anonymous(self):
        "Test the values are in the links of who is not known, too"
        _, url = self.personal(anonymous_click_url, self.activity, ['a', 'b'])

        self.assertEqual(
            self.client().get(url).headers['Location'],
            'https://shop.example/a/cart?id=b#c')
        self.assertEqual(self.hits(), 0)

    def test_foreign(self):
        "Test nothing else is a link"
        link, url = self.personal(click_url, self.record_activity, ['a', 'b'])
        start, _, token = url.rpartition('/')
        _, other = self.personal(
            anonymous_click_url, self.activity, ['a', 'b'])
        _, too_few = self.personal(click_url, self.record_activity, ['a'])
        for url in [
                f'{start}/{token[:-1]}', f'{start}/{token}A', f'{start}/x',
                f'{start}/{other.rpartition("/")[2]}', too_few,
                self.url(PERSONAL_CLICK, self.record_activity, link),
                self.url(CLICK, self.record_activity, link).replace(
                    f'/{CLICK}/', f'/{PERSONAL_CLICK}/')]:
            with self.subTest(url=url):
                self.assertUnknown(self.client().get(url))
        self.assertEqual(self.hits(), 0)


class OpenTestCase(RoutesTestCase):
    "Test the pixel"

    def test_get(self):
        "Test the pixel counts an open"
        client = self.client()
        response = client.get(
            self.url(OPEN, self.record_activity),
            headers={'User-Agent': "Mozilla/5.0"})

        self.assertGIF(response)
        self.assertEqual(self.hits(
                kind='open', record_activity=self.record_activity,
                agent='apple proxy'), 1)

    def test_head(self):
        "Test HEAD answers the same and counts nothing"
        client = self.client()
        url = self.url(OPEN, self.record_activity)
        head, get = client.head(url), client.get(url)

        self.assertEqual(head.status_code, 200)
        self.assertEqual(head.data, b'')
        self.assertEqual(dict(head.headers), dict(get.headers))
        self.assertEqual(self.hits(), 1)

    def test_repeated(self):
        "Test many requests do not make many rows"
        client = self.client()
        url = self.url(OPEN, self.record_activity)
        for _ in range(100):
            client.get(url)

        self.assertEqual(self.hits(), 1)

    def test_broken(self):
        "Test a broken token gets a pixel without effect"
        client = self.client()
        url = self.url(OPEN, self.record_activity)
        click = self.url(CLICK, self.record_activity, self.link)
        for broken in [
                url[:-1], url + 'A', url + '=', url + '%00',
                f'{BASE}/o/x', f'{BASE}/o/%ff',
                f'{BASE}/o/' + 'A' * 60_000,
                click.replace('/c/', '/o/')]:
            with self.subTest(url=broken[:100]):
                self.assertGIF(client.get(broken))
        self.assertEqual(self.hits(), 0)

    def test_gone(self):
        "Test the pixel works for a record activity that is gone"
        self.assertGIF(self.client().get(self.url(OPEN, self.gone[0])))

    def test_former(self):
        "Test the pixel of former releases"
        client = self.client()
        self.assertGIF(client.get('/m/empty.gif'))
        self.assertEqual(client.head('/m/empty.gif').status_code, 200)
        self.assertEqual(self.hits(), 0)


class ClickTestCase(RoutesTestCase):
    "Test the links"

    def test_get(self):
        "Test a click is counted and goes to the target"
        client = self.client()
        response = client.get(
            self.url(CLICK, self.record_activity, self.link))

        self.assertEqual(response.status_code, 302)
        self.assertEqual(response.headers['Location'], TARGET)
        self.assertEqual(response.headers['Referrer-Policy'], 'no-referrer')
        self.assertHeaders(response)
        self.assertEqual(self.hits(
                kind='click', record_activity=self.record_activity,
                link=self.link), 1)

    def test_head(self):
        "Test HEAD answers the same and counts nothing"
        client = self.client()
        url = self.url(CLICK, self.record_activity, self.link)
        head, get = client.head(url), client.get(url)

        self.assertEqual(head.status_code, 302)
        self.assertEqual(dict(head.headers), dict(get.headers))
        self.assertEqual(self.hits(), 1)

    def test_no_open_redirect(self):
        "Test no query changes the target"
        client = self.client()
        url = self.url(CLICK, self.record_activity, self.link)
        evil = quote('https://evil.example/', safe='')
        for name in ['url', 'next', 'redirect', 'r', 'link', 'to', '']:
            response = client.get(f'{url}?{name}={evil}', headers={
                    'Host': 'evil.example',
                    'X-Forwarded-Host': 'evil.example',
                    'Referer': 'https://evil.example/',
                    })
            with self.subTest(name=name):
                self.assertEqual(response.headers['Location'], TARGET)

    def test_unknown(self):
        "Test what leads nowhere"
        client = self.client()
        url = self.url(CLICK, self.record_activity, self.link)
        for broken in [
                url[:-1], url + 'A', f'{BASE}/c/x', f'{BASE}/c/%ff%fe',
                f'{BASE}/c/' + 'A' * 60_000,
                self.url(CLICK, self.record_activity, 2 ** 31 - 1),
                self.url(CLICK, self.record_activity, 2 ** 49)]:
            for method in [client.get, client.head]:
                with self.subTest(url=broken[:100], method=method):
                    response = method(broken)
                    self.assertEqual(response.status_code, 404)
                    self.assertNotIn('Location', response.headers)
        self.assertUnknown(client.get(url[:-1]))
        self.assertEqual(self.hits(), 0)

    def test_gone(self):
        "Test a link works when the record activity is gone"
        response = self.client().get(
            self.url(CLICK, self.gone[0], self.link))

        self.assertEqual(response.headers['Location'], TARGET)

    def test_strange_targets(self):
        "Test the targets that are no proper URL"
        targets = [
            'https://example.com/é ü?x=<">', 'http://[::1', 'https://',
            'https://example.com/%zz%0d%0aX-Evil: 1', 'http://\u2028/']
        links = self.create_links(targets)
        client = self.client()
        for target in targets:
            with self.subTest(target=target):
                response = client.get(self.url(
                        CLICK, self.record_activity, links[target]))
                self.assertLess(response.status_code, 500)
                self.assertNotIn('X-Evil', response.headers)

    @with_transaction()
    def create_links(self, urls):
        Link = Pool().get('marketing.automation.link')
        ids = Link.ids({(self.activity, u) for u in urls})
        Transaction().commit()
        return {url: id for (_, url), id in ids.items()}


class FuzzTestCase(RoutesTestCase):
    "Test anything that can be requested"

    def paths(self):
        yield self.url(OPEN, self.record_activity)
        yield self.url(CLICK, self.record_activity, self.link)
        yield self.url(UNSUBSCRIBE, self.record)
        yield f'{BASE}/unsubscribe'

    def test_methods(self):
        "Test the other methods are not allowed"
        client = self.client()
        for path in self.paths():
            # trytond itself answers OPTIONS
            methods = {'PUT', 'DELETE', 'PATCH', 'TRACE', 'FOO'}
            if '/u' not in path:
                methods.add('POST')
            for method in methods:
                with self.subTest(path=path, method=method):
                    response = client.open(path, method=method)
                    self.assertEqual(response.status_code, 405)
                    self.assertNotIn('Set-Cookie', response.headers)
        self.assertEqual(self.hits(), 0)

    def test_database(self):
        "Test the names of databases"
        client = self.client()
        for name in [
                'x', 'A', '%ff', '%00', '=', '====', '.', 'é',
                Base64Converter(None).to_url('unknown'),
                Base64Converter(None).to_url('../etc/passwd'),
                Base64Converter(None).to_url('a\0b'),
                base64.urlsafe_b64encode(b'\xff\xfe').decode(),
                BASE[3:] + '!', 'A' * 60_000]:
            for path in self.paths():
                path = path.replace(BASE, f'/m/{name}')
                with self.subTest(path=path[:100]):
                    self.assertUnknown(client.get(path))
                    self.assertEqual(client.head(path).status_code, 404)
                    if '/u' in path:
                        self.assertUnknown(client.post(path, data=BUTTON))

    def test_not_activated(self):
        "Test a database without the module"
        client = self.client()
        get = Pool.get

        def missing(self, name, *args, **kwargs):
            if name.startswith('marketing.automation'):
                raise KeyError(name)
            return get(self, name, *args, **kwargs)

        paths = list(self.paths())
        with patch.object(Pool, 'get', missing):
            for path in paths:
                with self.subTest(path=path):
                    self.assertUnknown(client.get(path))

    def test_no_cookie(self):
        "Test a request with credentials is not different"
        client = self.client()
        for path in self.paths():
            for headers in [
                    {'Authorization': 'Basic YWRtaW46YWRtaW4='},
                    {'Authorization': 'Bearer x'},
                    {'Authorization': 'Session x'},
                    {'Cookie': 'tryton-session=x'},
                    {'Content-Type': 'application/json'},
                    {'Content-Type': 'text/xml'},
                    ]:
                with self.subTest(path=path, headers=headers):
                    response = client.get(path, headers=headers)
                    self.assertLess(response.status_code, 500)
                    self.assertNotIn('Set-Cookie', response.headers)

    @settings(
        max_examples=150, deadline=None,
        suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(['GET', 'HEAD', 'POST']),
        st.sampled_from([OPEN, CLICK, UNSUBSCRIBE, 'unsubscribe', 'x']),
        st.one_of(
            st.binary(max_size=50).map(quote),
            st.text(max_size=50).map(
                lambda t: quote(t.encode('utf-8', 'replace'))),
            st.binary(min_size=13, max_size=27).map(
                lambda b: base64.urlsafe_b64encode(b'\0' + b).decode())),
        st.dictionaries(st.sampled_from(
                ['r', 'next', 'url', 'token', 'unsubscribe']), st.text()))
    def test_fuzz(self, method, kind, token, query):
        "Test nothing is an error of the server"
        client = self.client()
        path = f'{BASE}/{kind}/{token}'
        response = client.open(path, method=method, query_string=query)
        self.assertLess(response.status_code, 500)
        location = response.headers.get('Location', '')
        # Werkzeug itself normalises the path
        self.assertIn(urlsplit(location).hostname, [None, 'localhost'])


del RouteTestCase
