# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Activity: one step of a scenario.
"""

import datetime as dt
import json
from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import PYSON, Eval, If, PYSONDecoder
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)

from ..common.access import Access
from ..common.error import raise_as
from ..common.sql import SLICE
from ..exceptions import ActivityError, ConditionError, DelayError, ParentError
from ..template.view import PYSONEnvironment
from .condition import domains, evaluate, self_names
from .diagram import ActivityDiagram
from .event import ActivityEvent
from .filter import ActivityFilter
from .sentence import ActivitySentence
from .tree import ActivityTree


class ActivityDefinition:
    "Name, parent, delay, condition and action of an activity"
    __slots__ = ()

    name = fields.Char("Name", translate=True, required=True)
    parent = fields.Reference(
        "Parent", [
            ('marketing.automation.scenario', "Scenario"),
            ('marketing.automation.activity', "Activity"),
            ],
        required=True,
        help="What comes before the activity.")
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True,
        ondelete='CASCADE')
    children = fields.One2Many(
        'marketing.automation.activity', 'parent', "Children",
        help="The activities that follow.")
    parent_action = fields.Function(
        fields.Selection('get_parent_actions', "Parent Action"),
        'get_parent_values')

    condition = fields.Char(
        "Condition",
        help="The PYSON statement that the record must match when the "
        'activity is executed.\nThe record is represented by "self".')
    delay = fields.TimeDelta(
        "Delay",
        states={
            'required': Eval('negative', False),
            },
        help="The time to wait before the execution after the parent or its "
        "event.")
    action = fields.Selection([
            (None, ""),
            ], "Action",
        help="What is done. An activity without action waits or branches.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.parent, Index.Equality())))
        cls._order = [('name', 'ASC'), ('id', 'ASC')]

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        with_scenario = table_h.column_exist('scenario')
        super().__register__(module)
        # Migration from the module of the Tryton project: the scenario was
        # only reached through the parents
        if not with_scenario:
            cls._fill_scenario()

    @classmethod
    def _fill_scenario(cls):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(table.id, table.parent))
        children = defaultdict(list)
        for id_, parent in cursor.fetchall():
            children[parent].append(id_)
        roots = [p for p in children
            if p.startswith('marketing.automation.scenario,')]
        for root in roots:
            scenario = int(root.partition(',')[2])
            ids, parents = [], [root]
            while parents:
                for id_ in children.pop(parents.pop(), []):
                    ids.append(id_)
                    parents.append(f'{cls.__name__},{id_}')
            for sub_ids in grouped_slice(ids, SLICE):
                cursor.execute(*table.update(
                        [table.scenario], [scenario],
                        where=fields.SQL_OPERATORS['in'](
                            table.id, list(sub_ids))))

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(~Eval('active', True), 'muted', '')),
            ]

    # The parent

    @classmethod
    def get_parent_actions(cls):
        return cls.fields_get(['action'])['action']['selection']

    @fields.depends('parent')
    def on_change_with_parent_action(self):
        if isinstance(self.parent, self.__class__):
            # A parent that is not yet saved is unknown here
            return getattr(self.parent, 'action', None)

    @classmethod
    def _recipient_actions(cls):
        "Return the set of the actions that speak to the recipient"
        return set()

    def survives(self, reason):
        """
        Return if the activity is executed also for records that ended for the
        reason.

        It must not if its action speaks to the recipient.
        """
        return False

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_parent(activities, field_names)
        cls.check_delay(activities, field_names)
        cls.check_condition(activities, field_names)

    @classmethod
    def check_parent(cls, activities, field_names=None):
        "Ensure that each activity ends up in a scenario"
        if field_names and 'parent' not in field_names:
            return
        for activity in activities:
            if not activity.root:
                raise ParentError(gettext(
                        'marketing_automation.msg_activity_no_scenario',
                        activity=activity.rec_name))

    @classmethod
    def check_delay(cls, activities, field_names=None):
        "Ensure that the delay goes forward"
        if field_names and 'delay' not in field_names:
            return
        for activity in activities:
            if activity.delay and activity.delay < dt.timedelta():
                raise DelayError(gettext(
                        'marketing_automation.msg_activity_delay_negative',
                        activity=activity.rec_name))

    @classmethod
    def check_condition(cls, activities, field_names=None):
        """
        Ensure that the condition can be evaluated by who saves it.

        It is tried on a record of the model, if there is any.
        """
        if field_names and not (field_names & {'condition', 'parent'}):
            return
        for activity in activities:
            if not activity.condition:
                continue
            with raise_as(
                    ConditionError, 'msg_activity_condition_invalid',
                    activity=activity.rec_name, condition=activity.condition):
                activity._check_condition()

    def _check_condition(self):
        pool = Pool()
        Model = pool.get(self.root.model)
        ModelAccess = pool.get('ir.model.access')
        statement = PYSONDecoder(noeval=True).decode(self.condition)
        if not isinstance(statement, (PYSON, bool)):
            raise ValueError(gettext(
                    'marketing_automation.msg_condition_no_statement'))
        for name in self_names(json.loads(self.condition)):
            name = name.removeprefix('_parent_')
            if name not in Model._fields and not hasattr(Model, name):
                raise ValueError(gettext(
                        'marketing_automation.msg_field_unknown',
                        field=name, **Model.__names__()))
        with check_access():
            ModelAccess.check(Model.__name__, 'read')
            access = Access.user()
            for record in Model.search([], limit=1, order=[]):
                self.evaluate_condition(record, access)

    def evaluate_condition(self, record, access):
        "Return if the record fulfills the condition"
        if not self.condition:
            return True
        return bool(evaluate(self.condition, {
                    'self': PYSONEnvironment(record, access),
                    'context': dict(Transaction().context),
                    }))

    def condition_domains(self):
        """
        Return the domain of the targets that fulfill the condition and the
        one of those that do not, as the virtual reader sees them.

        It returns None if the condition has to be evaluated for each.
        """
        Target = Pool().get(self.scenario.model)
        found = domains(self.condition, Target)
        if found and Target.marketing_reads_all(
                set(self_names(json.loads(self.condition)))):
            return found

    @property
    def root(self):
        "The scenario, also before it is stored, None if there is none"
        visited = set()
        parent = self
        while isinstance(parent, self.__class__):
            if parent.id in visited:
                return None
            visited.add(parent.id)
            parent = parent.parent
        if parent is not None and (parent.id or -1) >= 0:
            return parent

    def check_ready(self):
        "Raise an error if the activity can not be executed"
        if self.action and not hasattr(self, f'execute_{self.action}'):
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_action_unknown',
                    activity=self.rec_name,
                    action=self.action))

    # Modification

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or 'parent' in field_names:
            scenario = self.root
            if getattr(self, 'scenario', None) != scenario:
                values['scenario'] = scenario.id if scenario else None
        return values

    @classmethod
    def on_modification(cls, mode, activities, field_names=None):
        super().on_modification(mode, activities, field_names=field_names)
        if mode == 'write' and 'parent' in field_names:
            # The descendants follow into the scenario of the parent
            with without_check_access(), inactive_records():
                children = cls.search([
                        ('parent', 'in', [str(a) for a in activities]),
                        ])
                for activity in activities:
                    moved = [
                        c for c in children
                        if c.parent == activity
                        and c.scenario != activity.scenario]
                    if moved:
                        cls.write(moved, {'parent': str(activity)})

    @classmethod
    def check_modification(
            cls, mode, activities, values=None, external=False):
        super().check_modification(
            mode, activities, values=values, external=external)
        if mode == 'delete':
            for activity in cls._with_records(activities):
                raise AccessError(gettext(
                        'marketing_automation.msg_activity_delete_history',
                        activity=activity.rec_name))
        elif mode == 'write' and 'parent' in values:
            cls._check_move(activities, values['parent'])

    @classmethod
    def _check_move(cls, activities, parent):
        "Ensure that the parent of the activities may change"
        scenario = cls(parent=parent).root
        for activity in activities:
            if str(activity.parent) == str(parent) or not activity.scenario:
                continue
            if activity.scenario.state == 'running':
                raise AccessError(gettext(
                        'marketing_automation.msg_activity_modify_parent',
                        activity=activity.rec_name,
                        scenario=activity.scenario.rec_name))
            if (activity.scenario != scenario
                    and cls._with_records([activity])):
                raise AccessError(gettext(
                        'marketing_automation.msg_activity_modify_scenario',
                        activity=activity.rec_name))

    @classmethod
    @without_check_access
    def _with_records(cls, activities):
        "Return those of the activities which have been planned for a record"
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        return [
            a for a in activities
            if RecordActivity.search([
                    ('activity', '=', a.id),
                    ('test', '=', False),
                    ], limit=1, order=[])]

    @classmethod
    def copy(cls, activities, default=None):
        # The tree has also what is below a deactivated activity
        with inactive_records():
            return super().copy(activities, default=default)

    @classmethod
    def on_delete(cls, activities):
        callback = super().on_delete(activities)
        with inactive_records(), without_check_access():
            deleted = set(map(int, activities))
            children = [
                c for c in cls.search([
                        ('parent', 'in', [str(a) for a in activities]),
                        ])
                if c.id not in deleted]
            if children:
                cls.delete(children)
        return callback

    # Plan

    @property
    def active_children(self):
        "The children that are planned when it is done"
        return list(self.__class__.search([('parent', '=', str(self))]))

    @property
    def opposites(self):
        "The siblings that exclude the activity"
        if not self.event:
            return []
        return list(self.__class__.search([
                    ('parent', '=', str(self.parent)),
                    ('event', '=', self.event),
                    ('negative', '=', not self.negative),
                    ]))

    def planned_at(self, at):
        "Return when it is due if its delay starts at the time, None if never"
        if at is None:
            return None
        return (at + (self.delay or dt.timedelta())).replace(microsecond=0)


class Activity(
        ActivityDiagram, ActivitySentence, ActivityTree, ActivityFilter,
        ActivityEvent, ActivityDefinition,
        DeactivableMixin, ModelSQL, ModelView):
    """
    Activity of a scenario: its action, its delay, and its parent.

    A slice is asked before those to its right and mostly calls them first: the
    definition is validated before the event and the filter, and the tree has
    the last word about the order.
    """
    __name__ = 'marketing.automation.activity'
