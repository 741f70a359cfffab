# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .link_report import OriginsLinkReport
from .state_report import OriginsStateReport


class Origins(
        OriginsLinkReport,
        OriginsStateReport,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.reporting.origins'
