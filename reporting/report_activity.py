# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Report of the figures per activity.
"""

from typing import NamedTuple

from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval

from .kind import has_event, is_kind
from .report import Reporting
from .state_report import ReportingActivityStateReport


class _Rate(NamedTuple):
    "Rate: its texts, its quotient and its actions"
    string: str
    help: str
    count: str
    total: str
    actions: tuple


_COUNTS = {
    'handed_over': ('send_email', 'send_sms'),
    'email_replied': ('send_email',),
    'email_bounced': ('send_email',),
    'email_unsubscribed': ('send_email',),
    'sms_clicked': ('send_sms',),
    'sms_bounced': ('send_sms',),
    'todo_done': ('todo',),
    }

_RATES = {
    'email_reply_rate': _Rate(
        "E-Mail Reply Rate", "The replied per sent e-mails.",
        'email_replied', 'record_count', ('send_email',)),
    'email_bounce_rate': _Rate(
        "E-Mail Bounce Rate", "The bounced per handed over e-mails.",
        'email_bounced', 'handed_over', ('send_email',)),
    'email_unsubscribe_rate': _Rate(
        "E-Mail Unsubscribe Rate", "The unsubscribed per sent e-mails.",
        'email_unsubscribed', 'record_count', ('send_email',)),
    'sms_click_rate': _Rate(
        "SMS Click Rate", "The clicked per sent SMS.",
        'sms_clicked', 'record_count', ('send_sms',)),
    'sms_bounce_rate': _Rate(
        "SMS Bounce Rate", "The bounced per handed over SMS.",
        'sms_bounced', 'handed_over', ('send_sms',)),
    'todo_done_rate': _Rate(
        "To-Do Done Rate", "The done per made to-dos.",
        'todo_done', 'record_count', ('todo',)),
    }


def _states(actions, action, total=None):
    "Return the states of a figure of the actions, of a rate with its total"
    invisible = ~Eval(action).in_(list(actions))
    if total:
        invisible |= ~Eval(total)
    return {'invisible': invisible}


def _count(name, string, help, action='activity_action'):
    return fields.Integer(
        string, readonly=True, states=_states(_COUNTS[name], action),
        help=help)


def _rate(name, action='activity_action'):
    rate = _RATES[name]
    return fields.Float(
        rate.string, digits=(None, 4), readonly=True,
        states=_states(rate.actions, action, rate.total), help=rate.help)


class ReportingActivity(
        ReportingActivityStateReport,
        Reporting):
    "Figures of an activity per period"
    __name__ = 'marketing.automation.reporting.activity'
    _subject = 'activity'
    _counts = [
        'record_count', 'skipped_count', 'cancelled_count', 'expired_count',
        'failed_count', 'email_opened', 'email_clicked',
        'email_opened_raw', 'email_clicked_raw', *_COUNTS]
    _rates = {
        'email_open_rate': ('email_opened', 'record_count'),
        'email_click_rate': ('email_clicked', 'record_count'),
        'email_click_through_rate': ('email_clicked', 'email_opened'),
        'email_open_rate_raw': ('email_opened_raw', 'record_count'),
        'email_click_rate_raw': ('email_clicked_raw', 'record_count'),
        **{n: (r.count, r.total) for n, r in _RATES.items()},
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
    skipped_count = fields.Integer(
        "Skipped", readonly=True,
        help="The number of record activities that were skipped during the "
        "period.")
    cancelled_count = fields.Integer(
        "Cancelled", readonly=True,
        help="The number of record activities that were cancelled during the "
        "period.")
    expired_count = fields.Integer(
        "Expired", readonly=True,
        help="The number of record activities that expired during the "
        "period.")
    failed_count = fields.Integer(
        "Failed", readonly=True,
        help="The number of record activities that failed during the "
        "period.")
    email_opened = fields.Integer(
        "E-Mails Opened", readonly=True,
        help="How many of the e-mails sent during the period were opened.")
    email_clicked = fields.Integer(
        "E-Mails Clicked", readonly=True,
        help="How many of the e-mails sent during the period were clicked.")
    email_open_rate = fields.Float(
        "E-Mail Open Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The opened per sent e-mails.")
    email_open_percentage = fields.Function(
        fields.Float("E-Mail Open Percentage", digits=(None, 2)),
        'get_percentage')
    email_click_rate = fields.Float(
        "E-Mail Click Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The clicked per sent e-mails.")
    email_click_percentage = fields.Function(
        fields.Float("E-Mail Click Percentage", digits=(None, 2)),
        'get_percentage')
    email_click_through_rate = fields.Float(
        "E-Mail Click-Through Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('email_opened'),
            },
        help="The clicked per opened e-mails.")
    email_click_through_percentage = fields.Function(
        fields.Float("E-Mail Click-Through Percentage", digits=(None, 2)),
        'get_percentage')

    handed_over = _count(
        'handed_over', "Handed Over",
        "How many messages were handed over during the period: those that "
        "are done and those that were refused at once.")
    email_replied = _count(
        'email_replied', "E-Mails Replied",
        "How many of the e-mails sent during the period were replied to.")
    email_bounced = _count(
        'email_bounced', "E-Mails Bounced",
        "How many of the e-mails handed over during the period were refused"
        " or came back.")
    email_unsubscribed = _count(
        'email_unsubscribed', "E-Mails Unsubscribed",
        "By how many of the e-mails sent during the period the recipient "
        "unsubscribed.")
    sms_clicked = _count(
        'sms_clicked', "SMS Clicked",
        "How many of the SMS sent during the period were clicked.")
    sms_bounced = _count(
        'sms_bounced', "SMS Bounced",
        "How many of the SMS handed over during the period were refused or "
        "not delivered.")
    todo_done = _count(
        'todo_done', "To-Dos Done",
        "How many of the to-dos made during the period are done.")
    email_reply_rate = _rate('email_reply_rate')
    email_bounce_rate = _rate('email_bounce_rate')
    email_unsubscribe_rate = _rate('email_unsubscribe_rate')
    sms_click_rate = _rate('sms_click_rate')
    sms_bounce_rate = _rate('sms_bounce_rate')
    todo_done_rate = _rate('todo_done_rate')
    email_opened_raw = fields.Integer(
        "E-Mails Opened (Raw)", readonly=True,
        help="How many of the e-mails sent during the period were opened by "
        "anyone, also by machines.")
    email_clicked_raw = fields.Integer(
        "E-Mails Clicked (Raw)", readonly=True,
        help="How many of the e-mails sent during the period were clicked by "
        "anyone, also by machines.")
    email_open_rate_raw = fields.Float(
        "E-Mail Open Rate (Raw)", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The opened per sent e-mails, with those opened by machines.")
    email_click_rate_raw = fields.Float(
        "E-Mail Click Rate (Raw)", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The clicked per sent e-mails, with those clicked by machines.")

    @classmethod
    def _condition(cls, name):
        if name == 'record_count':
            return is_kind('done')
        elif name == 'handed_over':
            # What was refused at once is not done
            refused = is_kind('failed') & (
                has_event('email_bounced') | has_event('sms_bounced'))
            return is_kind('done') | refused
        elif name.endswith('_count'):
            return super()._condition(name)
        # What can not be linked to a mail belongs to its own day
        condition = is_kind('done') | is_kind('tally')
        if name.endswith('_bounced'):
            # What was refused has failed
            condition |= is_kind('failed')
        return condition & has_event(name)

    @classmethod
    def _live(cls):
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        Tally = pool.get('marketing.automation.tally')
        return RecordActivity.live() + Tally.live()

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
