# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Dates of the record at which activities are planned instead of after their
parent.

A record activity knows the value of the date at which it was planned, so it
moves when that has changed and only then.
"""

import datetime as dt
from itertools import count

from dateutil.relativedelta import relativedelta
from sql import Cast, Literal
from sql.conditionals import Coalesce

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import timezone
from trytond.transaction import Transaction, check_access

from ..common.domain import check_fields
from ..common.orm import clear_cache
from ..common.sql import SLICE, in_keys, values_table
from ..exceptions import DateError

_TYPES = {'date', 'datetime', 'timestamp'}


class ActivityRecordDate:
    "Date of the record from which the delay of an activity counts"
    __slots__ = ()

    _states = {
        'invisible': ~Eval('date_field'),
        }

    date_field = fields.Selection(
        'get_date_fields', "Date of the Record",
        help="The field of the record from which the delay counts instead of "
        "from the parent.")
    date_direction = fields.Selection([
            ('after', "After"),
            ('before', "Before"),
            ], "Direction", sort=False, states=_states,
        help="Whether the delay is before or after the date.")
    date_yearly = fields.Boolean(
        "Anniversary", states=_states,
        help="Check to use the next anniversary of the date.")

    del _states

    @classmethod
    def default_date_direction(cls):
        return 'after'

    @classmethod
    def default_date_yearly(cls):
        return False

    @fields.depends('parent', 'date_field')
    def get_date_fields(self):
        selection = [(None, "")]
        if scenario := self.root:
            Target = Pool().get(scenario.model)
            names = [n for n in Target._fields if _is_date(Target, n)]
            definitions = Target.fields_get(names)
            selection += sorted((
                    (n, definitions[n]['string'])
                    for n in names if n in definitions),
                key=lambda item: item[1])
        if self.date_field and self.date_field not in dict(selection):
            selection.append((self.date_field, self.date_field))
        return selection

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_date(activities, field_names)

    @classmethod
    def check_date(cls, activities, field_names=None):
        "Ensure that the date can be read and is not mixed with an event"
        if field_names and not (
                field_names & {'date_field', 'event', 'parent'}):
            return
        for activity in activities:
            if not activity.date_field:
                continue
            if activity.event:
                raise DateError(gettext(
                        'marketing_automation.msg_activity_date_event',
                        activity=activity.rec_name))
            activity._check_date()

    def _check_date(self):
        Target = Pool().get(self.root.model)
        name = self.date_field
        domain = [(name, '=', None)]
        if name in Target._fields and not _is_date(Target, name):
            raise DateError(gettext(
                    'marketing_automation.msg_activity_date_type',
                    activity=self.rec_name, **Target.__names__(name)))
        try:
            with check_access():
                check_fields(Target, domain)
        except ValueError as exception:
            raise DateError(gettext(
                    'marketing_automation.msg_activity_date_unknown',
                    activity=self.rec_name, error=str(exception))
                ) from exception
        Target.marketing_check_domain(domain)

    # Plan

    def planned_at(self, at):
        if self.date_field:
            # It depends on the record
            return None
        return super().planned_at(at)

    def dated_at(self, value, now):
        """
        Return when it is due for the value of the field, a text in ISO format
        and UTC.

        Of an anniversary, it is the one of today or the next.
        """
        date = dt.datetime.fromisoformat(value.partition('.')[0])
        if not self.date_yearly:
            return self._due(date)
        zone = self.scenario.zone
        today = _local(now, zone).date()
        for years in count(max(now.year - date.year - 1, 0)):
            at = self._due(date, years)
            if _local(at, zone).date() >= today:
                return at

    def _due(self, date, years=0):
        delay = self.delay or dt.timedelta()
        if self.date_direction == 'before':
            delay = -delay
        years = relativedelta(years=years)
        Target = Pool().get(self.scenario.model)
        if Target._fields[self.date_field]._type == 'date':
            # A day has no hour: whole days are those of the calendar
            days = dt.timedelta(days=int(delay / dt.timedelta(days=1)))
            at = self._start_of_day(date.date() + years + days) + delay - days
        else:
            zone = self.scenario.zone
            local = _local(date, zone)
            at = _utc(local + years, zone) + delay
        if window := self.send_window:
            at = window.opening(at)
        return at.replace(microsecond=0)

    def _start_of_day(self, day):
        "Return the time of the day at which an activity is due"
        zone = self.scenario.zone
        if window := self.send_window:
            return window.opening(
                _utc(dt.datetime.combine(day, dt.time()), zone))
        hour = config.getint('marketing', 'date_hour', default=8)
        return _utc(dt.datetime.combine(day, dt.time(hour)), zone)


class RecordActivityRecordDate:
    "Record activities planned at a date of their record"
    __slots__ = ()

    date_value = fields.Char(
        "Date of the Record", readonly=True, strip=False,
        help="The date of the record by which it was planned.")

    @classmethod
    def plan(cls, activity, records, at):
        super().plan(activity, records, at)
        if activity.date_field:
            cls.date_waiting(activity, dt.datetime.now())

    @classmethod
    def _plan_rows(cls, rows):
        Activity = Pool().get('marketing.automation.activity')
        super()._plan_rows(rows)
        for activity in Activity.browse(sorted({r[1] for r in rows})):
            if activity.date_field:
                cls.date_waiting(activity, dt.datetime.now())

    @classmethod
    def _plan_others(cls, child, is_done, times):
        super()._plan_others(child, is_done, times)
        if child.date_field:
            cls.date_waiting(child, dt.datetime.now())

    @classmethod
    def date_fields(cls):
        "Plan again what waits for a date of its record that has changed"
        Activity = Pool().get('marketing.automation.activity')
        now = dt.datetime.now()
        for activity in Activity.search([
                    ('date_field', '!=', None),
                    ('scenario.state', '=', 'running'),
                    ]):
            cls.date_waiting(activity, now)

    @classmethod
    def decide(cls, activity, ids):
        if activity.date_field:
            ids = cls._still_due(activity, ids, dt.datetime.now())
        return super().decide(activity, ids)

    @classmethod
    def _still_due(cls, activity, ids, now):
        "Return those of the ids that are due also by the date of today"
        moved = cls.date_waiting(activity, now, ids)
        if not moved:
            return ids
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id,
                where=fields.SQL_OPERATORS['in'](table.id, moved)
                & (table.at <= now)))
        later = set(moved) - {id_ for id_, in cursor}
        return [id_ for id_ in ids if id_ not in later]

    @classmethod
    def date_waiting(cls, activity, now, ids=None):
        """
        Plan again what waits of the activity, only the ids if given, for which
        the date of the record is another one than before.

        It returns the ids of what it has moved.
        """
        Target = Pool().get(activity.scenario.model)
        if not _is_date(Target, activity.date_field):
            # It was when the activity was saved
            return []
        moved, last_id = [], 0
        cursor = Transaction().connection.cursor()
        while True:
            cursor.execute(*cls._date_query(activity, Target, last_id, ids))
            rows = cursor.fetchall()
            if not rows:
                break
            cls._date_rows(activity, rows, now)
            last_id = rows[-1][0]
            moved.extend(r[0] for r in rows)
        if moved:
            clear_cache(cls)
        return moved

    @classmethod
    def _date_query(cls, activity, Target, last_id, ids):
        "Return the query of the ids and the new values, as text"
        Record = Pool().get('marketing.automation.record')
        table = cls.__table__()
        record = Record.__table__()
        target = Target.__table__()
        value = Cast(getattr(target, activity.date_field), 'VARCHAR')
        where = (
            (table.activity == activity.id)
            & (table.state == 'waiting')
            & (table.id > last_id)
            & (Coalesce(value, '') != Coalesce(table.date_value, '')))
        if ids is not None:
            where &= fields.SQL_OPERATORS['in'](table.id, ids)
            # Tests do not wait
            where &= table.test == Literal(False)
        return table.join(
            record, condition=table.record == record.id
            ).join(
                target,
                condition=Record.record.sql_id(record.record, Record)
                == target.id
                ).select(
                    table.id, value, where=where, order_by=[table.id.asc],
                    limit=SLICE)

    @classmethod
    def _date_rows(cls, activity, rows, now):
        "Date the rows of id and value"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        planned, without = [], []
        for id_, value in rows:
            if not value:
                without.append(id_)
                continue
            at = activity.dated_at(value, now)
            planned.append([id_, value, at])
            if expire_at := activity.expires_at(at, now):
                planned[-1].append(expire_at)
        if planned:
            values = values_table(planned, [
                    cls._fields[n].sql_type().base
                    for n in ['id', 'date_value', 'at', 'expire_at']])
            columns = [table.reason, table.date_value, table.at]
            new = [Literal(None), values.column2, values.column3]
            if len(planned[0]) > 3:
                columns.append(table.expire_at)
                new.append(values.column4)
            cursor.execute(*table.update(
                    columns, new, from_=[values],
                    where=in_keys(
                        table.id, values.column1,
                        [id_ for id_, *_ in planned])))
        if without:
            cursor.execute(*table.update(
                    [table.reason, table.date_value, table.at,
                        table.expire_at],
                    [None, None, None, activity.expires_at(None, now)],
                    where=fields.SQL_OPERATORS['in'](table.id, without)))


def _is_date(Model, name):
    "Return if the field of the model has a date of its own in its table"
    field = Model._fields.get(name)
    return (
        field is not None and field._type in _TYPES
        and not isinstance(field, fields.Function)
        and not isinstance(field, fields.MultiValue))


def _local(at, zone):
    "Return the time of UTC as the clocks show it in the zone"
    return at.replace(tzinfo=timezone.UTC).astimezone(zone).replace(
        tzinfo=None)


def _utc(local, zone):
    return local.replace(tzinfo=zone).astimezone(timezone.UTC).replace(
        tzinfo=None)
