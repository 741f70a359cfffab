# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario, as this room extends it.
"""

from trytond.pool import PoolMeta

from .reach import ScenarioReach
from .use import ScenarioUse


class Scenario(
        ScenarioUse,
        ScenarioReach,
        metaclass=PoolMeta):
    """
    Scenario: its reach and its audiences.

    The use of audiences stands first, since it changes the domain before the
    reach is shown.
    """
    __name__ = 'marketing.automation.scenario'
