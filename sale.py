# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from collections import defaultdict

from trytond.pool import PoolMeta
from trytond.transaction import Transaction

from .mixin import MarketingAutomationMixin


class Sale(MarketingAutomationMixin, metaclass=PoolMeta):
    __name__ = 'sale.sale'

    @classmethod
    def get_marketing_party(cls, sales, name):
        return {s.id: s.party.id if s.party else None for s in sales}

    @classmethod
    def search_marketing_party(cls, name, clause):
        return [('party' + clause[0][len(name):], *clause[1:])]

    @classmethod
    def marketing_access_groups(cls):
        return super().marketing_access_groups() | {'sale.group_sale'}

    @classmethod
    def marketing_languages(cls, sales):
        # A party may speak another language with each company
        by_company = defaultdict(list)
        for sale in sales:
            by_company[sale.company.id].append(sale)
        languages = {}
        for company, company_sales in by_company.items():
            with Transaction().set_context(company=company):
                languages.update(super().marketing_languages(company_sales))
        return languages

    @property
    def marketing_access_context(self):
        context = super().marketing_access_context
        context['company'] = self.company.id
        context['_companies'] = (self.company.id,)
        return context
