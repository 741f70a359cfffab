# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .alert import ScenarioAlert
from .circuit_breaker import ScenarioCircuitBreaker
from .replan import ScenarioReplan
from .sending_window import ScenarioSendingWindow
from .throttle import ScenarioThrottle


class Scenario(
        ScenarioAlert,
        ScenarioReplan,
        ScenarioCircuitBreaker,
        ScenarioThrottle,
        ScenarioSendingWindow,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
