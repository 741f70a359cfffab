# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Counter, as this room extends it.
"""

from trytond.pool import PoolMeta

from .anonymous import CounterAnonymous
from .link_report import CounterLinkReport


class Counter(
        CounterLinkReport,
        CounterAnonymous,
        metaclass=PoolMeta):
    """
    Counter: links as subjects, and anonymous counts; their order does not
    matter.
    """
    __name__ = 'marketing.automation.counter'
