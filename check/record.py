# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Record, as this room extends it.
"""

from trytond.pool import PoolMeta

from .explain import RecordExplain
from .trial import RecordTrial


class Record(
        RecordExplain,
        RecordTrial,
        metaclass=PoolMeta):
    "Record: explanation and test; their order does not matter"
    __name__ = 'marketing.automation.record'
