# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json

from trytond.model.exceptions import SQLConstraintError
from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.exceptions import NumberError
from trytond.modules.marketing_automation.sms.stop import stop_words
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, RouteTestCase, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import Base64Converter

from ...tracking.url import ANONYMOUS_SMS_CLICK, SMS_CLICK, encode
from ..tools import configured
from .gateway import TOKEN, start_provider
from .test_activity import NUMBERS, create_activity, create_party, enter

URL = '/m/%s/sms/' % Base64Converter(None).to_url(DB_NAME)
SHOP = 'https://shop.example.com/'
ALICE = NUMBERS["Alice"]


def parser(request):
    "Understand a provider which signs its requests"
    if request.headers.get('X-Signature') != 'good':
        return
    if request.get_data() == b'broken':
        raise ValueError(ALICE)
    number, text = request.get_data(as_text=True).split('|')
    return [{'from': number, 'text': text}]


class AnswerTestCase(RouteTestCase):
    "Test what the provider tells"
    module = 'marketing_automation'

    @classmethod
    def setUpDatabase(cls):
        for name in ["Alice", "Bob"]:
            create_party(name)
        cls.activity = create_activity().id

    def setUp(self):
        super().setUp()
        start_provider(self)
        self.send()
        self.addCleanup(self.clean)

    @with_transaction()
    def send(self):
        Activity = Pool().get('marketing.automation.activity')
        enter(Activity(self.activity))
        self._write(state='done', sms_id=None, sms_number=None)
        self._write("Alice", sms_id='SM1', sms_number=ALICE)
        self._write("Bob", sms_id='SM2', sms_number=NUMBERS["Bob"])
        Transaction().commit()

    def _write(self, name=None, **values):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        RecordActivity.write([
                r for r in RecordActivity.search([])
                if not name or r.record.record.name == name], values)

    @with_transaction()
    def clean(self):
        pool = Pool()
        for name in ['sms.stop', 'sms.incoming', 'record', 'consent']:
            Model = pool.get(f'marketing.automation.{name}')
            Model.delete(list(Model.search([])))
        Unsubscribed = pool.get(
            'party.party-unsubscribed-marketing.automation.scenario')
        Unsubscribed.delete(list(Unsubscribed.search([])))
        Transaction().commit()

    def post(self, token=TOKEN, **kwargs):
        return self.client().post(URL + token, **kwargs).status_code

    @with_transaction()
    def stopped(self):
        Stop = Pool().get('marketing.automation.sms.stop')
        return sorted(s.number for s in Stop.search([]))

    @with_transaction()
    def incoming(self):
        Incoming = Pool().get('marketing.automation.sms.incoming')
        return [
            (i.kind, i.number, i.text, i.sms_id, i.result)
            for i in Incoming.search([], order=[('id', 'ASC')])]

    @with_transaction()
    def react(self):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        RecordActivity.react()
        Transaction().commit()

    @with_transaction()
    def bounced(self):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        return sorted(
            r.record.record.name for r in RecordActivity.search(
                [('sms_bounced', '=', True)]))

    def test_forged(self):
        "Test what has not the token has no effect"
        data = {'from': ALICE, 'text': 'STOP'}
        for token in ['x', TOKEN + 'x', TOKEN[:-1], TOKEN.upper(), 'é' * 30]:
            self.assertEqual(self.post(token, data=data), 404)
        for token in ['', 'short']:
            with configured(marketing__sms_token=token):
                self.assertEqual(self.post(token or 'x', data=data), 404)
        client = self.client()
        for method in ['get', 'head', 'put']:
            response = getattr(client, method)(URL + TOKEN, query_string=data)
            self.assertIn(response.status_code, {404, 405})
        self.assertEqual(self.stopped(), [])
        self.assertEqual(self.incoming(), [])

    def test_garbage(self):
        "Test that nothing makes an error of the server"
        deep = '[' * 20_000
        for body in [
                '', 'null', '1', '"STOP"', '[]', '[[]]', '[null]', '{}', deep,
                '{"from": {}, "text": []}', '{"from": "x", "text": "STOP"}',
                '{"from": null, "text": "STOP"}', '{"id": "", "status": ""}',
                '{"from": "\\ud800", "text": "STOP"}', '\xff', '{"id": 1e999}',
                '{"id": "\\u0000", "status": "failed"}',
                '{"status": "failed"}', '{"id": "SM1", "status": "sent"}']:
            for mimetype in [
                    'application/json', 'text/plain', '',
                    'multipart/form-data; boundary=x',
                    'application/x-www-form-urlencoded']:
                with self.subTest(body=body[:50], mimetype=mimetype):
                    status = self.post(
                        data=body.encode('latin-1'), content_type=mimetype)
                    self.assertLess(status, 500)
        self.assertEqual(
            self.post(data=b'x' * 1_000_000), 413)
        self.assertEqual(self.stopped(), [])
        self.assertEqual(self.incoming(), [])

    def test_storable(self):
        "Test any text can be kept"
        body = json.dumps({
                'from': ALICE, 'text': '\ud800\0€\n' + 'x' * 5000,
                'id': '\ud800\0' + 'y' * 5000})
        self.assertEqual(
            self.post(data=body, content_type='application/json'), 204)
        (_, _, text, sms_id, result), = self.incoming()
        self.assertEqual(text[:4], '  €\n')
        self.assertEqual(len(text), 1000)
        self.assertLess(len(sms_id), 300)
        self.assertEqual(result, 'kept')

    def test_words(self):
        "Test the words that stop, and those that do not"
        for text, stops in [
                ('STOP', True), ('stop', True), (' Stop!\n', True),
                ('"STOP"', True), ('ARRÊT', True), ('arret', True),
                ('Stopp', True), ('BAJA', True),
                ('STOP it', False), ("Don't stop", False), ('', False),
                ('stopper', False), ('S T O P', False), ('?', False),
                ]:
            with self.subTest(text=text):
                self.post(json={'from': ALICE, 'text': text})
                self.assertEqual(self.stopped(), [ALICE] if stops else [])
                self.clean()
        with configured(marketing__sms_stop_words='Genug, ,Lopeta'):
            self.assertEqual(stop_words(), {'genug', 'lopeta'})
            self.post(json={'from': ALICE, 'text': 'STOP'})
            self.assertEqual(self.stopped(), [])
            self.post(json={'from': ALICE, 'text': 'genug'})
            self.assertEqual(self.stopped(), [ALICE])

    def test_stop(self):
        "Test STOP ends the scenario and the number, once"
        for number in [ALICE, ALICE[1:], '00' + ALICE[1:], '+1 202 555-0101']:
            self.post(data={'msisdn': number, 'body': 'stop'})
        self.assertEqual(self.stopped(), [ALICE])
        self.assertEqual(len(self.incoming()), 1)
        self.check_stop()

    @with_transaction()
    def check_stop(self):
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Record = pool.get('marketing.automation.record')
        ended, = Record.search([('end_reason', '=', 'unsubscribed')])
        self.assertEqual(ended.record.name, "Alice")
        self.assertEqual(
            sorted((c.party.name, c.scope, c.how) for c in Consent.search([])),
            [("Alice", 'scenario', 'sms'), ("Alice", 'sms', 'sms')])

    def test_stop_unknown(self):
        "Test STOP of a number that nobody has"
        self.post(data={'from': '+12025550177', 'text': 'STOP'})
        self.post(data={'from': 'Shop', 'text': 'STOP'})
        self.assertEqual(self.stopped(), ['+12025550177'])

    def test_list(self):
        "Test several items in one request, and no more than some"
        self.post(json=[
                {'id': 'SM1', 'status': 'failed'},
                {'nothing': 1},
                {'from': NUMBERS["Bob"], 'text': 'STOP'},
                *[{'from': f'+1202555{n}', 'text': 'x'}
                    for n in range(1000, 1200)]])
        self.react()
        self.assertEqual(self.bounced(), ["Alice"])
        self.assertEqual(self.stopped(), [NUMBERS["Bob"]])
        self.assertEqual(len(self.incoming()), 99)

    @with_transaction()
    def click_url(self, kind, name="Alice"):
        pool = Pool()
        Link = pool.get('marketing.automation.link')
        RecordActivity = pool.get('marketing.automation.record.activity')
        link, = Link.ids({(self.activity, SHOP)}).values()
        sent, = [
            r for r in RecordActivity.search([])
            if r.record.record.name == name]
        id_ = sent.id if kind == SMS_CLICK else self.activity
        url = URL.removesuffix('sms/') + f'{kind}/{encode(kind, id_, link)}'
        Transaction().commit()
        return url

    @with_transaction()
    def clicked(self):
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        Tally = pool.get('marketing.automation.tally')
        return (
            sorted(r.record.record.name for r in RecordActivity.search(
                    [('sms_clicked', '=', True), ('email_clicked', '=', False)
                        ])),
            sum(t.email_clicked for t in Tally.search([])))

    def test_click(self):
        "Test a click moves on, and an anonymous one only counts"
        client = self.client()
        url = self.click_url(SMS_CLICK)
        self.assertEqual(client.head(url).status_code, 302)
        self.react()
        self.assertEqual(self.clicked(), ([], 0))
        for _ in range(2):
            response = client.get(url)
            self.assertEqual(response.status_code, 302)
            self.assertEqual(response.location, SHOP)
        self.react()
        self.assertEqual(self.clicked(), (["Alice"], 0))
        self.assertEqual(
            client.get(self.click_url(ANONYMOUS_SMS_CLICK)).location, SHOP)
        self.react()
        self.assertEqual(self.clicked(), (["Alice"], 1))
        # The token of one kind is none of another
        for former, kind in [('/s/', '/c/'), ('/s/', '/t/'), ('/s/', '/u/')]:
            self.assertEqual(
                client.get(url.replace(former, kind)).status_code, 404)
        self.assertEqual(client.get(url[:-1]).status_code, 404)

    def test_report(self):
        "Test a report bounces its SMS, once, and waits for it"
        for id_, status in [
                ('SM1', 'UNDELIV'), ('SM1', 'undelivered'), ('SM2', 'queued'),
                ('SM3', 'failed')]:
            self.assertEqual(
                self.post(json={'messageId': id_, 'status': status}), 204)
        self.react()
        self.assertEqual(self.bounced(), ["Alice"])
        self.assertEqual([(i[3], i[4]) for i in self.incoming()], [
                ('SM1', 'bounced'), ('SM1', 'bounced'), ('SM3', 'pending')])
        self.rename()
        self.react()
        self.assertEqual(self.bounced(), ["Alice", "Bob"])
        self.post(json={'id': 'SM9', 'status': 'failed'})
        self.age(dt.timedelta(days=2))
        self.react()
        self.assertEqual(self.incoming()[-1][-1], 'unknown')

    @with_transaction()
    def rename(self):
        self._write("Bob", sms_id='SM3')
        Transaction().commit()

    @with_transaction()
    def age(self, delta):
        Incoming = Pool().get('marketing.automation.sms.incoming')
        Incoming.write(list(Incoming.search([])), {
                'at': dt.datetime.now() - delta})
        Transaction().commit()

    def test_parser(self):
        "Test the parser of the configuration"
        good = {'X-Signature': 'good'}
        with configured(marketing__sms_parser=f'{__name__}.parser'):
            self.assertEqual(self.post(data=f'{ALICE}|stop'), 404)
            self.assertEqual(self.post(data='broken', headers=good), 404)
            self.assertEqual(self.stopped(), [])
            self.assertEqual(
                self.post(data=f'{ALICE}|stop', headers=good), 204)
            self.assertEqual(self.stopped(), [ALICE])

    def test_clean(self):
        "Test what came is not kept for ever"
        self.post(json={'from': ALICE, 'text': 'Hello'})
        self.age(dt.timedelta(days=100))
        self.check_clean()

    @with_transaction()
    def check_clean(self):
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Incoming = pool.get('marketing.automation.sms.incoming')
        with configured(marketing__keep_hits=0):
            Hit.clean()
        self.assertEqual(len(Incoming.search([])), 1)
        Hit.clean()
        self.assertEqual(len(Incoming.search([])), 0)

    @with_transaction()
    def test_by_hand(self):
        "Test a marketer adds and removes a number"
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Stop = pool.get('marketing.automation.sms.stop')
        with self.assertRaises(NumberError):
            Stop.create([{'number': '0202'}])
        stop, = Stop.create([{'number': '+1 (202) 555-0101'}])
        self.assertEqual(stop.number, ALICE)
        Stop.delete([stop])
        self.assertEqual(
            [(c.party.name, c.change, c.how) for c in Consent.search(
                    [], order=[('id', 'ASC')])],
            [("Alice", 'stopped', 'marketer'),
                ("Alice", 'resumed', 'marketer')])
        Stop.create([{'number': ALICE}])
        with self.assertRaises(SQLConstraintError):
            Stop.create([{'number': '001' + ALICE[2:]}])

    @with_transaction()
    def test_still_sending(self):
        "Test STOP reaches what has been claimed but not yet handed over"
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        Stop = pool.get('marketing.automation.sms.stop')
        self._write(state='sending', claim=7)
        clear_cache(RecordActivity)
        self.assertEqual(len(RecordActivity.still_sending(7)), 2)
        Stop.stop(NUMBERS["Bob"])
        id_, = RecordActivity.still_sending(7)
        self.assertEqual(RecordActivity(id_).sms_number, ALICE)

    @with_transaction()
    def test_erase(self):
        "Test an erased party leaves neither number nor words"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        Incoming = pool.get('marketing.automation.sms.incoming')
        Party = pool.get('party.party')
        RecordActivity = pool.get('marketing.automation.record.activity')
        Incoming.receive([{'from': ALICE, 'text': "I am Alice"}])
        party, = Party.search([('name', '=', "Alice")])
        party.active = False
        party.save()
        session_id, _, _ = Erase.create()
        erase = Erase(session_id)
        erase.ask.party = party
        erase.transition_erase()
        Erase.delete(session_id)
        clear_cache(Incoming, RecordActivity)
        incoming, = Incoming.search([])
        self.assertEqual(
            (incoming.number, incoming.text), (None, None))
        self.assertEqual(
            [r.sms_number for r in RecordActivity.search(
                    [('sms_number', '!=', None)])], [NUMBERS["Bob"]])
