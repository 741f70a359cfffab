# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Anonymous counts in the reports.
"""

from trytond.pool import Pool


class CounterAnonymous:
    "Anonymous counts among what the counters verify"
    __slots__ = ()

    @classmethod
    def sources(cls):
        return super().sources() + [
            Pool().get('marketing.automation.tally')]
