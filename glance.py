# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What matters of a scenario in a list.
"""

from collections import Counter

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.transaction import inactive_records, without_check_access

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
        'get_progress')
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
    def get_progress(cls, scenarios, name):
        Reporting = Pool().get(cls._reporting)
        figures = Reporting.figures(
            [s.id for s in scenarios], _ENDED + _LEFT)

        def total(id_, names):
            return sum(figures[n][id_] for n in names)
        return {
            s.id: Reporting.rate(
                total(s.id, _ENDED), total(s.id, _ENDED + _LEFT))
            for s in scenarios}

    @classmethod
    @without_check_access
    def get_emails(cls, scenarios, names):
        "Return the figures of all activities which send e-mails"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Reporting = pool.get(Activity._reporting)
        with inactive_records():
            activities = Activity.search([
                    ('scenario', 'in', [s.id for s in scenarios]),
                    ('action', '=', 'send_email'),
                    ], order=[])
        figures = Reporting.figures([a.id for a in activities], _EMAIL)
        totals = {n: Counter() for n in _EMAIL}
        for activity in activities:
            for name in _EMAIL:
                totals[name][activity.scenario.id] += (
                    figures[name][activity.id])
        sent = totals['record_count']
        result = {
            'email_count': lambda id_: sent[id_],
            'email_open_rate': lambda id_: Reporting.rate(
                totals['email_opened'][id_], sent[id_]),
            'email_click_rate': lambda id_: Reporting.rate(
                totals['email_clicked'][id_], sent[id_]),
            }
        return {n: {s.id: result[n](s.id) for s in scenarios} for n in names}
