# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import PoolMeta

from .figures import ScenarioFigures, ScenarioListFigures
from .state_report import ScenarioStateReport


class Scenario(
        ScenarioListFigures,
        ScenarioStateReport,
        ScenarioFigures,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
