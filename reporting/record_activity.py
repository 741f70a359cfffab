# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
RecordActivity, as this room extends it.
"""

from trytond.pool import PoolMeta

from .counted import RecordActivityCounted
from .figures import RecordActivityFigures


class RecordActivity(
        RecordActivityFigures,
        RecordActivityCounted,
        metaclass=PoolMeta):
    "Record activity: how it is counted, and the index for it"
    __name__ = 'marketing.automation.record.activity'
