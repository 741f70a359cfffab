# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Sale opportunities as targets, with the scenario they come from."

from trytond.model import Unique, fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from .mixin import CompanyTargetMixin


class Opportunity(CompanyTargetMixin, metaclass=PoolMeta):
    __name__ = 'sale.opportunity'

    marketing_record_activity = fields.Many2One(
        'marketing.automation.record.activity', "Marketing Record Activity",
        readonly=True, ondelete='SET NULL',
        help="What has created the opportunity.")
    marketing_origin = fields.Function(
        fields.Char(
            "Marketing Scenario",
            states={
                'invisible': ~Eval('marketing_origin'),
                },
            help="The scenario and the activity which have created the "
            "opportunity."),
        'get_marketing_origin')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('marketing_record_activity_unique',
                Unique(t, t.marketing_record_activity),
                'marketing_automation'
                '.msg_opportunity_record_activity_unique'),
            ]

    def get_marketing_origin(self, name):
        if self.marketing_record_activity:
            activity = self.marketing_record_activity.activity
            return f'{activity.scenario.rec_name} - {activity.rec_name}'

    @classmethod
    def copy(cls, opportunities, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('marketing_record_activity')
        return super().copy(opportunities, default=default)

    @classmethod
    def marketing_party_required(cls):
        # Leads can be worked on without one
        return False

    @classmethod
    def get_marketing_party(cls, opportunities, name):
        return {o.id: o.party.id if o.party else None for o in opportunities}

    @classmethod
    def search_marketing_party(cls, name, clause):
        return [('party' + clause[0][len(name):], *clause[1:])]

    @classmethod
    def marketing_access_groups(cls):
        return super().marketing_access_groups() | {'sale.group_sale'}
