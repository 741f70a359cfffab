# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The figures of the other events: replies, bounces, unsubscriptions, what
became of the SMS and of the to-dos.
"""

from typing import NamedTuple

from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from .kind import has_event, is_kind


class _Rate(NamedTuple):
    "What a rate is called, what it divides by what and who has it"
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


class ReportingActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.reporting.activity'

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

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # The set up can happen more than once
        cls._counts = list(dict.fromkeys([*cls._counts, *_COUNTS]))
        cls._rates = {
            **cls._rates,
            **{n: (r.count, r.total) for n, r in _RATES.items()}}

    @classmethod
    def _condition(cls, name):
        if name == 'handed_over':
            # What was refused at once is not done
            refused = is_kind('failed') & (
                has_event('email_bounced') | has_event('sms_bounced'))
            return is_kind('done') | refused
        return super()._condition(name)


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

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
