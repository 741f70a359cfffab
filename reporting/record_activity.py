# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .counted import RecordActivityCounted
from .figures import RecordActivityFigures


class RecordActivity(
        RecordActivityFigures,
        RecordActivityCounted,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'
