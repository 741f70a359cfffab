# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
RecordActivity, as this room extends it.
"""

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
    """
    Record activity: hits, the events they become, and the anonymous counts.

    The privacy drops hits before the reaction applies them.
    """
    __name__ = 'marketing.automation.record.activity'
