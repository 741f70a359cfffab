# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.modules.marketing_automation.mixin import MarketingAutomationMixin
from trytond.pool import PoolMeta


class Loan(MarketingAutomationMixin, metaclass=PoolMeta):
    __name__ = 'library.loan'

    @classmethod
    def get_marketing_party(cls, loans, name):
        return {loan.id: loan.reader.id for loan in loans}

    @classmethod
    def search_marketing_party(cls, name, clause):
        return [('reader' + clause[0][len(name):], *clause[1:])]
