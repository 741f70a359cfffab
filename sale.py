# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .mixin import CompanyTargetMixin


class Sale(CompanyTargetMixin, metaclass=PoolMeta):
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
