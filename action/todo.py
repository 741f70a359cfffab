# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
To-dos: the tasks of users, and the action that creates them.
"""

import datetime as dt
from collections import defaultdict

from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Date, Eval, If
from trytond.transaction import Transaction

from ..common import field_path
from ..common.error import raise_as
from ..exceptions import ActivityError
from ..mixin import TargetReferenceMixin
from ..outcome import Outcome, done, skipped
from ..template import field_text

_RESPONSIBLES = ['res.user', 'company.employee']


class ToDo(Workflow, TargetReferenceMixin, ModelSQL, ModelView):
    "Task of a user for a record of a scenario"
    __name__ = 'marketing.automation.todo'
    _rec_name = 'subject'

    _states = {
        'readonly': Eval('state') != 'todo',
        }

    subject = fields.Char("Subject", required=True, states=_states)
    user = fields.Many2One(
        'res.user', "Responsible", required=True, ondelete='RESTRICT',
        states=_states,
        help="Who has to do it.")
    deadline = fields.Date("Deadline", states=_states)
    note = fields.Text("Note")
    party = fields.Many2One(
        'party.party', "Party", readonly=True, ondelete='CASCADE')
    origin = fields.Reference(
        "Origin", selection='get_models', readonly=True,
        help="The record for which it has to be done.")
    origin_name = fields.Function(
        fields.Char("For"), 'get_origin_name')
    record_activity = fields.Many2One(
        'marketing.automation.record.activity', "Record Activity",
        readonly=True, ondelete='CASCADE')
    scenario_name = fields.Function(
        fields.Char("Scenario"), 'get_scenario_name')
    end_reason = fields.Function(
        fields.Selection(
            'get_end_reasons', "Left because",
            states={
                'invisible': ~Eval('end_reason'),
                },
            help="Why the record has left the scenario meanwhile."),
        'get_end_reason')
    mine = fields.Function(
        fields.Boolean("Mine"), 'get_mine', searcher='search_mine')
    test = fields.Boolean(
        "Test", readonly=True,
        states={
            'invisible': ~Eval('test'),
            },
        help="If checked, it belongs to a test of the scenario.")
    ended_at = fields.DateTime(
        "Ended at", readonly=True,
        states={
            'invisible': Eval('state') == 'todo',
            })
    ended_by = fields.Many2One(
        'res.user', "Ended by", readonly=True, ondelete='RESTRICT',
        states={
            'invisible': Eval('state') == 'todo',
            })
    state = fields.Selection([
            ('todo', "To Do"),
            ('done', "Done"),
            ('cancelled', "Cancelled"),
            ], "State", required=True, readonly=True, sort=False)

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('record_activity_unique', Unique(t, t.record_activity),
                'marketing_automation.msg_todo_record_activity_unique'),
            ]
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.user, Index.Equality(cardinality='normal')),
                    (t.deadline, Index.Range())),
                Index(
                    t, (t.party, Index.Equality(cardinality='high')),
                    where=t.party != Null),
                })
        cls._order = [('deadline', 'ASC NULLS LAST'), ('id', 'ASC')]
        cls._transitions |= {
            ('todo', 'done'),
            ('todo', 'cancelled'),
            ('done', 'todo'),
            ('cancelled', 'todo'),
            }
        open_ = {
            'invisible': Eval('state') != 'todo',
            'depends': ['state'],
            }
        cls._buttons.update({
                'do': open_,
                'cancel': open_,
                'reopen': {
                    'invisible': Eval('state') == 'todo',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_state(cls):
        return 'todo'

    @classmethod
    def default_test(cls):
        return False

    def get_models(self):
        return [(None, "")] + super().get_models()

    @classmethod
    def get_end_reasons(cls):
        Record = Pool().get('marketing.automation.record')
        return Record.fields_get(['end_reason'])['end_reason']['selection']

    # Users see what they may not open

    def get_origin_name(self, name):
        if isinstance(self.origin, ModelSQL) and self.origin.id >= 0:
            return self.origin.rec_name
        return self.party.rec_name if self.party else None

    def get_scenario_name(self, name):
        if self.record_activity:
            return self.record_activity.activity.scenario.rec_name

    def get_end_reason(self, name):
        if self.record_activity:
            return self.record_activity.record.end_reason

    def get_mine(self, name):
        return self.user.id == Transaction().user

    @classmethod
    def search_mine(cls, name, clause):
        _, operator, value = clause
        mine = (operator == '=') == bool(value)
        return [('user', '=' if mine else '!=', Transaction().user)]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(
                    Eval('state') != 'todo', 'muted',
                    If(Eval('deadline', Date(delta_days=1)) < Date(),
                        'danger',
                        If(Eval('end_reason'), 'warning', '')))),
            ]

    @classmethod
    def check_modification(
            cls, mode, todos, values=None, external=False):
        super().check_modification(
            mode, todos, values=values, external=external)
        if external and mode == 'write':
            for name in values:
                if cls._fields[name].readonly:
                    raise AccessError(gettext(
                            'marketing_automation.msg_todo_fact',
                            **cls.__names__(name)))

    # Workflow

    @classmethod
    @ModelView.button
    @Workflow.transition('todo')
    def reopen(cls, todos):
        "Do it again; what followed from its end stays"
        cls.write(todos, {'ended_at': None, 'ended_by': None})

    @classmethod
    @ModelView.button
    @Workflow.transition('done')
    def do(cls, todos):
        cls._end(todos, 'todo_done')

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, todos):
        cls._end(todos, 'todo_cancelled')

    @classmethod
    def _end(cls, todos, event):
        "Let follow what waits for the event"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        now = dt.datetime.now().replace(microsecond=0)
        cls.write(todos, {
                'ended_at': now,
                'ended_by': Transaction().user or None,
                })
        RecordActivity.apply_events([
                (t.record_activity.id, event, now) for t in todos
                if t.record_activity])


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    _states = {
        'invisible': Eval('action') != 'todo',
        }

    todo_subject = fields.Char(
        "Subject", translate=True,
        states={
            **_states,
            'required': Eval('action') == 'todo',
            },
        help="What has to be done.\n"
        "It is a Genshi text template with 'record'.")
    todo_note = fields.Text(
        "Note", translate=True, states=_states,
        help="What the user should know.\n"
        "It is a Genshi text template with 'record'.")
    todo_days = fields.Integer(
        "Deadline (Days)", states=_states,
        domain=['OR',
            ('todo_days', '=', None),
            ('todo_days', '>=', 0),
            ],
        help="The days that the user has. Leave empty for no deadline.")
    todo_user = fields.Many2One(
        'res.user', "Responsible", ondelete='RESTRICT',
        states={
            **_states,
            'required': (
                (Eval('action') == 'todo') & ~Eval('todo_user_path')),
            },
        help="Who has to do it, if the field of the record is empty.")
    todo_user_path = fields.Char(
        "Field of the Responsible", states=_states,
        help="The field of the record with the user or the employee who has "
        "to do it, or the path to it like \"party.salesperson\".")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('todo', "To-Do"))

    @classmethod
    def _parent_action_events(cls):
        events = super()._parent_action_events()
        events.setdefault('todo', []).extend(['todo_done', 'todo_cancelled'])
        return events

    @classmethod
    def _event_names(cls):
        return {
            **super()._event_names(),
            'todo_done': (
                gettext('marketing_automation.msg_todo_done'),
                gettext('marketing_automation.msg_todo_done_not')),
            'todo_cancelled': (
                gettext('marketing_automation.msg_todo_cancelled'), None),
            }

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        field_text.check(
            activities, ['todo_subject', 'todo_note'], field_names)
        cls.check_todo_user_path(activities, field_names)

    @classmethod
    def check_todo_user_path(cls, activities, field_names=None):
        "Ensure that the path leads to a user or an employee"
        if field_names and 'todo_user_path' not in field_names:
            return
        for activity in activities:
            if activity.todo_user_path:
                activity.check_path('todo_user_path', _RESPONSIBLES)

    def check_path(self, name, targets):
        "Ensure that the field (name) has a path to one of the models"
        path = getattr(self, name)
        with raise_as(
                ActivityError, 'msg_activity_path',
                activity=self.rec_name, path=path, **self.__names__(name)):
            field_path.check(Pool().get(self.root.model), path, targets)

    def execute_todo(self, record_activities):
        """
        Return a dictionary of the outcome for each record activity, after the
        creation of its to-do unless it has one.
        """
        ToDo = Pool().get('marketing.automation.todo')
        existing = {
            t.record_activity.id for t in ToDo.search([
                    ('record_activity', 'in', [
                            r.id for r in record_activities]),
                    ], order=[])}
        outcomes = {id_: done() for id_ in existing}
        users = self._todo_users(
            [r.record.record for r in record_activities])
        by_language = defaultdict(list)
        for record_activity in record_activities:
            if record_activity.id in existing:
                continue
            user = users[record_activity.record.record.id]
            if not user:
                outcomes[record_activity.id] = skipped('no_responsible')
                continue
            language = user.language.code if user.language else None
            by_language[language].append((record_activity, user))
        todos = []
        for language, group in by_language.items():
            for id_, result in self._todos(language, group):
                if isinstance(result, Outcome):
                    outcomes[id_] = result
                else:
                    outcomes[id_] = done()
                    todos.append(result)
        ToDo.create(todos)
        return outcomes

    def _todos(self, language, group):
        """
        Yield the id and the values of the to-do, or why there is none, of
        each record activity and user of the group.
        """
        deadline = None
        if self.todo_days is not None:
            deadline = dt.date.today() + dt.timedelta(days=self.todo_days)
        with field_text.in_language(self, language, [r for r, _ in group]) as (
                activity, targets, readers):
            for (record_activity, user), target in zip(group, targets):
                texts = field_text.words(
                    activity, ['todo_subject', 'todo_note'], target,
                    readers.access(target))
                if isinstance(texts, Outcome):
                    yield record_activity.id, texts
                    continue
                party = target.marketing_party
                yield record_activity.id, {
                    'subject': (
                        ' '.join(texts['todo_subject'].split())
                        or activity.rec_name),
                    'note': texts['todo_note'],
                    'user': user.id,
                    'deadline': deadline,
                    'origin': str(target),
                    'party': party.id if party else None,
                    'record_activity': record_activity.id,
                    'test': record_activity.test,
                    }

    def _todo_users(self, targets):
        "Return a dictionary of the user, or None, of each target"
        found = dict.fromkeys(t.id for t in targets)
        if self.todo_user_path:
            found = field_path.follow(targets, self.todo_user_path)
        users = self._employee_users({
                e.id for e in found.values()
                if e and e.__name__ == 'company.employee'})
        fallback = self.todo_user
        result = {}
        for id_, value in found.items():
            if value and value.__name__ == 'company.employee':
                value = users.get(value.id)
            if not value or not value.active:
                value = fallback
            result[id_] = value if value and value.active else None
        return result

    @classmethod
    def _employee_users(cls, employees):
        "Return a dictionary of the user of each of the employees (ids)"
        User = Pool().get('res.user')
        users = {}
        if employees:
            ids = sorted(employees)
            for user in User.search(
                    [('employees', 'in', ids)], order=[('id', 'ASC')]):
                for employee in user.employees:
                    # Who acts as the employee comes first
                    if (employee.id not in users
                            or user.employee == employee
                            and users[employee.id].employee != employee):
                        users[employee.id] = user
        return users


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    _states = {
        'invisible': Eval('activity_action') != 'todo',
        }
    todo_done = fields.Boolean("To-Do Done", readonly=True, states=_states)
    todo_done_at = fields.DateTime(
        "To-Do Done at", readonly=True, states=_states)
    todo_cancelled = fields.Boolean(
        "To-Do Cancelled", readonly=True, states=_states)
    todo_cancelled_at = fields.DateTime(
        "To-Do Cancelled at", readonly=True, states=_states)
    del _states

    @classmethod
    def _retryable_reasons(cls):
        return super()._retryable_reasons() | {'no_responsible'}


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('marketing.automation.todo', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        ToDo = Pool().get('marketing.automation.todo')
        return super().to_erase(party_id) + [
            # The texts tell about the party
            (ToDo, [('party', '=', party_id)], True,
                ['subject', 'note', 'origin'], ['****', None, None]),
            ]
