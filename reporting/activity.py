# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Activity, as this room extends it.
"""

from trytond.pool import PoolMeta

from .counted import ActivityCounted
from .figures import ActivityEventFigures, ActivityFigures, ActivityRawFigures


class Activity(
        ActivityEventFigures,
        ActivityRawFigures,
        ActivityFigures,
        ActivityCounted,
        metaclass=PoolMeta):
    "Activity: its figures and counters; their order does not matter"
    __name__ = 'marketing.automation.activity'
