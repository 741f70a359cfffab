# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Tree of a scenario as one ordered list.

The sequence of an activity is its place in that list, each activity before
those which follow it.  To change a sequence changes the order among the
siblings; the places of the others are counted again.
"""

from collections import Counter, defaultdict
from contextlib import nullcontext

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, inactive_records
from trytond.wizard import StateTransition, Wizard

from ..common.orm import clear_cache
from ..common.sql import SLICE

_SCENARIO = 'marketing.automation.scenario'
# Clients collapse spaces but not these
_INDENT = '\u2003'
_ARROW = '\u21b3\u2002'


class ScenarioTree:
    "Activities of a scenario in the order of the tree"
    __slots__ = ()

    steps = fields.Function(
        fields.One2Many(
            'marketing.automation.activity', 'scenario', "Activities",
            context={
                'marketing_automation_scenario': Eval('id', -1),
                },
            help="All activities, each above those which follow it.\n"
            "Drag an activity to change the order among those with the same "
            "parent."),
        'get_steps', setter='set_steps')

    def walk(self, inactive=False):
        """
        Return the activities of the tree, each before those that follow it.

        :param inactive: whether also the deactivated activities, and what
            follows them, are returned.
        """
        Activity = Pool().get('marketing.automation.activity')
        children = defaultdict(list)
        with inactive_records() if inactive else nullcontext():
            for activity in Activity.search([('scenario', '=', self.id)]):
                children[str(activity.parent)].append(activity)
        ids, left = [], children[str(self)][::-1]
        while left:
            activity = left.pop()
            ids.append(activity.id)
            left += children[str(activity)][::-1]
        return Activity.browse(ids)

    @classmethod
    def get_steps(cls, scenarios, name):
        Activity = Pool().get('marketing.automation.activity')
        steps = {s.id: [] for s in scenarios}
        # A deactivated activity may have others below
        with inactive_records():
            for sub_scenarios in grouped_slice(scenarios, SLICE):
                for activity in Activity.search([
                            ('scenario', 'in', [s.id for s in sub_scenarios]),
                            ]):
                    steps[activity.scenario.id].append(activity.id)
        return steps

    @classmethod
    def set_steps(cls, scenarios, name, value):
        # An activity belongs to its scenario by its parent
        value = [v for v in value if v[0] not in {'add', 'remove'}]
        with inactive_records():
            cls._fields[name]._field.set(
                cls, name, [s.id for s in scenarios], value)


class ActivityTree:
    "Place of an activity in the tree"
    __slots__ = ()

    sequence = fields.Integer(
        "Sequence",
        help="The place in the list of all activities of the scenario.")
    path = fields.Function(
        fields.Char(
            "Path",
            help="The place of the activity among its siblings and those of "
            "its parents."),
        'get_outline')
    outline = fields.Function(
        # The indentation is at the beginning
        fields.Char("Activity", strip=False), 'get_outline',
        searcher='search_outline')
    icon = fields.Function(fields.Char("Icon"), 'on_change_with_icon')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('sequence', 'ASC NULLS LAST'), ('id', 'ASC')]
        cls._buttons.update({
                'add_child': {
                    'readonly': ~Eval('id') | (Eval('id', -1) < 0),
                    'depends': ['id'],
                    },
                'add_sibling': {
                    'readonly': ~Eval('id') | (Eval('id', -1) < 0),
                    'depends': ['id'],
                    },
                })

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        with_sequence = table_h.column_exist('sequence')
        super().__register__(module)
        # Migration from the module of the Tryton project: without order
        if not with_sequence:
            cls._sequence_by_name()

    @classmethod
    def _sequence_by_name(cls):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.id, order_by=[table.name.asc, table.id.asc]))
        cls._set_sequences(
            [[id_, i] for i, (id_,) in enumerate(cursor.fetchall(), 1)])
        cursor.execute(*table.select(table.scenario, group_by=table.scenario))
        cls.arrange({s for s, in cursor.fetchall()} - {None})

    @classmethod
    def default_parent(cls):
        scenario = Transaction().context.get('marketing_automation_scenario')
        if scenario is not None:
            return f'{_SCENARIO},{scenario}'

    @classmethod
    def view_attributes(cls):
        attributes = super().view_attributes()
        return attributes + [
            ('/tree/field[@name="failed_count"]', 'visual',
                If(Eval('failed_count', 0) > 0, 'warning', '')),
            ]

    # Place

    @classmethod
    def get_outline(cls, activities, names):
        result = {n: {} for n in names}
        places = cls._places({a.scenario.id for a in activities if a.scenario})
        for activity in activities:
            place = places.get(activity.id, ())
            if 'path' in names:
                result['path'][activity.id] = '.'.join(map(str, place))
            if 'outline' in names:
                depth = len(place) - 1
                result['outline'][activity.id] = (
                    (_INDENT * 2 * (depth - 1) + _ARROW if depth > 0 else '')
                    + (activity.name or ''))
        return result

    @classmethod
    def search_outline(cls, name, clause):
        return [('name', *clause[1:])]

    @classmethod
    def _places(cls, scenarios):
        """
        Return a dictionary by activity (id) of its rank among its siblings,
        after the ranks of its parents.
        """
        places = {}
        ranks = Counter()
        for id_, parent, _, _ in cls._tree(scenarios):
            model, _, parent_id = parent.partition(',')
            ranks[parent] += 1
            above = places[int(parent_id)] if model != _SCENARIO else ()
            places[id_] = (*above, ranks[parent])
        return places

    @classmethod
    def _action_icons(cls):
        "Return a dictionary of the icon of each action"
        return {
            'send_email': 'tryton-email',
            'send_sms': 'tryton-chat',
            'email_colleague': 'tryton-send',
            'todo': 'tryton-ok',
            'webhook': 'tryton-public',
            'enter_scenario': 'tryton-forward',
            'leave_scenario': 'tryton-exit',
            'block': 'tryton-cancel',
            None: 'tryton-history',
            }

    @fields.depends('action')
    def on_change_with_icon(self, name=None):
        return self._action_icons().get(self.action, 'tryton-launch')

    # Arrange

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create':
            # The client does not know yet the id of a new scenario
            parent = values.get('parent')
            if values.get('scenario') and (
                    not parent or str(parent).startswith(f'{_SCENARIO},-')):
                values['parent'] = f'{_SCENARIO},{values["scenario"]}'
        return values

    @classmethod
    def on_modification(cls, mode, activities, field_names=None):
        super().on_modification(mode, activities, field_names=field_names)
        if mode == 'create' or (
                mode == 'write' and field_names & {'parent', 'sequence'}):
            cls.arrange({a.scenario.id for a in activities if a.scenario})

    @classmethod
    def arrange(cls, scenarios):
        "Count again the places of the activities of the scenarios (ids)"
        counts, moved = Counter(), []
        for id_, _, sequence, scenario in cls._tree(scenarios):
            counts[scenario] += 1
            if sequence != counts[scenario]:
                moved.append([id_, counts[scenario]])
        if moved:
            cls._set_sequences(moved)
            clear_cache(cls)

    @classmethod
    def _tree(cls, scenarios):
        """
        Yield the id, the parent, the sequence and the scenario of the
        activities of the scenarios (ids), each before its children.
        """
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        children = defaultdict(list)
        for sub_ids in grouped_slice(sorted(scenarios), SLICE):
            cursor.execute(*table.select(
                    table.id, table.parent, table.sequence, table.scenario,
                    where=fields.SQL_OPERATORS['in'](
                        table.scenario, list(sub_ids))))
            for row in cursor.fetchall():
                children[row[1]].append(row)
        for rows in children.values():
            # A new activity comes last
            rows.sort(key=lambda r: (r[2] is None, r[2], r[0]), reverse=True)
        for scenario in sorted(scenarios):
            left = children.pop(f'{_SCENARIO},{scenario}', [])
            while left:
                row = left.pop()
                yield row
                left += children.pop(f'{cls.__name__},{row[0]}', [])

    @classmethod
    def _set_sequences(cls, rows):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        for id_, sequence in rows:
            cursor.execute(*table.update(
                    [table.sequence], [sequence], where=table.id == id_))

    # Add

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_activity_add_child')
    def add_child(cls, activities):
        pass

    @classmethod
    @ModelView.button_action(
        'marketing_automation.wizard_activity_add_sibling')
    def add_sibling(cls, activities):
        pass

    @classmethod
    def add_children(cls, activities):
        "Create an activity that follows each of the activities"
        cls._add([
                {'parent': str(a), 'scenario': a.scenario}
                for a in activities])

    @classmethod
    def add_siblings(cls, activities):
        "Create an activity after each of the activities"
        # A new one of the same sequence comes after
        cls._add([{
                    'parent': str(a.parent), 'scenario': a.scenario,
                    'sequence': a.sequence,
                    } for a in activities])

    @classmethod
    def _add(cls, places):
        """
        Create activities to be completed.

        Those of a running scenario are deactivated so that nothing is planned
        meanwhile.
        """
        cls.create([{
                    'name': gettext('marketing_automation.msg_activity_new'),
                    'parent': place['parent'],
                    'sequence': place.get('sequence'),
                    'active': place['scenario'].state != 'running',
                    } for place in places])


class AddChild(Wizard):
    """
    Wizard that adds an activity below another one.

    At the end of a wizard, clients read again also the form around a list.
    """
    __name__ = 'marketing.automation.activity.add_child'

    start_state = 'add'
    add = StateTransition()

    def transition_add(self):
        self.model.add_children(self.records)
        return 'end'


class AddSibling(Wizard):
    "Wizard that adds an activity after another one"
    __name__ = 'marketing.automation.activity.add_sibling'

    start_state = 'add'
    add = StateTransition()

    def transition_add(self):
        self.model.add_siblings(self.records)
        return 'end'
