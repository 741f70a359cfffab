# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Record activity: the bounces and the events of its e-mail."

from trytond.pool import PoolMeta

from .bounce import RecordActivityBounce
from .event import RecordActivityEvent


class RecordActivity(
        RecordActivityBounce,
        RecordActivityEvent,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'
