# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Exit of records from a scenario: goal reached, no longer matching, target gone.
"""

import datetime as dt

from sql import Literal, Null
from sql.conditionals import Coalesce
from sql.operators import Or

from trytond.model import Index, ModelView, dualmethod, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, active_records

from ..common.domain import decode
from ..common.error import raise_as
from ..common.orm import clear_cache
from ..exceptions import GoalError


class ScenarioLeave:
    "Goal of a scenario, and whether records leave it"
    __slots__ = ()

    leave = fields.Boolean(
        "Leave",
        help="If checked, a record leaves the scenario when it does not match "
        "the domain any more.\n"
        "Records that were added by hand stay.")
    goal = fields.Char(
        "Goal",
        help="A PYSON domain: a record that matches it has reached the goal "
        "and leaves the scenario.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'end_records': {
                    'invisible': (
                        (Eval('state') == 'running')
                        | ~Eval('record_count', 0)),
                    'depends': ['state', 'record_count'],
                    },
                })

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        # Migration from the module of the Tryton project: nobody left
        table_h.add_column(
            'leave', cls.leave.sql_type().base, default=lambda: False)
        super().__register__(module)

    @classmethod
    def default_leave(cls):
        return True

    @classmethod
    def validate_fields(cls, scenarios, field_names):
        super().validate_fields(scenarios, field_names)
        cls.check_goal(scenarios, field_names)

    @classmethod
    def check_goal(cls, scenarios, field_names=None):
        "Ensure that the goal can be searched by who saves it"
        if field_names and not (field_names & {'model', 'goal'}):
            return
        for scenario in scenarios:
            if scenario.goal:
                with scenario._goal_explained():
                    scenario._check_search(scenario.decode_goal())

    def _goal_explained(self):
        "Raise what is wrong with the goal as an error about it"
        return raise_as(
            GoalError, 'msg_scenario_goal_invalid',
            scenario=self.rec_name, goal=self.goal)

    def decode_goal(self):
        "Return the domain of the goal, None if there is none"
        if self.goal:
            return decode(self.goal)

    @classmethod
    @ModelView.button
    def end_records(cls, scenarios):
        "End all records inside the scenarios"
        Record = Pool().get('marketing.automation.record')
        now = dt.datetime.now().replace(microsecond=0)
        for scenario in scenarios:
            if scenario.state != 'running':
                table = Record.__table__()
                Record.end_where(
                    scenario, table, Record.is_active(table), 'stopped', now)


class RecordLeave:
    "Records that leave the scenario"
    __slots__ = ()

    by_hand = fields.Boolean(
        "By Hand", readonly=True,
        help="If checked, it entered without having to match the domain of "
        "the scenario.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.scenario, Index.Range()), (t.id, Index.Range()),
                where=t.end_reason == Null))
        cls._buttons.update({
                'remove': {
                    'invisible': (
                        Eval('blocked', False)
                        | ~Eval('end_reason').in_([None, 'completed'])),
                    'depends': ['blocked', 'end_reason'],
                    },
                })

    @classmethod
    def default_by_hand(cls):
        return False

    @dualmethod
    @ModelView.button
    def remove(cls, records):
        "Let the records leave"
        cls.end([r.id for r in records], 'removed')

    # Enter

    @classmethod
    def enter(cls, scenario, now):
        cls.leave(scenario, now)
        return super().enter(scenario, now)

    @classmethod
    def _enter_columns(cls, scenario, target, **values):
        columns = super()._enter_columns(scenario, target, **values)
        columns['by_hand'] = Literal(bool(values.get('by_hand')))
        return columns

    @classmethod
    def _enter_where(cls, scenario, target, **values):
        where = super()._enter_where(scenario, target, **values)
        if scenario.goal and not values.get('test'):
            with scenario._goal_explained():
                where &= ~target.id.in_(cls._goal_query(scenario))
        return where

    @classmethod
    def _goal_query(cls, scenario):
        "Return the SQL query of the ids of the targets at the goal"
        Target = Pool().get(scenario.model)
        goal = scenario.decode_goal()
        # It may be another one than when it was saved
        Target.marketing_check_domain(goal)
        with active_records():
            return Target.search(goal, order=[], query=True)

    # Leave

    @classmethod
    def is_active(cls, table, completed=False):
        """
        Return the SQL clause of the records that have not ended.

        With completed also those for which only nothing more is to come.
        """
        ended = table.end_reason == Null
        if completed:
            ended |= table.end_reason == 'completed'
        return (
            ended
            & (Coalesce(table.blocked, Literal(False)) == Literal(False)))

    @classmethod
    def leave(cls, scenario, now):
        """
        End the records that have reached the goal, match no more or have lost
        their target.

        It may be called any number of times.  If the domain or the goal can
        not be searched nobody leaves.
        """
        now = now.replace(microsecond=0)
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        targets, clauses = cls._leaving(scenario, table)
        of_scenario = table.scenario == scenario.id
        # Mostly nobody does, which is seen at once for all reasons
        cursor.execute(*targets.select(
                Literal(1),
                where=of_scenario & Or([clause for _, clause in clauses]),
                limit=1))
        if not cursor.fetchone():
            return
        for reason, clause in clauses:
            ended = cls.__table__()
            cls.end_where(
                scenario, ended,
                ended.id.in_(targets.select(
                        table.id, where=of_scenario & clause)),
                reason, now)

    @classmethod
    def _leaving(cls, scenario, table):
        """
        Return the SQL of the records with their targets, and the list of each
        reason with the SQL clause of the records that leave for it.
        """
        Target = Pool().get(scenario.model)
        target = Target.__table__()
        inside = cls.is_active(table) & (table.test == Literal(False))
        targets = table.join(
            target, 'LEFT',
            condition=target.id == cls.record.sql_id(table.record, cls))
        clauses = [('target_deleted', inside & (target.id == Null))]
        active = Target._fields.get('active')
        if active and not isinstance(active, fields.Function):
            clauses.append((
                    'target_inactive',
                    inside & (target.active == Literal(False))))
        if scenario.goal:
            with scenario._goal_explained():
                reached = cls._goal_query(scenario)
            targets = targets.join(
                reached, 'LEFT', condition=reached.id == target.id)
            clauses.append((
                    'converted',
                    cls.is_active(table, completed=True)
                    & (table.test == Literal(False))
                    & (reached.id != Null)))
        if scenario.leave:
            domain = scenario.decode_domain()
            Target.marketing_check_domain(domain)
            with active_records():
                matching = Target.search(domain, order=[], query=True)
            targets = targets.join(
                matching, 'LEFT', condition=matching.id == target.id)
            clauses.append((
                    'left',
                    inside
                    & (Coalesce(table.by_hand, Literal(False))
                        == Literal(False))
                    & (matching.id == Null)))
        return targets, clauses

    @classmethod
    def end_where(cls, scenario, table, where, reason, now):
        """
        End for the reason the records of the scenario that fulfill the clause.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        cursor = Transaction().connection.cursor()
        now = now.replace(microsecond=0)
        cursor.execute(*table.update(
                [table.end_reason, table.ended_at], [reason, now],
                where=(table.scenario == scenario.id) & where))
        if not cursor.rowcount:
            return
        ended = cls.__table__()
        waiting = RecordActivity.__table__()
        cursor.execute(*waiting.update(
                [waiting.state, waiting.reason, waiting.ended_at],
                ['cancelled', reason, now],
                where=(waiting.state == 'waiting')
                & waiting.record.in_(ended.select(
                        ended.id,
                        where=(ended.scenario == scenario.id)
                        & (ended.end_reason == reason)
                        & (ended.ended_at == now)))))
        clear_cache(cls, RecordActivity)
