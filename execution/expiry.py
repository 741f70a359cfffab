# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Expiry of what was not executed within its validity.

What has a date expires after that date; what waits without one, for an event,
expires after its parent was executed.
"""

import datetime as dt
from collections import defaultdict

from sql import Literal, Null

from trytond.i18n import gettext
from trytond.model import Index, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.orm import clear_cache
from ..common.sql import SLICE, inline
from ..exceptions import ValidityError
from ..outcome import expired


class ActivityExpiry:
    "Validity of an activity"
    __slots__ = ()

    validity = fields.TimeDelta(
        "Expires after",
        help="The time in which the activity must be executed: after its "
        "date or, if it waits for an event, after its parent.\n"
        "Afterwards neither it nor what follows it is executed.\n"
        "Leave empty to execute it however late it is.")

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_validity(activities, field_names)

    @classmethod
    def check_validity(cls, activities, field_names=None):
        "Ensure that there is a time in which the activity can be executed"
        if field_names and not (
                field_names & {'validity', 'delay', 'event', 'negative'}):
            return
        for activity in activities:
            if activity.validity is None:
                continue
            if activity.validity <= dt.timedelta():
                raise ValidityError(gettext(
                        'marketing_automation.msg_activity_validity_positive',
                        activity=activity.rec_name))
            if activity.waits_undated and activity.delay and (
                    activity.validity <= activity.delay):
                raise ValidityError(gettext(
                        'marketing_automation.msg_activity_validity_delay',
                        activity=activity.rec_name))

    @property
    def waits_undated(self):
        "Whether it waits for an event, and so has no date at first"
        return bool(self.event and not self.negative)

    def expires_at(self, at, since):
        """
        Return when it expires, None if never.

        :param at: when it is due, None if that is not known yet.
        :param since: when its parent was executed.
        """
        if not self.validity:
            return
        start = since if self.waits_undated or at is None else at
        return (start + self.validity).replace(microsecond=0)


class RecordActivityExpiry:
    "Expiry of record activities, its gate included"
    __slots__ = ()

    expire_at = fields.DateTime(
        "Expires at", readonly=True,
        help="When it expires if it has not been executed until then.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.expire_at, Index.Range()),
                where=(t.state == 'waiting') & (t.expire_at != Null)))
        retry = cls._buttons['retry']
        cls._buttons['retry'] = {
            'invisible': retry['invisible'] & ~(
                (Eval('state') == 'expired') & Bool(Eval('at'))),
            'depends': [*retry['depends'], 'at'],
            }

    @classmethod
    def expire(cls, now=None):
        """
        Expire what has not been executed in time, also what waits for its
        event, and return its number.
        """
        pool = Pool()
        activity = pool.get('marketing.automation.activity').__table__()
        scenario = pool.get('marketing.automation.scenario').__table__()
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        now = (now or dt.datetime.now()).replace(microsecond=0)
        cursor.execute(*table.update(
                [table.state, table.reason, table.ended_at],
                ['expired', 'expired', now],
                where=(table.state == inline('waiting'))
                & (table.expire_at <= now)
                & (table.test == Literal(False))
                & table.activity.in_(activity.join(
                        scenario,
                        condition=activity.scenario == scenario.id
                        ).select(
                            activity.id,
                            where=(scenario.state == 'running')
                            & (scenario.active == Literal(True))))))
        count = cursor.rowcount
        clear_cache(cls)
        return count

    @classmethod
    def _pass_validity(cls, activity, table, record):
        return (
            (table.expire_at == Null) | (table.expire_at > dt.datetime.now()),
            [])

    @classmethod
    def _gate_validity(cls, activity, record_activities):
        "It has not expired"
        now = dt.datetime.now()
        return {
            r.id: expired() for r in record_activities
            if r.expire_at and r.expire_at <= now}

    @property
    def is_retryable(self):
        # The event for which it waited has not happened if it has no date
        return super().is_retryable or (
            self.state == 'expired' and bool(self.at))

    @classmethod
    @ModelView.button
    def retry(cls, record_activities):
        super().retry(record_activities)
        cls._renew(record_activities)

    @classmethod
    def _renew(cls, record_activities):
        "Give what waits again the validity of what is planned now"
        now = dt.datetime.now()
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        ids = defaultdict(list)
        for record_activity in record_activities:
            if record_activity.expire_at:
                ids[record_activity.activity].append(record_activity.id)
        for activity, ids in ids.items():
            for sub_ids in grouped_slice(ids, SLICE):
                cursor.execute(*table.update(
                        [table.expire_at], [activity.expires_at(now, now)],
                        where=(table.state == 'waiting')
                        & fields.SQL_OPERATORS['in'](
                            table.id, list(sub_ids))))
        clear_cache(cls)
