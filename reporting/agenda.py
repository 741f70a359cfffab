# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Agenda and failures: record activities that are planned, or failed.
"""

import datetime as dt

from sql import Literal, Null
from sql.aggregate import Count, Max, Min
from sql.functions import DateTrunc

from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.tools import grouped_slice
from trytond.wizard import StateAction, StateTransition, Wizard

from ..common.sql import SLICE
from ..record.reason import REASONS


class Group(ModelSQL, ModelView):
    "Record activities that are alike"
    __slots__ = ()

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    number = fields.Integer("Number", readonly=True)

    @classmethod
    def _query(cls, columns, where):
        """
        Return the query of the record activities that fulfil the condition,
        grouped by the activity and the columns; both are functions of the
        table.
        """
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        table = RecordActivity.__table__()
        activity = pool.get('marketing.automation.activity').__table__()
        columns = columns(table)
        # PostgreSQL does not group by what has parameters
        rows = table.join(
            activity, condition=table.activity == activity.id).select(
                table.id.as_('id'),
                table.activity.as_('activity'),
                activity.scenario.as_('scenario'),
                *(c.as_(n) for n, c in columns.items()),
                where=where(table) & (table.test == Literal(False)))
        groups = [
            getattr(rows, n) for n in ['activity', 'scenario', *columns]]
        return rows.select(
            Min(rows.id).as_('id'),
            Max(rows.id).as_('example'),
            Count(Literal(1)).as_('number'),
            *(g.as_(g.name) for g in groups),
            group_by=groups)

    def get_rec_name(self, name):
        return f'{self.activity.rec_name}: {self.number}'

    def domain(self):
        "Return the domain of the record activities"
        return [('activity', '=', self.activity.id), ('test', '=', False)]


class Agenda(Group):
    __name__ = 'marketing.automation.reporting.agenda'

    date = fields.Date("Date", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('date', 'ASC'), ('id', 'ASC')]

    @classmethod
    def table_query(cls):
        return cls._query(
            lambda table: {
                'date': cls.date.sql_cast(DateTrunc('day', table.at))},
            lambda table: (table.state == 'waiting') & (table.at != Null))

    def domain(self):
        start = dt.datetime.combine(self.date, dt.time())
        return [
            *super().domain(),
            ('state', '=', 'waiting'),
            ('at', '>=', start),
            ('at', '<', start + dt.timedelta(days=1)),
            ]


class Failure(Group):
    __name__ = 'marketing.automation.reporting.failure'

    state = fields.Selection([
            ('failed', "Failed"),
            ('skipped', "Skipped"),
            ], "State", readonly=True)
    reason = fields.Selection(REASONS, "Reason", readonly=True, sort=False)
    example = fields.Many2One(
        'marketing.automation.record.activity', "Example", readonly=True,
        help="The last one.")
    detail = fields.Function(fields.Text("Detail"), 'get_detail')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('number', 'DESC'), ('id', 'ASC')]
        cls._buttons.update(retry={})

    @classmethod
    def table_query(cls):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        reasons = sorted(RecordActivity._retryable_reasons())
        return cls._query(
            lambda table: {'state': table.state, 'reason': table.reason},
            lambda table: (table.state == 'failed') | (
                (table.state == 'skipped')
                & fields.SQL_OPERATORS['in'](table.reason, reasons)))

    def get_detail(self, name):
        return self.example.detail

    def domain(self):
        return [
            *super().domain(),
            ('state', '=', self.state),
            ('reason', '=', self.reason),
            ]

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_failure_retry')
    def retry(cls, failures):
        pass


class OpenGroup(Wizard):
    "Wizard that opens the record activities of the groups"
    __name__ = 'marketing.automation.reporting.group.open'

    start_state = 'open_'
    open_ = StateAction('marketing_automation.act_group')

    def do_open_(self, action):
        domain = ['OR', *(g.domain() for g in self.records)]
        action['pyson_domain'] = PYSONEncoder().encode(domain)
        return action, {}


class Retry(Wizard):
    "Wizard that retries all that failed for the same reason"
    __name__ = 'marketing.automation.reporting.failure.retry'

    start_state = 'retry'
    retry = StateTransition()
    open_ = StateAction('marketing_automation.act_group')

    def transition_retry(self):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        self._ids = [
            r.id for f in self.records
            for r in RecordActivity.search(f.domain(), order=[])]
        for ids in grouped_slice(self._ids, SLICE):
            RecordActivity.retry(RecordActivity.browse(list(ids)))
        return 'open_'

    def do_open_(self, action):
        action['pyson_domain'] = PYSONEncoder().encode(
            [('id', 'in', self._ids)])
        return action, {}
