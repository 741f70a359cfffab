# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json
import unittest
from decimal import Decimal

from trytond.model.exceptions import ValidationError
from trytond.modules.marketing_automation.exceptions import AudienceError
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

TODAY = dt.date.today()


class AudienceTestCase(unittest.TestCase):
    "Test audiences"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def create_parties(self):
        pool = Pool()
        Country = pool.get('country.country')
        Category = pool.get('party.category')
        Party = pool.get('party.party')
        self.country, other = Country.create([
                {'name': "Here"}, {'name': "There"}])
        self.parent, = Category.create([{'name': "Customer"}])
        self.child, = Category.create([
                {'name': "Good", 'parent': self.parent.id}])
        Party.create([{
                    'name': "Ann 100%",
                    'code': 'A',
                    'addresses': [
                        ('create', [{'country': self.country.id}])],
                    'categories': [('add', [self.parent.id])],
                    'contact_mechanisms': [('create', [{
                                    'type': 'email',
                                    'value': 'ann@example.com',
                                    }])],
                    }, {
                    'name': "Bob",
                    'code': 'B',
                    'addresses': [('create', [
                                {'country': other.id},
                                {'country': self.country.id}])],
                    'categories': [('add', [self.child.id])],
                    'marketing_do_not_track': True,
                    }, {
                    'name': "Cay 100",
                    'code': 'C',
                    'addresses': [('create', [{'country': other.id}])],
                    'marketing_paused_until': dt.datetime.combine(
                        TODAY - dt.timedelta(days=10), dt.time(23)),
                    }])

    def create(self, *rules, **values):
        Audience = Pool().get('marketing.automation.audience')
        audience, = Audience.create([{
                    'name': "Audience",
                    'model': 'party.party',
                    'rules': [('create', rules)],
                    **values}])
        return audience

    def found(self, domain):
        Party = Pool().get('party.party')
        Record = Pool().get('marketing.automation.scenario')
        scenario = Record(model='party.party', domain=domain)
        return ''.join(p.code for p in Party.search(
                [scenario.decode_domain(), ('code', 'in', ['A', 'B', 'C'])],
                order=[('code', 'ASC')]))

    @with_transaction()
    def test_rules(self):
        "Test each kind of rule finds what it says"
        self.create_parties()
        country, parent, child = map(
            str, [self.country, self.parent, self.child])
        day = (TODAY - dt.timedelta(days=10))
        for *rule, expected in [
                ('name', None, 'contains', {'text': '100%'}, 'A'),
                ('name', None, 'not_contains', {'text': '100%'}, 'BC'),
                ('name', None, 'starts', {'text': 'b'}, 'B'),
                ('name', None, 'is', {'text': 'bob'}, 'B'),
                ('name', None, 'is_not', {'text': 'bob'}, 'AC'),
                ('replaced_by', None, 'empty', {}, 'ABC'),
                ('replaced_by', None, 'not_empty', {}, ''),
                ('marketing_do_not_track', None, 'yes', {}, 'B'),
                ('marketing_do_not_track', None, 'no', {}, 'AC'),
                ('categories', None, 'is', {'record': parent}, 'A'),
                ('categories', None, 'is_not', {'record': parent}, 'BC'),
                ('categories', None, 'below', {'record': parent}, 'AB'),
                ('categories', None, 'not_below', {'record': parent}, 'C'),
                ('categories', None, 'contains', {'text': 'goo'}, 'B'),
                ('categories', None, 'not_contains', {'text': 'goo'}, 'AC'),
                ('categories', None, 'empty', {}, 'C'),
                ('categories', None, 'not_empty', {}, 'AB'),
                ('categories', 'parent', 'is', {'record': parent}, 'B'),
                ('categories', 'name', 'contains', {'text': 'good'}, 'B'),
                ('addresses', 'country', 'is', {'record': country}, 'AB'),
                ('addresses', 'country', 'is_not', {'record': country}, 'C'),
                ('contact_mechanisms', 'type', 'is', {'choice': 'email'}, 'A'),
                ('contact_mechanisms', 'type', 'is_not',
                    {'choice': 'email'}, 'BC'),
                ('marketing_paused_until', None, 'last',
                    {'period': 30, 'unit': 'days'}, 'C'),
                ('marketing_paused_until', None, 'last',
                    {'period': 3, 'unit': 'days'}, ''),
                ('marketing_paused_until', None, 'older',
                    {'period': 3, 'unit': 'days'}, 'C'),
                ('marketing_paused_until', None, 'older',
                    {'period': 1, 'unit': 'months'}, ''),
                ('marketing_paused_until', None, 'next',
                    {'period': 1, 'unit': 'years'}, ''),
                ('marketing_paused_until', None, 'on', {'date': day}, 'C'),
                ('marketing_paused_until', None, 'before', {'date': day}, ''),
                ('marketing_paused_until', None, 'after', {'date': day}, ''),
                ('marketing_paused_until', None, 'empty', {}, 'AB'),
                ('contact_mechanisms', 'sequence', 'more',
                    {'number': Decimal('2.5')}, ''),
                ('contact_mechanisms', 'sequence', 'not_equal',
                    {'number': Decimal('2')}, 'ABC'),
                ('create_date', None, 'last',
                    {'period': 1, 'unit': 'days'}, 'ABC'),
                ]:
            field, detail, operator, values = rule
            with self.subTest(rule=rule):
                audience = self.create({
                        'field': field,
                        'detail': detail,
                        'operator': operator,
                        **values})
                self.assertEqual(self.found(audience.domain), expected)
                self.assertIn('\n- ', audience.description)

    @with_transaction()
    def test_match(self):
        "Test all and any"
        self.create_parties()
        rules = [
            {'field': 'name', 'operator': 'starts', 'text': 'b'},
            {'field': 'name', 'operator': 'contains', 'text': 'ob'},
            {'field': 'name', 'operator': 'starts', 'text': 'c'},
            ]
        self.assertEqual(self.found(self.create(*rules[:2]).domain), 'B')
        self.assertEqual(self.found(self.create(*rules).domain), '')
        audience = self.create(*rules, match='any')
        self.assertEqual(self.found(audience.domain), 'BC')
        self.assertEqual(audience.count, 2)
        self.assertEqual(audience.description, '\n'.join([
                    "Any of:", '- Name starts with "b"',
                    '- Name contains "ob"', '- Name starts with "c"']))

    @with_transaction()
    def test_search(self):
        "Test a search that the client has saved"
        self.create_parties()
        pool = Pool()
        Audience = pool.get('marketing.automation.audience')
        Search = pool.get('ir.ui.view_search')
        User = pool.get('res.user')
        domain = json.dumps([['name', 'ilike', '%bob%']])
        other, = User.create([{'name': "Other", 'login': 'other'}])
        searches = Search.create([{
                    'name': name,
                    'model': model,
                    'domain': domain,
                    'user': user,
                    } for name, model, user in [
                    ("Mine", 'party.party', Transaction().user),
                    ("Everybody's", 'party.party', None),
                    ("Another's", 'party.party', other.id),
                    ("Of users", 'res.user', None)]])
        audience = Audience(model='party.party', source='search')
        audience.name = audience.search_text = None
        self.assertEqual(
            [n for _, n in audience.get_searches()],
            ["", "Everybody's", "Mine"])
        audience.search_ = str(searches[0].id)
        audience.on_change_search_()
        self.assertEqual(audience.search_text, domain)
        self.assertEqual(audience.name, "Mine")
        audience.save()
        self.assertEqual(self.found(audience.domain), 'B')
        # What happens to the search does not matter
        Search.write(searches, {'domain': '[]'})
        self.assertEqual(Audience(audience.id).domain, domain)

    @with_transaction()
    def test_offered(self):
        "Test what may be asked for depends on what may be read"
        pool = Pool()
        Access = pool.get('ir.model.field.access')
        Rule = pool.get('marketing.automation.audience.rule')
        Access.create([{
                    'model': 'party.party',
                    'field': 'code',
                    'perm_read': False,
                    'perm_write': False,
                    }])
        rule = Rule(model='party.party')
        rule.field = rule.detail = rule.operator = None
        names = dict(rule.get_fields())
        self.assertEqual(names['name'], "Name")
        for name in ['id', 'code', 'create_uid', 'marketing_reach']:
            self.assertNotIn(name, names)
        rule.field = 'addresses'
        self.assertIn('country', dict(rule.get_details()))
        self.assertNotIn('party_', dict(rule.get_details()))

    @with_transaction()
    def test_row(self):
        "Test a row shows the value that its field and operator need"
        Rule = Pool().get('marketing.automation.audience.rule')
        rule = Rule(model='party.party')
        rule.operator = rule.value = rule.detail = None
        for field, detail, operator, value in [
                ('name', None, 'contains', 'text'),
                ('create_date', None, 'last', 'period'),
                ('marketing_refused', None, 'yes', None),
                ('categories', None, 'is', 'record'),
                ('contact_mechanisms', 'type', 'is', 'choice')]:
            rule.field = field
            rule.on_change_field()
            rule.detail = detail
            rule.on_change_detail()
            self.assertEqual(rule.operator, operator)
            self.assertEqual(rule.value, value)
            self.assertEqual(rule.is_complete(), not value)
        self.assertIn(('email', "E-Mail"), [
                (k, v.replace("Email", "E-Mail"))
                for k, v in rule.get_choices()])

    @with_transaction()
    def test_errors(self):
        "Test what can not be searched is refused where it is typed"
        for rule in [
                {'field': 'name', 'operator': 'contains'},
                {'field': 'unknown', 'operator': 'is', 'text': 'x'},
                {'field': 'name', 'operator': 'yes'},
                {'field': 'categories', 'operator': 'is',
                    'record': 'party.category,-1'},
                {'field': 'create_date', 'operator': 'last', 'period': -1},
                ]:
            with self.subTest(rule=rule):
                with self.assertRaises(ValidationError):
                    self.create(rule)
        with self.assertRaises(ValidationError):
            self.create()
        with self.assertRaises(AudienceError):
            self.create(
                rules=None, source='search',
                search_text='[["unknown", "=", 1]]')

    @with_transaction()
    def test_use(self):
        "Test drafts follow the audience, what runs is not changed"
        self.create_parties()
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Audience = pool.get('marketing.automation.audience')
        Scenario = pool.get('marketing.automation.scenario')
        audience = self.create(
            {'field': 'name', 'operator': 'starts', 'text': 'a'})
        draft, running = Scenario.create([{
                    'name': name,
                    'model': 'party.party',
                    'audience': audience.id,
                    'goal_audience': audience.id,
                    } for name in ["Draft", "Running"]])
        for scenario in [draft, running]:
            self.assertEqual(scenario.domain, audience.domain)
            self.assertEqual(scenario.goal, audience.domain)
            activity, = Activity.create([{
                        'name': "Wait",
                        'parent': str(scenario),
                        'domain_audience': audience.id,
                        }])
            self.assertEqual(activity.domain, audience.domain)
        Scenario.run([running])
        former = audience.domain
        rule, = audience.rules
        Audience.write([audience], {
                'rules': [('write', [rule.id], {'text': 'b'})]})

        def domains():
            scenarios = Scenario.browse([draft.id, running.id])
            return [
                (s.domain, s.goal, Activity.search([
                            ('scenario', '=', s.id)])[0].domain)
                for s in scenarios]

        new = Audience(audience.id).domain
        self.assertNotEqual(new, former)
        self.assertEqual(domains(), [(new,) * 3, (former,) * 3])
        self.assertEqual(
            [s.audience_changed
                for s in Scenario.browse([draft.id, running.id])],
            [False, True])
        Scenario.apply_audiences([running])
        self.assertEqual(domains(), [(new,) * 3] * 2)
        self.assertFalse(Scenario(running.id).audience_changed)

    @with_transaction()
    def test_draft(self):
        "Test a scenario that becomes a draft follows its audience again"
        self.create_parties()
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Rule = pool.get('marketing.automation.audience.rule')
        Scenario = pool.get('marketing.automation.scenario')
        audience = self.create(
            {'field': 'name', 'operator': 'starts', 'text': 'a'},
            {'field': 'name', 'operator': 'starts', 'text': 'b'}, match='any')
        scenario, = Scenario.create([{
                    'name': "Scenario", 'audience': audience.id}])
        Activity.create([{'name': "Wait", 'parent': str(scenario)}])
        Scenario.run([scenario])
        Rule.delete(audience.rules[:1])
        self.assertEqual(self.found(Scenario(scenario.id).domain), 'AB')
        Scenario.stop([scenario])
        Scenario.draft([scenario])
        self.assertEqual(self.found(Scenario(scenario.id).domain), 'B')

    @with_transaction()
    def test_typed(self):
        "Test a domain that is typed is no audience any more"
        Scenario = Pool().get('marketing.automation.scenario')
        audience = self.create(
            {'field': 'name', 'operator': 'starts', 'text': 'a'})
        scenario, = Scenario.create([{
                    'name': "Scenario", 'audience': audience.id}])
        Scenario.write([scenario], {'domain': '[["name", "=", "x"]]'})
        self.assertIsNone(scenario.audience)
        self.assertEqual(scenario.audience_description, "Name = x")
        scenario.audience = audience
        scenario.on_change_audience()
        self.assertEqual(scenario.domain, audience.domain)
        scenario.domain = '[]'
        scenario.on_change_domain()
        self.assertIsNone(scenario.audience)

    @with_transaction()
    def test_copy(self):
        "Test copies are of their own"
        Audience = Pool().get('marketing.automation.audience')
        audience = self.create(
            {'field': 'name', 'operator': 'starts', 'text': 'a'})
        copy, = Audience.copy([audience])
        self.assertEqual(copy.domain, audience.domain)
        self.assertNotEqual(copy.rules, audience.rules)
