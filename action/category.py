# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The actions that add the party to a category or remove it.
"""

from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval

from ..common import access
from ..outcome import done, failed, skipped

_ACTIONS = ['add_category', 'remove_category']


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    category = fields.Many2One(
        'party.category', "Category", ondelete='RESTRICT',
        states={
            'invisible': ~Eval('action').in_(_ACTIONS),
            'required': Eval('action').in_(_ACTIONS),
            },
        help="The category of the party.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.extend([
                ('add_category', "Add Category to Party"),
                ('remove_category', "Remove Category from Party"),
                ])

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_category(activities, field_names)

    @classmethod
    def check_category(cls, activities, field_names=None):
        "Ensure that who saves may change the categories of parties"
        if field_names and not (
                field_names & {'parent', 'action', 'category'}):
            return
        for activity in activities:
            if activity.action in _ACTIONS:
                activity._check_category(activity.root.model)

    def _check_category(self, model):
        pool = Pool()
        access.check_write(
            pool.get(model), pool.get('party.party'), ['categories'])

    def execute_add_category(self, record_activities):
        return self._change_category(record_activities, 'add')

    def execute_remove_category(self, record_activities):
        return self._change_category(record_activities, 'remove')

    def _change_category(self, record_activities, change):
        Party = Pool().get('party.party')
        try:
            self._check_category(self.scenario.model)
        except AccessError as exception:
            # It was allowed when it was saved
            return {
                r.id: failed('not_allowed', exception.message)
                for r in record_activities}
        outcomes, parties = {}, set()
        for record_activity in record_activities:
            party = record_activity.record.record.marketing_party
            if party:
                parties.add(party.id)
                outcomes[record_activity.id] = done()
            else:
                outcomes[record_activity.id] = skipped('no_party')
        if parties:
            Party.write(Party.browse(sorted(parties)), {
                    'categories': [(change, [self.category.id])],
                    })
        return outcomes
