# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Gates of refusal and pause, and the record activities they hold back.
"""

import datetime as dt
from collections import defaultdict

from sql import Literal, Null

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, inactive_records

from ..common.orm import clear_cache
from ..common.sql import SLICE
from ..outcome import cancelled, until


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    # At the time of sending

    @classmethod
    def _pass_refusal(cls, activity, table, record):
        return Literal(True), cls._party_or_none(
            activity, ('marketing_party.marketing_refused', '!=', True))

    @classmethod
    def _gate_refusal(cls, activity, record_activities):
        "The party wants marketing"
        if activity.survives('no_marketing'):
            return {}
        return {
            r.id: cancelled('no_marketing') for r in record_activities
            if (party := r.record.record.marketing_party)
            and party.marketing_refused}

    @classmethod
    def _pass_pause(cls, activity, table, record):
        until = 'marketing_party.marketing_paused_until'
        return Literal(True), cls._party_or_none(
            activity, ['OR',
                (until, '=', None),
                (until, '<=', dt.datetime.now()),
                ])

    @classmethod
    def _gate_pause(cls, activity, record_activities):
        "The party does not want a pause"
        now = dt.datetime.now()
        return {
            r.id: until(party.marketing_paused_until, 'paused')
            for r in record_activities
            if (party := r.record.record.marketing_party)
            and party.marketing_paused_until
            and party.marketing_paused_until > now}

    @classmethod
    def still_sending(cls, number):
        ids = super().still_sending(number)
        if not ids:
            return ids
        # A claim is of one activity
        activity = cls(min(ids)).activity
        gates = ['target', 'pause']
        passed, passing = cls._pass(activity, gates, sorted(ids))
        if len(passing) < len(gates):
            # Somebody has extended one of them
            passed = set()
        with inactive_records():
            record_activities = list(cls.browse(sorted(ids - passed)))
        closed = {}
        for gate in gates:
            open_ = [r for r in record_activities if r.id not in closed]
            if open_:
                closed.update(
                    getattr(cls, f'_gate_{gate}')(activity, open_))
        return ids - closed.keys()

    # Afterwards

    @classmethod
    def move_paused(cls, parties, at):
        """
        Postpone what is paused of the parties (ids) until the time, or until
        now.
        """
        Record = Pool().get('marketing.automation.record')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        at = at or dt.datetime.now().replace(microsecond=0)
        for sub_ids in grouped_slice(
                sorted(Record.find_by_parties(parties)), SLICE):
            cursor.execute(*table.update(
                    [table.at], [at],
                    where=fields.SQL_OPERATORS['in'](
                        table.record, list(sub_ids))
                    & (table.state == 'waiting')
                    & (table.reason == 'paused')))
        clear_cache(cls)

    @classmethod
    def revive(cls, records, reason, since):
        """
        Revive what was cancelled of the records (ids) for the reason: it waits
        again.
        """
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        where = (
            fields.SQL_OPERATORS['in'](table.record, records)
            & (table.state == 'cancelled')
            & (table.reason == reason)
            & (table.ended_at >= since))
        cursor.execute(*table.select(
                table.activity, table.record,
                where=where & (table.at == Null)))
        undated = defaultdict(list)
        for activity, record in cursor:
            undated[activity].append(record)
        cursor.execute(*table.update(
                [table.state, table.reason, table.ended_at],
                ['waiting', None, None], where=where))
        for activity, ids in undated.items():
            cls._date_missed(activity, ids)

    @classmethod
    def _date_missed(cls, activity, records):
        """
        Date the activity (id) of the records by the events that happened
        meanwhile.
        """
        Activity = Pool().get('marketing.automation.activity')
        activity = Activity(activity)
        if not activity.event or activity.negative:
            return
        cls._date([
                [record, activity.id, activity.planned_at(at)]
                for record, at in cls.event_times(activity, records).items()
                if at])
