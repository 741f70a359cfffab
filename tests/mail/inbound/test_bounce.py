# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.exceptions import SuppressionError
from trytond.modules.marketing_automation.mail import return_path
from trytond.modules.marketing_automation.outcome import Outcome, failed
from trytond.modules.marketing_automation.tracking import url
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from ...consent.test_consent import (
    RECORD, RECORD_ACTIVITY, create_party, enter)
from ...consent.test_party import acting, create_user
from ...tools import configured
from .test_event import HOUR, NOW, create_mail, follow, waits

SUPPRESSION = 'marketing.automation.suppression'


def create_sent(*addresses):
    "Create an activity that has sent its mail to the addresses"
    RecordActivity = Pool().get(RECORD_ACTIVITY)
    activity, sent = create_mail(
        {'event': 'email_bounced'}, {}, parties=len(addresses))
    for record_activity, address in zip(sent, addresses):
        RecordActivity.write([record_activity], {'email_address': address})
    follow(activity)
    return activity, sent


def suppressed():
    "Return the addresses and the reasons of what is suppressed"
    Suppression = Pool().get(SUPPRESSION)
    return {
        (s.address, s.reason)
        for s in Suppression.search([('undone_at', '=', None)])}


class BounceTestCase(unittest.TestCase):
    "Test what comes back"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    @with_transaction()
    def test_return_path(self):
        "Test the address to which a mail returns"
        self.assertIsNone(return_path.return_path(42))
        with configured(marketing__bounce_email='Bounce@example.com'):
            address = return_path.return_path(42)
            self.assertRegex(address, r'^Bounce\+[a-z2-7]+@example\.com$')
            self.assertLessEqual(len(return_path.return_path(2 ** 31)), 80)
            for text in [address, address.upper(), f'Me <{address}>, you@x']:
                self.assertEqual(return_path.find(text), 42)
            self.assertIsNone(return_path.find(f'{address}.example.net'))
            self.assertIsNone(return_path.find(
                    address.replace('+', '+a').replace('@', 'a@')))
            # A token of another kind is no key to this one
            token = url.encode(url.OPEN, 42)
            self.assertIsNone(return_path.find(f'bounce+{token}@example.com'))
            self.assertIsNone(return_path.find(''))
        with configured(marketing__bounce_email='x' * 50 + '@example.com'):
            self.assertIsNone(return_path.return_path(42))
        with configured(marketing__bounce_email='nobody'):
            self.assertIsNone(return_path.return_path(42))
            self.assertIsNone(return_path.find(address))

    @with_transaction()
    def test_hard(self):
        "Test a hard bounce suppresses the address, once"
        pool = Pool()
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Suppression = pool.get(SUPPRESSION)
        activity, (sent,) = create_sent('ann@example.org')
        RecordActivity.bounced(sent.id, False, NOW, "452 4.2.2 Full")
        self.assertEqual(suppressed(), set())
        for _ in range(2):
            RecordActivity.bounced(sent.id, True, NOW + HOUR, "550 5.1.1 No")
        self.assertEqual(
            suppressed(), {('ann@example.org', 'hard_bounce')})
        suppression, = Suppression.search([])
        self.assertEqual(suppression.detail, "550 5.1.1 No")
        self.assertEqual(suppression.record_activity, sent)
        sent = RecordActivity(sent.id)
        self.assertEqual(
            (sent.state, sent.email_bounce, sent.email_bounced_at),
            ('done', 'hard', NOW))
        self.assertEqual(waits(activity)['email_bounced'][0], 'waiting')
        # What is told again does not undo what a user has done
        Suppression.undo([suppression])
        RecordActivity.bounced(sent.id, True, NOW, "550 5.1.1 No")
        self.assertEqual(suppressed(), set())

    @with_transaction()
    def test_soft(self):
        "Test soft bounces in a time suppress the address"
        pool = Pool()
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Suppression = pool.get(SUPPRESSION)
        _, sent = create_sent(*['ann@example.org'] * 7)
        now = dt.datetime.now()
        with configured(
                marketing__soft_bounces=3, marketing__soft_bounce_days=10):
            for days, expected in [(20, 0), (2, 0), (2, 0), (1, 1), (1, 1)]:
                RecordActivity.bounced(
                    sent.pop().id, False, now - dt.timedelta(days=days))
                self.assertEqual(len(suppressed()), expected, days)
            self.assertEqual(
                suppressed(), {('ann@example.org', 'soft_bounces')})
            # They count from the beginning
            Suppression.undo(Suppression.search([]))
            RecordActivity.bounced(sent.pop().id, False, now + HOUR)
            self.assertEqual(suppressed(), set())
        with configured(marketing__soft_bounces=0):
            RecordActivity.bounced(sent.pop().id, False, now + HOUR)
            self.assertEqual(suppressed(), set())

    @with_transaction()
    def test_complaint(self):
        "Test a complaint suppresses the address and ends the record"
        pool = Pool()
        Record = pool.get(RECORD)
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Suppression = pool.get(SUPPRESSION)
        activity, (sent,) = create_sent('ann@example.org')
        RecordActivity.complained(sent.id, NOW, "abuse")
        self.assertEqual(suppressed(), {('ann@example.org', 'complaint')})
        record = Record(sent.record.id)
        self.assertEqual(
            (record.end_reason, record.blocked), ('complained', True))
        self.assertEqual(
            {s[:2] for s in waits(activity).values()},
            {('cancelled', 'complained')})
        Suppression.undo(Suppression.search([]))
        RecordActivity.complained(sent.id, NOW)
        RecordActivity.complained(10 ** 6, NOW)
        self.assertEqual(suppressed(), set())

    @with_transaction()
    def test_refused_mailbox(self):
        "Test the server which knows that there is no such mailbox"
        pool = Pool()
        Record = pool.get(RECORD)
        RecordActivity = pool.get(RECORD_ACTIVITY)
        activity, (sent, other) = create_mail(
            {'event': 'email_bounced'}, {}, parties=2)
        RecordActivity.write([sent, other], {
                'email_address': 'ann@example.org'})
        for record_activity, reason in [
                (other, 'refused'), (sent, 'mailbox_unknown')]:
            RecordActivity.store(
                {record_activity.id: failed(reason, '550 5.1.1 No')}, NOW, 7,
                handed_over=True)
        self.assertEqual(
            suppressed(), {('ann@example.org', 'hard_bounce')})
        self.assertEqual(waits(activity), {
                'email_bounced': ('waiting', None, HOUR * 0)})
        self.assertEqual(RecordActivity(sent.id).state, 'failed')
        self.assertFalse(RecordActivity(other.id).email_bounced)
        # Only what follows is still to come
        self.assertEqual(
            [Record(r.record.id).state for r in [sent, other]],
            ['running', 'completed'])

    def check_refused(self, event, reason):
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Record = pool.get(RECORD)
        RecordActivity = pool.get(RECORD_ACTIVITY)
        activity, (sent,) = create_mail(*[
                {'event': 'email_bounced', 'name': n}
                for n in ["Bounced", "Not bounced", "Other link"]])
        table = Activity.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.update(
                [table.event, table.negative],
                [event, table.name == "Not bounced"],
                where=table.event == 'email_bounced'))
        clear_cache(Activity)
        of_module = Activity.waits_for

        def waits_for(self, *args):
            return self.name != "Other link" and of_module(self, *args)

        with patch.object(Activity, 'waits_for', waits_for):
            RecordActivity.store(
                {sent.id: failed(reason, "No")}, NOW, 7, handed_over=True)
        self.assertEqual(
            waits(activity), {"Bounced": ('waiting', None, HOUR * 0)})
        sent = RecordActivity(sent.id)
        self.assertEqual(
            (sent.state, getattr(sent, event), getattr(sent, f'{event}_at')),
            ('failed', True, NOW))
        self.assertEqual(Record(sent.record.id).state, 'running')

    @with_transaction()
    def test_refused_plans(self):
        "Test only what waits for the bounce of the mail follows"
        self.check_refused('email_bounced', 'mailbox_unknown')

    @with_transaction()
    def test_refused_sms(self):
        "Test only what waits for the bounce of the SMS follows"
        self.check_refused('sms_bounced', 'sms_refused')

    @with_transaction()
    def test_recipients(self):
        "Test nothing goes to an address that is suppressed"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Party = pool.get('party.party')
        Suppression = pool.get(SUPPRESSION)
        activity, _ = create_mail()
        waiting = []
        for address in ['Ann@Example.org', 'bob@example.org']:
            party = create_party(address)
            Party.write([party], {'contact_mechanisms': [('create', [{
                                    'type': 'email', 'value': address}])]})
            waiting.append(enter(activity, party))
        suppression, = Suppression.create([{'address': 'ann@example.ORG'}])
        self.assertEqual(suppression.address, 'ann@example.org')
        recipients = Activity(activity.id).email_recipients(waiting)
        self.assertEqual(recipients, {
                waiting[0].id: Outcome('skipped', 'suppressed'),
                waiting[1].id: 'bob@example.org',
                })
        parties = [w.record.record for w in waiting]
        self.assertEqual(
            [list(p.marketing_suppressions) for p in parties],
            [[suppression], []])
        Suppression.undo([suppression])
        self.assertEqual(
            Activity(activity.id).email_recipients(waiting)[waiting[0].id],
            'Ann@Example.org')

    @with_transaction()
    def test_retry(self):
        "Test what was skipped can be tried again"
        RecordActivity = Pool().get(RECORD_ACTIVITY)
        activity, (sent,) = create_mail()
        RecordActivity.write(
            [sent], {'state': 'skipped', 'reason': 'suppressed'})
        RecordActivity.retry([sent])
        clear_cache(RecordActivity)
        self.assertEqual(RecordActivity(sent.id).state, 'waiting')

    @with_transaction()
    def test_access(self):
        "Test a marketer adds and undoes but does not pretend"
        Suppression = Pool().get(SUPPRESSION)
        user = create_user()
        as_user, checked = acting(user)
        with as_user, checked:
            suppression, = Suppression.create([{'address': 'a@example.org'}])
            self.assertEqual(suppression.reason, 'manual')
            Suppression.undo([suppression])
            self.assertEqual(suppression.undone_by, user)
            with self.assertRaises(SuppressionError):
                Suppression.create([{'address': 'a@b@c'}])
            with self.assertRaises(AccessError):
                Suppression.create([{
                            'address': 'b@example.org',
                            'reason': 'complaint',
                            }])
        as_user, checked = acting(user)
        for method, args in [
                (Suppression.write, [{'address': 'c@example.org'}]),
                (Suppression.delete, [])]:
            as_user, checked = acting(user)
            with as_user, checked, self.assertRaises(AccessError):
                method([Suppression(suppression.id)], *args)

    @with_transaction()
    def test_erase(self):
        "Test an erased party leaves only the address not to be written to"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        RecordActivity = pool.get(RECORD_ACTIVITY)
        Suppression = pool.get(SUPPRESSION)
        _, (sent,) = create_sent('ann@example.org')
        RecordActivity.complained(sent.id, NOW, "abuse")
        session_id, _, _ = Erase.create()
        erase = Erase(session_id)
        erased = {
            (Model, name)
            for Model, domain, _, names, _ in erase.to_erase(
                sent.record.record.id)
            for name in names if Model.search(domain)}
        self.assertLessEqual({
                (RecordActivity, 'email_address'),
                (Suppression, 'detail'),
                (Suppression, 'record_activity'),
                }, erased)


if __name__ == '__main__':
    unittest.main()
