# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Funnel: how many records get to each step of a scenario, and who is where.
"""

from sql import Cast, Literal, Null, Union
from sql.aggregate import Min

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If, PYSONEncoder
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import StateAction, Wizard

from ..common.sql import SLICE, to_datetime


class Funnel(ModelSQL, ModelView):
    "Step of a scenario, with the number of records that have done it"
    __name__ = 'marketing.automation.reporting.funnel'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True,
        help="Empty for those which have entered.")
    sequence = fields.Integer("Sequence", readonly=True)
    step = fields.Function(fields.Char("Step"), 'get_step')
    number = fields.Function(
        fields.Integer(
            "Done",
            help="How many records have entered, or done the step."),
        'get_numbers')
    waiting = fields.Function(
        fields.Integer(
            "Waiting",
            help="For how many records the step is planned or waits for its "
            "event."),
        'get_numbers')
    failed = fields.Function(
        fields.Integer("Failed", help="For how many records it failed."),
        'get_numbers')
    next_at = fields.Function(
        fields.DateTime(
            "Next", help="When the first of those which wait is due."),
        'get_next')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('scenario', 'ASC'),
            ('sequence', 'ASC NULLS FIRST'),
            ('id', 'ASC'),
            ]
        cls._buttons.update({
                'open_waiting': {
                    'readonly': ~Eval('waiting'),
                    'depends': ['waiting'],
                    },
                })

    @classmethod
    def table_query(cls):
        pool = Pool()
        scenario = pool.get('marketing.automation.scenario').__table__()
        activity = pool.get('marketing.automation.activity').__table__()
        return Union(
            scenario.select(
                (Cast(scenario.id, 'BIGINT') * 2).as_('id'),
                scenario.id.as_('scenario'),
                Cast(Null, 'INTEGER').as_('activity'),
                Cast(Null, 'INTEGER').as_('sequence')),
            activity.select(
                (Cast(activity.id, 'BIGINT') * 2 + 1).as_('id'),
                activity.scenario.as_('scenario'),
                activity.id.as_('activity'),
                activity.sequence.as_('sequence'),
                where=(activity.scenario != Null)
                & (activity.active == Literal(True))),
            all_=True)

    def get_rec_name(self, name):
        return self.step

    @classmethod
    def get_step(cls, steps, name):
        names = {}
        for step in steps:
            if step.activity:
                # The number keeps the order where the clients sort
                path = '.'.join(
                    n.zfill(2) for n in step.activity.path.split('.'))
                names[step.id] = f'{path} {step.activity.name}'
            else:
                names[step.id] = gettext(
                    'marketing_automation.msg_funnel_entered')
        return names

    @classmethod
    def get_numbers(cls, steps, names):
        "Return the figures of the scenarios and of the activities"
        pool = Pool()
        result = {n: dict.fromkeys((s.id for s in steps)) for n in names}
        figures = {
            'number': 'record_count', 'waiting': 'waiting_count',
            'failed': 'failed_count'}
        activities = pool.get('marketing.automation.reporting.activity')
        values = activities.figures(
            [s.activity.id for s in steps if s.activity],
            [figures[n] for n in names])
        for name in names:
            for step in steps:
                if step.activity:
                    result[name][step.id] = values[figures[name]][
                        step.activity.id]
        if 'number' in names:
            scenarios = pool.get('marketing.automation.reporting.scenario')
            values = scenarios.figures(
                [s.scenario.id for s in steps if not s.activity],
                ['record_count'])
            for step in steps:
                if not step.activity:
                    result['number'][step.id] = values['record_count'][
                        step.scenario.id]
        return result

    @classmethod
    def get_next(cls, steps, name):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        table = RecordActivity.__table__()
        cursor = Transaction().connection.cursor()
        activities = {s.activity.id: s.id for s in steps if s.activity}
        result = dict.fromkeys((s.id for s in steps))
        for ids in grouped_slice(list(activities), SLICE):
            cursor.execute(*table.select(
                    table.activity, Min(table.at),
                    where=fields.SQL_OPERATORS['in'](
                        table.activity, list(ids))
                    & (table.state == 'waiting')
                    & (table.test == Literal(False)),
                    group_by=[table.activity]))
            for activity, at in cursor:
                result[activities[activity]] = to_datetime(at)
        return result

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree/field[@name="failed"]', 'visual',
                If(Eval('failed', 0) > 0, 'warning', '')),
            ]

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_funnel_waiting')
    def open_waiting(cls, steps):
        pass


class OpenWaiting(Wizard):
    "Wizard that opens the records that wait for a step"
    __name__ = 'marketing.automation.reporting.funnel.waiting'

    start_state = 'open_'
    open_ = StateAction('marketing_automation.act_funnel_waiting')

    def do_open_(self, action):
        activities = [s.activity.id for s in self.records if s.activity]
        action['pyson_domain'] = PYSONEncoder().encode([
                ('activity', 'in', activities),
                ('state', '=', 'waiting'),
                ('test', '=', False),
                ])
        return action, {}
