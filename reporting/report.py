# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Figures of scenarios and activities: SQL that the reports have in common.

Each figure has one definition here, which the forms, the lists and the
reports show alike:

- what came in, per day: a record when it is created, a block when the record
  ended, an executed activity when it was done;
- the opens and the clicks belong to the day on which the mail was sent, not
  to the one of the open or click;
- a rate is the quotient of two of these counts, rounded to what is shown, and
  is empty as long as there is nothing to divide by.
"""

import datetime as dt
from collections import Counter, defaultdict

from sql import Cast, Literal, Null, Union
from sql.aggregate import Sum
from sql.conditionals import Case, NullIf
from sql.functions import DateTrunc, Extract

from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.tools.chart import sparkline
from trytond.transaction import Transaction

from ..common.sql import SLICE, cached_query
from ..common.sql import to_date as to_date_
from .kind import is_kind
from .period import PERIODS, get_period, midnight, spans, start

TREND_LENGTH = 10
STATES = [
    'waiting', 'sending', 'done', 'skipped', 'cancelled', 'expired', 'failed']


def _rate(count, total):
    """
    Return the rate rounded half up to 4 decimals, None if there is no total.

    The counts are integers, for Python as well as for SQL, and the same
    operations give the same result.
    """
    if total:
        return (count * 20000 + total) // (total * 2) / 10000


def _sql_rate(count, total):
    total = NullIf(total, 0)
    rate = (count * 20000 + total) / (total * 2)
    return Cast(rate, 'DOUBLE PRECISION') / 10000.0


def _times(from_date, to_date):
    "Return the time of the start, and the one of the end which is excluded"
    return (
        midnight(from_date) if from_date else None,
        midnight(to_date + dt.timedelta(days=1)) if to_date else None)


class Reporting(ModelSQL, ModelView):
    """
    Figures of a subject per period.

    A subclass gives what is counted with :meth:`_live` and :meth:`_counted`
    and defines its figures with :meth:`_condition`, ``_counts`` and
    ``_rates``.
    """
    __slots__ = ()
    _subject = None
    _counts = []
    _rates = {}

    date = fields.Date("Date", readonly=True)
    period = fields.Function(fields.Char("Period"), 'get_period')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('date', 'ASC'))

    # What is counted

    @classmethod
    def _condition(cls, name):
        "Return the condition of the kinds that count for the figure"
        return is_kind(name.removesuffix('_count'))

    @classmethod
    def _live(cls):
        """
        Return the list of the queries of the rows that the counters do not
        contain.

        They have the columns subject, at, kind and number.
        """
        raise NotImplementedError

    @classmethod
    def _counted(cls):
        """
        Return the table of the counters, the query and the column of the
        subject.
        """
        Counter = Pool().get('marketing.automation.counter')
        table = Counter.__table__()
        return table, table, getattr(table, cls._subject)

    @classmethod
    def _facts(cls, ids=None, from_date=None, to_date=None, period=None):
        """
        Return the SQL query of all that is counted, of the subjects (ids).

        Without period it is what is counted of the whole time, otherwise
        what belongs to the dates included, dated by the period.
        """
        return cls._facts_of(
            spans(from_date, to_date, period), *_times(from_date, to_date),
            ids=ids, period=period)

    @classmethod
    def _facts_of(cls, spans_, from_time, to_time, ids=None, period=None):
        """
        Return the SQL query of the spans of the counters and of what is not
        counted yet from one time up to before the other.
        """
        queries = []
        for level, first, last in spans_:
            table, from_, subject = cls._counted()
            where = (subject != Null) & (table.level == level)
            if first:
                where &= table.date >= first
            if last:
                where &= table.date < last
            queries.append(from_.select(
                    subject.as_('subject'), table.date.as_('at'),
                    table.kind.as_('kind'), table.number.as_('number'),
                    where=where))
        for live in cls._live():
            where = Literal(True)
            if period:
                where &= live.at != Null
            if from_time:
                where &= live.at >= from_time
            if to_time:
                where &= live.at < to_time
            queries.append(live.select(
                    live.subject.as_('subject'),
                    cls.date.sql_cast(DateTrunc('day', live.at)).as_('at'),
                    live.kind.as_('kind'), live.number.as_('number'),
                    where=where))
        if ids is not None:
            for query in queries:
                query.where &= query.columns[0].expression.in_(list(ids))
        fact = Union(*queries, all_=True)
        if period:
            fact = fact.select(
                fact.subject,
                cls.date.sql_cast(DateTrunc(period, fact.at)).as_('at'),
                fact.kind, fact.number)
        return fact

    @classmethod
    def _read_facts(cls, ids, from_date=None, to_date=None, period=None):
        """
        Return the rows of the subject, the date (None without period), the
        kind and the number.
        """
        spans_ = spans(from_date, to_date, period)
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._facts_query(
                period, *(level for level, *_ in spans_),
                ids=tuple(ids), times=_times(from_date, to_date),
                dates=tuple(tuple(dates) for _, *dates in spans_)))
        return [
            (subject, to_date_(date[0]) if date else None, kind, int(number))
            for subject, *date, kind, number in cursor]

    @cached_query
    def _facts_query(cls, period, *levels, ids, times, dates):
        fact = cls._facts_of(
            [(level, *days) for level, days in zip(levels, dates)],
            *times, ids=ids, period=period)
        columns = [fact.subject, fact.at, fact.kind] if period else [
            fact.subject, fact.kind]
        return fact.select(*columns, Sum(fact.number), group_by=columns)

    @classmethod
    def _sum_facts(cls, facts, names):
        """
        Return for each of the names the dictionary of the number by subject
        and date.
        """
        conditions = {n: cls._condition(n) for n in names}
        totals, counting = {n: defaultdict(int) for n in names}, {}
        for subject, date, kind, number in facts:
            if kind not in counting:
                counting[kind] = [
                    totals[n] for n, c in conditions.items() if c(kind)]
            for total in counting[kind]:
                total[subject, date] += number
        return totals

    @classmethod
    def _counts_of(cls, names):
        "Return the counts that are needed for the names, counts and rates"
        return sorted(
            {n for n in names if n not in cls._rates}.union(
                *[cls._rates[n] for n in names if n in cls._rates]))

    @classmethod
    def _numbers(cls, fact, names=None):
        "Return the dictionary of the SQL of each count"
        return {
            name: Cast(Sum(Case(
                        (cls._condition(name).sql(fact.kind), fact.number),
                        else_=0)), 'BIGINT')
            for name in names or cls._counts}

    @classmethod
    def table_query(cls):
        context = Transaction().context
        period = get_period()
        fact = cls._facts(
            from_date=context.get('from_date'),
            to_date=context.get('to_date'), period=period)
        date, numbers = fact.at, cls._numbers(fact)
        id_ = Cast(fact.subject, 'BIGINT') * 100_000_000 + (
            Cast(Extract('YEAR', date), 'BIGINT') * 10_000
            + Cast(Extract('MONTH', date), 'BIGINT') * 100
            + Cast(Extract('DAY', date), 'BIGINT'))
        return fact.select(
            # The same each time, although rows and counters change
            id_.as_('id'),
            fact.subject.as_(cls._subject),
            cls.date.sql_cast(date).as_('date'),
            *[cls._fields[n].sql_cast(c).as_(n) for n, c in numbers.items()],
            *[
                _sql_rate(numbers[n], numbers[d]).as_(name)
                for name, (n, d) in cls._rates.items()],
            group_by=[fact.subject, date],
            having=cls._having(fact))

    @classmethod
    def _having(cls, fact):
        "Return the condition of the lines with something to show"
        having = Literal(False)
        for number in cls._numbers(fact).values():
            having |= number != 0
        return having

    def get_period(self, name):
        "Return the name of the period on an axis"
        length = {'year': 4, 'month': 7}.get(get_period())
        return self.date.isoformat()[:length] if self.date else ''

    def get_percentage(self, name):
        rate = getattr(self, name.replace('percentage', 'rate'))
        return round(rate * 100, 2) if rate is not None else None

    @staticmethod
    def rate(count, total):
        "Return the rate as it is rounded everywhere, None without a total"
        return _rate(count, total)

    @classmethod
    def figures(cls, ids, names):
        """
        Return for each name the figure over the whole time by id.

        The number of queries does not depend on the number of ids.
        """
        totals = {n: Counter() for n in cls._counts_of(names)}
        for sub_ids in grouped_slice(ids, SLICE):
            facts = cls._read_facts(list(sub_ids))
            for name, total in cls._sum_facts(facts, totals).items():
                totals[name].update(total)
        figures = {}
        for name in names:
            if name in cls._rates:
                n, d = map(totals.get, cls._rates[name])
                figures[name] = {
                    i: _rate(n[i, None], d[i, None]) for i in ids}
            else:
                figures[name] = {i: totals[name][i, None] for i in ids}
        return figures

    @classmethod
    def trends(cls, ids, names):
        """
        Return for each name the sparkline of the rate, or of the count, over
        the last periods.

        The name may have the suffix _trend.
        """
        period = get_period()
        today = Pool().get('ir.date').today()
        last = Transaction().context.get('to_date') or today
        dates = [
            start(last, period) - PERIODS[period] * i
            for i in reversed(range(TREND_LENGTH))]
        names = {n: n[:-len('_trend')] for n in names}
        totals = {n: Counter() for n in cls._counts_of(names.values())}
        for sub_ids in grouped_slice(ids, SLICE):
            facts = cls._read_facts(
                list(sub_ids), from_date=dates[0], period=period,
                # Nothing is later than today
                to_date=last if last < today else None)
            for name, total in cls._sum_facts(facts, totals).items():
                totals[name].update(total)

        def value(name, key):
            if name not in cls._rates:
                return totals[name][key]
            n, d = map(totals.get, cls._rates[name])
            return _rate(n[key], d[key]) or 0

        return {
            trend: {
                i: sparkline([value(name, (i, d)) for d in dates])
                for i in ids}
            for trend, name in names.items()}
