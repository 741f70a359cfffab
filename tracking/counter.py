# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Counters of records and record activities, by day.

Each row keeps as what it has been counted.  Those which are something else
now are found by an index that contains nothing else, whoever has changed
them: the figures are the sum of the counters and of these few rows.  To
count them is a matter of speed and not of correctness.
"""

import logging
from collections import Counter as _Counter

from sql import Literal, Null

from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..common.error import error_location
from ..common.sql import SLICE, to_date
from ..common.transaction import is_transient, run_with_retry

__all__ = ['Counter', 'FOLD']

logger = logging.getLogger(__name__)

# The number of rows that are counted in one transaction
FOLD = 2000
# How many new counters are left before they are merged
_NEW = 200


def _levels(day):
    "Return the levels to which a kind of the day belongs, with their date"
    levels = [('all', None)]
    if day:
        levels += [('month', day.replace(day=1)), ('day', day)]
    return levels


class Counter(ModelSQL):
    """
    Number of a kind, for a subject and a level.

    To count adds rows and changes none, so that nobody waits for another;
    the rows of the same are merged later.  A kind without a date is only in
    the level of all.
    """
    __name__ = 'marketing.automation.counter'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True,
        ondelete='CASCADE')
    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True,
        ondelete='CASCADE')
    level = fields.Selection([
            ('all', "All"),
            ('month', "Month"),
            ('day', "Day"),
            ], "Level", required=True, readonly=True, sort=False)
    date = fields.Date(
        "Date", readonly=True,
        help="The first day of the level.")
    kind = fields.Char("Kind", required=True, readonly=True)
    number = fields.Integer("Number", required=True, readonly=True)
    merged = fields.Boolean("Merged", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.activity, Index.Range()),
                    (t.level, Index.Range()),
                    (t.date, Index.Range())),
                Index(
                    t,
                    (t.scenario, Index.Range()),
                    (t.level, Index.Range()),
                    (t.date, Index.Range())),
                Index(t, (t.id, Index.Range()), where=~t.merged),
                })

    @classmethod
    def subjects(cls):
        "Return the list of the names of the columns of the subjects"
        return ['scenario', 'activity']

    @classmethod
    def sources(cls):
        "Return the list of the models which are counted"
        pool = Pool()
        return [
            pool.get('marketing.automation.record'),
            pool.get('marketing.automation.record.activity'),
            ]

    @classmethod
    def _folded(cls):
        """
        Return the list of the models whose rows know the kind as which they
        were counted.
        """
        return [m for m in cls.sources() if 'counted' in m._fields]

    # Add

    @classmethod
    def add(cls, subject, numbers):
        """
        Add the numbers, a dictionary by subject (id), day and kind.

        :param subject: one of the names of the subjects.
        """
        keys = _Counter()
        for (id_, day, kind), number in numbers.items():
            for level, date in _levels(day):
                keys[subject, id_, level, date, kind] += number
        cls._insert(keys, merged=False)

    @classmethod
    def _insert(cls, keys, merged):
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        subjects = cls.subjects()
        rows = []
        for (subject, id_, level, date, kind), number in keys.items():
            if number:
                ids = [id_ if s == subject else None for s in subjects]
                rows.append([*ids, level, date, kind, number, merged, 0])
        for sub_rows in grouped_slice(rows, SLICE):
            cursor.execute(*table.insert(
                    [*[getattr(table, s) for s in subjects],
                        table.level, table.date, table.kind, table.number,
                        table.merged, table.create_uid],
                    list(sub_rows)))

    @classmethod
    def forget(cls, subject, ids):
        "Delete the counters of the subjects (ids), which are deleted"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        for sub_ids in grouped_slice(ids, SLICE):
            cursor.execute(*table.delete(
                    where=fields.SQL_OPERATORS['in'](
                        getattr(table, subject), list(sub_ids))))

    # Merge

    @classmethod
    def fold(cls, slices=None):
        """
        Count what has changed, at most so many slices of each model, and
        merge the counters if there are many new ones.

        It commits.  What is in conflict with others is left to the next time.
        """
        try:
            for Model in cls._folded():
                left = slices
                while left is None or left > 0:
                    if run_with_retry(Model.fold_counted) < FOLD:
                        break
                    left = left - 1 if left is not None else None
            while run_with_retry(cls._merge):
                pass
        except Exception as exception:
            if not is_transient(exception):
                raise
            Transaction().rollback()
            logger.info(
                "postponed counting error=%s", error_location(exception))

    @classmethod
    def _merge(cls):
        "Merge the new counters and return if there may be more"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.id, where=~table.merged, limit=_NEW))
        if len(cursor.fetchall()) < _NEW:
            return False
        rows = cls._lock(lambda t: ~t.merged, limit=_NEW * 5)
        keys = {key for _, key, _ in rows}
        ids = cls._find_merged(keys)
        rows += cls._lock(lambda t: fields.SQL_OPERATORS['in'](t.id, ids))
        numbers = _Counter()
        for _, key, number in rows:
            numbers[key] += number
        for sub_rows in grouped_slice(rows, SLICE):
            cursor.execute(*table.delete(
                    where=fields.SQL_OPERATORS['in'](
                        table.id, [id_ for id_, _, _ in sub_rows])))
        cls._insert(numbers, merged=True)
        return bool(rows)

    @classmethod
    def _find_merged(cls, keys):
        "Return the ids of the merged counters of the keys"
        days = [key[3] for key in keys if key[3]]
        found = []
        for subject in cls.subjects():
            ids = sorted({key[1] for key in keys if key[0] == subject})
            for sub_ids in grouped_slice(ids, SLICE):
                sub_ids = list(sub_ids)

                def where(table):
                    where = table.merged & fields.SQL_OPERATORS['in'](
                        getattr(table, subject), sub_ids)
                    if days:
                        where &= (
                            (table.date == Null) | (table.date >= min(days)))
                    return where

                found.extend(cls._rows(cls._query(where)))
        return [id_ for id_, key, _ in found if key in keys]

    @classmethod
    def _query(cls, where, limit=None):
        table = cls.__table__()
        return table.select(
            table.id, table.level, table.date, table.kind, table.number,
            *[getattr(table, s) for s in cls.subjects()],
            where=where(table), limit=limit)

    @classmethod
    def _lock(cls, where, limit=None):
        "Return the rows that nobody else merges"
        database = Transaction().database
        query = cls._query(where, limit)
        if database.has_select_for():
            For = database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        return cls._rows(query)

    @classmethod
    def _rows(cls, query):
        "Return the list of the id, the key and the number of the query"
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        rows = []
        for id_, level, date, kind, number, *ids in cursor:
            subject = next(
                (s, i) for s, i in zip(cls.subjects(), ids) if i is not None)
            rows.append((id_, (*subject, level, to_date(date), kind), number))
        return rows

    # Verify

    @classmethod
    def verify(cls):
        """
        Count again all that has been counted, correct the counters that
        differ and return their number.

        It reads each row once and writes none of them.
        """
        expected = _Counter()
        subjects = {m._counted_subject for m in cls.sources()}
        for Model in cls.sources():
            for (id_, day, kind), number in Model.all_counted().items():
                for level, date in _levels(day):
                    expected[
                        Model._counted_subject, id_, level, date, kind
                        ] += number
        numbers = _Counter()
        query = cls._query(lambda table: Literal(True))
        for _, key, number in cls._rows(query):
            # What happened to the others is not kept elsewhere
            if key[0] in subjects:
                numbers[key] += number
        difference = _Counter(expected)
        difference.subtract(numbers)
        wrong = {k: n for k, n in difference.items() if n}
        if wrong:
            logger.error("corrected counters=%s", len(wrong))
            cls._insert(_Counter(wrong), merged=False)
        return len(wrong)


class VerifyResult(ModelView):
    __name__ = 'marketing.automation.counter.verify.result'

    corrected = fields.Integer(
        "Corrected", readonly=True,
        help="How many counters differed from what they count.")


class Verify(Wizard):
    "Wizard that verifies the counters"
    __name__ = 'marketing.automation.counter.verify'

    start_state = 'verify'
    verify = StateTransition()
    result = StateView(
        'marketing.automation.counter.verify.result',
        'marketing_automation.counter_verify_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def transition_verify(self):
        Counter = Pool().get('marketing.automation.counter')
        self.result.corrected = Counter.verify()
        return 'result'

    def default_result(self, fields):
        return {'corrected': self.result.corrected}
