# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario, as this room extends it.
"""

from trytond.pool import PoolMeta

from .diagram import ScenarioDiagram
from .tree import ScenarioTree


class Scenario(
        ScenarioDiagram,
        ScenarioTree,
        metaclass=PoolMeta):
    "Scenario: its diagram and its tree; their order does not matter"
    __name__ = 'marketing.automation.scenario'
