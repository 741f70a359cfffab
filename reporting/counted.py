# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Kinds as which records and record activities are counted.

A *kind* is the state, and the names of the events that have happened, each
followed by a comma.
"""

import time
from collections import Counter, defaultdict

from sql import Expression, Literal, Null, Select, Union
from sql.aggregate import Count
from sql.conditionals import Case, Coalesce
from sql.functions import DateTrunc
from sql.operators import Concat

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.sql import SLICE, cached_query, inline, to_date, write_rows
from ..tracking.counter import FOLD

# The seconds from one count of what is left to the next during a run
_FOLD_INTERVAL = 5
# With a limit PostgreSQL looks for what is uncounted before anything else
_ALL = 2 ** 31 - 1


class _After:
    "Table whose rows have the values already, a dictionary by name"

    def __init__(self, Model, table, values):
        self._model = Model
        self._table = table
        self._values = values

    def __getattr__(self, name):
        if name not in self._values:
            return getattr(self._table, name)
        value = self._values[name]
        if isinstance(value, Expression):
            return value
        # PostgreSQL does not know the type of a parameter
        return self._model._fields[name].sql_cast(Literal(value))


class Counted:
    "Model whose rows know the kind as which they were counted"
    __slots__ = ()
    # The name of the column of the subject, also the one of the counter
    _counted_subject = None

    counted = fields.Char(
        "Counted", readonly=True, strip=False,
        help="As what it has been counted.")
    counted_at = fields.Timestamp(
        "Counted at", readonly=True,
        help="For which time it has been counted.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.id, Index.Range()), where=cls._uncounted(t)))

    @classmethod
    def kind(cls, table):
        "Return the SQL of the kind of the row now, never null"
        raise NotImplementedError

    @classmethod
    def kind_at(cls, table):
        """
        Return the SQL of the time since when it is of the kind, null if it
        does not matter.
        """
        raise NotImplementedError

    @classmethod
    def _counts(cls, table):
        "Return the SQL condition of the rows that belong to the figures"
        return table.test == inline(False)

    @classmethod
    def _uncounted(cls, table):
        "Return the SQL condition of the rows that have changed"
        changed = cls._counts(table) & (
            (table.counted == Null)
            | (table.counted != cls.kind(table))
            | (table.counted_at != cls.kind_at(table)))
        # PostgreSQL expects that nearly all rows differ from something but
        # few are equal to it, and would not use the index
        return Case(
            (changed, inline('changed')), else_=inline('counted')
            ) == inline('changed')

    @classmethod
    def _foldable(cls, table):
        "Return the SQL condition of those which nobody works on"
        return Literal(True)

    @classmethod
    def live(cls):
        """
        Return the list of the queries of the rows that are not counted yet.

        Their columns are subject, at, kind and number.
        """
        # What each row was counted as is taken away, what it is now is added
        table = cls.__table__()
        changed = table.select(
            getattr(table, cls._counted_subject).as_('subject'),
            table.counted, table.counted_at,
            cls.kind(table).as_('kind'), cls.kind_at(table).as_('kind_at'),
            where=cls._uncounted(table), limit=_ALL)
        number = Union(*[
                Select([inline(n).as_('value')]) for n in [1, -1]],
            all_=True)
        is_new = number.value == inline(1)
        return [
            changed.join(number, 'CROSS').select(
                changed.subject.as_('subject'),
                Case((is_new, changed.kind_at), else_=changed.counted_at
                    ).as_('at'),
                Case((is_new, changed.kind), else_=changed.counted
                    ).as_('kind'),
                number.value.as_('number'),
                where=is_new | (changed.counted != Null)),
            ]

    @classmethod
    def fold_counted(cls):
        "Count at most one slice of the changed rows and return their number"
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._changed(FOLD))
        rows = cursor.fetchall()
        if not rows:
            return 0
        table = cls.__table__()
        kind, at = cls.kind(table), cls.kind_at(table)
        for sub_rows in grouped_slice(rows, SLICE):
            cursor.execute(*table.update(
                    [table.counted, table.counted_at], [kind, at],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, [r[0] for r in sub_rows])))
        cls._add_counted([row[1:] for row in rows])
        return len(rows)

    @cached_query
    def _changed(cls, limit):
        "Return the query of the changed rows that nobody else counts"
        database = Transaction().database
        table = cls.__table__()
        query = table.select(
            table.id, getattr(table, cls._counted_subject),
            table.counted, table.counted_at, cls.kind(table),
            cls.kind_at(table), table.create_date,
            where=cls._uncounted(table) & cls._foldable(table),
            limit=limit)
        if database.has_select_for():
            For = database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        return query

    @classmethod
    def _write_counted(cls, table, where, values, write=write_rows):
        """
        Write the values, a dictionary by name, on the rows of the table that
        fulfill the clause, count them at once and return their number.

        To count them later would be to write them once more.

        :param write: the function that writes them, of the same parameters.
        """
        cursor = Transaction().connection.cursor()
        after = _After(cls, table, values)
        kind, at = cls.kind(after), cls.kind_at(after)
        cursor.execute(*table.select(
                table.id, table.test, getattr(table, cls._counted_subject),
                table.counted, table.counted_at, kind, at, table.create_date,
                where=where))
        rows = cursor.fetchall()
        if not rows:
            return 0
        values = {**values, 'counted': kind, 'counted_at': at}
        count = 0
        for sub_rows in grouped_slice(rows, SLICE):
            count += write(
                table, fields.SQL_OPERATORS['in'](
                    table.id, [r[0] for r in sub_rows]), values)
        cls._add_counted([row[2:] for row in rows if not row[1]])
        return count

    @classmethod
    def _add_counted(cls, rows):
        """
        Count the rows of the subject, as what and for which time it has been
        counted, as what and for which time it is counted now, and the
        creation.
        """
        numbers = Counter()
        for subject, counted, counted_at, kind, at, created in rows:
            if counted is not None:
                numbers[subject, to_date(counted_at), counted] -= 1
            else:
                cls._count_once(numbers, subject, to_date(created), 1)
            numbers[subject, to_date(at), kind] += 1
        Pool().get('marketing.automation.counter').add(
            cls._counted_subject, numbers)

    @classmethod
    def _count_once(cls, numbers, subject, created, number):
        "Add to the numbers what remains true as long as the row exists"

    @classmethod
    def all_counted(cls):
        "Return the number of what has been counted by subject, day and kind"
        return cls._sum_counted(lambda table: Literal(True))

    @classmethod
    def _sum_counted(cls, where):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        columns = ['subject', 'day', 'counted', 'created']
        rows = table.select(
            getattr(table, cls._counted_subject).as_('subject'),
            DateTrunc('day', table.counted_at).as_('day'),
            table.counted,
            DateTrunc('day', table.create_date).as_('created'),
            where=where(table) & cls._counts(table) & (table.counted != Null))
        columns = [getattr(rows, n) for n in columns]
        cursor.execute(*rows.select(
                *columns, Count(Literal(1)), group_by=columns))
        numbers = Counter()
        for subject, date, counted, created, number in cursor:
            numbers[subject, to_date(date), counted] += number
            cls._count_once(numbers, subject, to_date(created), number)
        return numbers

    @classmethod
    def copy(cls, records, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('counted')
        default.setdefault('counted_at')
        return super().copy(records, default=default)

    @classmethod
    def on_delete(cls, records):
        callbacks = super().on_delete(records)
        numbers = Counter()
        for sub_records in grouped_slice(list(records), SLICE):
            ids = [r.id for r in sub_records]
            numbers.subtract(cls._sum_counted(
                    lambda t: fields.SQL_OPERATORS['in'](t.id, ids)))
        Pool().get('marketing.automation.counter').add(
            cls._counted_subject, numbers)
        return callbacks


class Record(Counted, metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'
    _counted_subject = 'scenario'

    @classmethod
    def kind(cls, table):
        blocked = table.blocked == inline(True)
        return Concat(
            Coalesce(
                Concat(
                    Concat(inline('end.'), table.end_reason),
                    inline(',')),
                Case((blocked, inline('end.blocked,')),
                    else_=inline('running,'))),
            Case((blocked, inline('block,')), else_=inline('')))

    @classmethod
    def kind_at(cls, table):
        return Case((
                (table.end_reason != Null)
                | (table.blocked == inline(True)),
                # Those of the former module have no date of the end
                Coalesce(table.ended_at, table.create_date)))

    @classmethod
    def live(cls):
        table = cls.__table__()
        return [
            *super().live(),
            table.select(
                table.scenario.as_('subject'),
                table.create_date.as_('at'),
                Literal('entered,').as_('kind'),
                Literal(1).as_('number'),
                where=cls._uncounted(table) & (table.counted == Null),
                limit=_ALL),
            ]

    @classmethod
    def _count_once(cls, numbers, subject, created, number):
        numbers[subject, created, 'entered,'] += number

    @classmethod
    def _write(cls, table, where, values):
        return cls._write_counted(table, where, values, super()._write)

    @classmethod
    def _enter_columns(cls, scenario, target, **values):
        columns = super()._enter_columns(scenario, target, **values)
        if not values.get('by_hand'):
            # They are many: to write them once more would take as long
            columns['counted'] = Literal('running,')
        return columns

    @classmethod
    def _insert_entered(cls, scenario, query, last_id):
        count = super()._insert_entered(scenario, query, last_id)
        if count:
            Pool().get('marketing.automation.counter').add(
                'scenario', cls._sum_counted(
                    lambda t: (t.scenario == scenario.id) & (t.id > last_id)))
        return count


class RecordActivityCounted(Counted):
    "Kinds of record activities: the state and the events"
    __slots__ = ()
    _counted_subject = 'activity'
    # When this process has counted what is left, by database
    _folds = {}

    @classmethod
    def counted_events(cls):
        """
        Return the sorted list of the events with fields of their own.

        The index of what is to be counted needs it while the pool is set up,
        when there are no names to show yet.
        """
        Activity = Pool().get('marketing.automation.activity')
        events = set().union(*Activity._parent_action_events().values())
        return sorted(e for e in events if hasattr(cls, f'{e}_at'))

    @classmethod
    def kind(cls, table):
        def word(condition, name):
            return Case(
                (condition, inline(f'{name},')), else_=inline(''))

        kind = Concat(table.state, inline(','))
        for event in cls.counted_events():
            happened = getattr(table, event) == inline(True)
            kind = Concat(kind, word(happened, event))
            if hasattr(cls, f'{event}_raw'):
                # What a marketer or a former release has set was not a hit
                raw = getattr(table, f'{event}_raw') == inline(True)
                kind = Concat(kind, word(happened | raw, f'{event}_raw'))
        return kind

    @classmethod
    def kind_at(cls, table):
        return Case((
                ~table.state.in_([inline('waiting'), inline('sending')]),
                # Those of the former module have no date of the end
                Coalesce(table.ended_at, table.at, table.create_date)))

    @classmethod
    def _insert_planned(cls, activity, columns, from_, where):
        tests = Select(
            [Literal(1)], from_=from_,
            where=where & (columns['test'] == Literal(True)), limit=1)
        cursor = Transaction().connection.cursor()
        cursor.execute(*tests)
        if cursor.fetchone():
            return super()._insert_planned(activity, columns, from_, where)
        # They are many: to write them once more would take as long
        columns = {**columns, 'counted': Literal('waiting,')}
        count = super()._insert_planned(activity, columns, from_, where)
        Pool().get('marketing.automation.counter').add(
            'activity', {(activity.id, None, 'waiting,'): count})
        return count

    @classmethod
    def _plan_rows(cls, rows):
        # All of a statement are counted alike
        alike = defaultdict(list)
        for row in rows:
            _, activity, test, _, state, _, ended_at, _ = row
            day = ended_at and ended_at.date()
            alike[activity, test, state, day].append(row)
        for rows in alike.values():
            super()._plan_rows(rows)

    @classmethod
    def _insert_rows(cls, names, rows):
        # They are all alike, see _plan_rows
        first = dict(zip(names, rows[0]))
        if first['test'] or first['state'] == 'sending':
            return super()._insert_rows(names, rows)
        kind, at = f"{first['state']},", first['ended_at']
        count = super()._insert_rows(
            [*names, 'counted', 'counted_at'],
            [[*row, kind, at] for row in rows])
        Pool().get('marketing.automation.counter').add(
            'activity', {(first['activity'], to_date(at), kind): count})
        return count

    @classmethod
    def _update(cls, ids, values, claim=None):
        if claim is not None or values.get('claim', True):
            # It is written again at the end of the batch
            return super()._update(ids, values, claim=claim)
        table = cls.__table__()
        return cls._write_counted(
            table, fields.SQL_OPERATORS['in'](table.id, list(ids)), values)

    @classmethod
    def _foldable(cls, table):
        # Who sends must not be in conflict
        return (table.state != 'sending') & (table.claim == Null)

    @classmethod
    def watch(cls, activity, trouble):
        super().watch(activity, trouble)
        now, name = time.monotonic(), Transaction().database.name
        if now - cls._folds.get(name, -_FOLD_INTERVAL) >= _FOLD_INTERVAL:
            cls._folds[name] = now
            Pool().get('marketing.automation.counter').fold(slices=4)

    @classmethod
    def process(cls):
        super().process()
        Pool().get('marketing.automation.counter').fold()


class ActivityCounted:
    "Counters of deleted activities"
    __slots__ = ()

    @classmethod
    def on_delete(cls, activities):
        Counter_ = Pool().get('marketing.automation.counter')
        ids = [a.id for a in activities]
        callbacks = super().on_delete(activities)
        callbacks.append(lambda: Counter_.forget('activity', ids))
        return callbacks
