# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
RecordActivity, as this room extends it.
"""

from trytond.pool import PoolMeta

from .explain import RecordActivityExplain
from .preflight import RecordActivityPreflight
from .trial import RecordActivityTrial


class RecordActivity(
        RecordActivityPreflight,
        RecordActivityExplain,
        RecordActivityTrial,
        metaclass=PoolMeta):
    """
    Record activity: check list, explanation and test; their order does not
    matter.
    """
    __name__ = 'marketing.automation.record.activity'
