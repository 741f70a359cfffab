# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Rule of an audience: a field, an operator and a value.
"""

import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields, sequence_ordered
from trytond.pool import Pool
from trytond.pyson import Date, DateTime, Eval
from trytond.tools import escape_wildcard

from ..exceptions import AudienceError
from . import rule_field

_COMPARED = {
    'equal': '=', 'not_equal': '!=', 'less': '<', 'at_most': '<=',
    'more': '>', 'at_least': '>='}
# The opposites are what is not found
_OPPOSITES = {
    'not_contains': 'contains', 'is_not': 'is', 'not_below': 'below',
    'not_equal': 'equal'}
_SQL = {'ilike': 'not ilike', '=': '!=', 'in': 'not in',
    'child_of': 'not child_of', 'where': 'not where'}


def _value(name):
    "Return the states of the field with a value of the name"
    return {
        'invisible': Eval('value') != name,
        'required': Eval('value') == name,
        }


class AudienceRule(sequence_ordered(), ModelSQL, ModelView):
    "Rule of an audience, and the domain it stands for"
    __name__ = 'marketing.automation.audience.rule'

    audience = fields.Many2One(
        'marketing.automation.audience', "Audience", required=True,
        ondelete='CASCADE')
    model = fields.Function(
        fields.Char("Model"), 'on_change_with_model')
    field = fields.Selection(
        'get_fields', "Field", required=True,
        help="What the rule asks for.")
    detail = fields.Selection(
        'get_details', "Detail",
        states={
            'invisible': ~Eval('related', False),
            },
        help="What of the related records the rule asks for.\n"
        "Leave empty to choose them.")
    related = fields.Function(
        fields.Boolean("Related"), 'on_change_with_related')
    operator = fields.Selection(
        'get_operators', "Operator", required=True, sort=False)
    value = fields.Function(
        fields.Char("Value"), 'on_change_with_value')
    text = fields.Char("Text", states=_value('text'))
    number = fields.Numeric("Number", states=_value('number'))
    date = fields.Date("Date", states=_value('date'))
    period = fields.Integer(
        "Period", states=_value('period'),
        domain=[
            ['OR', ('period', '=', None), ('period', '>', 0)],
            ])
    unit = fields.Selection([
            ('days', "Days"),
            ('months', "Months"),
            ('years', "Years"),
            ], "Unit", sort=False, states=_value('period'))
    choice = fields.Selection(
        'get_choices', "Choice", states=_value('choice'))
    record = fields.Reference(
        "Record", 'get_records', states=_value('record'))

    @classmethod
    def default_unit(cls):
        return 'days'

    # Client

    @fields.depends('audience', '_parent_audience.model')
    def on_change_with_model(self, name=None):
        return self.audience.model if self.audience else None

    @property
    def _Model(self):
        model = getattr(self, 'model', None)
        return Pool().get(model) if model else None

    @property
    def _Related(self):
        return rule_field.target(self._Model, self.field)

    @fields.depends('model', 'field')
    def on_change_with_related(self, name=None):
        return bool(self._Related)

    @fields.depends('model', 'field', 'detail', 'operator')
    def on_change_with_value(self, name=None):
        return rule_field.value_of(self._kind(), self.operator)

    def _kind(self):
        "Return the kind of the field or of the detail, None if there is none"
        Model, name = self._Model, self.field
        if Model and self.detail and self._Related:
            Model, name = self._Related, self.detail
        if Model and name:
            return rule_field.kinds(Model, self._Model).get(name)

    @fields.depends('model')
    def get_fields(self):
        if not self.model:
            return []
        return _labels(
            self._Model, rule_field.kinds(self._Model, self._Model))

    @fields.depends('model', 'field')
    def get_details(self):
        details = []
        if Related := self._Related:
            details = _labels(Related, rule_field.kinds(
                    Related, self._Model, through=False))
        return [(None, "")] + details

    @fields.depends('model', 'field', 'detail')
    def get_operators(self):
        operators = rule_field.OPERATORS.get(self._kind(), [])
        if not rule_field.parent_name(self._Asked):
            operators = [o for o in operators if not o.endswith('below')]
        return [(o, _operator(o)) for o in operators]

    @property
    def _Asked(self):
        "The model of the records which the rule chooses"
        if self.detail and self._Related:
            return rule_field.target(self._Related, self.detail)
        return self._Related

    @fields.depends('model', 'field', 'detail')
    def get_choices(self):
        choices = []
        Model, name = self._Model, self.field
        if Model and self.detail and self._Related:
            Model, name = self._Related, self.detail
        if self._kind() == 'choice':
            choices = _choices(Model, name)
        return [(None, "")] + [c for c in choices if c[0]]

    @fields.depends('model', 'field', 'detail')
    def get_records(self):
        if Asked := self._Asked:
            return [
                (None, ""), (Asked.__name__, Asked.__names__()['model'])]
        return [(None, "")]

    @fields.depends(methods=['_on_change_asked'])
    def on_change_field(self):
        self.detail = None
        self._on_change_asked()

    @fields.depends(methods=['_on_change_asked'])
    def on_change_detail(self):
        self._on_change_asked()

    @fields.depends(
        'operator', methods=[
            'get_operators', 'on_change_with_value', '_clear'])
    def _on_change_asked(self):
        "Propose the first operator, without a value"
        operators = [o for o, _ in self.get_operators()]
        if self.operator not in operators:
            self.operator = operators[0] if operators else None
        self._clear()

    @fields.depends(methods=['on_change_with_value', 'get_records'])
    def _clear(self):
        self.value = self.on_change_with_value()
        self.text = self.number = self.date = self.period = None
        self.choice = self.record = None
        if self.value == 'record':
            for model, _ in self.get_records():
                # So that only the record has to be chosen
                if model:
                    self.record = f'{model},-1'

    @fields.depends(
        'operator', 'value', methods=['_clear', 'on_change_with_value'])
    def on_change_operator(self):
        if self.value != self.on_change_with_value():
            self._clear()

    # Text

    def get_rec_name(self, name):
        if not self._kind():
            return self.field or ''
        words = [self._Model.__names__(self.field)['field']]
        if self.detail and self._Related:
            words.append(self._Related.__names__(self.detail)['field'])
        return ' '.join(filter(None, [
                    ' / '.join(words), _operator(self.operator),
                    self._value_words()]))

    def _value_words(self):
        lang = Pool().get('ir.lang').get()
        match self.value:
            case 'text':
                return f'"{self.text}"'
            case 'number':
                return lang.format_number(self.number)
            case 'date':
                return lang.strftime(self.date)
            case 'period':
                return gettext(
                    f'marketing_automation.msg_audience_{self.unit}',
                    number=self.period)
            case 'choice':
                return dict(self.get_choices()).get(self.choice, self.choice)
            case 'record':
                return self.record.rec_name if self.record else ''

    # The domain

    def is_complete(self):
        "Return if the rule can be searched"
        value = self.on_change_with_value()
        if not self._kind() or not self.operator:
            return False
        elif not value:
            return True
        given = getattr(self, value, None)
        if value == 'record':
            return bool(given and (given.id or -1) >= 0)
        elif value == 'period' and not getattr(self, 'unit', None):
            return False
        return given is not None and given != ''

    def check_value(self):
        """
        Raise an error if the rule can not be searched.

        :raises AudienceError: with the label of what is missing.
        """
        if self._kind() and not self.is_complete():
            raise AudienceError(gettext(
                    'marketing_automation.msg_audience_rule_value',
                    field=self._Model.__names__(self.field)['field'],
                    operator=_operator(self.operator),
                    audience=self.audience.rec_name))

    def get_domain(self):
        "Return the domain of the rule"
        if not (self.detail and self._Related):
            return self._clauses(self.field, self._Model, True)
        opposite = _OPPOSITES.get(self.operator)
        clauses = self._clauses(self.detail, self._Related, False)
        return [(
                self.field, 'not where' if opposite else 'where', clauses)]

    def _clauses(self, name, Model, negate):
        """
        Return the clauses about the field of the model.

        :param negate: False to get the opposite if the operator is one.
        """
        operator = _OPPOSITES.get(self.operator, self.operator)
        opposite = operator != self.operator and negate
        match self._kind():
            case 'date':
                return self._date_clauses(name, operator, Model)
            case 'text':
                clause = self._text_clause(name, operator)
            case 'one' | 'many':
                clause = self._record_clause(name, operator, Model)
            case 'number':
                number = self.number
                if number is not None:
                    number = (
                        int(number) if number == int(number)
                        else float(number))
                clause = (name, _COMPARED.get(operator), number)
            case 'choice':
                clause = (name, '=', self.choice)
            case 'boolean':
                clause = (name, '=', operator == 'yes')
            case _:
                raise AudienceError(gettext(
                        'marketing_automation.msg_audience_rule_field',
                        field=self.detail or self.field,
                        audience=self.audience.rec_name))
        if operator == 'empty':
            clause = (name, '=', None)
        elif operator == 'not_empty':
            clause = (name, '!=', None)
        if opposite:
            name, operator, *value = clause
            clause = (name, _SQL[operator], *value)
        return [clause]

    def _text_clause(self, name, operator):
        text = escape_wildcard(self.text or '')
        match operator:
            case 'contains':
                return (name, 'ilike', f'%{text}%')
            case 'starts':
                return (name, 'ilike', f'{text}%')
            case _:
                return (name, 'ilike', text)

    def _record_clause(self, name, operator, Model):
        ids = [self.record.id] if self.record else []
        match operator:
            case 'below':
                return (
                    name, 'child_of', ids,
                    rule_field.parent_name(
                        rule_field.target(Model, name)))
            case 'contains':
                text = escape_wildcard(self.text or '')
                return (name, 'where', [('rec_name', 'ilike', f'%{text}%')])
            case _:
                return (name, 'in', ids)

    def _date_clauses(self, name, operator, Model):
        timed = Model._fields[name]._type != 'date'

        def day(date, days=0):
            date = date + dt.timedelta(days=days)
            return dt.datetime.combine(date, dt.time()) if timed else date

        def relative(sign):
            delta = {f'delta_{self.unit}': sign * self.period}
            return DateTime(**delta) if timed else Date(**delta)

        today = DateTime() if timed else Date()
        match operator:
            case 'on':
                return [
                    (name, '>=', day(self.date)), (name, '<', day(
                            self.date, 1))]
            case 'before':
                return [(name, '<', day(self.date))]
            case 'after':
                return [(name, '>=', day(self.date, 1))]
            case 'last':
                return [(name, '>=', relative(-1)), (name, '<=', today)]
            case 'older':
                return [(name, '<', relative(-1))]
            case 'next':
                return [(name, '>=', today), (name, '<=', relative(1))]
            case 'empty':
                return [(name, '=', None)]
            case _:
                return [(name, '!=', None)]

    # Modification

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        _, _, id_ = str(values.get('record') or '').partition(',')
        if id_.startswith('-'):
            # No record has been chosen
            values['record'] = None
        return values

    @classmethod
    def validate_fields(cls, rules, field_names):
        super().validate_fields(rules, field_names)
        for rule in rules:
            rule.check_value()

    @classmethod
    def on_modification(cls, mode, rules, field_names=None):
        Audience = Pool().get('marketing.automation.audience')
        super().on_modification(mode, rules, field_names=field_names)
        if mode != 'delete':
            Audience.apply({r.audience for r in rules})

    @classmethod
    def on_delete(cls, rules):
        Audience = Pool().get('marketing.automation.audience')
        callbacks = super().on_delete(rules)
        ids = {r.audience.id for r in rules}
        callbacks.append(
            lambda: Audience.apply(Audience.search([
                        ('id', 'in', list(ids))])))
        return callbacks


def _operator(operator):
    return gettext(f'marketing_automation.msg_audience_operator_{operator}')


def _labels(Model, names):
    return sorted(
        ((n, Model.__names__(n)['field']) for n in names),
        key=lambda item: item[1].lower())


def _choices(Model, name):
    "Return the choices of the field, as far as all records have the same"
    selection = Model.fields_get([name])[name]['selection']
    if isinstance(selection, str):
        try:
            selection = getattr(Model, selection)()
        except TypeError:
            # It depends on the record
            return []
    return list(selection)
