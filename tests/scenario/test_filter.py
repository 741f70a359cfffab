# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import json
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.marketing_automation.exceptions import DomainError
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.flow import FlowTestCase


class FilterTestCase(FlowTestCase):
    "Test that activities are executed only for what matches"

    def named(self, *letters):
        return json.dumps(
            ['OR'] + [['name', 'like', f'{letter}%'] for letter in letters])

    def test_skipped(self):
        "Test who does not match is skipped and what follows not made"
        self.create(
            ("Mail", None, {'domain': self.named('a')}),
            ("After", "Mail", {}))
        self.process()
        self.assertEqual(self.outcomes(), [
                ("After", 'a', 'done', None),
                ("Mail", 'a', 'done', None),
                ("Mail", 'b', 'skipped', 'filter'),
                ("Mail", 'c', 'skipped', 'filter')])

    def test_now(self):
        "Test the record counts as it is when the activity is executed"
        self.create(("Mail", None, {'domain': self.named('a')}))
        with self.transaction():
            Party = Pool().get('party.party')
            Party.write([Party(self.parties[1])], {'name': "alf"})
        self.process()
        self.assertEqual(
            [o[2] for o in self.outcomes()], ['done', 'done', 'skipped'])

    def test_parents(self):
        "Test the domains of the parents count until one starts anew"
        activities = self.create(
            ("1", None, {'domain': self.named('a', 'b')}),
            ("2", "1", {}),
            ("3", "2", {'domain': self.named('b', 'c')}),
            ("4", "3", {'domain': self.named('a'), 'domain_alone': True}),
            ("5", "4", {'domain_alone': True}))
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            Party = Pool().get('party.party')

            def matching(name):
                activity = Activity(activities[name])
                return ''.join(sorted(p.name[0] for p in Party.search([
                                ('id', 'in', self.parties),
                                activity.applied_domains()])))

            for name, expected in [
                    ("1", 'ab'), ("2", 'ab'), ("3", 'b'), ("4", 'a'),
                    ("5", 'abc')]:
                with self.subTest(activity=name):
                    self.assertEqual(matching(name), expected)
                    count = Activity(activities[name]).applied_count
                    if name <= "3":
                        self.assertEqual(count, len(expected))

    def test_parent_changed(self):
        "Test the filter of a parent counts when it does not match any more"
        self.create(
            ("1", None, {'domain': self.named('a', 'b')}),
            ("2", "1", {}),
            ("3", "1", {'domain_alone': True}))
        RecordActivity = Pool(self.name).get(
            'marketing.automation.record.activity')
        follow = RecordActivity.follow

        def rename(activity, **done):
            follow(activity, **done)
            if activity.name == "1":
                Party = Pool().get('party.party')
                Party.write([Party(self.parties[0])], {'name': "zed"})

        with patch.object(RecordActivity, 'follow', rename):
            self.process()
        self.assertEqual(
            [o for o in self.outcomes() if o[0] in {"2", "3"}], [
                ("2", 'b', 'done', None),
                ("2", 'z', 'skipped', 'filter'),
                ("3", 'b', 'done', None),
                ("3", 'z', 'done', None)])

    def test_scenario(self):
        "Test the domain of the scenario is shown but is not a gate"
        activities = self.create(("Mail", None, {}))
        with self.transaction():
            Party = Pool().get('party.party')
            Scenario = Pool().get('marketing.automation.scenario')
            Activity = Pool().get('marketing.automation.activity')
            Scenario.write(Scenario.search([]), {
                    'domain': '[["name", "=", "nobody"]]',
                    'leave': False,
                    })
            self.assertEqual(
                Activity(activities["Mail"]).applied_filter,
                "Name = nobody")
            self.assertEqual(Activity(activities["Mail"]).applied_count, 0)
            self.assertTrue(Party.search([('id', 'in', self.parties)]))
        self.process()
        self.assertEqual(self.states, {'done': 3})

    def test_statements(self):
        "Test a batch is searched once"
        self.create(("Mail", None, {'domain': self.named('a')}))
        Party = Pool(self.name).get('party.party')
        domains = []
        search = Party.search

        def count(domain, *args, **kwargs):
            domains.append(domain)
            return search(domain, *args, **kwargs)

        with patch.object(Party, 'search', count):
            self.process()
        self.assertEqual(len([d for d in domains if 'like' in str(d)]), 1)

    def test_broken(self):
        "Test a filter that can not be used fails and can be tried again"
        activities = self.create(
            ("Mail", None, {'domain': self.named('a')}))
        for domain in ['[["nam', '{}', '[["foo", "=", 1]]',
                '[["create_uid.password_hash", "like", "a%"]]']:
            with self.subTest(domain=domain):
                self.sql(
                    "UPDATE marketing_automation_activity SET domain = %s "
                    "WHERE id = %s", domain, activities["Mail"])
                self.process()
                self.assertEqual(
                    {o[2:] for o in self.outcomes()},
                    {('failed', 'filter_error')})
                with self.transaction():
                    Activity = Pool().get('marketing.automation.activity')
                    self.assertIsNone(
                        Activity(activities["Mail"]).applied_count)
                    RecordActivity = Pool().get(
                        'marketing.automation.record.activity')
                    RecordActivity.retry(RecordActivity.search([]))

    def test_refused(self):
        "Test a domain is refused where it is typed"
        for domain in [
                'foo', '{}', '[["nam", "=", "a"]]', '[["name", "foo", "a"]]',
                '[["create_uid.password_hash", "like", "a%"]]']:
            with self.subTest(domain=domain):
                with self.assertRaises((DomainError, AccessError)):
                    self.create(("Mail", None, {'domain': domain}))
                self.clear()

    def test_text(self):
        "Test the applied filter is readable"
        activities = self.create(("Mail", None, {
                    'domain': json.dumps([
                            ['OR', ['name', '=', "Ann"], [
                                    ['code', '!=', None],
                                    ['contact_mechanisms.type', 'in',
                                        ['email', 'phone']]]]]),
                    'domain_alone': True,
                    }))
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            self.assertEqual(Activity(activities["Mail"]).applied_filter, (
                    "One of:\n"
                    "- Name = Ann\n"
                    "- Code != ''\n"
                    "  Contact Mechanisms / Type in Email, Phone"))

    def test_open(self):
        "Test the records that match can be opened"
        activities = self.create(("Mail", None, {'domain': self.named('a')}))
        with self.transaction(), Transaction().set_context(
                active_model='marketing.automation.activity',
                active_id=activities["Mail"],
                active_ids=[activities["Mail"]]):
            Wizard = Pool().get(
                'marketing.automation.activity.open_filtered',
                type='wizard')
            session, *_ = Wizard.create()
            result = Wizard.execute(session, {}, 'open_')
            (action, _), = result['actions']
            self.assertEqual(action['res_model'], 'party.party')
            self.assertIn('like', action['pyson_domain'])


del FlowTestCase
