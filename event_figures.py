# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The figures of the other events: replies, bounces, unsubscriptions, what
became of the SMS and of the to-dos.
"""

from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from .kinds import has_event, is_kind

_COUNTS = [
    'handed_over', 'email_replied', 'email_bounced', 'email_unsubscribed',
    'sms_clicked', 'sms_bounced', 'todo_done']
_RATES = {
    'email_reply_rate': ('email_replied', 'record_count'),
    'email_bounce_rate': ('email_bounced', 'handed_over'),
    'email_unsubscribe_rate': ('email_unsubscribed', 'record_count'),
    'sms_click_rate': ('sms_clicked', 'record_count'),
    'sms_bounce_rate': ('sms_bounced', 'handed_over'),
    'todo_done_rate': ('todo_done', 'record_count'),
    }


def _states(*actions, total=None, action='action'):
    "Return the states of a figure of the actions, of a rate with its total"
    invisible = ~Eval(action).in_(list(actions))
    if total:
        invisible |= ~Eval(total)
    return {'invisible': invisible}


class ReportingActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.reporting.activity'

    handed_over = fields.Integer(
        "Handed Over", readonly=True,
        states=_states('send_email', 'send_sms', action='activity_action'),
        help="How many messages were handed over during the period: those "
        "that are done and those that were refused at once.")
    email_replied = fields.Integer(
        "E-Mails Replied", readonly=True,
        states=_states('send_email', action='activity_action'),
        help="How many of the e-mails sent during the period were replied to.")
    email_bounced = fields.Integer(
        "E-Mails Bounced", readonly=True,
        states=_states('send_email', action='activity_action'),
        help="How many of the e-mails handed over during the period were "
        "refused or came back.")
    email_unsubscribed = fields.Integer(
        "E-Mails Unsubscribed", readonly=True,
        states=_states('send_email', action='activity_action'),
        help="By how many of the e-mails sent during the period the recipient "
        "unsubscribed.")
    sms_clicked = fields.Integer(
        "SMS Clicked", readonly=True,
        states=_states('send_sms', action='activity_action'),
        help="How many of the SMS sent during the period were clicked.")
    sms_bounced = fields.Integer(
        "SMS Bounced", readonly=True,
        states=_states('send_sms', action='activity_action'),
        help="How many of the SMS handed over during the period were refused "
        "or not delivered.")
    todo_done = fields.Integer(
        "To-Dos Done", readonly=True,
        states=_states('todo', action='activity_action'),
        help="How many of the to-dos made during the period are done.")
    email_reply_rate = fields.Float(
        "E-Mail Reply Rate", digits=(None, 4), readonly=True,
        states=_states(
            'send_email', total='record_count', action='activity_action'),
        help="The replied per sent e-mails.")
    email_bounce_rate = fields.Float(
        "E-Mail Bounce Rate", digits=(None, 4), readonly=True,
        states=_states(
            'send_email', total='handed_over', action='activity_action'),
        help="The bounced per handed over e-mails.")
    email_unsubscribe_rate = fields.Float(
        "E-Mail Unsubscribe Rate", digits=(None, 4), readonly=True,
        states=_states(
            'send_email', total='record_count', action='activity_action'),
        help="The unsubscribed per sent e-mails.")
    sms_click_rate = fields.Float(
        "SMS Click Rate", digits=(None, 4), readonly=True,
        states=_states(
            'send_sms', total='record_count', action='activity_action'),
        help="The clicked per sent SMS.")
    sms_bounce_rate = fields.Float(
        "SMS Bounce Rate", digits=(None, 4), readonly=True,
        states=_states(
            'send_sms', total='handed_over', action='activity_action'),
        help="The bounced per handed over SMS.")
    todo_done_rate = fields.Float(
        "To-Do Done Rate", digits=(None, 4), readonly=True,
        states=_states(
            'todo', total='record_count', action='activity_action'),
        help="The done per made to-dos.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # The set up can happen more than once
        cls._counts = list(dict.fromkeys(cls._counts + _COUNTS))
        cls._rates = {**cls._rates, **_RATES}

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

    handed_over = fields.Function(
        fields.Integer(
            "Handed Over", states=_states('send_email', 'send_sms'),
            help="The number of messages that were handed over: those that "
            "are done and those that were refused at once."),
        'get_figures')
    email_replied = fields.Function(
        fields.Integer(
            "E-Mails Replied", states=_states('send_email'),
            help="The number of sent e-mails that were replied to."),
        'get_figures')
    email_bounced = fields.Function(
        fields.Integer(
            "E-Mails Bounced", states=_states('send_email'),
            help="The number of e-mails that were refused or came back."),
        'get_figures')
    email_unsubscribed = fields.Function(
        fields.Integer(
            "E-Mails Unsubscribed", states=_states('send_email'),
            help="The number of sent e-mails by which the recipient "
            "unsubscribed."),
        'get_figures')
    sms_clicked = fields.Function(
        fields.Integer(
            "SMS Clicked", states=_states('send_sms'),
            help="The number of sent SMS that were clicked."),
        'get_figures')
    sms_bounced = fields.Function(
        fields.Integer(
            "SMS Bounced", states=_states('send_sms'),
            help="The number of SMS that were refused or not delivered."),
        'get_figures')
    todo_done = fields.Function(
        fields.Integer(
            "To-Dos Done", states=_states('todo'),
            help="The number of made to-dos that are done."),
        'get_figures')
    email_reply_rate = fields.Function(
        fields.Float(
            "E-Mail Reply Rate", digits=(None, 4),
            states=_states('send_email', total='record_count'),
            help="The replied per sent e-mails."),
        'get_figures')
    email_bounce_rate = fields.Function(
        fields.Float(
            "E-Mail Bounce Rate", digits=(None, 4),
            states=_states('send_email', total='handed_over'),
            help="The bounced per handed over e-mails."),
        'get_figures')
    email_unsubscribe_rate = fields.Function(
        fields.Float(
            "E-Mail Unsubscribe Rate", digits=(None, 4),
            states=_states('send_email', total='record_count'),
            help="The unsubscribed per sent e-mails."),
        'get_figures')
    sms_click_rate = fields.Function(
        fields.Float(
            "SMS Click Rate", digits=(None, 4),
            states=_states('send_sms', total='record_count'),
            help="The clicked per sent SMS."),
        'get_figures')
    sms_bounce_rate = fields.Function(
        fields.Float(
            "SMS Bounce Rate", digits=(None, 4),
            states=_states('send_sms', total='handed_over'),
            help="The bounced per handed over SMS."),
        'get_figures')
    todo_done_rate = fields.Function(
        fields.Float(
            "To-Do Done Rate", digits=(None, 4),
            states=_states('todo', total='record_count'),
            help="The done per made to-dos."),
        'get_figures')
