# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What matters of a scenario in a list.
"""

from collections import Counter

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

_ENDED = [
    'done_count', 'skipped_count', 'cancelled_count', 'expired_count',
    'failed_count']
_LEFT = ['waiting_count', 'sending_count']
_EMAIL = ['record_count', 'email_opened', 'email_clicked']


class Scenario(metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'

    progress = fields.Function(
        fields.Float(
            "Progress", digits=(None, 4),
            help="The record activities that are over per planned ones."),
        'get_figures')
    record_count_trend = fields.Function(
        fields.Char(
            "Records Trend",
            help="How many records entered in each of the last months."),
        'get_trends')
    email_count = fields.Function(
        fields.Integer(
            "E-Mails Sent",
            help="The number of e-mails that were sent."),
        'get_emails')
    email_open_rate = fields.Function(
        fields.Float(
            "E-Mail Open Rate", digits=(None, 4),
            help="The opened per sent e-mails."),
        'get_emails')
    email_click_rate = fields.Function(
        fields.Float(
            "E-Mail Click Rate", digits=(None, 4),
            help="The clicked per sent e-mails."),
        'get_emails')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree/field[@name="state"]', 'visual',
                If(Eval('state') == 'running', 'success', 'muted')),
            ('/tree/field[@name="failed_count"]', 'visual',
                If(Eval('failed_count', 0) > 0, 'warning', '')),
            ]

    @classmethod
    def get_figures(cls, scenarios, names):
        if 'progress' not in names:
            return super().get_figures(scenarios, names)
        Reporting = Pool().get(cls._reporting)
        names = set(names) - {'progress'}
        figures = super().get_figures(
            scenarios, sorted(names.union(_ENDED, _LEFT)))

        def total(id_, parts):
            return sum(figures[n][id_] for n in parts)
        return {
            **{n: figures[n] for n in names},
            'progress': {
                s.id: Reporting.rate(
                    total(s.id, _ENDED), total(s.id, _ENDED + _LEFT))
                for s in scenarios},
            }

    @classmethod
    def get_emails(cls, scenarios, names):
        "Return the figures of all activities which send e-mails"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Reporting = pool.get(Activity._reporting)
        cursor = Transaction().connection.cursor()
        table = Activity.__table__()
        cursor.execute(*table.select(
                table.id, table.scenario,
                where=fields.SQL_OPERATORS['in'](
                    table.scenario, [s.id for s in scenarios])
                & (table.action == 'send_email')))
        activities = dict(cursor.fetchall())
        figures = Reporting.figures(list(activities), _EMAIL)
        totals = {n: Counter() for n in _EMAIL}
        for activity, scenario in activities.items():
            for name in _EMAIL:
                totals[name][scenario] += figures[name][activity]
        sent = totals['record_count']
        result = {
            'email_count': lambda id_: sent[id_],
            'email_open_rate': lambda id_: Reporting.rate(
                totals['email_opened'][id_], sent[id_]),
            'email_click_rate': lambda id_: Reporting.rate(
                totals['email_clicked'][id_], sent[id_]),
            }
        return {n: {s.id: result[n](s.id) for s in scenarios} for n in names}
