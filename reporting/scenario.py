# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario, as this room extends it.
"""

from trytond.pool import PoolMeta

from .figures import ScenarioFigures, ScenarioListFigures
from .state_report import ScenarioStateReport


class Scenario(
        ScenarioListFigures,
        ScenarioStateReport,
        ScenarioFigures,
        metaclass=PoolMeta):
    """
    Scenario: its figures.

    The figures of the list stand first, since they add the progress to what
    the others read.
    """
    __name__ = 'marketing.automation.scenario'
