# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Targets that a user adds to a scenario by hand, and the wizard for it.
"""

from collections import defaultdict
from typing import Dict, FrozenSet, NamedTuple

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..common.sql import SLICE
from ..exceptions import ScenarioError
from ..mixin import MarketingAutomationMixin

# How many are named
_NAMES = 10


class Added(NamedTuple):
    """
    Result of adding targets, by their ids.

    :param entered: those that have entered now.
    :param already: those that had entered before, also if they have ended.
    :param refused: the others, with the reason: the last part of the message
        ``msg_join_<reason>``.
    """
    entered: FrozenSet[int]
    already: FrozenSet[int]
    refused: Dict[int, str]


class ScenarioAdd:
    "Entry of targets that need not match the domain"
    __slots__ = ()

    def add(self, targets):
        """
        Let the targets enter the scenario, which must be running, although
        they may not match its domain, and return the result (:class:`Added`).

        A target does not enter if its party has opted out, it has reached the
        goal or it has the same value of the field of unicity as another one.

        :param targets: records of the model of the scenario.
        :raises ScenarioError: if the scenario does not run or has another
            model.
        """
        Record = Pool().get('marketing.automation.record')
        if self.state != 'running' or not self.active:
            raise ScenarioError(gettext(
                    'marketing_automation.msg_join_not_running',
                    scenario=self.rec_name))
        for target in targets:
            if target.__name__ != self.model:
                raise ScenarioError(gettext(
                        'marketing_automation.msg_join_model',
                        scenario=self.rec_name,
                        record=target.rec_name))
        ids = {t.id for t in targets}
        with without_check_access(), Transaction().set_user(0):
            scenario = self.__class__(self.id)
            already = Record.inside(scenario, ids)
            Record.add(scenario, ids - already)
            entered = Record.inside(scenario, ids) - already
            refused = Record.refusals(scenario, ids - already - entered)
        return Added(frozenset(entered), frozenset(already), refused)


class RecordAdd:
    "Records added by hand, and the reasons why they may not be"
    __slots__ = ()

    @classmethod
    def inside(cls, scenario, ids):
        "Return the targets (ids) which have entered the scenario"
        inside = set()
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            inside.update(r.record.id for r in cls.search([
                        ('scenario', '=', scenario.id),
                        ('test', '=', False),
                        ('record', 'in', [
                                f'{scenario.model},{id_}'
                                for id_ in sub_ids]),
                        ], order=[]))
        return inside

    @classmethod
    def refusals(cls, scenario, ids):
        """
        Return a dictionary of the reason why each of the targets (ids) may not
        enter.
        """
        Target = Pool().get(scenario.model)
        reasons = {}
        for reason, find in cls._refusals(scenario):
            for sub_ids in grouped_slice(
                    sorted(set(ids) - reasons.keys()), SLICE):
                sub_ids = list(sub_ids)
                if isinstance(find, list):
                    with inactive_records():
                        found = [r.id for r in Target.search(
                                [('id', 'in', sub_ids), find], order=[])]
                else:
                    found = find(sub_ids)
                reasons.update(dict.fromkeys(found, reason))
        for id_ in set(ids) - reasons.keys():
            reasons[id_] = 'other'
        return reasons

    @classmethod
    def _refusals(cls, scenario):
        """
        Return the list of each reason for which a target may not enter and how
        to find these targets: a domain, or a function of the ids of targets
        that returns some of them.
        """
        Target = Pool().get(scenario.model)
        refusals = []
        if 'active' in Target._fields:
            refusals.append(('inactive', [('active', '=', False)]))
        refusals += [
            ('no_party', [('marketing_party', '=', None)]),
            ('party_inactive', [('marketing_party.active', '=', False)]),
            ('no_marketing', [
                    ('marketing_party.marketing_refused', '=', True)]),
            ('unsubscribed', [
                    ('marketing_party.marketing_scenario_unsubscribed', '=',
                        scenario.id)]),
            ]
        if scenario.goal:
            refusals.append(('goal', scenario.decode_goal()))
        refusals.append(('unicity', lambda ids: cls.taken(scenario, ids)))
        return refusals


class AddStart(ModelView):
    __name__ = 'marketing.automation.record.add.start'

    model = fields.Char("Model", readonly=True)
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", required=True,
        domain=[
            ('model', '=', Eval('model')),
            ('state', '=', 'running'),
            ],
        help="The records enter it now, whether they match its domain or "
        "not.")

    @classmethod
    def default_model(cls):
        return Transaction().context.get('active_model')


class AddResult(ModelView):
    __name__ = 'marketing.automation.record.add.result'

    entered = fields.Integer("Entered", readonly=True)
    already = fields.Integer(
        "Already In", readonly=True,
        help="How many had entered before, also if they have ended.")
    refused = fields.Integer("Refused", readonly=True)
    reasons = fields.Text(
        "Reasons", readonly=True,
        states={
            'invisible': ~Eval('reasons'),
            })


class Add(Wizard):
    __name__ = 'marketing.automation.record.add'

    start = StateView(
        'marketing.automation.record.add.start',
        'marketing_automation.record_add_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Add", 'add', 'tryton-ok', default=True),
            ])
    add = StateTransition()
    result = StateView(
        'marketing.automation.record.add.result',
        'marketing_automation.record_add_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def transition_add(self):
        if not issubclass(self.model, MarketingAutomationMixin):
            raise ScenarioError(gettext(
                    'marketing_automation.msg_join_no_target',
                    **self.model.__names__()))
        ids = [r.id for r in self.records]
        readable = []
        # Only those which the user may read
        with check_access(), inactive_records():
            for sub_ids in grouped_slice(ids, SLICE):
                readable += self.model.search(
                    [('id', 'in', list(sub_ids))], order=[])
        added = self.start.scenario.add(readable)
        self.result.entered = len(added.entered)
        self.result.already = len(added.already)
        self.result.refused = len(added.refused)
        self.result.reasons = self._reasons(added.refused)
        return 'result'

    def _reasons(self, refused):
        "Return a line for each reason, with the names of the records"
        by_reason = defaultdict(list)
        for id_, reason in sorted(refused.items()):
            by_reason[reason].append(id_)
        lines = []
        for reason, ids in by_reason.items():
            with inactive_records():
                names = [
                    r.rec_name for r in self.model.browse(ids[:_NAMES])]
            if len(ids) > _NAMES:
                names.append('…')
            lines.append(gettext(
                    'marketing_automation.msg_join_reason',
                    reason=gettext(f'marketing_automation.msg_join_{reason}'),
                    count=len(ids),
                    records=', '.join(names)))
        return '\n'.join(lines)

    def default_result(self, fields):
        return {
            n: getattr(self.result, n, None)
            for n in ['entered', 'already', 'refused', 'reasons']}
