# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .explain import ScenarioExplain
from .preflight import ScenarioPreflight
from .trial import ScenarioTrial


class Scenario(
        ScenarioPreflight,
        ScenarioExplain,
        ScenarioTrial,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
