# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.wizard import Wizard

from .link_report import OriginsLinkReport
from .state_report import OriginsStateReport


class Origins(
        OriginsLinkReport,
        OriginsStateReport,
        Wizard):
    __name__ = 'marketing.automation.reporting.origins'
