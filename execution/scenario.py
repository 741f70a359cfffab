# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario, as this room extends it.
"""

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
    """
    Scenario: alerts, changes of its tree, limits and times.

    The alert stands first, since it looks at the problems before and after the
    others.
    """
    __name__ = 'marketing.automation.scenario'
