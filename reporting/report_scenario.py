# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Report of the figures per scenario.
"""

from sql.conditionals import Coalesce

from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval

from .kind import has_event, is_kind
from .report import Reporting
from .state_report import ReportingScenarioStateReport


class ReportingScenario(
        ReportingScenarioStateReport,
        Reporting):
    "Figures of a scenario per period"
    __name__ = 'marketing.automation.reporting.scenario'
    _subject = 'scenario'
    _counts = ['record_count', 'record_count_blocked']
    _rates = {
        'block_rate': ('record_count_blocked', 'record_count'),
        }

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    record_count = fields.Integer(
        "Records", readonly=True,
        help="The number of records that entered during the period.")
    record_count_blocked = fields.Integer(
        "Blocked", readonly=True,
        help="The number of records that were blocked during the period.")
    block_rate = fields.Float(
        "Block Rate", digits=(None, 4), readonly=True,
        states={
            'invisible': ~Eval('record_count'),
            },
        help="The blocked per entered records.")
    block_percentage = fields.Function(
        fields.Float("Block Percentage", digits=(None, 2)), 'get_percentage')

    @classmethod
    def _condition(cls, name):
        if name == 'record_count':
            return is_kind('entered')
        elif name == 'record_count_blocked':
            return has_event('block')
        return super()._condition(name)

    @classmethod
    def _counted(cls):
        # The record activities belong to the scenario of their activity
        pool = Pool()
        activity = pool.get('marketing.automation.activity').__table__()
        counter = pool.get('marketing.automation.counter').__table__()
        return (
            counter,
            counter.join(activity, 'LEFT',
                condition=counter.activity == activity.id),
            Coalesce(counter.scenario, activity.scenario))

    @classmethod
    def _live(cls):
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        queries = Record.live()
        for live in RecordActivity.live():
            activity = Activity.__table__()
            queries.append(live.join(
                    activity, condition=live.subject == activity.id).select(
                    activity.scenario.as_('subject'), live.at.as_('at'),
                    live.kind.as_('kind'), live.number.as_('number')))
        return queries
