# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest
from decimal import Decimal

from trytond.model import Model
from trytond.modules.company.tests import create_company
from trytond.modules.marketing_automation.exceptions import (
    ActivityError, TemplateError)
from trytond.pool import Pool

from ..common.sales import SalesTestCase


class OpportunityTestCase(SalesTestCase):
    "Test the action that creates and changes opportunities"

    def draw(self, operation='create', **values):
        return super().draw(
            'opportunity', opportunity_operation=operation, **values)

    def change(self, **values):
        _, activity = self.draw('change', model='sale.opportunity', **values)
        self.enter_all()
        return activity

    def opportunities(self, *names):
        "Return the values of the opportunities"
        with self.transaction():
            Opportunity = Pool().get('sale.opportunity')
            return [
                tuple(int(v) if isinstance(v, Model) else v
                    for v in (getattr(o, n) for n in names))
                for o in Opportunity.search([], order=[('id', 'ASC')])]

    def outcomes(self, activity):
        return sorted(super().outcomes(activity).values(), key=str)

    def test_create(self):
        "Test a lead with its amount, probability and texts"
        self.create_parties('alice@example.com')
        _, activity = self.draw(
            opportunity_description="Offer for ${record.name}",
            opportunity_comment="First\nSecond",
            opportunity_amount=Decimal('10.55'),
            opportunity_probability=0.4)
        self.enter_all()
        self.assertEqual(self.outcomes(activity), [('done', None)])
        self.assertEqual(
            self.opportunities(
                'description', 'comment', 'amount', 'conversion_probability',
                'state', 'employee', 'marketing_origin'), [
                ("Offer for alice@example.com", "First\nSecond",
                    Decimal('10.55'), 0.4, 'lead', None,
                    "Scenario - Activity")])

    def test_crash(self):
        "Test one opportunity is created, how often ever it is executed"
        self.create_parties('alice@example.com')
        _, activity = self.draw()
        self.enter_all()
        with self.transaction(0):
            pool = Pool()
            RecordActivity = pool.get('marketing.automation.record.activity')
            outcomes = pool.get('marketing.automation.activity')(
                activity).execute_opportunity(RecordActivity.search([]))
            self.assertEqual([o.state for o in outcomes.values()], ['done'])
        self.assertEqual(len(self.opportunities('id')), 1)

    def test_employee(self):
        "Test who is responsible: by the field, else by the activity"
        alice, bob = self.create_parties(
            'alice@example.com', 'bob@example.com')
        self.create_sales(alice, quoted_by=self.employee)
        self.create_sales(bob)
        path = {'opportunity_employee_path': 'quoted_by', 'model': 'sale.sale'}
        _, activity = self.draw(opportunity_state='opportunity', **path)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity),
            [('done', None), ('skipped', 'no_responsible')])
        _, activity = self.draw(
            name="Other", opportunity_employee=self.employee, **path)
        self.enter_all()
        self.assertEqual(
            self.opportunities('state', 'employee'), [
                ('opportunity', self.employee),
                ('lead', self.employee),
                ('lead', self.employee)])

    def test_user(self):
        "Test the field leads to a user who is an employee"
        with self.transaction(self.marketer):
            Party = Pool().get('party.party')
            Party.create([{'name': "Alice"}])
        self.draw(opportunity_employee_path='create_uid')
        self.enter_all()
        self.assertEqual(
            self.opportunities('employee'), [(self.employee,)])

    def test_change(self):
        "Test what is left empty stays"
        alice, = self.create_parties('alice@example.com')
        self.create_opportunities(
            alice, description="Offer", comment="Before", amount=Decimal(7))
        activity = self.change(
            opportunity_comment="After ${record.number}",
            opportunity_probability=0.0)
        self.assertEqual(self.outcomes(activity), [('done', None)])
        self.assertEqual(
            self.opportunities(
                'description', 'comment', 'amount', 'state',
                'conversion_probability'),
            [("Offer", "Before\nAfter 1", Decimal(7), 'lead', 0)])

    def test_state(self):
        "Test each transition does what its button does"
        alice, = self.create_parties('alice@example.com')
        for start, state, outcome in [
                ('lead', 'lost', ('done', None)),
                ('lead', 'cancelled', ('done', None)),
                ('lead', 'opportunity', ('done', None)),
                ('opportunity', 'converted', ('done', None)),
                ('lost', 'lost', ('done', None)),
                ('lost', 'opportunity', ('skipped', 'opportunity_state'))]:
            with self.subTest(start=start, state=state):
                self.create_opportunities(
                    alice, state=start, employee=self.employee)
                activity = self.change(opportunity_state=state)
                self.assertEqual(self.outcomes(activity), [outcome])
                self.assertEqual(self.opportunities('state'), [
                        (state if outcome[0] == 'done' else start,)])
            self.clear()
            alice, = self.create_parties('alice@example.com')

    def test_incomplete(self):
        "Test a lead that has not what its new state needs"
        alice, = self.create_parties('alice@example.com')
        self.create_opportunities(None, employee=self.employee)
        self.create_opportunities(alice)
        activity = self.change(opportunity_state='opportunity')
        self.assertEqual(self.outcomes(activity), [
                ('skipped', 'no_party'), ('skipped', 'no_responsible')])
        with self.transaction(0):
            Opportunity = Pool().get('sale.opportunity')
            Opportunity.write(Opportunity.search([]), {
                    'party': alice, 'employee': self.employee})
        with self.acting():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            RecordActivity.retry(RecordActivity.search([]))
        self.process()
        self.assertEqual(
            self.opportunities('state'), [('opportunity',)] * 2)

    def test_template_error(self):
        "Test a text that can not be rendered fails alone"
        self.create_named("Alice", "Bob")
        _, activity = self.draw(
            opportunity_description="${1 / (record.name != 'Bob')}")
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity),
            [('done', None), ('failed', 'template_error')])

    def test_company(self):
        "Test the company has to be known"
        with self.transaction(0):
            Party = Pool().get('party.party')
            other = create_company("Other")
            self.addCleanup(self.forget, other.id)
            Party.write([other.party], {'marketing_refused': True})
        with self.assertRaises(ActivityError):
            self.draw()
        self.create_named("Alice")
        self.draw(name="One", opportunity_company=self.company)
        self.enter_all()
        with self.transaction():
            opportunity, = Pool().get('sale.opportunity').search([])
            self.assertEqual(opportunity.company.id, self.company)

    def forget(self, company):
        with self.transaction(0):
            Company = Pool().get('company.company')
            company = Company(company)
            Company.delete([company])

    def test_refused(self):
        "Test what can not be done is refused where it is typed"
        for error, values in [
                (ActivityError, {'operation': 'change'}),
                (ActivityError, {'opportunity_state': 'lost'}),
                (ActivityError, {'opportunity_employee_path': 'name'}),
                (ActivityError, {'opportunity_employee_path': 'lang'}),
                (TemplateError, {'opportunity_description': "${record.x}"}),
                (TemplateError, {'opportunity_comment': "${"})]:
            with self.subTest(values=values), self.assertRaises(error):
                self.draw(**values)

    def test_copy(self):
        "Test a copy has not been created by the scenario"
        self.create_named("Alice")
        self.draw()
        self.enter_all()
        with self.transaction(0):
            Opportunity = Pool().get('sale.opportunity')
            copy, = Opportunity.copy(Opportunity.search([]))
            self.assertIsNone(copy.marketing_record_activity)

    def test_statements(self):
        "Test the statements of a change do not grow with the records"
        def draw():
            self.create_opportunities(*self.outsiders())
            return self.draw(
                'change', model='sale.opportunity', opportunity_state='lost',
                opportunity_comment="No answer")

        few, many = [self.statements(count, draw) for count in [4, 40]]
        self.assertEqual(few, many)


del SalesTestCase

if __name__ == '__main__':
    unittest.main()
