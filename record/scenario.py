# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .add import ScenarioAdd
from .leave import ScenarioLeave
from .unicity import ScenarioUnicity


class Scenario(
        ScenarioAdd,
        ScenarioUnicity,
        ScenarioLeave,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
