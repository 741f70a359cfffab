# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Use of audiences: domain and goal of scenarios, filter of activities.

The domains remain what counts.  Drafts follow their audiences; what runs keeps
its domains until the changes are applied.
"""

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.domain import NOBODY, decode, describe
from ..common.transaction import is_transient, savepoint
from .audience import AudienceUserMixin


def _audience(string, model, help):
    return fields.Many2One(
        'marketing.automation.audience', string, ondelete='SET NULL',
        domain=[
            ('model', '=', model),
            ],
        help=help)


class ScenarioUse(AudienceUserMixin):
    "Audiences of the domain and of the goal of a scenario"
    __slots__ = ()

    audience = _audience(
        "Audience", Eval('model', -1),
        "The records that enter the scenario.\n"
        "Drafts follow its changes.")
    goal_audience = _audience(
        "Goal Reached by", Eval('model', -1),
        "Who is in this audience has reached the goal and leaves the "
        "scenario.")
    audience_description = fields.Function(
        fields.Text("Who Enters"), 'on_change_with_audience_description')
    goal_description = fields.Function(
        fields.Text(
            "Who Has Reached It",
            states={
                'invisible': ~Eval('goal'),
                }),
        'on_change_with_goal_description')
    audience_changed = fields.Function(
        fields.Boolean(
            "Audience Changed",
            states={
                'invisible': ~Eval('audience_changed', False),
                },
            help="Checked if an audience has been changed since the scenario "
            "took it over."),
        'get_audience_changed')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'apply_audiences': {
                    'invisible': ~Eval('audience_changed', False),
                    'depends': ['audience_changed'],
                    },
                'choose_everybody': {
                    'invisible': Eval('domain') != NOBODY,
                    'depends': ['domain'],
                    },
                })

    @classmethod
    def default_domain(cls):
        # In the client the user has to choose; scripts give the domain
        if Transaction().context.get('marketing_automation_choose'):
            return NOBODY
        return super().default_domain()

    @classmethod
    def _audiences(cls):
        return {
            **super()._audiences(),
            'audience': 'domain', 'goal_audience': 'goal'}

    @classmethod
    def _audience_draft(cls):
        return ('state', '=', 'draft')

    @classmethod
    def _exchange_exclude(cls):
        # The domains are exchanged
        return super()._exchange_exclude() | {'audience', 'goal_audience'}

    @fields.depends(
        'model', 'audience', 'goal_audience', 'goal',
        methods=['_show_reach'])
    def on_change_model(self):
        # What was chosen is of another model
        if self.audience and self.audience.model != self.model:
            self.audience = None
            self.domain = self.__class__.default_domain()
        if self.goal_audience and self.goal_audience.model != self.model:
            self.goal_audience = self.goal = None
        super().on_change_model()

    @fields.depends('audience', 'domain', methods=['_show_reach'])
    def on_change_audience(self):
        if self.audience:
            self.domain = self.audience.domain
            self._show_reach()

    @fields.depends('goal_audience', 'goal', methods=['_show_reach'])
    def on_change_goal_audience(self):
        self.goal = self.goal_audience.domain if self.goal_audience else None
        self._show_reach()

    @fields.depends('audience', 'domain')
    def on_change_domain(self):
        super().on_change_domain()
        if self.audience and self.audience.domain != self.domain:
            self.audience = None

    @fields.depends('goal_audience', 'goal')
    def on_change_goal(self):
        super().on_change_goal()
        if self.goal_audience and self.goal_audience.domain != self.goal:
            self.goal_audience = None

    @fields.depends('audience', 'model', 'domain')
    def on_change_with_audience_description(self, name=None):
        return self._described(self.audience, self.domain)

    @fields.depends('goal_audience', 'model', 'goal')
    def on_change_with_goal_description(self, name=None):
        return self._described(self.goal_audience, self.goal)

    def _described(self, audience, domain):
        """
        Return the description of the domain, which may be the one of the
        audience.
        """
        if audience and audience.domain == domain:
            return audience.description
        elif not domain or not self.model:
            return
        elif domain == NOBODY:
            return gettext('marketing_automation.msg_audience_nobody')
        try:
            with savepoint():
                return describe(Pool().get(self.model), decode(domain))
        except Exception as exception:
            if is_transient(exception):
                raise
            # The validation raises the error

    @classmethod
    @without_check_access
    def get_audience_changed(cls, scenarios, name):
        Activity = Pool().get('marketing.automation.activity')
        changed = {s.id: s._has_changed_audience() for s in scenarios}
        with inactive_records():
            activities = Activity.search([
                    ('scenario', 'in', list(changed)),
                    ('domain_audience', '!=', None),
                    ], order=[])
        for activity in activities:
            changed[activity.scenario.id] |= activity._has_changed_audience()
        return changed

    @ModelView.button_change('audience', 'domain', methods=['_show_reach'])
    def choose_everybody(self):
        self.audience = None
        self.domain = '[]'
        self._show_reach()

    @classmethod
    @ModelView.button
    def apply_audiences(cls, scenarios):
        "Write the domains of their audiences on the scenarios"
        Activity = Pool().get('marketing.automation.activity')
        ids = [s.id for s in scenarios]
        for Model, name in [(cls, 'id'), (Activity, 'scenario')]:
            Model.use_audiences([(name, 'in', ids)])

    @classmethod
    @ModelView.button
    def draft(cls, scenarios):
        super().draft(scenarios)
        cls.apply_audiences(scenarios)


class Activity(AudienceUserMixin, metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    target_model = fields.Function(
        fields.Char("Target Model"), 'on_change_with_target_model')
    domain_audience = _audience(
        "Only for", Eval('target_model', -1),
        "The activity is executed only for the records which are in this "
        "audience at that time.")

    @classmethod
    def _audiences(cls):
        return {**super()._audiences(), 'domain_audience': 'domain'}

    @classmethod
    def _audience_draft(cls):
        return ('scenario.state', '=', 'draft')

    @classmethod
    def _exchange_exclude(cls):
        return super()._exchange_exclude() | {'domain_audience'}

    @fields.depends('parent')
    def on_change_with_target_model(self, name=None):
        scenario = self.root
        return scenario.model if scenario else None

    @fields.depends('domain_audience', 'domain')
    def on_change_domain_audience(self):
        self.domain = (
            self.domain_audience.domain if self.domain_audience else None)

    @fields.depends('domain_audience', 'domain')
    def on_change_domain(self):
        if (self.domain_audience
                and self.domain_audience.domain != self.domain):
            self.domain_audience = None
