# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.model import Index, Model, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval


class Figures(Model):
    "Show the figures of a reporting model on their subject"
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


class Scenario(Figures, metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'
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


class Activity(Figures, metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'
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


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

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
