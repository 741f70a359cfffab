# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Wizard that opens the origins of a figure.
"""

from trytond.wizard import Wizard

from .link_report import OriginsLinkReport
from .state_report import OriginsStateReport


class Origins(
        OriginsLinkReport,
        OriginsStateReport,
        Wizard):
    """
    Wizard: the records, record activities or hits of a line of a report.

    The links stand first, since they know one model more.
    """
    __name__ = 'marketing.automation.reporting.origins'
