# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Changes of the tree of a scenario, applied to the records inside.

The activities are planned as if the tree had always been like it is now:

- a new activity reaches those who have done its parent, or all if it is a
  root, and is due at once if it would have been due before;
- a deactivated activity cancels what waits for it;
- another delay or event moves what waits and was not tried yet.

What was done is never done again.
"""

import datetime as dt

from sql import Literal, Null, Values
from sql.aggregate import Count, Sum
from sql.conditionals import Case, Coalesce

from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..common.orm import clear_cache
from ..common.sql import SLICE, exists_by_index, to_datetime


class ScenarioReplan:
    "Changes of the tree that the records inside do not have yet"
    __slots__ = ()

    tree_changed = fields.Boolean(
        "Tree Changed", readonly=True,
        states={
            'invisible': ~Eval('tree_changed', False),
            },
        help="If checked, the activities have been changed since records are "
        "inside.\nUpdate the scenario to apply it to them.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'update_records': {
                    'invisible': ~Eval('tree_changed', False),
                    'depends': ['tree_changed'],
                    },
                })

    @classmethod
    def default_tree_changed(cls):
        return False

    @classmethod
    def copy(cls, scenarios, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('tree_changed', cls.default_tree_changed())
        return super().copy(scenarios, default=default)

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_update')
    def update_records(cls, scenarios):
        pass

    @classmethod
    @without_check_access
    def note_change(cls, scenarios):
        "Note the change of the tree on the scenarios with records"
        changed = [
            s for s in cls._with_records(scenarios) if not s.tree_changed]
        if changed:
            cls.write(changed, {'tree_changed': True})

    @classmethod
    def apply_changes(cls, scenarios, completed=False):
        """
        Apply the changes of the trees to the records inside.

        :param completed: whether those come back for which nothing more was
            to come.
        """
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        RecordActivity = pool.get('marketing.automation.record.activity')
        now = dt.datetime.now().replace(microsecond=0)
        with without_check_access():
            for scenario in scenarios:
                for activity in scenario.walk(inactive=True):
                    RecordActivity.cancel_inactive(activity, now)
                    RecordActivity.move_waiting(activity, now)
                    RecordActivity.plan_missing(activity, now, completed)
                changed = Activity.search([
                        ('scenario', '=', scenario.id),
                        ('planning_changed', '=', True),
                        ])
                Activity.write(changed, {'planning_changed': False})
            cls.write(scenarios, {'tree_changed': False})
        clear_cache(RecordActivity)

    def changes(self):
        """
        Return a list of the activity, the change, the number of records
        inside that it reaches, and of those for which nothing more was to
        come.
        """
        RecordActivity = Pool().get(
            'marketing.automation.record.activity')
        changes = []
        for activity in self.walk(inactive=True):
            for change, count in [
                    ('cancel', RecordActivity.count_inactive),
                    ('move', RecordActivity.count_waiting),
                    ('plan', RecordActivity.count_missing)]:
                counts = count(activity)
                if any(counts):
                    changes.append((activity, change, *counts))
        return changes


class ActivityReplan:
    "Fields on which the plan of an activity depends"
    __slots__ = ()

    planning_changed = fields.Boolean("Planning Changed", readonly=True)

    @classmethod
    def default_planning_changed(cls):
        return False

    @classmethod
    def _planning_fields(cls):
        "Return the set of the fields on which the date of execution depends"
        return {
            'event', 'negative', 'event_link', 'delay', 'validity',
            'date_field', 'date_direction', 'date_yearly'}

    @classmethod
    def on_modification(cls, mode, activities, field_names=None):
        super().on_modification(mode, activities, field_names=field_names)
        Scenario = Pool().get('marketing.automation.scenario')
        planning = (
            mode == 'write' and bool(field_names & cls._planning_fields()))
        if (mode == 'create' or planning
                or (mode == 'write' and field_names & {'active', 'parent'})):
            scenarios = {a.scenario for a in activities if a.scenario}
            Scenario.note_change(Scenario.browse(sorted(
                        scenarios, key=lambda s: s.id)))
        if planning:
            with without_check_access():
                changed = [
                    a for a in cls._with_records(activities)
                    if not a.planning_changed]
                cls.write(changed, {'planning_changed': True})

    @classmethod
    def copy(cls, activities, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('planning_changed', cls.default_planning_changed())
        return super().copy(activities, default=default)


class RecordActivityReplan:
    "Record activities that a change of the tree cancels, moves or adds"
    __slots__ = ()

    @classmethod
    def _counts_of(cls, query):
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        return tuple(int(count or 0) for count in cursor.fetchone())

    # Deactivated

    @classmethod
    def _inactive(cls, activity, table):
        return (
            (table.activity == activity.id)
            & (table.state == 'waiting')
            & (table.test == Literal(False)))

    @classmethod
    def count_inactive(cls, activity):
        if activity.active:
            return (0, 0)
        table = cls.__table__()
        return cls._counts_of(table.select(
                Count(Literal(1)), Literal(0),
                where=cls._inactive(activity, table)))

    @classmethod
    def cancel_inactive(cls, activity, now):
        "Cancel what waits for the activity if it has been deactivated"
        if activity.active:
            return
        Record = Pool().get('marketing.automation.record')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.record, where=cls._inactive(activity, table)))
        records = [record for record, in cursor]
        cursor.execute(*table.update(
                [table.state, table.reason, table.ended_at],
                ['cancelled', 'activity_inactive', now],
                where=cls._inactive(activity, table)))
        Record.complete(records)

    # Other delay or event

    @classmethod
    def _movable(cls, activity, table):
        return (
            (table.activity == activity.id)
            & (table.state == 'waiting')
            & (Coalesce(table.attempts, 0) == 0)
            & (table.reason == Null)
            & (table.test == Literal(False)))

    @classmethod
    def count_waiting(cls, activity):
        if not (activity.active and activity.planning_changed):
            return (0, 0)
        table = cls.__table__()
        return cls._counts_of(table.select(
                Count(Literal(1)), Literal(0),
                where=cls._movable(activity, table)))

    @classmethod
    def move_waiting(cls, activity, now):
        "Move what waits for the activity to where it would be planned now"
        if not (activity.active and activity.planning_changed):
            return
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        if activity.date_field:
            # The next run plans it at the date of the record again
            cursor.execute(*table.update(
                    [table.date_value], [Null],
                    where=cls._movable(activity, table)))
            return
        cursor.execute(*cls._starts(activity))
        for rows in grouped_slice(cursor.fetchall(), SLICE):
            rows = [
                (id_, False, _seconds(start), None) for id_, start in rows]
            # Record, date, state, reason, end and expiry
            values = Values([
                    [row[0], *row[3:]]
                    for row in cls._first_rows(activity, rows, now)])
            cursor.execute(*table.update(
                    [table.at, table.state, table.reason, table.ended_at,
                        table.expire_at],
                    [cls.at.sql_cast(values.column2), values.column3,
                        values.column4, cls.ended_at.sql_cast(values.column5),
                        cls.expire_at.sql_cast(values.column6)],
                    from_=[values],
                    where=cls._movable(activity, table)
                    & (table.record == values.column1)))

    @classmethod
    def _starts(cls, activity):
        "Return the query of the records to move and the start of the delay"
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        from_ = table.join(record, condition=table.record == record.id)
        start = record.create_date
        if isinstance(activity.parent, activity.__class__):
            parent = cls.__table__()
            from_ = from_.join(
                parent, condition=(parent.record == table.record)
                & (parent.activity == activity.parent.id))
            start = parent.ended_at
        return from_.select(
            table.record, start,
            where=cls._movable(activity, table) & (start != Null))

    # New

    @classmethod
    def _missing(cls, activity, completed):
        """
        Return the query of the records inside which the new activity reaches:
        id, start of its delay, and whether they are completed.
        """
        Record = Pool().get('marketing.automation.record')
        record = Record.__table__()
        existing = cls.__table__()
        where = (
            (record.scenario == activity.scenario.id)
            & (record.test == Literal(False))
            & Record.is_active(record, completed=completed)
            & ~exists_by_index(
                existing,
                (existing.activity == activity.id)
                & (existing.record == record.id)))
        from_, start = record, record.create_date
        if isinstance(activity.parent, activity.__class__):
            parent = cls.__table__()
            from_ = record.join(parent, condition=parent.record == record.id)
            start = parent.ended_at
            where &= (
                (parent.activity == activity.parent.id)
                & (parent.state == 'done')
                # What follows the others is still to be planned
                & (parent.claim == Null))
        return from_.select(
            record.id, start.as_('start'),
            Case((record.end_reason == Null, 0), else_=1).as_('completed'),
            where=where)

    @classmethod
    def count_missing(cls, activity):
        "Return the numbers of records inside, and of those completed"
        if not activity.active:
            return (0, 0)
        missing = cls._missing(activity, True)
        return cls._counts_of(missing.select(
                Sum(Literal(1) - missing.completed), Sum(missing.completed)))

    @classmethod
    def plan_missing(cls, activity, now, completed):
        "Plan the activity for the records inside that do not have it"
        if not activity.active:
            return
        Record = Pool().get('marketing.automation.record')
        cursor = Transaction().connection.cursor()
        while True:
            query = cls._missing(activity, completed)
            query.limit = SLICE
            cursor.execute(*query)
            rows = [
                (id_, False, _seconds(start), None)
                for id_, start, _ in cursor]
            if not rows:
                break
            cls._plan_rows(cls._first_rows(activity, rows, now))
            Record.reopen([row[0] for row in rows])


def _seconds(at):
    return to_datetime(at).replace(microsecond=0)


class Update(Wizard):
    __name__ = 'marketing.automation.update'

    start = StateView(
        'marketing.automation.update.start',
        'marketing_automation.update_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Update", 'update', 'tryton-ok', default=True),
            ])
    update = StateTransition()

    def default_start(self, fields):
        changes = self.record.changes()
        return {
            'scenario': self.record.id,
            'changes': [{
                    'activity': activity.id,
                    'change': change,
                    'records': inside,
                    'completed': completed,
                    } for activity, change, inside, completed in changes],
            'completed': False,
            'with_completed': any(c[3] for c in changes),
            }

    def transition_update(self):
        scenario = self.record
        if scenario.state == 'running':
            # What is planned is executed soon
            scenario.__class__.check_ready([scenario])
        scenario.__class__.apply_changes(
            [scenario], completed=self.start.completed)
        return 'end'

    def end(self):
        return 'reload'


class UpdateStart(ModelView):
    __name__ = 'marketing.automation.update.start'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    changes = fields.One2Many(
        'marketing.automation.update.change', None, "Changes", readonly=True)
    completed = fields.Boolean(
        "Completed Records Come Back",
        states={
            'invisible': ~Eval('with_completed', False),
            },
        help="Check to plan new activities also for the records for which "
        "nothing more was to come.")
    with_completed = fields.Boolean("With Completed", readonly=True)


class UpdateChange(ModelView):
    __name__ = 'marketing.automation.update.change'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    change = fields.Selection([
            ('plan', "Plan"),
            ('move', "Move"),
            ('cancel', "Cancel"),
            ], "Change", readonly=True,
        help="What happens to the records: the new activity is planned, what "
        "waits is moved, or what waits is cancelled.")
    records = fields.Integer(
        "Records", readonly=True,
        help="The number of records inside that the change reaches.")
    completed = fields.Integer(
        "Completed", readonly=True,
        help="The number of completed records that it would bring back.")
