# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The actions that let the record, or its party, enter or leave another
scenario.
"""

from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import inactive_records, without_check_access

from ..exceptions import ActivityError
from ..outcome import done, failed, skipped

_ACTIONS = ['enter_scenario', 'leave_scenario']


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    other_scenario = fields.Many2One(
        'marketing.automation.scenario', "Other Scenario",
        ondelete='RESTRICT',
        domain=[
            ('id', '!=', Eval('scenario', -1)),
            ],
        states={
            'invisible': ~Eval('action').in_(_ACTIONS),
            'required': Eval('action').in_(_ACTIONS),
            },
        help="The scenario that is entered or left: one of the same model or "
        "one of parties.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.extend([
                ('enter_scenario', "Enter another Scenario"),
                ('leave_scenario', "Leave another Scenario"),
                ])

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_other_scenario(activities, field_names)

    @classmethod
    def check_other_scenario(cls, activities, field_names=None):
        "Ensure that the records fit into the other scenario"
        if field_names and not (
                field_names & {'parent', 'action', 'other_scenario'}):
            return
        for activity in activities:
            other = activity.other_scenario
            if activity.action not in _ACTIONS or not other:
                continue
            if not activity._fits(activity.root, other):
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_other_scenario',
                        activity=activity.rec_name,
                        scenario=other.rec_name))

    @classmethod
    def _fits(cls, scenario, other):
        return other.model in {scenario.model, 'party.party'}

    def _subjects(self, record_activities):
        "Return what enters or leaves by record activity, None without party"
        scenario, other = self.scenario, self.other_scenario
        subjects = {}
        for record_activity in record_activities:
            target = record_activity.record.record
            if other.model != scenario.model:
                target = target.marketing_party
            subjects[record_activity.id] = target.id if target else None
        return subjects

    def execute_enter_scenario(self, record_activities):
        "Let the targets enter, whether or not they match the other scenario"
        Record = Pool().get('marketing.automation.record')
        other = self.other_scenario
        if (other.state != 'running' or not other.active
                or not self._fits(self.scenario, other)):
            return {
                r.id: failed('scenario_stopped') for r in record_activities}
        subjects = self._subjects(record_activities)
        entered = {}
        for test, group in _by_test(record_activities):
            ids = sorted(
                {subjects[r.id] for r in group if subjects[r.id]})
            records = Record.add(other, ids, test=test) if ids else []
            entered[test] = {
                r.record.id for r in Record.browse(records)
                if isinstance(r.record, ModelSQL)}
        outcomes = {}
        for record_activity in record_activities:
            subject = subjects[record_activity.id]
            if not subject:
                outcome = skipped('no_party')
            elif subject in entered[bool(record_activity.record.test)]:
                outcome = done()
            else:
                outcome = skipped('not_entered')
            outcomes[record_activity.id] = outcome
        return outcomes

    def execute_leave_scenario(self, record_activities):
        "End the records of the targets in the other scenario"
        Record = Pool().get('marketing.automation.record')
        other = self.other_scenario
        subjects = self._subjects(record_activities)
        leaving = []
        for test, group in _by_test(record_activities):
            references = sorted({
                    f'{other.model},{subjects[r.id]}' for r in group
                    if subjects[r.id]})
            with without_check_access(), inactive_records():
                leaving += Record.search([
                        ('scenario', '=', other.id),
                        ('record', 'in', references),
                        ('test', '=', test),
                        ('end_reason', '=', None),
                        ], order=[])
        if leaving:
            Record.end([r.id for r in leaving], 'removed')
        return {
            r.id: done() if subjects[r.id] else skipped('no_party')
            for r in record_activities}


def _by_test(record_activities):
    "Return pairs of whether it is a test and the record activities"
    groups = defaultdict(list)
    for record_activity in record_activities:
        groups[bool(record_activity.record.test)].append(record_activity)
    return groups.items()
