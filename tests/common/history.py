# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

"""
Invented history of scenarios and what its rows say, counted one by one.
"""

import datetime as dt
import random
from collections import Counter, defaultdict
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from unittest.mock import patch

from trytond import backend
from trytond.modules.marketing_automation.reporting.report import STATES
from trytond.pool import Pool
from trytond.transaction import Transaction

from .crowd import create_crowd, enter_crowd, plan_crowd

SCENARIO = 'marketing.automation.scenario'
ACTIVITY = 'marketing.automation.activity'
SCENARIO_REPORTING = 'marketing.automation.reporting.scenario'
ACTIVITY_REPORTING = 'marketing.automation.reporting.activity'
RATES = {
    SCENARIO: {
        'block_rate': ('record_count_blocked', 'record_count'),
        },
    ACTIVITY: {
        'email_open_rate': ('email_opened', 'record_count'),
        'email_click_rate': ('email_clicked', 'record_count'),
        'email_click_through_rate': ('email_clicked', 'email_opened'),
        'email_reply_rate': ('email_replied', 'record_count'),
        'email_bounce_rate': ('email_bounced', 'handed_over'),
        'email_unsubscribe_rate': ('email_unsubscribed', 'record_count'),
        'sms_click_rate': ('sms_clicked', 'record_count'),
        'sms_bounce_rate': ('sms_bounced', 'handed_over'),
        'todo_done_rate': ('todo_done', 'record_count'),
        },
    }
BOUNCES = ['email_bounced', 'sms_bounced']
EVENTS = [
    'email_opened', 'email_clicked', 'email_replied', 'email_unsubscribed',
    'sms_clicked', 'todo_done', *BOUNCES]
BLOCKS = '▁▂▃▄▅▆▇█'


def create_scenarios(count, activities=1):
    "Create scenarios with chains of activities"
    pool = Pool()
    Scenario = pool.get(SCENARIO)
    Activity = pool.get(ACTIVITY)
    scenarios = Scenario.create([{
                'name': f"Scenario {i}",
                'model': 'party.party',
                'domain': '[]',
                } for i in range(count)])
    for scenario in scenarios:
        parent = scenario
        for i in range(activities):
            parent, = Activity.create([{
                        'name': f"Activity {i}",
                        'parent': str(parent),
                        }])
    return list(Scenario.browse(scenarios))


def create_records(scenario, count):
    return enter_crowd(scenario, create_crowd([("Party", None)] * count))


def create_record_activities(activity, records):
    return plan_crowd(activity, records)


def set_values(records, **values):
    "Write facts as the system does"
    if not records:
        return
    Model = records[0].__class__
    table = Model.__table__()
    cursor = Transaction().connection.cursor()
    for record in records:
        cursor.execute(*table.update(
                [getattr(table, n) for n in values],
                list(values.values()),
                where=table.id == record.id))
    Transaction().counter += 1


def rows(model, *names):
    "Return what is stored"
    table = Pool().get(model).__table__()
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.select(*[getattr(table, n) for n in names]))
    return [
        [dt.datetime.fromisoformat(v) if n in _DATES and isinstance(v, str)
            else v
            for n, v in zip(names, row)]
        for row in cursor.fetchall()]


_DATES = {'create_date', 'ended_at', 'at'}


def start(date, period):
    if period == 'year':
        return date.replace(month=1, day=1)
    elif period == 'month':
        return date.replace(day=1)
    return date


def ratio(counts, numerator, denominator):
    if counts[denominator]:
        return float(
            (Decimal(counts[numerator]) / counts[denominator]).quantize(
                Decimal('0.0001'), ROUND_HALF_UP))


def facts(model):
    "Return the subject, the date and the name of each thing that counts"
    if model == SCENARIO:
        for scenario, created, blocked, ended in rows(
                'marketing.automation.record',
                'scenario', 'create_date', 'blocked', 'ended_at'):
            yield scenario, created.date(), 'record_count'
            if blocked:
                yield scenario, (ended or created).date(), (
                    'record_count_blocked')
    else:
        for activity, state, ended, at, created, *happened in rows(
                'marketing.automation.record.activity',
                'activity', 'state', 'ended_at', 'at', 'create_date',
                *EVENTS):
            if state in {'waiting', 'sending'}:
                continue
            date = (ended or at or created).date()
            events = {e for e, h in zip(EVENTS, happened) if h}
            if state == 'done':
                yield activity, date, 'record_count'
            else:
                yield activity, date, f'{state}_count'
                events &= set(BOUNCES) if state == 'failed' else set()
            for event in events:
                yield activity, date, event
            if state == 'done' or events:
                yield activity, date, 'handed_over'


def expected_figures(model):
    "Return the figures by subject"
    figures = defaultdict(Counter)
    for subject, _, name in facts(model):
        figures[subject][name] += 1
    for counts in figures.values():
        for name, (n, d) in RATES[model].items():
            counts[name] = ratio(counts, n, d)
    return figures


def expected_rows(model, period, from_date, to_date):
    "Return the figures by subject and period"
    figures = defaultdict(Counter)
    for subject, date, name in facts(model):
        if from_date <= date <= to_date:
            figures[subject, start(date, period)][name] += 1
    for counts in figures.values():
        for name, (n, d) in RATES[model].items():
            counts[name] = ratio(counts, n, d)
    return figures


@contextmanager
def statements():
    "Return the list of the executed statements"
    executed = []
    if backend.name == 'sqlite':
        connection = Transaction().connection
        connection.set_trace_callback(executed.append)
        try:
            yield executed
        finally:
            connection.set_trace_callback(None)
    else:
        from trytond.backend.postgresql.database import LoggingCursor
        execute = LoggingCursor.execute

        def count(self, query, *args, **kwargs):
            executed.append(query)
            return execute(self, query, *args, **kwargs)
        with patch.object(LoggingCursor, 'execute', count):
            yield executed


def fill(seed):
    "Make random history"
    rand = random.Random(seed)
    today = dt.date.today()

    def moment():
        return dt.datetime.combine(
            today - dt.timedelta(days=rand.randint(0, 600)),
            dt.time(rand.randint(0, 23), rand.randint(0, 59)))

    scenarios = create_scenarios(4, activities=3)
    for scenario in scenarios[:-1]:
        records = create_records(scenario, rand.randint(1, 20))
        activities = Pool().get(ACTIVITY).search([
                ('scenario', '=', scenario.id),
                ])
        for record in records:
            blocked = rand.random() < .4
            set_values([record],
                create_date=moment(), blocked=blocked,
                ended_at=(
                    moment() if blocked and rand.random() < .7 else None))
        for activity in activities:
            for record in create_record_activities(activity, records):
                opened = rand.random() < .5
                set_values([record],
                    state=rand.choice(STATES + ['done'] * 5),
                    at=moment() if rand.random() < .9 else None,
                    ended_at=moment() if rand.random() < .7 else None,
                    email_opened=opened,
                    email_clicked=opened and rand.random() < .5,
                    **{e: rand.random() < .3 for e in EVENTS[2:]})
    return scenarios
