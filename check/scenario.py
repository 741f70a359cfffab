# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario, as this room extends it.
"""

from trytond.pool import PoolMeta

from .explain import ScenarioExplain
from .preflight import ScenarioPreflight
from .trial import ScenarioTrial


class Scenario(
        ScenarioPreflight,
        ScenarioExplain,
        ScenarioTrial,
        metaclass=PoolMeta):
    "Scenario: check list, explanation and tests; their order does not matter"
    __name__ = 'marketing.automation.scenario'
