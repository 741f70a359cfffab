# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Periods of the reports, and their context.
"""

import datetime as dt

from dateutil.relativedelta import relativedelta

from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

PERIODS = {
    'year': relativedelta(years=1),
    'month': relativedelta(months=1),
    'day': relativedelta(days=1),
    }


def get_period():
    "Return the period of the context"
    period = Transaction().context.get('period')
    return period if period in PERIODS else 'month'


def start(date, period):
    "Return the first day of the period of the date"
    if period == 'year':
        return date.replace(month=1, day=1)
    elif period == 'month':
        return date.replace(day=1)
    return date


def midnight(date):
    return dt.datetime.combine(date, dt.time.min)


def spans(from_date, to_date, period):
    """
    Return the list of the levels of the counters that make up the dates, with
    the first day and the one after the last, None for no limit.

    Whole months are taken as such.
    """
    if not period:
        return [('all', None, None)]
    end = to_date + dt.timedelta(days=1) if to_date else None
    if period == 'day':
        return [('day', from_date, end)]
    first, last = from_date, end
    if from_date and from_date.day > 1:
        first = start(from_date, 'month') + PERIODS['month']
    if end:
        last = start(end, 'month')
    if first and last and first >= last:
        return [('day', from_date, end)]
    spans = [('month', first, last)]
    if first != from_date:
        spans.append(('day', from_date, first))
    if last != end:
        spans.append(('day', last, end))
    return spans


class Context(ModelView):
    "Context of the reports: dates and period"
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
        return get_period()
