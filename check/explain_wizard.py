# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Wizard Why (not).
"""

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import ScenarioError
from ..mixin import TargetReferenceMixin
from .explain import Explainer


class Why(Wizard):
    "Wizard that explains why something happens to a record, or why not"
    __name__ = 'marketing.automation.why'

    start = StateTransition()
    ask = StateView(
        'marketing.automation.why.ask',
        'marketing_automation.why_ask_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Why?", 'answer', 'tryton-search', default=True),
            ])
    answer = StateView(
        'marketing.automation.why.answer',
        'marketing_automation.why_answer_view_form', [
            Button("Another", 'ask', 'tryton-back'),
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def transition_start(self):
        values = self._known_values()
        if values.get('scenario') and values.get('record'):
            return 'answer'
        return 'ask'

    def _known_values(self):
        """
        Return the fields of the question that are known from the selected
        record.
        """
        model = Transaction().context.get('active_model')
        if model == 'marketing.automation.scenario':
            return {'scenario': self.record.id, 'model': self.record.model}
        record, activity = None, None
        if model == 'marketing.automation.record':
            record = self.record
        elif model == 'marketing.automation.record.activity':
            record, activity = self.record.record, self.record.activity.id
        if record:
            if not (target := record.target):
                raise ScenarioError(gettext(
                        'marketing_automation.msg_why_no_target',
                        record=record.rec_name))
            return {
                'scenario': record.scenario.id,
                'model': record.scenario.model,
                'record': str(target),
                'activity': activity,
                }
        if self.record:
            return {'model': model, 'record': str(self.record)}
        return {}

    def default_ask(self, fields):
        if getattr(self.ask, 'scenario', None):
            return {
                'scenario': self.ask.scenario.id,
                'model': self.ask.scenario.model,
                'record': str(self.ask.record) if self.ask.record else None,
                }
        return self._known_values()

    def default_answer(self, fields):
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Activity = pool.get('marketing.automation.activity')
        values = self._known_values()
        if getattr(self.ask, 'record', None):
            values = {
                'scenario': self.ask.scenario.id,
                'record': str(self.ask.record),
                'activity': (
                    self.ask.activity.id if self.ask.activity else None),
                }
        scenario = Scenario(values['scenario'])
        target = self._target(scenario, values['record'])
        with without_check_access(), Transaction().set_user(0):
            with inactive_records():
                activity = (
                    Activity(values['activity']) if values.get('activity')
                    else None)
            answer = Explainer(
                Scenario(scenario.id), target.__class__(target.id),
                activity).answer()
            return {
                'scenario': scenario.id,
                'record': str(target),
                'text': answer.text,
                'at': answer.at,
                'checks': [{
                        'subject': c.subject or scenario.rec_name,
                        'name': c.name,
                        'result': c.result,
                        'reason': c.reason,
                        'at': c.at,
                        } for c in answer.checks],
                }

    def _target(self, scenario, reference):
        "Return the record if the user may read it"
        model, _, id_ = reference.partition(',')
        if model != scenario.model:
            raise ScenarioError(gettext(
                    'marketing_automation.msg_why_model',
                    scenario=scenario.rec_name))
        Target = Pool().get(model)
        with inactive_records():
            target, = Target.browse([int(id_)])
            # It raises for whom may not read it
            Target.read([target.id], ['rec_name'])
            return target


class WhyAsk(TargetReferenceMixin, ModelView):
    __name__ = 'marketing.automation.why.ask'

    model = fields.Char("Model", readonly=True)
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", required=True,
        domain=[
            If(Bool(Eval('model')), ('model', '=', Eval('model')), ()),
            ])
    record = fields.Reference(
        "Record", selection='get_models', required=True)
    activity = fields.Many2One(
        'marketing.automation.activity', "Activity",
        domain=[('scenario', '=', Eval('scenario', -1))],
        states={
            'invisible': ~Bool(Eval('scenario')),
            },
        help="Leave empty to ask about all that comes next.")

    @fields.depends('scenario', 'record', 'activity')
    def on_change_scenario(self):
        if not self.scenario:
            return
        if (not isinstance(self.record, ModelSQL)
                or self.record.__name__ != self.scenario.model):
            self.record = f'{self.scenario.model},-1'
        self.activity = None


class WhyAnswer(TargetReferenceMixin, ModelView):
    __name__ = 'marketing.automation.why.answer'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    record = fields.Reference(
        "Record", selection='get_models', readonly=True)
    text = fields.Text("Answer", readonly=True)
    at = fields.DateTime(
        "Next", readonly=True,
        states={
            'invisible': ~Bool(Eval('at')),
            },
        help="When something happens the next time.")
    checks = fields.One2Many(
        'marketing.automation.why.check', None, "Checks", readonly=True)


class WhyCheck(ModelView):
    __name__ = 'marketing.automation.why.check'

    subject = fields.Char("Step", readonly=True)
    name = fields.Char("Condition", readonly=True)
    result = fields.Selection([
            ('passed', "Yes"),
            ('closed', "No"),
            ('waits', "Not Yet"),
            ], "Result", readonly=True, sort=False)
    reason = fields.Text("Reason", readonly=True)
    at = fields.DateTime("Next", readonly=True)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree/field[@name="result"]', 'visual',
                If(Eval('result') == 'passed', 'success',
                    If(Eval('result') == 'closed', 'danger', 'warning'))),
            ]
