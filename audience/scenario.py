# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .reach import ScenarioReach
from .use import ScenarioUse


class Scenario(
        ScenarioUse,
        ScenarioReach,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
