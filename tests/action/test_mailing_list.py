# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.modules.marketing_automation.common.orm import clear_cache
from trytond.modules.marketing_automation.outcome import (
    Outcome, OutgoingMessage, done)
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction

from ..consent.test_consent import enter
from ..mail.inbound.test_event import MAIL, follow
from ..tools import activate_all, configured

OPTIONS = {
    'email__from': 'erp@example.com',
    'marketing__automation_base': 'https://marketing.example.com',
    'marketing__email_subscribe_url': 'https://shop.example.com/subscribe',
    }


def create_list(name="News", emails=()):
    pool = Pool()
    Email = pool.get('marketing.email')
    List = pool.get('marketing.email.list')
    list_, = List.create([{'name': name}])
    return list_, Email.create([
            {'email': email, 'list_': list_.id} for email in emails])


def create_party(name, email):
    Party = Pool().get('party.party')
    party, = Party.create([{
                'name': name,
                'contact_mechanisms': [('create', [{
                                'type': 'email',
                                'value': email,
                                }])],
                }])
    return party


def create_scenario(model):
    Scenario = Pool().get('marketing.automation.scenario')
    scenario, = Scenario.create([{'name': "Scenario", 'model': model}])
    return scenario


def entered(scenario):
    Record = Pool().get('marketing.automation.record')
    Record.enter(scenario, dt.datetime.now())
    return sorted(
        r.record.email for r in Record.search([
                ('scenario', '=', scenario.id)]))


class MailingListTestCase(unittest.TestCase):
    "Test the mailing lists"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_all()

    @with_transaction()
    def test_party(self):
        "Test the party of a subscriber is found in all ways"
        pool = Pool()
        Email = pool.get('marketing.email')
        WebUser = pool.get('web.user')
        ann = create_party("Ann", 'Ann@Example.com')
        bob = create_party("Bob", 'other@example.com')
        WebUser.create([{'email': 'bob@example.com', 'party': bob.id}])
        _, (ann_email, bob_email, nobody) = create_list(emails=[
                'ann@example.com', 'bob@example.com', 'nobody@example.com'])
        self.assertEqual(ann_email.marketing_party, ann)
        self.assertEqual(bob_email.marketing_party, bob)
        self.assertIsNone(nobody.marketing_party)
        for clause, found in [
                (('', '=', ann.id), {ann_email}),
                (('', '=', None), {nobody}),
                (('', '!=', None), {ann_email, bob_email}),
                (('', '!=', ann.id), {bob_email, nobody}),
                (('', 'in', [ann.id, bob.id]), {ann_email, bob_email}),
                (('', 'not in', [ann.id]), {bob_email, nobody}),
                (('', '=', "Bob"), {bob_email}),
                (('.name', 'like', "A%"), {ann_email}),
                (('.active', '=', True), {ann_email, bob_email})]:
            name, *clause = clause
            with self.subTest(name=name, clause=clause):
                self.assertEqual(
                    set(Email.search([('marketing_party' + name, *clause)])),
                    found)

    @with_transaction()
    def test_refused(self):
        "Test nobody who said no enters, by whatever way he is found"
        pool = Pool()
        Party = pool.get('party.party')
        Consent = pool.get('marketing.automation.consent')
        Record = pool.get('marketing.automation.record')
        refuses = create_party("Refuses", 'refuses@example.com')
        Party.write([refuses], {'marketing_refused': True})
        left = create_party("Left", 'left@example.com')
        create_list(emails=[
                'refuses@example.com', 'left@example.com',
                'nobody@example.com', 'stays@example.com'])
        scenario = create_scenario('marketing.email')
        Party.write([left], {
                'marketing_scenario_unsubscribed': [('add', [scenario.id])]})
        self.assertEqual(
            entered(scenario), ['nobody@example.com', 'stays@example.com'])

        record, = Record.search([
                ('record.email', '=', 'nobody@example.com',
                    'marketing.email')])
        Consent.stop(record.id, 'scenario', 'one-click')
        create_list("Offers", [
                'refuses@example.com', 'nobody@example.com',
                'stays@example.com', 'new@example.com'])
        self.assertEqual(entered(scenario), [
                'new@example.com', 'nobody@example.com', 'stays@example.com',
                'stays@example.com'])
        # In another scenario nothing has been refused but by the party
        self.assertEqual(
            entered(create_scenario('marketing.email')).count(
                'nobody@example.com'), 2)

    @with_transaction()
    def test_same_address(self):
        "Test who unsubscribes does so for the records of the same address"
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Record = pool.get('marketing.automation.record')
        create_list("News", ['nobody@example.com', 'other@example.com'])
        create_list("Offers", ['nobody@example.com'])
        scenario = create_scenario('marketing.email')
        self.assertEqual(len(entered(scenario)), 3)
        first, second = Record.search([
                ('record.email', '=', 'nobody@example.com',
                    'marketing.email')])
        Consent.stop(first.id, 'scenario', 'link')
        self.assertEqual({
                (r.record.email, r.end_reason) for r in Record.search([])}, {
                ('nobody@example.com', 'unsubscribed'),
                ('other@example.com', None),
                })

    @with_transaction()
    def test_trial(self):
        "Test who tests does not unsubscribe the subscriber"
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Email = pool.get('marketing.email')
        Record = pool.get('marketing.automation.record')
        for scope in ['list', 'scenario']:
            with self.subTest(scope=scope):
                _, (email,) = create_list(emails=[f'{scope}@example.com'])
                scenario = create_scenario('marketing.email')
                real, test = Record.create([{
                            'scenario': scenario.id,
                            'record': str(email),
                            'test': test,
                            'test_recipient': recipient,
                            } for test, recipient in [
                                (False, None), (True, 'me@example.com')]])
                Consent.stop(test.id, scope, 'link')
                clear_cache(Email, Record)
                self.assertTrue(Email(email.id).active)
                self.assertIsNone(Record(real.id).end_reason)
                self.assertEqual(Record(test.id).end_reason, 'unsubscribed')

    @with_transaction()
    def test_unsubscribed(self):
        "Test what waits for an unsubscription follows also that from a list"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Consent = pool.get('marketing.automation.consent')
        RecordActivity = pool.get('marketing.automation.record.activity')
        _, (email,) = create_list(emails=['ann@example.com'])
        scenario = create_scenario('marketing.email')
        activity, = Activity.create([
                {**MAIL, 'name': "Mail", 'parent': str(scenario)}])
        Activity.create([{
                    'name': "Left",
                    'parent': str(activity),
                    'event': 'email_unsubscribed',
                    }])
        sent = enter(activity, email, state='sending', claim=7)
        follow(activity)
        Consent.stop(sent.record.id, 'list', 'link')
        clear_cache(RecordActivity)
        self.assertTrue(RecordActivity(sent.id).email_unsubscribed)
        waiting, = RecordActivity.search([
                ('record', '=', sent.record.id),
                ('activity.parent', '=', str(activity))])
        self.assertEqual(waiting.state, 'waiting')
        self.assertIsNotNone(waiting.at)
        outcomes = RecordActivity.decide(waiting.activity, [waiting.id])
        self.assertEqual(outcomes, {waiting.id: done()})

    @with_transaction()
    def test_crash(self):
        "Test the confirmation is made again after a crash, but no other"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Email = pool.get('marketing.email')
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        list_, _ = create_list()
        scenario = create_scenario('party.party')
        activity, = Activity.create([{
                    'name': "Ask",
                    'parent': str(scenario),
                    'action': 'mailing_list',
                    'mailing_list_operation': 'add',
                    'mailing_list': list_.id,
                    }])
        # Two parties of the same household
        for name in ["Ann", "Bob"]:
            create_party(name, 'home@example.com')
        Record.enter(scenario, dt.datetime.now())
        planned = list(RecordActivity.search([], order=[('id', 'ASC')]))
        with configured(**OPTIONS):
            activity.check_ready()
            outcomes = activity.execute_mailing_list(planned)
            first, second = [outcomes[p.id] for p in planned]
            self.assertIsInstance(first, OutgoingMessage)
            self.assertEqual(first.recipient, 'home@example.com')
            self.assertEqual(second, Outcome('skipped', 'list_inactive'))
            RecordActivity.store_sending(
                {planned[0].id: first}, dt.datetime.now(), 1)
            RecordActivity.give_back([1])
            planned = list(RecordActivity.search([], order=[('id', 'ASC')]))
            again = activity.execute_mailing_list(planned)[planned[0].id]
        self.assertEqual(again.message_id, first.message_id)
        self.assertEqual(
            Email.search([('active', '=', False)], count=True), 1)

    @with_transaction()
    def test_unsubscribed_while_removed(self):
        "Test who leaves a list after a scenario removed him stays out"
        Email = Pool().get('marketing.email')
        _, (email,) = create_list(emails=['ann@example.com'])
        Email.write(
            [email], {'active': False, 'removed_by_scenario': True})
        self.assertTrue(email.removed_by_scenario)
        with configured(marketing__subscribe_delay=0):
            Email.unsubscribe([email.email_token])
        self.assertFalse(Email(email.id).removed_by_scenario)


if __name__ == '__main__':
    unittest.main()
