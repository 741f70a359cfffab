# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
A company which sells, and a marketer of the sales.
"""

import itertools

from trytond.modules.company.tests import create_company, set_company
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..action.common import ActionTestCase
from ..tools import EXTRAS


class SalesTestCase(ActionTestCase):
    "Test case with a company, its salesman and a marketer who also sells"
    _extras = EXTRAS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Transaction().start(cls.name, 0):
            pool = Pool()
            Employee = pool.get('company.employee')
            ModelData = pool.get('ir.model.data')
            Party = pool.get('party.party')
            User = pool.get('res.user')
            company = create_company()
            party, = Party.create([{'name': "Salesman"}])
            employee, = Employee.create([{
                        'party': party.id,
                        'company': company.id,
                        }])
            User.write([User(cls.marketer)], {
                    'groups': [('add', [
                                ModelData.get_id('sale', 'group_sale')])],
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'employees': [('add', [employee.id])],
                    'employee': employee.id,
                    'email': 'salesman@example.com',
                    })
            cls.company, cls.employee = company.id, employee.id
            # They stay when the others are cleared, and enter nothing
            cls.insiders = {party.id, company.party.id}
            Party.write(list(Party.search([])), {'marketing_refused': True})

    def setUp(self):
        super().setUp()
        self.numbers = itertools.count(1)

    def clear(self):
        with self.transaction(0):
            pool = Pool()
            for name in [
                    'marketing.automation.todo', 'marketing.email',
                    'sale.opportunity', 'sale.sale']:
                table = pool.get(name).__table__()
                Transaction().connection.cursor().execute(*table.delete())
        super().clear()

    def clear_parties(self):
        parties = self.outsiders()
        with self.transaction(0):
            Party = Pool().get('party.party')
            Party.write(Party.browse(parties), {'active': False})

    def outsiders(self):
        "Return the ids of the parties which are cleared"
        with self.transaction():
            return [p.id for p in Pool().get('party.party').search([
                        ('id', 'not in', list(self.insiders))])]

    def create_of_parties(self, model, *parties, **values):
        "Create a record of the company for each of the parties (ids)"
        with self.transaction(0):
            pool = Pool()
            Model = pool.get(model)
            company = pool.get('company.company')(self.company)
            with set_company(company):
                return [r.id for r in Model.create([{
                                'company': company.id,
                                'currency': company.currency.id,
                                'party': party,
                                'number': str(next(self.numbers)),
                                **values,
                                } for party in parties])]

    def create_sales(self, *parties, **values):
        return self.create_of_parties('sale.sale', *parties, **values)

    def create_opportunities(self, *parties, **values):
        return self.create_of_parties('sale.opportunity', *parties, **values)


del ActionTestCase
