# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Circuit breaker: a scenario of which too much fails is stopped.
"""

import datetime as dt
import logging

from sql import Literal, Null
from sql.aggregate import Count

import trytond.config as config
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.sql import inline
from ..common.transaction import run_with_retry

logger = logging.getLogger(__name__)


class ScenarioCircuitBreaker:
    "Time since which the failures of a scenario count, and its stop"
    __slots__ = ()

    started_at = fields.Timestamp(
        "Started at", readonly=True,
        help="When the scenario was run the last time.")

    @classmethod
    def copy(cls, scenarios, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('started_at')
        return super().copy(scenarios, default=default)

    @classmethod
    @ModelView.button
    def run(cls, scenarios):
        super().run(scenarios)
        cls.write(scenarios, {'started_at': dt.datetime.now()})

    @classmethod
    def break_(cls, id_, failed, tried):
        "Stop the scenario because too much of what it tried has failed"
        scenario = cls(id_)
        if scenario.state != 'running':
            return False
        cls.stop([scenario])
        cls.set_problem(
            id_, 'breaker', failed=failed, tried=tried,
            rate=round(100 * failed / tried))
        return True


class RecordActivityCircuitBreaker:
    "Failures of a scenario that open its circuit breaker"
    __slots__ = ()

    @classmethod
    def watch(cls, activity, trouble):
        """
        Stop the scenario of the activity if too much fails.

        It is called after each batch with whether something of it may have
        failed, and commits.
        """
        if not trouble:
            return
        Scenario = Pool().get('marketing.automation.scenario')
        scenario = activity.scenario.id
        failed, tried = cls._failures(scenario)
        minimum = config.getint('marketing', 'breaker_minimum', default=20)
        threshold = config.getfloat(
            'marketing', 'breaker_threshold', default=0.3)
        if tried >= max(minimum, 1) and failed > threshold * tried:
            if run_with_retry(
                    lambda: Scenario.break_(scenario, failed, tried)):
                logger.error(
                    "stopped scenario=%s failed=%s tried=%s",
                    scenario, failed, tried)
        Transaction().rollback()

    @classmethod
    def _failures(cls, scenario):
        """
        Return how many record activities of the scenario failed lately, and
        how many were tried.

        What has nothing to do can not fail, so it does not count.
        """
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Scenario = pool.get('marketing.automation.scenario')
        period = dt.timedelta(seconds=config.getint(
                'marketing', 'breaker_window', default=60 * 60))
        since = dt.datetime.now() - period
        if started_at := Scenario(scenario).started_at:
            # The user who has started it again knows the failures before
            since = max(since, started_at)
        table = cls.__table__()
        activity = Activity.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.join(
                activity, condition=table.activity == activity.id
                ).select(
                    table.state, Count(Literal(1)),
                    where=(activity.scenario == scenario)
                    & (activity.action != Null)
                    & table.state.in_([inline('done'), inline('failed')])
                    & (table.ended_at >= since.replace(microsecond=0)),
                    group_by=[table.state]))
        counts = dict(cursor.fetchall())
        failed = counts.get('failed', 0)
        return failed, failed + counts.get('done', 0)
