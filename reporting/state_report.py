# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Reports by state: record activities and participants.
"""

import datetime as dt

from sql import Cast, Literal, Null, Union
from sql.aggregate import Sum
from sql.conditionals import Case, Coalesce
from sql.functions import Extract

from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.transaction import Transaction
from trytond.wizard import StateAction, StateTransition

from .kind import is_kind, nothing
from .period import PERIODS, get_period, midnight
from .report import Reporting

# The reasons of the end by state of a participant, all others are removed
PARTICIPANTS = {
    'completed': ['completed'],
    'converted': ['converted'],
    'left': ['left'],
    'blocked': ['blocked'],
    'unsubscribed': ['unsubscribed', 'no_marketing'],
    'stopped': ['stopped'],
    }


def participant(state):
    "Return the condition of the kind of a participant in the state"
    if state == 'running':
        return is_kind('running')
    elif state == 'removed':
        others = nothing()
        for other in PARTICIPANTS:
            others |= participant(other)
        return is_kind('end.', prefix=True) & ~others
    condition = nothing()
    for reason in PARTICIPANTS[state]:
        condition |= is_kind(f'end.{reason}')
    return condition


def between(date, *names):
    """
    Return the domain of the period of the date, by the first of the fields
    that is set.
    """
    if not date:
        return []
    context = Transaction().context
    first, last = date, date + PERIODS[get_period()]
    if context.get('from_date'):
        first = max(first, context['from_date'])
    if context.get('to_date'):
        last = min(last, context['to_date'] + dt.timedelta(days=1))
    domain, missing = ['OR'], []
    for name in names:
        domain.append([
                *missing,
                (name, '>=', midnight(first)),
                (name, '<', midnight(last)),
                ])
        missing.append((name, '=', None))
    return [domain]


class States(Reporting):
    "Number in each state, by the period in which it was reached"
    __slots__ = ()
    _counts = ['number']
    # The states without a date: those of now
    _now = []

    number = fields.Integer("Number", readonly=True)

    @classmethod
    def _in_state(cls, state):
        "Return the condition of the kinds in the state"
        return is_kind(state)

    @classmethod
    def table_query(cls):
        context = Transaction().context
        dated = cls._facts(
            from_date=context.get('from_date'),
            to_date=context.get('to_date'), period=get_period())
        now = cls._facts()
        condition = Literal(False)
        for state in cls._now:
            condition |= cls._in_state(state).sql(now.kind)
        fact = Union(
            dated.select(dated.subject, dated.at, dated.kind, dated.number),
            now.select(
                now.subject, cls.date.sql_cast(Null).as_('at'), now.kind,
                now.number,
                where=condition),
            all_=True)
        states = [s for s, _ in cls.state.selection]
        state = Case(*[
                (cls._in_state(s).sql(fact.kind), i)
                for i, s in enumerate(states, 1)])
        fact = fact.select(
            fact.subject, fact.at, state.as_('state'), fact.number,
            where=state != Null)
        number = Cast(Sum(fact.number), 'BIGINT')
        day = Coalesce(
            Cast(Extract('YEAR', fact.at), 'BIGINT') * 10_000
            + Cast(Extract('MONTH', fact.at), 'BIGINT') * 100
            + Cast(Extract('DAY', fact.at), 'BIGINT'), 0)
        return fact.select(
            ((Cast(fact.subject, 'BIGINT') * 100_000_000 + day) * 20
                + fact.state).as_('id'),
            fact.subject.as_(cls._subject),
            cls.date.sql_cast(fact.at).as_('date'),
            Case(*[
                    (fact.state == i, s)
                    for i, s in enumerate(states, 1)]).as_('state'),
            number.as_('number'),
            group_by=[fact.subject, fact.at, fact.state],
            having=number != 0)


class Trace(States):
    "Number of record activities of an activity in each state"
    __name__ = 'marketing.automation.reporting.trace'
    _subject = 'activity'
    _now = ['waiting', 'sending']

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    scenario = fields.Function(
        fields.Many2One('marketing.automation.scenario', "Scenario"),
        'get_scenario', searcher='search_scenario')
    state = fields.Selection([
            ('waiting', "Waiting"),
            ('sending', "Sending"),
            ('done', "Done"),
            ('skipped', "Skipped"),
            ('cancelled', "Cancelled"),
            ('expired', "Expired"),
            ('failed', "Failed"),
            ], "State", readonly=True, sort=False)
    state_string = state.translated('state')

    @classmethod
    def _live(cls):
        return Pool().get('marketing.automation.record.activity').live()

    def get_scenario(self, name):
        return self.activity.scenario.id if self.activity.scenario else None

    @classmethod
    def search_scenario(cls, name, clause):
        return [('activity.' + clause[0], *clause[1:])]

    def origins(self):
        "Return the model and the domain of what is counted"
        return 'marketing.automation.record.activity', [
            ('activity', '=', self.activity.id),
            ('state', '=', self.state),
            ('test', '=', False),
            *between(self.date, 'ended_at', 'at', 'create_date'),
            ]


class Participant(States):
    "Number of records of a scenario in each state"
    __name__ = 'marketing.automation.reporting.participant'
    _subject = 'scenario'
    _now = ['running']

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    state = fields.Selection([
            ('entered', "Entered"),
            ('running', "Running"),
            ('completed', "Completed"),
            ('converted', "Converted"),
            ('left', "Left"),
            ('blocked', "Blocked"),
            ('unsubscribed', "Unsubscribed"),
            ('removed', "Removed"),
            ('stopped', "Stopped"),
            ], "State", readonly=True, sort=False)
    state_string = state.translated('state')

    @classmethod
    def _in_state(cls, state):
        if state == 'entered':
            return is_kind(state)
        return participant(state)

    @classmethod
    def _live(cls):
        return Pool().get('marketing.automation.record').live()

    def origins(self):
        "Return the model and the domain of what is counted"
        domain = [
            ('scenario', '=', self.scenario.id),
            ('test', '=', False),
            ]
        if self.state == 'entered':
            domain += between(self.date, 'create_date')
        elif self.state == 'running':
            domain += [('end_reason', '=', None), ('blocked', '!=', True)]
        else:
            domain += [
                self._reasons(),
                *between(self.date, 'ended_at', 'create_date')]
        return 'marketing.automation.record', domain

    def _reasons(self):
        if self.state == 'removed':
            known = sum(PARTICIPANTS.values(), [])
            return [
                ('end_reason', '!=', None), ('end_reason', 'not in', known)]
        reasons = ('end_reason', 'in', PARTICIPANTS[self.state])
        if self.state != 'blocked':
            return reasons
        # Those of the former module have no reason
        return ['OR',
            reasons, [('end_reason', '=', None), ('blocked', '=', True)]]


class OriginsStateReport:
    "Records and record activities as origins of figures"
    __slots__ = ()

    start = StateTransition()
    records = StateAction('marketing_automation.act_reporting_record')
    record_activities = StateAction(
        'marketing_automation.act_reporting_record_activity')

    def transition_start(self):
        model, _ = self.record.origins()
        if model == 'marketing.automation.record':
            return 'records'
        return 'record_activities'

    def _open(self, action):
        _, domain = self.record.origins()
        action['pyson_domain'] = PYSONEncoder().encode(domain)
        return action, {}

    do_records = do_record_activities = _open


class ReportingActivityStateReport:
    "Origins of the figures of activities"
    __slots__ = ()

    def origins(self):
        "Return the model and the domain of what is counted"
        return 'marketing.automation.record.activity', [
            ('activity', '=', self.activity.id),
            ('state', '=', 'done'),
            ('test', '=', False),
            *between(self.date, 'ended_at', 'at', 'create_date'),
            ]


class ReportingScenarioStateReport:
    "Origins of the figures of scenarios, and those of participants"
    __slots__ = ()

    def origins(self):
        "Return the model and the domain of what is counted"
        return 'marketing.automation.record', [
            ('scenario', '=', self.scenario.id),
            ('test', '=', False),
            *between(self.date, 'create_date'),
            ]

    @classmethod
    def _condition(cls, name):
        if name.startswith('participants_'):
            return participant(name.removeprefix('participants_'))
        return super()._condition(name)


class ScenarioStateReport:
    "Participants of a scenario by state"
    __slots__ = ()

    participants_running = fields.Function(
        fields.Integer(
            "Running",
            help="The number of records to which something may happen."),
        'get_figures')
    participants_completed = fields.Function(
        fields.Integer(
            "Completed",
            help="The number of records for which all has been done."),
        'get_figures')
    participants_converted = fields.Function(
        fields.Integer(
            "Converted",
            help="The number of records that reached the goal."),
        'get_figures')
    participants_left = fields.Function(
        fields.Integer(
            "Left",
            help="The number of records that did not match any more."),
        'get_figures')
    participants_blocked = fields.Function(
        fields.Integer(
            "Blocked by a User",
            help="The number of records that a user has blocked."),
        'get_figures')
    participants_unsubscribed = fields.Function(
        fields.Integer(
            "Unsubscribed",
            help="The number of records whose party wants no more."),
        'get_figures')
    participants_removed = fields.Function(
        fields.Integer(
            "Removed",
            help="The number of records that are gone otherwise: deleted, "
            "deactivated or erased."),
        'get_figures')
    participants_stopped = fields.Function(
        fields.Integer(
            "Stopped",
            help="The number of records that were stopped."),
        'get_figures')
