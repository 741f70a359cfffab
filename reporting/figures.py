# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Figures on the forms and in the lists of scenarios and activities.
"""

from collections import Counter

from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from .report_activity import _RATES, _count, _rate, _states


class Figures:
    "Figures of a reporting model on its subject"
    __slots__ = ()
    _reporting = None

    waiting_count = fields.Function(
        fields.Integer(
            "Waiting",
            help="The number of record activities which are planned."),
        'get_figures')
    sending_count = fields.Function(
        fields.Integer(
            "Sending",
            help="The number of record activities on their way out."),
        'get_figures')
    done_count = fields.Function(
        fields.Integer(
            "Done",
            help="The number of record activities that happened."),
        'get_figures')
    skipped_count = fields.Function(
        fields.Integer(
            "Skipped",
            help="The number of record activities whose condition was not "
            "met or that had no address."),
        'get_figures')
    cancelled_count = fields.Function(
        fields.Integer(
            "Cancelled",
            help="The number of record activities that became needless."),
        'get_figures')
    expired_count = fields.Function(
        fields.Integer(
            "Expired",
            help="The number of record activities that were too late."),
        'get_figures')
    failed_count = fields.Function(
        fields.Integer(
            "Failed",
            help="The number of record activities that ended with an error."),
        'get_figures')

    @classmethod
    def get_figures(cls, records, names):
        Reporting = Pool().get(cls._reporting)
        return Reporting.figures([r.id for r in records], names)

    @classmethod
    def get_trends(cls, records, names):
        Reporting = Pool().get(cls._reporting)
        return Reporting.trends([r.id for r in records], names)


class ScenarioFigures(Figures):
    "Figures on the form of a scenario"
    __slots__ = ()
    _reporting = 'marketing.automation.reporting.scenario'

    record_count = fields.Function(
        fields.Integer(
            "Records",
            help="The number of records that have entered."),
        'get_figures')
    record_count_blocked = fields.Function(
        fields.Integer(
            "Blocked",
            help="The number of records that are blocked."),
        'get_figures')
    block_rate = fields.Function(
        fields.Float(
            "Block Rate", digits=(None, 4),
            states={
                'invisible': ~Eval('record_count'),
                },
            help="The blocked per entered records."),
        'get_figures')
    block_rate_trend = fields.Function(
        fields.Char(
            "Block Rate Trend",
            states={
                'invisible': ~Eval('record_count'),
                }),
        'get_trends')


class ActivityFigures(Figures):
    "Figures of opens and clicks on the form of an activity"
    __slots__ = ()
    _reporting = 'marketing.automation.reporting.activity'

    _states = {
        'invisible': Eval('action') != 'send_email',
        }
    _states_sent = {
        'invisible': _states['invisible'] | ~Eval('record_count'),
        }
    _states_opened = {
        'invisible': _states['invisible'] | ~Eval('email_opened'),
        }

    record_count = fields.Function(
        fields.Integer(
            "Records",
            help="The number of records for which the activity was done."),
        'get_figures')
    email_opened = fields.Function(
        fields.Integer(
            "E-Mails Opened", states=_states,
            help="The number of sent e-mails that were opened."),
        'get_figures')
    email_clicked = fields.Function(
        fields.Integer(
            "E-Mails Clicked", states=_states,
            help="The number of sent e-mails that were clicked."),
        'get_figures')
    email_open_rate = fields.Function(
        fields.Float(
            "E-Mail Open Rate", digits=(None, 4), states=_states_sent,
            help="The opened per sent e-mails."),
        'get_figures')
    email_open_rate_trend = fields.Function(
        fields.Char(
            "E-Mail Open Rate Trend", states=_states_sent),
        'get_trends')
    email_click_rate = fields.Function(
        fields.Float(
            "E-Mail Click Rate", digits=(None, 4), states=_states_sent,
            help="The clicked per sent e-mails."),
        'get_figures')
    email_click_rate_trend = fields.Function(
        fields.Char(
            "E-Mail Click Rate Trend", states=_states_sent),
        'get_trends')
    email_click_through_rate = fields.Function(
        fields.Float(
            "E-Mail Click-Through Rate", digits=(None, 4),
            states=_states_opened,
            help="The clicked per opened e-mails."),
        'get_figures')
    email_click_through_rate_trend = fields.Function(
        fields.Char(
            "E-Mail Click-Through Rate Trend", states=_states_opened),
        'get_trends')

    del _states, _states_sent, _states_opened


class RecordActivityFigures:
    "Index of the record activities for the figures"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            # Of the other states are nearly all, or there is another index
            Index(
                t,
                (t.activity, Index.Range()),
                (t.state, Index.Range()),
                where=t.state.in_([
                        'skipped', 'cancelled', 'expired', 'failed'])))


def _count_now(name, string, help):
    return fields.Function(
        _count(name, string, help, action='action'), 'get_figures')


def _rate_now(name):
    "Return the fields of the rate and of its trend"
    rate = _RATES[name]
    return (
        fields.Function(_rate(name, action='action'), 'get_figures'),
        fields.Function(
            fields.Char(
                f"{rate.string} Trend",
                states=_states(rate.actions, 'action', rate.total)),
            'get_trends'))


class ActivityEventFigures:
    "Figures of the other events on the form of an activity"
    __slots__ = ()

    handed_over = _count_now(
        'handed_over', "Handed Over",
        "The number of messages that were handed over: those that are done "
        "and those that were refused at once.")
    email_replied = _count_now(
        'email_replied', "E-Mails Replied",
        "The number of sent e-mails that were replied to.")
    email_bounced = _count_now(
        'email_bounced', "E-Mails Bounced",
        "The number of e-mails that were refused or came back.")
    email_unsubscribed = _count_now(
        'email_unsubscribed', "E-Mails Unsubscribed",
        "The number of sent e-mails by which the recipient unsubscribed.")
    sms_clicked = _count_now(
        'sms_clicked', "SMS Clicked",
        "The number of sent SMS that were clicked.")
    sms_bounced = _count_now(
        'sms_bounced', "SMS Bounced",
        "The number of SMS that were refused or not delivered.")
    todo_done = _count_now(
        'todo_done', "To-Dos Done",
        "The number of made to-dos that are done.")
    email_reply_rate, email_reply_rate_trend = _rate_now('email_reply_rate')
    email_bounce_rate, email_bounce_rate_trend = _rate_now('email_bounce_rate')
    email_unsubscribe_rate, email_unsubscribe_rate_trend = _rate_now(
        'email_unsubscribe_rate')
    sms_click_rate, sms_click_rate_trend = _rate_now('sms_click_rate')
    sms_bounce_rate, sms_bounce_rate_trend = _rate_now('sms_bounce_rate')
    todo_done_rate, todo_done_rate_trend = _rate_now('todo_done_rate')


class ActivityRawFigures:
    "Figures on the form of an activity that include the requests of machines"
    __slots__ = ()

    _states = {
        'invisible': Eval('action') != 'send_email',
        }
    _states_sent = {
        'invisible': _states['invisible'] | ~Eval('record_count'),
        }

    email_opened_raw = fields.Function(
        fields.Integer(
            "E-Mails Opened (Raw)", states=_states,
            help="The number of sent e-mails that were opened by anyone, "
            "also by machines."),
        'get_figures')
    email_clicked_raw = fields.Function(
        fields.Integer(
            "E-Mails Clicked (Raw)", states=_states,
            help="The number of sent e-mails that were clicked by anyone, "
            "also by machines."),
        'get_figures')
    email_open_rate_raw = fields.Function(
        fields.Float(
            "E-Mail Open Rate (Raw)", digits=(None, 4), states=_states_sent,
            help="The opened per sent e-mails, with those opened by "
            "machines."),
        'get_figures')
    email_click_rate_raw = fields.Function(
        fields.Float(
            "E-Mail Click Rate (Raw)", digits=(None, 4), states=_states_sent,
            help="The clicked per sent e-mails, with those clicked by "
            "machines."),
        'get_figures')

    del _states, _states_sent


_ENDED = [
    'done_count', 'skipped_count', 'cancelled_count', 'expired_count',
    'failed_count']

_LEFT = ['waiting_count', 'sending_count']

_EMAIL = ['record_count', 'email_opened', 'email_clicked']


class ScenarioListFigures:
    "Figures in the list of scenarios"
    __slots__ = ()

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
