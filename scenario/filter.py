# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Filter of an activity: the domain of the records it is executed for.

The filters of the parents count too, until one starts anew.
"""

from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONEncoder
from trytond.wizard import StateAction, Wizard

from ..common.domain import check_fields, check_search, decode, describe
from ..common.error import raise_as
from ..common.transaction import is_database, is_transient
from ..exceptions import DomainError


class ActivityFilter:
    "Domain of an activity, applied with those of its parents"
    __slots__ = ()

    domain = fields.Char(
        "Domain",
        help="A PYSON domain: the activity is executed only for the records "
        "that match at that time.\n"
        "Leave empty to execute it for all.")
    domain_alone = fields.Boolean(
        "Start Anew",
        help="Check to apply neither the domains of the parents nor the one "
        "of the scenario but only the own domain.")
    applied_filter = fields.Function(
        fields.Text(
            "Applied Filter",
            help="What a record must match: the domains of the activity, of "
            "its parents and of the scenario."),
        'get_applied_filter')
    applied_count = fields.Function(
        fields.Integer(
            "Matching Records",
            help="The number of records that match the applied filter now."),
        'get_applied_count')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'open_filtered': {
                    'readonly': ~Eval('id') | (Eval('id', -1) < 0),
                    'depends': ['id'],
                    },
                })

    @classmethod
    def default_domain_alone(cls):
        return False

    def get_applied_filter(self, name):
        if not (scenario := self.root):
            return
        try:
            return describe(
                Pool().get(scenario.model), self.applied_domains())
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
            # The validation raises its error

    @classmethod
    def get_applied_count(cls, activities, name):
        return {a.id: a._count_applied() for a in activities}

    def _count_applied(self):
        if not (scenario := self.root):
            return
        try:
            domain = self.applied_domains()
            Target = Pool().get(scenario.model)
            check_fields(Target, domain)
            return Target.search_count(domain)
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
            # Its error is shown on the scenario

    def filter_domains(self):
        """
        Return the list of the domains of the activity and of its parents.

        :raises ValueError: if one can not be decoded.
        """
        return [decode(a.domain) for a in self._filters() if a.domain]

    def applied_domains(self):
        """
        Return the list of the domains that count, the one of the scenario
        included.
        """
        domains = self.filter_domains()
        if not any(a.domain_alone for a in self._filters()):
            domains.insert(0, self.root.decode_domain())
        return domains

    def _filters(self):
        "Return the activities whose domains count, the uppermost first"
        filters = [self]
        while not filters[0].domain_alone:
            parent = filters[0].parent
            if not isinstance(parent, self.__class__):
                break
            filters.insert(0, parent)
        return filters

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_domain(activities, field_names)

    @classmethod
    def check_domain(cls, activities, field_names=None):
        "Ensure that the domain can be searched by who saves it"
        if field_names and not (field_names & {'domain', 'parent'}):
            return
        for activity in activities:
            if not activity.domain:
                continue
            with raise_as(
                    DomainError, 'msg_activity_domain_invalid',
                    activity=activity.rec_name, domain=activity.domain):
                activity._check_domain()

    def _check_domain(self):
        check_search(Pool().get(self.root.model), decode(self.domain))

    # Open

    @classmethod
    @ModelView.button_action(
        'marketing_automation.wizard_activity_open_filtered')
    def open_filtered(cls, activities):
        pass


class OpenFiltered(Wizard):
    "Wizard that opens the records that match the applied filter"
    __name__ = 'marketing.automation.activity.open_filtered'

    start_state = 'open_'
    open_ = StateAction('marketing_automation.act_filtered')

    def do_open_(self, action):
        activity = self.record
        action['res_model'] = activity.scenario.model
        action['pyson_domain'] = PYSONEncoder().encode(
            activity.applied_domains())
        action['name'] += f' ({activity.rec_name})'
        return action, {}
