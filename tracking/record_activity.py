# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .anonymous import RecordActivityAnonymous
from .link_click import RecordActivityLinkClick
from .privacy import RecordActivityPrivacy
from .reaction import RecordActivityReaction


class RecordActivity(
        RecordActivityAnonymous,
        RecordActivityLinkClick,
        RecordActivityPrivacy,
        RecordActivityReaction,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'
