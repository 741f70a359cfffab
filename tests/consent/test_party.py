# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond import backend
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

from .test_consent import (
    CONSENT, LEFT, UNSUBSCRIBED, WAITING, create_party, create_scenario,
    entries, state)

FIELDS = [
    'marketing_scenario_unsubscribed', 'marketing_refused',
    'marketing_refused_at', 'marketing_paused_until',
    'marketing_do_not_track', 'marketing_consents']


def create_user(marketing=True):
    pool = Pool()
    Group = pool.get('res.group')
    ModelData = pool.get('ir.model.data')
    User = pool.get('res.user')
    groups = Group.search([
            ('name', 'in', ["Party Administration"])])
    if marketing:
        groups = [
            *groups,
            Group(ModelData.get_id('marketing', 'group_marketing'))]
    user, = User.create([{
                'name': "Mary" if marketing else "Sam",
                'login': 'mary' if marketing else 'sam',
                'groups': [('add', [g.id for g in groups])],
                }])
    return user


def acting(user):
    return Transaction().set_user(user.id), Transaction().set_context(
        _check_access=True)


class WishesTestCase(unittest.TestCase):
    "Test what a party does not want"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    # The marketer

    @with_transaction()
    def test_marketer_scenario(self):
        "Test a marketer lets a party leave and return"
        Party = Pool().get('party.party')
        party, other = create_party(), create_party("Other")
        scenario, _, (waiting, waiting_other) = create_scenario(
            parties=[party, other])
        _, _, (elsewhere,) = create_scenario("Elsewhere", [party])
        user = create_user()

        as_user, checked = acting(user)
        with as_user, checked:
            Party.write([Party(party.id)], {
                    'marketing_scenario_unsubscribed': [
                        ('add', [scenario.id])],
                    })
        self.assertEqual(state(waiting), LEFT)
        self.assertEqual(state(waiting_other), WAITING)
        self.assertEqual(state(elsewhere), WAITING)

        as_user, checked = acting(user)
        with as_user, checked:
            Party.write([Party(party.id)], {
                    'marketing_scenario_unsubscribed': [
                        ('remove', [scenario.id])],
                    })
        self.assertEqual(state(waiting), LEFT)
        self.assertEqual(
            entries('party', 'change', 'scope', 'scenario', 'how', 'user'), [
                (party, 'stopped', 'scenario', scenario, 'marketer', "Mary"),
                (party, 'resumed', 'scenario', scenario, 'marketer', "Mary"),
                ])

    @with_transaction()
    def test_marketer_flags(self):
        "Test a marketer sets and removes the flags"
        Party = Pool().get('party.party')
        party = create_party()
        until = dt.datetime(2050, 1, 1)
        as_user, checked = acting(create_user())
        with as_user, checked:
            party = Party(party.id)
            party.marketing_refused = True
            party.marketing_paused_until = until
            party.marketing_do_not_track = True
            party.save()
            party.name = "Changed"
            party.save()
            self.assertTrue(party.marketing_refused_at)
            Party.write([party], {
                    'marketing_refused': False,
                    'marketing_paused_until': None,
                    'marketing_do_not_track': False,
                    })
            self.assertIsNone(Party(party.id).marketing_refused_at)
            consents = Party(party.id).marketing_consents
        self.assertEqual(
            sorted((c.change, c.scope, c.until, c.how) for c in consents), [
                ('resumed', 'all', None, 'marketer'),
                ('resumed', 'pause', None, 'marketer'),
                ('resumed', 'tracking', None, 'marketer'),
                ('stopped', 'all', None, 'marketer'),
                ('stopped', 'pause', until, 'marketer'),
                ('stopped', 'tracking', None, 'marketer'),
                ])
        self.assertTrue(all(c.rec_name for c in consents))

    @with_transaction()
    def test_claims(self):
        "Test a user can not pretend that the recipient did it"
        Party = Pool().get('party.party')
        party = create_party()
        user = create_user()
        for claim, how in [
                ({'how': 'link', 'reason': 'unasked', 'record': 1},
                    'marketer'),
                ({'how': 'system'}, 'marketer'),
                ({}, 'marketer'),
                (None, 'marketer'),
                ({'how': 'import', 'comment': "x"}, 'import'),
                ]:
            with self.subTest(claim=claim):
                as_user, checked = acting(user)
                with as_user, checked, Transaction().set_context(
                        marketing_consent=claim):
                    Party.write([Party(party.id)], {
                            'marketing_refused':
                            not Party(party.id).marketing_refused})
                self.assertEqual(
                    entries('how', 'reason', 'comment', 'record')[-1],
                    (how, None, None, None))

    @with_transaction()
    def test_import(self):
        "Test what is imported is logged as such"
        Party = Pool().get('party.party')
        as_user, checked = acting(create_user())
        with as_user, checked:
            Party.import_data(
                ['name', 'marketing_refused'], [["Imported", 'True']])
        imported, = Party.search([('name', '=', "Imported")])
        self.assertEqual(
            entries('party', 'change', 'scope', 'how'),
            [(imported, 'stopped', 'all', 'import')])

    @with_transaction()
    def test_append_only(self):
        "Test the log can not be changed"
        pool = Pool()
        Consent = pool.get(CONSENT)
        Party = pool.get('party.party')
        user = create_user()
        Party.create([{'name': "Refusing", 'marketing_refused': True}])
        entry, = Consent.search([])
        for id_ in [user.id, 1]:
            with Transaction().set_user(id_), Transaction().set_context(
                    _check_access=True):
                entry = Consent(entry.id)
                self.assertEqual(entry.scope, 'all')
                with self.assertRaises(AccessError):
                    Consent.write([entry], {'comment': "x"})
                with self.assertRaises(AccessError):
                    Consent.delete([entry])
        self.assertEqual(len(Consent.search([])), 1)

    @with_transaction()
    def test_access(self):
        "Test who is not in marketing sees and changes nothing"
        pool = Pool()
        Consent = pool.get(CONSENT)
        ModelData = pool.get('ir.model.data')
        Party = pool.get('party.party')
        view = ModelData.get_id('party', 'party_view_form')
        party = create_party()
        for marketing in [False, True]:
            user = create_user(marketing)
            as_user, checked = acting(user)
            with self.subTest(marketing=marketing), as_user, checked:
                form = Party.fields_view_get(view)
                self.assertEqual(
                    all(n in form['fields'] for n in FIELDS), marketing)
                self.assertEqual(
                    any(n in form['fields'] for n in FIELDS), marketing)
                self.assertEqual(
                    "Marketing Automation" in form['arch'], marketing)
                # The rest of the party is theirs
                mine, = Party.create([{'name': "Mine"}])
                Party.write([Party(party.id)], {'name': "Theirs"})
                if marketing:
                    continue
                for name in FIELDS:
                    with self.assertRaises(AccessError):
                        Party.read([party.id], [name])
                    with self.assertRaises(AccessError):
                        Party.write([mine], {name: None})
                with self.assertRaises(AccessError):
                    Consent.search([])

    # The party

    @with_transaction()
    def test_merge(self):
        "Test the one who refuses wins a merge"
        pool = Pool()
        Party = pool.get('party.party')
        Unsubscribed = pool.get(UNSUBSCRIBED)
        source, destination = create_party(), create_party()
        both, _, _ = create_scenario("Both")
        scenario, _, (waiting,) = create_scenario("Source", [destination])
        later, sooner = dt.datetime(2050, 1, 2), dt.datetime(2050, 1, 1)
        Party.write([source], {
                'marketing_scenario_unsubscribed': [
                    ('add', [scenario.id, both.id])],
                'marketing_do_not_track': True,
                'marketing_paused_until': later,
                }, [destination], {
                'marketing_scenario_unsubscribed': [('add', [both.id])],
                'marketing_paused_until': sooner,
                })
        self.replace(source, destination)

        destination = Party(destination.id)
        self.assertTrue(destination.marketing_do_not_track)
        self.assertFalse(destination.marketing_refused)
        self.assertEqual(destination.marketing_paused_until, later)
        self.assertEqual(
            len(Unsubscribed.search([('party', '=', destination.id)])), 2)
        self.assertEqual(state(waiting), LEFT)
        self.assertEqual(
            {c.party for c in Pool().get(CONSENT).search([])}, {destination})
        self.assertEqual(
            entries('change', 'scope', 'how')[-1][2], 'merge')

        refusing = Party(create_party().id)
        Party.write([refusing], {'marketing_refused': True})
        self.replace(refusing, destination)
        self.assertTrue(Party(destination.id).marketing_refused)

    def replace(self, source, destination):
        pool = Pool()
        Replace = pool.get('party.replace', type='wizard')
        session_id, _, _ = Replace.create()
        replace = Replace(session_id)
        replace.ask.source = source
        replace.ask.destination = destination
        replace.transition_replace()
        Replace.delete(session_id)

    @with_transaction()
    def test_copy(self):
        "Test a copy is another party"
        Party = Pool().get('party.party')
        party, = Party.create([{
                    'name': "Jane",
                    'marketing_refused': True,
                    'marketing_do_not_track': True,
                    'marketing_paused_until': dt.datetime(2050, 1, 1),
                    }])
        copy, = Party.copy([party])
        self.assertFalse(any(getattr(copy, n) for n in FIELDS))

    @with_transaction()
    def test_delete(self):
        "Test parties and scenarios which nobody entered can be deleted"
        pool = Pool()
        Consent = pool.get(CONSENT)
        Party = pool.get('party.party')
        Scenario = pool.get('marketing.automation.scenario')
        Unsubscribed = pool.get(UNSUBSCRIBED)
        scenario, _, _ = create_scenario()
        parties = [create_party(), create_party()]
        Party.write(parties, {
                'marketing_scenario_unsubscribed': [('add', [scenario.id])]})
        Party.delete(parties[:1])
        self.assertEqual(len(Unsubscribed.search([])), 1)
        self.assertEqual(entries('party', 'change'), [
                (parties[1], 'stopped')])
        Scenario.stop([scenario])
        Scenario.delete([scenario])
        self.assertEqual(len(Unsubscribed.search([])), 0)
        if backend.name != 'sqlite':
            self.assertEqual(
                [c.scenario for c in Consent.search([])], [None])
