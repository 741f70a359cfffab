# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The figures with all that machines did, beside those of humans.
"""

from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

_EVENTS = ['email_opened', 'email_clicked']
_RATES = {
    'email_open_rate_raw': ('email_opened_raw', 'record_count'),
    'email_click_rate_raw': ('email_clicked_raw', 'record_count'),
    }


class ReportingActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.reporting.activity'

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
    def __setup__(cls):
        super().__setup__()
        # The set up can happen more than once
        cls._counts = list(dict.fromkeys(
                cls._counts + [f'{e}_raw' for e in _EVENTS]))
        cls._rates = {**cls._rates, **_RATES}


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

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
