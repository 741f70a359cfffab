# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .explain import RecordExplain
from .trial import RecordTrial


class Record(
        RecordExplain,
        RecordTrial,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'
