# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that sets fields of the record.
"""

from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, active_records, check_access

from ..common import access as rights
from ..common.access import Access, VirtualReaders
from ..common.error import error_text
from ..common.transaction import is_database, is_transient
from ..exceptions import ActivityError, ValueInvalidError
from ..outcome import RollbackNeeded, done, failed
from ..template import expression as sandbox
from ..template.conversion import Converter, is_settable
from ..template.view import View


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    values = fields.One2Many(
        'marketing.automation.activity.value', 'activity', "Values",
        states={
            'invisible': Eval('action') != 'set_fields',
            },
        help="The fields of the record that are set.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('set_fields', "Set Fields"))

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_values(activities, field_names)

    @classmethod
    def check_values(cls, activities, field_names=None):
        "Ensure that who saves may set the fields, and to these values"
        if field_names and not (field_names & {'parent', 'action', 'values'}):
            return
        for activity in activities:
            if activity.action == 'set_fields':
                activity._check_values()

    def _check_values(self):
        Model = Pool().get(self.root.model)
        names = [v.field for v in self.values]
        for value in self.values:
            field = Model._fields.get(value.field)
            if not field or not is_settable(value.field, field):
                raise ValueInvalidError(gettext(
                        'marketing_automation.msg_value_not_settable',
                        activity=self.rec_name,
                        field=value.field,
                        **Model.__names__()))
        rights.check_write(Model, Model, names)
        if self.values:
            self._try_values(Model)

    def _try_values(self, Model):
        "Ensure that the expressions have a value, if there is any record"
        access = Access.user()
        with check_access():
            records = Model.search([], limit=1, order=[])
        converter = Converter(Model)
        for value in self.values:
            try:
                sandbox.check(
                    value.expression, Model, self.email_context(None).keys())
                if sandbox.is_constant(value.expression):
                    subjects = [None]
                else:
                    subjects = [View(r, access) for r in records]
                for subject in subjects:
                    converter.convert(value.field, sandbox.evaluate(
                            value.expression, self.email_context(subject)),
                        access)
            except Exception as exception:
                if is_transient(exception) or is_database(exception):
                    raise
                raise ValueInvalidError(gettext(
                        'marketing_automation.msg_value_invalid',
                        activity=self.rec_name,
                        field=Model.__names__(value.field)['field'],
                        expression=value.expression,
                        error=error_text(exception))) from exception

    def check_ready(self):
        super().check_ready()
        if self.action == 'set_fields' and not self.values:
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_no_values',
                    activity=self.rec_name))

    # Execution

    def execute_set_fields(self, record_activities):
        "Set the fields of the records, equal values together"
        Target = record_activities[0].record.record.__class__
        try:
            rights.check_write(Target, Target, [v.field for v in self.values])
        except AccessError as exception:
            # It was allowed when it was saved
            return {
                r.id: failed('not_allowed', exception.message)
                for r in record_activities}
        with active_records():
            targets = dict(zip(
                    [r.id for r in record_activities],
                    Target.browse(
                        [r.record.record.id for r in record_activities])))
        writable = rights.writable_ids(list(targets.values()))
        readers, converter = VirtualReaders(), Converter(Target)
        outcomes, groups = {}, defaultdict(list)
        for id_, target in targets.items():
            if target.id not in writable:
                outcomes[id_] = failed('not_allowed')
                continue
            try:
                values = self._new_values(
                    target, readers.access(target), converter)
            except Exception as exception:
                if is_transient(exception) or is_database(exception):
                    raise
                outcomes[id_] = failed('value_error', error_text(exception))
            else:
                company = target.marketing_access_context.get('company')
                groups[company, values].append(target.id)
                outcomes[id_] = done()
        for (company, values), ids in groups.items():
            self._write_values(Target, ids, dict(values), company)
        return outcomes

    def _new_values(self, target, access, converter):
        "Return the names and the values, in a form that can be compared"
        context = self.email_context(View(target, access))
        values = []
        for value in self.values:
            name = value.field
            if rights.holds(
                    target, target._fields[name].states.get('readonly')):
                raise ValueError(gettext(
                        'marketing_automation.msg_value_readonly',
                        record=target.rec_name,
                        **target.__names__(name)))
            values.append((name, converter.convert(
                        name, sandbox.evaluate(value.expression, context),
                        access)))
        return tuple(values)

    @classmethod
    def _write_values(cls, Target, ids, values, company):
        context = {'company': company} if company else {}
        with Transaction().set_context(**context):
            try:
                # A target may be there twice
                Target.write(Target.browse(sorted(set(ids))), values)
            except Exception as exception:
                if is_transient(exception):
                    raise
                raise RollbackNeeded(
                    failed('value_error', error_text(exception))
                    ) from exception


class ActivityValue(ModelSQL, ModelView):
    __name__ = 'marketing.automation.activity.value'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", required=True,
        ondelete='CASCADE')
    field = fields.Selection(
        'get_fields', "Field", required=True,
        help="The field of the record to set.")
    expression = fields.Char(
        "Expression", required=True,
        help="What results in the value.\n"
        "It is an expression as in a template, with 'record'.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('activity')
        t = cls.__table__()
        cls._sql_constraints += [
            ('activity_field_unique', Unique(t, t.activity, t.field),
                'marketing_automation.msg_activity_value_field_unique'),
            ]

    @fields.depends('activity', '_parent_activity.parent')
    def get_fields(self):
        if not self.activity or not getattr(self.activity, 'parent', None):
            return []
        scenario = self.activity.root
        if not scenario:
            return []
        Model = Pool().get(scenario.model)
        names = [
            n for n, f in Model._fields.items() if is_settable(n, f)]
        return [
            (n, d['string']) for n, d in Model.fields_get(names).items()]

    def get_rec_name(self, name):
        return f'{self.field} = {self.expression}'

    @classmethod
    def validate_fields(cls, values, field_names):
        Activity = Pool().get('marketing.automation.activity')
        super().validate_fields(values, field_names)
        Activity.check_values(list({v.activity for v in values}))
