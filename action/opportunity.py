# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Sale opportunities: as targets, and the action that creates and changes them.
"""

from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction

from ..common import field_path
from ..exceptions import ActivityError
from ..outcome import Outcome, done, failed, skipped
from ..template import field_text

_EMPLOYEES = ['company.employee', 'res.user']
_TEXTS = ['opportunity_description', 'opportunity_comment']


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    _states = {
        'invisible': Eval('action') != 'opportunity',
        }
    _states_create = {
        'invisible': (
            (Eval('action') != 'opportunity')
            | (Eval('opportunity_operation') != 'create')),
        }

    opportunity_operation = fields.Selection([
            (None, ""),
            ('create', "Create"),
            ('change', "Change"),
            ], "Operation", sort=False,
        states={
            **_states,
            'required': Eval('action') == 'opportunity',
            },
        help="Create: for the party of the record.\n"
        "Change: the opportunity which is the record.")
    opportunity_description = fields.Char(
        "Description", translate=True, states=_states,
        help="It is a Genshi text template with 'record'.")
    opportunity_comment = fields.Text(
        "Comment", translate=True, states=_states,
        help="What is added to the comment.\n"
        "It is a Genshi text template with 'record'.")
    opportunity_company = fields.Many2One(
        'company.company', "Company", states=_states_create,
        help="Leave empty to use the company of the record, or the only one.")
    opportunity_employee_path = fields.Char(
        "Field of the Employee", states=_states,
        help="The field of the record with the employee or the user, or the "
        "path to it like \"party.salesperson\".")
    opportunity_employee = fields.Many2One(
        'company.employee', "Employee", states=_states,
        help="Who is responsible, if the field of the record is empty.")
    opportunity_amount = fields.Numeric(
        "Amount", digits=(16, 2), states=_states,
        help="The estimated amount in the currency of the opportunity.")
    opportunity_probability = fields.Float(
        "Conversion Probability", digits=(1, 4), states=_states,
        domain=['OR',
            ('opportunity_probability', '=', None),
            [
                ('opportunity_probability', '>=', 0),
                ('opportunity_probability', '<=', 1),
                ],
            ])
    opportunity_state = fields.Selection([
            (None, ""),
            ('opportunity', "Opportunity"),
            ('converted', "Converted"),
            ('lost', "Lost"),
            ('cancelled', "Cancelled"),
            ], "State", sort=False, states=_states,
        help="The state it gets. Leave empty to keep it.")

    del _states, _states_create

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('opportunity', "Sale Opportunity"))

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        field_text.check(activities, _TEXTS, field_names)
        cls.check_opportunity(activities, field_names)

    @classmethod
    def check_opportunity(cls, activities, field_names=None):
        "Ensure that the opportunity can be created or changed"
        if field_names and not (field_names & {
                    'action', 'parent', 'opportunity_operation',
                    'opportunity_company', 'opportunity_employee_path',
                    'opportunity_state'}):
            return
        for activity in activities:
            if activity.action != 'opportunity':
                continue
            problem = getattr(
                activity,
                f'_problem_opportunity_{activity.opportunity_operation}',
                lambda: None)()
            if problem:
                raise ActivityError(gettext(
                        f'marketing_automation.msg_opportunity_{problem}',
                        activity=activity.rec_name))
            if activity.opportunity_employee_path:
                activity.check_path('opportunity_employee_path', _EMPLOYEES)

    def _problem_opportunity_create(self):
        pool = Pool()
        Company = pool.get('company.company')
        Target = pool.get(self.root.model)
        if self.opportunity_state not in {None, 'opportunity'}:
            return 'create_state'
        if ('company' not in Target._fields
                and not self.opportunity_company
                and Company.search([], count=True) != 1):
            return 'no_company'

    def _problem_opportunity_change(self):
        if self.root.model != 'sale.opportunity':
            return 'change_model'

    # Execution

    def execute_opportunity(self, record_activities):
        """
        Return a dictionary of the outcome for each record activity, after the
        creation or the change of its opportunity.
        """
        if self.opportunity_operation == 'change':
            return self._change_opportunities(record_activities)
        return self._create_opportunities(record_activities)

    def _create_opportunities(self, record_activities):
        Opportunity = Pool().get('sale.opportunity')
        existing = {
            o.marketing_record_activity.id for o in Opportunity.search([
                    ('marketing_record_activity', 'in', [
                            r.id for r in record_activities]),
                    ], order=[])}
        outcomes = {id_: done() for id_ in existing}
        employees = self._opportunity_employees(record_activities)
        groups = defaultdict(list)
        for record_activity in record_activities:
            id_, target = record_activity.id, record_activity.record.record
            if id_ in existing:
                continue
            company = self._opportunity_company(target)
            employee = self._employee_of(
                company, employees[target.id], self.opportunity_employee)
            if not company:
                outcomes[id_] = failed('no_company')
            elif not target.marketing_party:
                outcomes[id_] = skipped('no_party')
            elif self.opportunity_state and not employee:
                outcomes[id_] = skipped('no_responsible')
            else:
                groups[company, _language(employee)].append(
                    (record_activity, employee))
        for (company, language), group in groups.items():
            with Transaction().set_context(
                    company=company.id, employee=None):
                outcomes.update(
                    self._create_group(company, language, group))
        return outcomes

    def _create_group(self, company, language, group):
        "Create for a group of the record activities and employees"
        Opportunity = Pool().get('sale.opportunity')
        texts = self._opportunity_texts(language, [r for r, _ in group])
        outcomes, opportunities = {}, []
        for record_activity, employee in group:
            words = texts[record_activity.id]
            if isinstance(words, Outcome):
                outcomes[record_activity.id] = words
                continue
            party = record_activity.record.record.marketing_party
            opportunity = Opportunity(
                party=party,
                company=company.id,
                currency=Opportunity.default_currency(company=company.id),
                amount=self._opportunity_amount(company.currency),
                employee=employee.id if employee else None,
                description=_line(words['opportunity_description']),
                comment=words['opportunity_comment'],
                marketing_record_activity=record_activity.id)
            opportunity.on_change_party()
            opportunity.amount = self._opportunity_amount(
                opportunity.currency)
            if self.opportunity_probability is not None:
                opportunity.conversion_probability = (
                    self.opportunity_probability)
            opportunities.append(opportunity)
            outcomes[record_activity.id] = done()
        Opportunity.save(opportunities)
        if self.opportunity_state:
            Opportunity.opportunity(opportunities)
        return outcomes

    def _change_opportunities(self, record_activities):
        employees = self._opportunity_employees(record_activities)
        groups = defaultdict(list)
        for record_activity in record_activities:
            target = record_activity.record.record
            employee = self._employee_of(
                target.company, employees[target.id],
                self.opportunity_employee)
            groups[
                target.company, _language(employee or target.employee)
                ].append((record_activity, employee))
        outcomes = {}
        for (company, language), group in groups.items():
            with Transaction().set_context(
                    company=company.id, employee=None):
                outcomes.update(self._change_group(language, group))
        return outcomes

    def _change_group(self, language, group):
        "Change for a group of the record activities and employees"
        Opportunity = Pool().get('sale.opportunity')
        texts = self._opportunity_texts(language, [r for r, _ in group])
        opportunities = Opportunity.browse(
            [r.record.record.id for r, _ in group])
        outcomes, changes, moved = {}, defaultdict(list), []
        for (record_activity, employee), opportunity in zip(
                group, opportunities):
            words = texts[record_activity.id]
            outcome = words if isinstance(words, Outcome) else (
                self._problem_state(opportunity, employee) or done())
            outcomes[record_activity.id] = outcome
            if outcome.state == 'done':
                values = self._opportunity_changes(
                    opportunity, employee, words)
                changes[tuple(values.items())].append(opportunity)
                if self.opportunity_state not in {None, opportunity.state}:
                    moved.append(opportunity)
        changes.pop((), None)
        if changes:
            Opportunity.write(*(
                    a for values, records in changes.items()
                    for a in [records, dict(values)]))
        if moved:
            method = {'converted': 'convert', 'cancelled': 'cancel'}.get(
                self.opportunity_state, self.opportunity_state)
            getattr(Opportunity, method)(Opportunity.browse(moved))
        return outcomes

    def _problem_state(self, opportunity, employee):
        "Return the outcome if the opportunity can not get the state"
        state = self.opportunity_state
        if state in {None, opportunity.state}:
            return
        if (opportunity.state, state) not in opportunity._transitions:
            return skipped('opportunity_state')
        if state in {'opportunity', 'converted'}:
            if not opportunity.party:
                return skipped('no_party')
            if not (employee or opportunity.employee):
                return skipped('no_responsible')

    def _opportunity_changes(self, opportunity, employee, words):
        values = {
            'employee': employee.id if employee else None,
            'amount': self._opportunity_amount(opportunity.currency),
            'conversion_probability': self.opportunity_probability,
            'description': _line(words['opportunity_description']),
            'comment': words['opportunity_comment'] and '\n'.join(
                filter(None, [
                        opportunity.comment, words['opportunity_comment']])),
            }
        return {n: v for n, v in values.items() if v not in {None, ''}}

    def _opportunity_amount(self, currency):
        if self.opportunity_amount is not None:
            return currency.round(self.opportunity_amount)

    def _opportunity_company(self, target):
        "Return the company of the opportunity for the target, or None"
        Company = Pool().get('company.company')
        company = getattr(target, 'company', None) or self.opportunity_company
        if not company:
            companies = list(Company.search([], limit=2))
            if len(companies) == 1:
                company, = companies
        return company

    def _opportunity_employees(self, record_activities):
        "Return a dictionary of the employee, or None, by target"
        targets = [r.record.record for r in record_activities]
        if not self.opportunity_employee_path:
            return dict.fromkeys(t.id for t in targets)
        return {
            id_: value.employee if value and value.__name__ == 'res.user'
            else value
            for id_, value in field_path.follow(
                targets, self.opportunity_employee_path).items()}

    @classmethod
    def _employee_of(cls, company, *employees):
        "Return the first of the employees who works for the company"
        for employee in employees:
            if employee and employee.company == company:
                return employee

    def _opportunity_texts(self, language, record_activities):
        "Return a dictionary of the texts, or the outcome, in the language"
        with field_text.in_language(self, language, record_activities) as (
                activity, targets, readers):
            return {
                record_activity.id: field_text.words(
                    activity, _TEXTS, target, readers.access(target))
                for record_activity, target in zip(
                    record_activities, targets)}


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def _retryable_reasons(cls):
        return super()._retryable_reasons() | {'opportunity_state'}


def _language(employee):
    "Return the language of who reads it, None if it is not known"
    if employee and employee.party.lang:
        return employee.party.lang.code


def _line(text):
    return ' '.join((text or '').split()) or None
