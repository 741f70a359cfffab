# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Reaction on hits: they become events of record activities.
"""

from collections import defaultdict

from sql import Literal
from sql.conditionals import Coalesce

from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.sql import SLICE


class RecordActivityReaction:
    "Application of the hits to the record activities, many at once"
    __slots__ = ()

    @classmethod
    def _react_hits(cls):
        "Apply the hits on the public URLs that have not been yet"
        Hit = Pool().get('marketing.automation.hit')
        while rows := Hit.pending(limit=SLICE):
            cls.apply_hits(rows)

    @classmethod
    def apply_hits(cls, rows):
        "Classify the rows of hits and apply those of humans"
        Hit = Pool().get('marketing.automation.hit')
        cls._note_raw(rows)
        cls.apply_events([
                e for r in Hit.apply_classification(rows)
                for e in cls._events_of_hit(r)])

    @classmethod
    def _note_raw(cls, rows):
        "Note the requests on the record activities, also those of machines"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        ids = defaultdict(set)
        for row in rows:
            if event := cls._hit_events().get(row.kind):
                for name in {event} | cls._implied_events().get(event, set()):
                    ids[name].add(row.record_activity)
        for name in sorted(ids):
            raw = getattr(table, f'{name}_raw')
            cursor.execute(*table.update(
                    [raw], [True],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, sorted(ids[name]))
                    & (Coalesce(raw, Literal(False)) == Literal(False))))

    @classmethod
    def _hit_events(cls):
        "Return a dictionary of the event by the kind of hit"
        return {
            'open': 'email_opened',
            'click': 'email_clicked',
            }

    @classmethod
    def _events_of_hit(cls, row):
        "Return the list of the events that the hit of a human stands for"
        if event := cls._hit_events().get(row.kind):
            return [(row.record_activity, event, row.at)]
        return []
