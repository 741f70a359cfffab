# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario, as this room extends it.
"""

from trytond.pool import PoolMeta

from .add import ScenarioAdd
from .leave import ScenarioLeave
from .unicity import ScenarioUnicity


class Scenario(
        ScenarioAdd,
        ScenarioUnicity,
        ScenarioLeave,
        metaclass=PoolMeta):
    "Scenario: entry by hand, unicity and goal; their order does not matter"
    __name__ = 'marketing.automation.scenario'
