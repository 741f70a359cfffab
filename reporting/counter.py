# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .anonymous import CounterAnonymous
from .link_report import CounterLinkReport


class Counter(
        CounterLinkReport,
        CounterAnonymous,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.counter'
