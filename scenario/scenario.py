# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .diagram import ScenarioDiagram
from .tree import ScenarioTree


class Scenario(
        ScenarioDiagram,
        ScenarioTree,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
