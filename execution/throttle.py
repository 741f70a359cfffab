# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Throttle: the number of mails in a time is limited.

The mails of the last minute, or hour, and those on their way out are counted
and the number still allowed is reserved before anybody else counts.  The
others wait; who reserves next takes those which have waited longest.
"""

import datetime as dt
from contextlib import contextmanager

from sql import Literal
from sql.aggregate import Count

import trytond.config as config
from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.sql import inline
from . import claim

_MINUTE = dt.timedelta(minutes=1)
_HOUR = dt.timedelta(hours=1)
# Before nobody looks again whether there is something allowed
_PAUSE = dt.timedelta(seconds=5)


class ScenarioThrottle:
    "Limit of the mails of a scenario in an hour"
    __slots__ = ()

    mails_per_hour = fields.Integer(
        "E-Mails per Hour",
        domain=['OR',
            ('mails_per_hour', '=', None),
            ('mails_per_hour', '>', 0),
            ],
        help="The scenario sends at most so many e-mails in an hour, the "
        "others wait.\n"
        "Leave empty for no limit besides the one of the server.")


class RecordActivityThrottle:
    "Mails counted against the limits of the server and of the scenario"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.ended_at, Index.Range()),
                (t.activity, Index.Equality(cardinality='normal')),
                where=t.state.in_(['done', 'failed'])))

    @classmethod
    @contextmanager
    def reserve(cls, activity, limit):
        """
        Reserve record activities of the activity, and yield how many, at most
        limit, may be executed now.

        What is claimed must be committed before the exit.  As long as there
        is a limit nobody else is inside.
        """
        transaction = Transaction()
        rates = cls._rates(activity)
        transaction.rollback()
        if not rates:
            yield limit
            return
        # The limit of the server is the one of all
        scope = min(scenario or 0 for _, _, scenario in rates)
        with claim.exclusive(f'throttle,{scope}'):
            yield cls._allowance(rates, limit)

    @classmethod
    def _allowance(cls, rates, limit):
        now = dt.datetime.now()
        allowed = limit
        for rate, period, scenario in rates:
            allowed = min(allowed, rate - cls._count(now - period, scenario))
        Transaction().rollback()
        return max(allowed, 0)

    @classmethod
    def next_reservation(cls, activity):
        """
        Return after which time something more of the activity may be
        executed, None if nothing waits for that.
        """
        now = dt.datetime.now()
        if not cls.has_due(activity.id, now):
            return
        if delays := cls._rate_delays(activity, now):
            return max(*delays, _PAUSE)

    @classmethod
    def _rate_delays(cls, activity, now):
        "Return for each limit that is reached the time until it is not"
        delays = []
        for rate, period, scenario in cls._rates(activity):
            if cls._count(now - period, scenario) >= rate:
                oldest = cls._oldest(now - period, scenario)
                delays.append(oldest + period - now if oldest else _PAUSE)
        return delays

    @classmethod
    def _rates(cls, activity):
        """
        Return a list of the limits of the activity: number of mails, period,
        and id of the scenario or None for the server.
        """
        if activity.action not in cls._throttled_actions():
            return []
        rates = [
            (config.getint('marketing', name, default=0), period, None)
            for name, period in [
                ('mails_per_minute', _MINUTE), ('mails_per_hour', _HOUR)]]
        scenario = activity.scenario
        rates.append((scenario.mails_per_hour or 0, _HOUR, scenario.id))
        return [rate for rate in rates if rate[0] > 0]

    @classmethod
    def _throttled_actions(cls):
        "Return the set of the actions that count as a mail"
        return {'send_email'}

    @classmethod
    def _mails(cls, scenario):
        "Return the table of the mails, the query and its condition"
        Activity = Pool().get('marketing.automation.activity')
        table = cls.__table__()
        activity = Activity.__table__()
        where = activity.action.in_(sorted(cls._throttled_actions()))
        if scenario:
            where &= activity.scenario == scenario
        return table, table.join(
            activity, condition=table.activity == activity.id), where

    @classmethod
    def _count(cls, since, scenario):
        "Return the number of mails since then and of those on their way"
        cursor = Transaction().connection.cursor()
        count = 0
        table, query, where = cls._mails(scenario)
        for state in [
                # The time has no fraction
                (table.state == inline('done'))
                & (table.ended_at >= since.replace(microsecond=0)),
                (table.state == 'sending') & cls._is_claimed(table)]:
            cursor.execute(*query.select(
                    Count(Literal(1)), where=where & state))
            count += cursor.fetchone()[0]
        return count

    @classmethod
    def _oldest(cls, since, scenario):
        cursor = Transaction().connection.cursor()
        table, query, where = cls._mails(scenario)
        cursor.execute(*query.select(
                table.ended_at,
                where=where & (table.state == inline('done'))
                & (table.ended_at >= since.replace(microsecond=0)),
                order_by=[table.ended_at.asc], limit=1))
        row = cursor.fetchone()
        return row[0] if row else None
