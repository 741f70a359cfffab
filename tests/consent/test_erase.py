# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.model import ModelSQL
from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction, inactive_records

from ..tracking.test_privacy import create_mail
from ..tracking.test_url import configure
from .test_consent import RECORD, create_party, create_scenario, enter, state

NAME, ADDRESS = "Hildegard", 'hildegard@example.com'
SECRET = "Nobody must know this"


def stored():
    "Return all that is stored in the tables that the module fills"
    cursor = Transaction().connection.cursor()
    result = {}
    for name, Model in Pool().iterobject():
        if (name.startswith(
                    ('marketing.automation', 'ir.email', 'party.party'))
                and issubclass(Model, ModelSQL)
                and not callable(Model.table_query)):
            cursor.execute(*Model.__table__().select())
            result[name] = repr(cursor.fetchall())
    return result


class EraseTestCase(unittest.TestCase):
    "Test erasing a party"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def setUp(self):
        configure(self, 'marketing', 'automation_base', 'https://m.example')
        configure(self, 'marketing', 'email_from', 'acme@example.com')
        configure(self, 'marketing', 'keep_address', 'full')

    def erase(self, party):
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        party.active = False
        party.save()
        session_id, _, _ = Erase.create()
        erase = Erase(session_id)
        erase.ask.party = party
        erase.transition_erase()
        Erase.delete(session_id)

    @with_transaction()
    def test_erase(self):
        "Test nothing is left of the party but the figures"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Consent = pool.get('marketing.automation.consent')
        Email = pool.get('ir.email')
        Hit = pool.get('marketing.automation.hit')
        Record = pool.get(RECORD)
        activity, (sent, other) = create_mail(names=[NAME, "Other"])
        RecordActivity = sent.__class__
        party = sent.record.record
        outgoing, = RecordActivity.decide(activity, [sent.id]).values()
        RecordActivity.write([sent], {
                'state': 'done',
                'detail': f"Delivered to {ADDRESS}",
                'message_id': outgoing.message_id,
                })
        activity.log_send_email({sent.id: outgoing})
        email, = Email.search([])
        Email.write([email], {
                'subject': f"Hello {NAME}", 'body': f"Dear {NAME}"})
        Hit.add('open', record_activity=sent.id, user_agent="Mozilla/5.0",
            address='192.0.2.77')
        RecordActivity.on_email_clicked([sent])
        _, root, (waiting,) = create_scenario("Waiting", [party])
        with Transaction().set_user(0):
            Consent.stop(sent.record.id, 'pause', 'link', comment=SECRET)
        former = stored()
        for text in [NAME, ADDRESS, SECRET, '192.0.2.77']:
            self.assertTrue(any(text in v for v in former.values()), text)
        figures = [activity.record_count, activity.email_clicked]
        scenario_figures = activity.scenario.record_count
        uuid, message_id = sent.record.uuid, outgoing.message_id

        self.erase(party)
        # It is done by SQL
        clear_cache(Activity, Consent, Record, RecordActivity)

        for model, rows in stored().items():
            for text in [
                    NAME, NAME.lower(), ADDRESS, SECRET, '192.0.2.77',
                    uuid, message_id]:
                with self.subTest(model=model, text=text):
                    self.assertNotIn(text, rows)
        activity = Activity(activity.id)
        self.assertEqual(
            [activity.record_count, activity.email_clicked], figures)
        self.assertEqual(activity.scenario.record_count, scenario_figures)
        self.assertEqual(state(waiting)[:3], (
                'cancelled', 'erased', 'erased'))
        self.assertEqual(state(sent)[0], 'done')
        for record_activity in [sent, waiting]:
            record = Record(record_activity.record.id)
            self.assertIsNone(record.target)
            self.assertIsNone(Record.from_uuid(uuid))
            self.assertTrue(record.rec_name)
            # As a client does
            Record.read([record.id], [
                    'record', 'record.rec_name', 'scenario.rec_name'])
            RecordActivity.read(
                [record_activity.id], ['rec_name', 'record.rec_name'])
            self.assertTrue(record_activity.rec_name)
        # When it left is no secret without the name
        self.assertEqual(
            [(c.scope, c.comment, c.record) for c in Consent.search([])],
            [('pause', None, None)])
        # The others stay as they are
        self.assertEqual(Record(other.record.id).record.name, "Other")
        self.assertIn("Other", stored()['party.party'])
        # It does not hinder those that come after
        RecordActivity.react()
        RecordActivity.process()

    @with_transaction()
    def test_erase_links(self):
        "Test the links with an address of the party are erased"
        pool = Pool()
        Link = pool.get('marketing.automation.link')
        activity, (sent,) = create_mail(names=[NAME])
        urls = {
            'https://example.com/?e=%s': True,
            'https://example.com/%s/more': True,
            'https://example.com/?e=other.%s': False,
            'https://example.com/?e=%s.au': False,
            }
        ids = Link.ids({
                (activity.id, url % address)
                for url in urls
                for address in [
                    ADDRESS.capitalize(), ADDRESS.replace('@', '%40')]})
        for id_ in ids.values():
            self.assertTrue(Link.target(id_))
        self.erase(sent.record.record)
        clear_cache(Link)
        for (_, url), id_ in ids.items():
            erased = any(
                e and url.lower().replace('%40', '@') == u % ADDRESS
                for u, e in urls.items())
            with self.subTest(url=url):
                self.assertEqual(Link.target(id_) is None, erased)
                if erased:
                    self.assertNotIn('hildegard', Link(id_).url)

    @with_transaction()
    def test_erase_many(self):
        "Test any number of parties can be erased"
        _, activity, _ = create_scenario()
        for _ in range(3):
            party = create_party()
            enter(activity, party)
            self.erase(party)

    @with_transaction()
    def test_erase_left(self):
        "Test what an erased party did not want stays so"
        pool = Pool()
        Party = pool.get('party.party')
        Record = pool.get(RECORD)
        scenario, _, _ = create_scenario()
        party = create_party()
        Party.write([party], {'marketing_refused': True})
        self.erase(party)
        with inactive_records():
            Party.write([Party(party.id)], {'active': True})
        Record.enter(scenario, dt.datetime.now())
        self.assertNotIn(party, {r.record for r in Record.search([])})

    @with_transaction()
    def test_erase_unicity(self):
        "Test what was unique of an erased party is forgotten"
        Record = Pool().get(RECORD)
        _, activity, _ = create_scenario()
        party = create_party(NAME)
        record = enter(activity, party).record
        Record.write([record], {'unicity': ADDRESS})
        self.erase(party)
        clear_cache(Record)
        self.assertIsNone(Record(record.id).unicity)
