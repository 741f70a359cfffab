# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The figures of the scenarios and of the activities.

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
from collections import defaultdict

from dateutil.relativedelta import relativedelta
from sql import Cast, Column, Literal, Union
from sql.aggregate import Count, Min, Sum
from sql.conditionals import Case, Coalesce, NullIf
from sql.functions import DateTrunc

from trytond import backend
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.tools.chart import sparkline
from trytond.transaction import Transaction

PERIODS = {
    'year': relativedelta(years=1),
    'month': relativedelta(months=1),
    'day': relativedelta(days=1),
    }
TREND_LENGTH = 10
STATES = [
    'waiting', 'sending', 'done', 'skipped', 'cancelled', 'expired', 'failed']


def _period():
    period = Transaction().context.get('period')
    return period if period in PERIODS else 'month'


def _start(date, period):
    "Return the first day of the period of the date"
    if period == 'year':
        return date.replace(month=1, day=1)
    elif period == 'month':
        return date.replace(day=1)
    return date


def _midnight(date):
    return dt.datetime.combine(date, dt.time.min)


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


class Context(ModelView):
    __name__ = 'marketing.automation.reporting.context'

    from_date = fields.Date(
        "From Date",
        domain=[
            If(Eval('to_date') & Eval('from_date'),
                ('from_date', '<=', Eval('to_date')),
                ()),
            ])
    to_date = fields.Date(
        "To Date",
        domain=[
            If(Eval('from_date') & Eval('to_date'),
                ('to_date', '>=', Eval('from_date')),
                ()),
            ],
        help="The last day that is included.")
    period = fields.Selection([
            ('year', "Year"),
            ('month', "Month"),
            ('day', "Day"),
            ], "Period", required=True, sort=False)

    @classmethod
    def default_from_date(cls):
        context = Transaction().context
        if 'from_date' in context:
            return context['from_date']
        return cls.default_to_date() - relativedelta(years=1)

    @classmethod
    def default_to_date(cls):
        context = Transaction().context
        if context.get('to_date'):
            return context['to_date']
        return Pool().get('ir.date').today()

    @classmethod
    def default_period(cls):
        return _period()


class Reporting(ModelSQL, ModelView):
    """
    The figures of a subject per period.

    A subclass gives the rows to count with :meth:`_facts` and defines its
    figures with ``_counts`` and ``_rates``.
    """
    _subject = None
    _counts = []
    _rates = {}

    date = fields.Date("Date", readonly=True)
    period = fields.Function(fields.Char("Period"), 'get_period')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('date', 'ASC'))

    @classmethod
    def _facts(cls):
        """
        Return the SQL query of everything that is counted.

        It has the columns id (unique), the subject, at and each of _counts
        (1 or 0).
        """
        raise NotImplementedError

    @classmethod
    def table_query(cls):
        fact = cls._facts()
        date = cls.date.sql_cast(DateTrunc(_period(), fact.at)).as_('date')
        subject = Column(fact, cls._subject).as_(cls._subject)
        counts = {
            n: Cast(Sum(Column(fact, n)), 'BIGINT') for n in cls._counts}
        return fact.select(
            Min(fact.id).as_('id'),
            subject,
            date,
            *[cls._fields[n].sql_cast(c).as_(n) for n, c in counts.items()],
            *[
                _sql_rate(counts[n], counts[d]).as_(name)
                for name, (n, d) in cls._rates.items()],
            where=cls._where(fact),
            group_by=[subject, date])

    @classmethod
    def _where(cls, fact):
        context = Transaction().context
        where = Literal(True)
        if context.get('from_date'):
            where &= fact.at >= _midnight(context['from_date'])
        if context.get('to_date'):
            # Up to the end of the day
            where &= fact.at < _midnight(
                context['to_date'] + dt.timedelta(days=1))
        return where

    def get_period(self, name):
        "Return what names the period on an axis"
        length = {'year': 4, 'month': 7}.get(_period())
        return self.date.isoformat()[:length] if self.date else ''

    def get_percentage(self, name):
        rate = getattr(self, name.replace('percentage', 'rate'))
        return round(rate * 100, 2) if rate is not None else None

    @classmethod
    def figures(cls, ids, names):
        """
        Return for each name the figure over the whole time of each id.

        The number of queries does not depend on the number of ids.
        """
        names = set(names)
        states = {f'{s}_count': s for s in STATES}
        figures = {}
        if names & states.keys():
            progress = cls._progress(ids)
            for name in names & states.keys():
                figures[name] = {i: progress[states[name]][i] for i in ids}
        if names - states.keys():
            counts = cls._totals(ids)
            for name in names - states.keys():
                if name in cls._rates:
                    n, d = map(counts.get, cls._rates[name])
                    figures[name] = {i: _rate(n[i], d[i]) for i in ids}
                else:
                    figures[name] = {i: counts[name][i] for i in ids}
        return figures

    @classmethod
    def _progress(cls, ids):
        "Return the counts of the record activities by state and id"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        RecordActivity = pool.get('marketing.automation.record.activity')
        activity = Activity.__table__()
        record_activity = RecordActivity.__table__()
        cursor = Transaction().connection.cursor()

        if cls._subject == 'activity':
            from_item, subject = record_activity, record_activity.activity
        else:
            from_item = record_activity.join(
                activity, condition=record_activity.activity == activity.id)
            subject = Column(activity, cls._subject)
        progress = defaultdict(lambda: defaultdict(int))
        for sub_ids in grouped_slice(ids, backend.MAX_QUERY_PARAMS):
            cursor.execute(*from_item.select(
                    subject, record_activity.state, Count(Literal(1)),
                    where=fields.SQL_OPERATORS['in'](subject, sub_ids),
                    group_by=[subject, record_activity.state]))
            for id_, state, count in cursor:
                progress[state][id_] = count
        return progress

    @classmethod
    def _totals(cls, ids):
        "Return the counts over the whole time by name and id"
        cursor = Transaction().connection.cursor()
        totals = {n: defaultdict(int) for n in cls._counts}
        for sub_ids in grouped_slice(ids, backend.MAX_QUERY_PARAMS):
            fact = cls._facts()
            subject = Column(fact, cls._subject)
            cursor.execute(*fact.select(
                    subject, *[Sum(Column(fact, n)) for n in cls._counts],
                    where=fields.SQL_OPERATORS['in'](subject, sub_ids),
                    group_by=[subject]))
            for id_, *values in cursor:
                for name, value in zip(cls._counts, values):
                    totals[name][id_] = int(value)
        return totals

    @classmethod
    def trends(cls, ids, names):
        """
        Return for each name the sparkline of the rate over the last periods.

        The name may have the suffix _trend.
        """
        context = Transaction().context
        cursor = Transaction().connection.cursor()
        period = _period()
        last = context.get('to_date') or Pool().get('ir.date').today()
        dates = [
            _start(last, period) - PERIODS[period] * i
            for i in reversed(range(TREND_LENGTH))]
        rates = {n: n[:-len('_trend')] for n in names}
        values = defaultdict(dict)
        with Transaction().set_context(
                period=period, from_date=dates[0], to_date=last):
            table = cls.table_query()
        for sub_ids in grouped_slice(ids, backend.MAX_QUERY_PARAMS):
            subject = Column(table, cls._subject)
            cursor.execute(*table.select(
                    subject, table.date,
                    *[Column(table, r) for r in rates.values()],
                    where=fields.SQL_OPERATORS['in'](subject, sub_ids)))
            for id_, date, *row in cursor:
                if not isinstance(date, dt.date):
                    date = dt.date.fromisoformat(date)
                for name, value in zip(rates, row):
                    values[name, id_][date] = value or 0
        return {
            n: {
                i: sparkline([values[n, i].get(d, 0) for d in dates])
                for i in ids}
            for n in names}


class ReportingScenario(Reporting):
    __name__ = 'marketing.automation.reporting.scenario'
    _subject = 'scenario'
    _counts = ['record_count', 'record_count_blocked']
    _rates = {
        'block_rate': ('record_count_blocked', 'record_count'),
        }

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    record_count = fields.Integer(
        "Records", readonly=True,
        help="The number of records that entered during the period.")
    record_count_blocked = fields.Integer(
        "Blocked", readonly=True,
        help="The number of records that were blocked during the period.")
    block_rate = fields.Float(
        "Block Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The blocked per entered records.")
    block_percentage = fields.Function(
        fields.Float("Block Percentage", digits=(None, 2)), 'get_percentage')

    @classmethod
    def _facts(cls):
        Record = Pool().get('marketing.automation.record')
        entered = Record.__table__()
        blocked = Record.__table__()
        return Union(
            entered.select(
                (entered.id * 2).as_('id'),
                entered.scenario.as_('scenario'),
                entered.create_date.as_('at'),
                Literal(1).as_('record_count'),
                Literal(0).as_('record_count_blocked')),
            blocked.select(
                (blocked.id * 2 + 1).as_('id'),
                blocked.scenario.as_('scenario'),
                # Records of the former module have no date of the block
                Coalesce(
                    blocked.ended_at, blocked.create_date).as_('at'),
                Literal(0).as_('record_count'),
                Literal(1).as_('record_count_blocked'),
                where=blocked.blocked == Literal(True)),
            all_=True)


class ReportingActivity(Reporting):
    __name__ = 'marketing.automation.reporting.activity'
    _subject = 'activity'
    _counts = ['record_count', 'email_opened', 'email_clicked']
    _rates = {
        'email_open_rate': ('email_opened', 'record_count'),
        'email_click_rate': ('email_clicked', 'record_count'),
        'email_click_through_rate': ('email_clicked', 'email_opened'),
        }

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    activity_action = fields.Function(
        fields.Selection('get_activity_actions', "Activity Action"),
        'on_change_with_activity_action')
    scenario = fields.Function(
        fields.Many2One('marketing.automation.scenario', "Scenario"),
        'get_scenario', searcher='search_scenario')
    record_count = fields.Integer(
        "Done", readonly=True,
        help="The number of records for which the activity was done during "
        "the period.")
    email_opened = fields.Integer(
        "E-mails Opened", readonly=True,
        help="How many of the e-mails sent during the period were opened.")
    email_clicked = fields.Integer(
        "E-mails Clicked", readonly=True,
        help="How many of the e-mails sent during the period were clicked.")
    email_open_rate = fields.Float(
        "E-mail Open Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The opened per sent e-mails.")
    email_open_percentage = fields.Function(
        fields.Float("E-mail Open Percentage", digits=(None, 2)),
        'get_percentage')
    email_click_rate = fields.Float(
        "E-mail Click Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The clicked per sent e-mails.")
    email_click_percentage = fields.Function(
        fields.Float("E-mail Click Percentage", digits=(None, 2)),
        'get_percentage')
    email_click_through_rate = fields.Float(
        "E-mail Click-Through Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('email_opened'),
            },
        help="The clicked per opened e-mails.")
    email_click_through_percentage = fields.Function(
        fields.Float("E-mail Click-Through Percentage", digits=(None, 2)),
        'get_percentage')

    @classmethod
    def _facts(cls):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        done = RecordActivity.__table__()
        return done.select(
            done.id.as_('id'),
            done.activity.as_('activity'),
            # Those of the former module have no date of the end
            Coalesce(done.ended_at, done.at, done.create_date).as_('at'),
            Literal(1).as_('record_count'),
            Case((done.email_opened == Literal(True), 1), else_=0
                ).as_('email_opened'),
            Case((done.email_clicked == Literal(True), 1), else_=0
                ).as_('email_clicked'),
            where=done.state == 'done')

    @classmethod
    def get_activity_actions(cls):
        Activity = Pool().get('marketing.automation.activity')
        return Activity.get_parent_actions()

    @fields.depends('activity')
    def on_change_with_activity_action(self, name=None):
        return self.activity.action if self.activity else None

    def get_scenario(self, name):
        return self.activity.scenario.id if self.activity.scenario else None

    @classmethod
    def search_scenario(cls, name, clause):
        return [('activity.' + clause[0], *clause[1:])]
