# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Sending window: the days and hours at which messages may be sent.
"""

import datetime as dt
from typing import Any, NamedTuple, Optional

from sql import Literal

import trytond.config as config
from trytond.cache import Cache
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import timezone
from trytond.transaction import inactive_records, without_check_access

from ..exceptions import WindowError
from ..outcome import until

_DAYS = [
    ('0', "Monday"),
    ('1', "Tuesday"),
    ('2', "Wednesday"),
    ('3', "Thursday"),
    ('4', "Friday"),
    ('5', "Saturday"),
    ('6', "Sunday"),
    ]
_FIELDS = {'window_days', 'window_start', 'window_end'}


class Window(NamedTuple):
    """
    Days (0 is Monday), all if empty, and hours at which something may happen
    in a time zone.

    The times given and returned are UTC without time zone, as those of the
    database.
    """
    days: frozenset
    start: Optional[dt.time]
    end: Optional[dt.time]
    zone: Any

    def opening(self, at):
        "Return the time itself, or when the window opens next"
        day = self.local(at).date()
        # Each day of a week, and once more the first if it is over today or
        # is the one on which the clocks change
        for _ in range(15):
            if not self.days or day.weekday() in self.days:
                opens = self.utc(day, self.start or dt.time())
                closes = (
                    self.utc(day, self.end) if self.end
                    else self.utc(day + dt.timedelta(days=1), dt.time()))
                if opens < closes and at < closes:
                    return max(at, opens)
            day += dt.timedelta(days=1)
        return at

    def local(self, at):
        return at.replace(tzinfo=timezone.UTC).astimezone(self.zone)

    def utc(self, day, time):
        return dt.datetime.combine(day, time, self.zone).astimezone(
            timezone.UTC).replace(tzinfo=None)


class WindowMixin:
    "Fields of the days and the hours"
    __slots__ = ()

    window_days = fields.MultiSelection(
        _DAYS, "Days", sort=False,
        help="The days on which messages are sent.\n"
        "Leave empty to send on all days.")
    window_start = fields.Time(
        "From", format='%H:%M',
        help="The time of the day from which messages are sent.")
    window_end = fields.Time(
        "To", format='%H:%M',
        help="The time of the day until which messages are sent.")

    @classmethod
    def validate_fields(cls, records, field_names):
        super().validate_fields(records, field_names)
        cls.check_window(records, field_names)

    @classmethod
    def check_window(cls, records, field_names=None):
        "Ensure that the window opens before it closes"
        if field_names and not (field_names & _FIELDS):
            return
        for record in records:
            if (record.window_end is not None
                    and (record.window_start or dt.time())
                    >= record.window_end):
                raise WindowError(gettext(
                        'marketing_automation.msg_window_order',
                        record=record.rec_name))

    def window_in(self, zone):
        "Return the window in the time zone, None if it is always open"
        if self.window_days or self.window_start or self.window_end:
            return Window(
                frozenset(map(int, self.window_days or [])),
                self.window_start, self.window_end, zone)


class ScenarioSendingWindow(WindowMixin):
    "Sending window and time zone of a scenario"
    __slots__ = ()

    timezone = fields.Selection(
        'get_timezones', "Time Zone", translate=False,
        help="The time zone of the days and hours.\n"
        "Leave empty for the one of the company.")
    _zone_cache = Cache(
        'marketing.automation.scenario.timezone', context=False)

    @classmethod
    def get_timezones(cls):
        return [(None, "")] + [
            (z, z) for z in sorted(timezone.available_timezones())]

    @property
    def zone(self):
        "The time zone in which the days begin"
        if self.timezone:
            return timezone.get_tzinfo(self.timezone)
        name = self._zone_cache.get('zone', -1)
        if name == -1:
            name = self._default_timezone()
            self._zone_cache.set('zone', name)
        name = name or config.get('marketing', 'timezone', default='')
        return timezone.get_tzinfo(name) if name else timezone.SERVER

    @classmethod
    def _default_timezone(cls):
        "Return the name of the time zone that all companies have, or None"
        try:
            Company = Pool().get('company.company')
        except KeyError:
            return
        with without_check_access(), inactive_records():
            names = {c.timezone for c in Company.search([])} - {None}
        if len(names) == 1:
            return names.pop()


class ActivitySendingWindow(WindowMixin):
    "Sending window of an activity: its own or that of its scenario"
    __slots__ = ()

    window = fields.Selection([
            ('scenario', "As the Scenario"),
            ('own', "Own Times"),
            ('always', "At any Time"),
            ], "Sending Times", sort=False,
        help="When messages are sent: what is due at another time waits.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        other = ~Eval('action').in_(sorted(cls._window_actions()))
        cls.window.states = {'invisible': other}
        for name in _FIELDS:
            getattr(cls, name).states = {
                'invisible': other | (Eval('window') != 'own'),
                }

    @classmethod
    def default_window(cls):
        return 'scenario'

    @classmethod
    def _window_actions(cls):
        "Return the set of the actions which wait for the sending times"
        return {'send_email', 'send_sms'}

    @property
    def send_window(self):
        "The window in which the activity may be executed, None if always"
        if (self.action not in self._window_actions()
                or self.window == 'always'):
            return
        owner = self if self.window == 'own' else self.scenario
        return owner.window_in(self.scenario.zone)

    def planned_at(self, at):
        at = super().planned_at(at)
        if at and (window := self.send_window):
            at = window.opening(at)
        return at


class RecordActivitySendingWindow:
    "Gate of the sending window"
    __slots__ = ()

    @classmethod
    def _pass_window(cls, activity, table, record):
        return (Literal(True), []) if not activity.send_window else None

    @classmethod
    def _gate_window(cls, activity, record_activities):
        "It is one of the days and hours at which it may be sent"
        if not (window := activity.send_window):
            return {}
        now = dt.datetime.now()
        opening = window.opening(now)
        if opening <= now:
            return {}
        # Tests do not wait
        return {
            r.id: until(opening, 'window') for r in record_activities
            if not r.test}

    @classmethod
    def still_sending(cls, number):
        ids = super().still_sending(number)
        if not ids:
            return ids
        with inactive_records():
            record_activities = cls.browse(sorted(ids))
        # A claim is of one activity
        activity = cls(min(ids)).activity
        return ids - cls._gate_window(activity, record_activities).keys()


class Company(metaclass=PoolMeta):
    __name__ = 'company.company'

    @classmethod
    def on_modification(cls, mode, companies, field_names=None):
        super().on_modification(mode, companies, field_names=field_names)
        Scenario = Pool().get('marketing.automation.scenario')
        Scenario._zone_cache.clear()
