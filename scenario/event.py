# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Event of its parent for which an activity waits.
"""

from sql.operators import Concat

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, inactive_records

from ..common.sql import SLICE
from ..exceptions import ActivityError


class ActivityEvent:
    "Fields and checks of the event of an activity"
    __slots__ = ()

    event = fields.Selection('get_events', "Event")
    negative = fields.Boolean("Negative")
    on = fields.Function(
        fields.Selection(
            'get_on', "On",
            states={
                'invisible': ~Eval('parent_action'),
                },
            help="The event of the parent that triggers the activity.\n"
            "Leave empty to follow the execution of the parent."),
        'get_parent_values', setter='set_on')

    @classmethod
    def default_negative(cls):
        return False

    @classmethod
    def get_parent_values(cls, activities, names):
        # Instances would read all of the activities and of their parents
        cursor = Transaction().connection.cursor()
        table, parent = cls.__table__(), cls.__table__()
        actions, ons = {}, {}
        for sub_activities in grouped_slice(activities, SLICE):
            cursor.execute(*table.join(
                    parent, 'LEFT', condition=table.parent == Concat(
                        f'{cls.__name__},', parent.id)).select(
                    table.id, parent.action, table.event, table.negative,
                    where=fields.SQL_OPERATORS['in'](
                        table.id, [a.id for a in sub_activities])))
            for id_, action, event, negative in cursor:
                actions[id_], ons[id_] = action, cls._join_on(event, negative)
        values = {'parent_action': actions, 'on': ons}
        return {n: values[n] for n in names}

    @classmethod
    def _parent_action_events(cls):
        """
        Return a dictionary of the list of events (values of the field event)
        by action.

        Each event has a boolean of the same name, and its time with the
        suffix `_at`, on the record activity.  A module that adds an action or
        an event extends it.
        """
        return {}

    @classmethod
    def _event_names(cls):
        """
        Return a dictionary of the name and the negative name of each event.

        The negative name is None if nothing can wait for that it does not
        happen.
        """
        return {}

    def waits_for(self, event, subject=None):
        """
        Return if the activity waits for the event, or for its absence.

        :param subject: what the event is about, for an event that is about
            something (see `RecordActivity.apply_events`).
        """
        return bool(event) and self.event == event

    @classmethod
    def get_events(cls):
        return [(None, "")] + [
            (event, name) for event, (name, _) in cls._event_names().items()]

    @fields.depends('parent_action', 'event', 'negative')
    def get_on(self):
        names = self._event_names()
        events = self._parent_action_events().get(self.parent_action, [])
        if self.event and self.event not in events:
            events = [*events, self.event]
        selection = [(None, "")]
        for event in events:
            name, negative_name = names[event]
            selection.append((event, name))
            if negative_name:
                selection.append((event + '_not', negative_name))
        return selection

    @fields.depends('event', 'negative')
    def on_change_with_on(self):
        return self._join_on(self.event, self.negative)

    @fields.depends('on', 'event', 'negative')
    def on_change_on(self):
        self.event, self.negative = self._split_on(self.on)

    @classmethod
    def set_on(cls, activities, name, value):
        event, negative = cls._split_on(value)
        cls.write(activities, {'event': event, 'negative': negative})

    @staticmethod
    def _join_on(event, negative):
        if event:
            return event + ('_not' if negative else '')

    @classmethod
    def _split_on(cls, on):
        if on and on.endswith('_not'):
            return on[:-len('_not')], True
        return on or None, False

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_event(activities, field_names)

    @classmethod
    def check_event(cls, activities, field_names=None):
        "Ensure that the parent can produce the event"
        if field_names and not (
                field_names
                & {'parent', 'event', 'negative', 'action', 'active'}):
            return
        events = cls._parent_action_events()
        names = cls._event_names()
        if field_names and 'action' in field_names:
            with inactive_records():
                activities = {*activities, *cls.search([
                            ('parent', 'in', [str(a) for a in activities]),
                            ])}
        for activity in activities:
            if (activity.event
                    and activity.event not in events.get(
                        activity.parent_action, [])):
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_event',
                        activity=activity.rec_name,
                        event=names[activity.event][0],
                        parent=activity.parent.rec_name))
            if (activity.event and activity.negative
                    and not names[activity.event][1]):
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_event_negative',
                        activity=activity.rec_name,
                        event=names[activity.event][0]))
