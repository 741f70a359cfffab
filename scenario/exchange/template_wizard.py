# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Wizard Scenario from Template.
"""

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from ...exceptions import ScenarioTemplateError
from .template import localized, safe_url, scenario_templates

_DATES = {'date', 'datetime', 'timestamp'}


class ScenarioFromTemplate:
    "Scenarios created from a scenario template"
    __slots__ = ()

    @classmethod
    def from_template(cls, name, values):
        """
        Create the scenario of a template, as a draft.

        :param name: the identifier of the template.
        :param values: a dictionary of the values of the needs by name: text,
            or a record; a missing one is created if the template can.
        :raises ScenarioTemplateError: if it can not be used here, or a value
            is missing or wrong.
        """
        template = scenario_templates()[name]
        cls.check_modules(template)
        texts, replacements = {}, {}
        with check_access():
            for need in template.needs:
                method = getattr(cls, f'_template_{need}')
                text, record = method(template, need, values.get(need))
                texts[need] = text
                if record:
                    replacements[record.__name__, text] = record.id
        return cls.import_json(template.fill(texts), replacements)

    @classmethod
    @without_check_access
    def missing_modules(cls, template):
        "Return the list of the modules that the template needs"
        Module = Pool().get('ir.module')
        active = {m.name for m in Module.search([
                    ('name', 'in', template.modules),
                    ('state', 'in', ['activated', 'to upgrade']),
                    ])}
        return [m for m in template.modules if m not in active]

    @classmethod
    def check_modules(cls, template):
        "Ensure that the modules which the template needs are active"
        if missing := cls.missing_modules(template):
            raise ScenarioTemplateError(gettext(
                    'marketing_automation.msg_blueprint_modules',
                    template=localized(
                        template.title, Transaction().language),
                    modules=', '.join(missing)))

    # The needs: each method returns the text, and the record it names

    @classmethod
    def _template_text(cls, template, need, value):
        if not (value or '').strip():
            raise _missing(template, need)
        return value.strip(), None

    _template_organization = _template_text

    @classmethod
    def _template_url(cls, template, need, value):
        try:
            return safe_url(value), None
        except ValueError as exception:
            raise ScenarioTemplateError(gettext(
                    'marketing_automation.msg_blueprint_url',
                    url=value or '')) from exception

    @classmethod
    def _template_user(cls, template, need, value):
        if not value:
            raise _missing(template, need)
        return value.login, value

    @classmethod
    def _template_category(cls, template, need, value):
        return cls._template_record('party.category', template, need, value)

    @classmethod
    def _template_list(cls, template, need, value):
        return cls._template_record(
            'marketing.email.list', template, need, value)

    _template_confirmed_list = _template_list

    @classmethod
    def _template_record(cls, model, template, need, value):
        if not value:
            value = cls._find_or_create(
                Pool().get(model), template.creates[need])
        return value.rec_name, value

    @classmethod
    def _find_or_create(cls, Model, names):
        "Return the record with one of the names, or a new one"
        language = Transaction().language
        for name in {localized(names, language), *names.values()}:
            for record in Model.search([('name', '=', name)], limit=1):
                return record
        # Marketers who may not create others may have the proposed one
        with without_check_access():
            return cls._create_translated(Model, names, language)

    @classmethod
    def _create_translated(cls, Model, names, language):
        Lang = Pool().get('ir.lang')
        record, = Model.create([{'name': localized(names, language)}])
        if Model.name.translate:
            for lang in Lang.search([
                        ('translatable', '=', True),
                        ('code', '!=', language),
                        ]):
                with Transaction().set_context(
                        language=lang.code, fuzzy_translation=False):
                    Model.write(
                        [Model(record.id)],
                        {'name': localized(names, lang.code)})
        return record

    @classmethod
    def _template_date_field(cls, template, need, value):
        if value not in dict(cls.template_dates(template)):
            raise _missing(template, need)
        return value, None

    @classmethod
    def template_dates(cls, template):
        "Return the date fields of the model of the template, as a selection"
        Model = Pool().get(template.model)
        names = [
            name for name, field in Model._fields.items()
            if field._type in _DATES
            and name != 'write_date'
            and not isinstance(field, fields.Function)]
        return sorted(
            ((n, d['string']) for n, d in Model.fields_get(names).items()),
            key=lambda item: item[1])


def _missing(template, need):
    return ScenarioTemplateError(gettext(
            'marketing_automation.msg_blueprint_missing',
            need=localized(template.needs[need], Transaction().language)))


def _needing(*needs):
    "Return the names of the templates that need any of these"
    return [
        t.name for t in scenario_templates().values()
        if set(needs) & t.needs.keys()]


def _states(need, required=False):
    "Return the states of the field for the need of a template"
    needed = Eval('template').in_(_needing(need))
    return {'invisible': ~needed, 'required': needed & required}


class TemplateInfo(ModelView):
    __name__ = 'marketing.automation.scenario.template.info'

    name = fields.Char("Name", readonly=True)
    description = fields.Text("What It Does", readonly=True)
    needs = fields.Text("What It Needs", readonly=True)
    missing = fields.Char("Missing Modules", readonly=True)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('missing', ''), 'muted', '')),
            ]


class TemplateStart(ModelView):
    __name__ = 'marketing.automation.scenario.template.start'

    templates = fields.One2Many(
        'marketing.automation.scenario.template.info', None, "Templates",
        readonly=True)
    template = fields.Selection(
        'get_templates', "Template", required=True, sort=False)

    @classmethod
    def get_templates(cls):
        language = Transaction().language
        return [
            (t.name, localized(t.title, language))
            for t in scenario_templates().values()]

    @classmethod
    def default_templates(cls):
        Scenario = Pool().get('marketing.automation.scenario')
        language = Transaction().language
        return [{
                'name': localized(t.title, language),
                'description': localized(t.description, language),
                'needs': '\n'.join(
                    localized(n, language) for n in t.needs.values()),
                'missing': ', '.join(Scenario.missing_modules(t)),
                } for t in scenario_templates().values()]


class TemplateParameters(ModelView):
    __name__ = 'marketing.automation.scenario.template.parameters'

    template = fields.Char("Template", readonly=True)
    description = fields.Text("What It Does", readonly=True)
    needs = fields.Text("What It Needs", readonly=True)
    organization = fields.Char(
        "Organization",
        states=_states('organization', required=True),
        help="The name under which the e-mails are sent.")
    url = fields.Char(
        "Page",
        states=_states('url', required=True),
        help="The address of the page to which the e-mails lead.")
    user = fields.Many2One(
        'res.user', "Responsible",
        states=_states('user', required=True),
        help="Who gets the to-dos.")
    category = fields.Many2One(
        'party.category', "Category",
        states=_states('category'),
        help="Leave empty to create one.")
    date_field = fields.Selection(
        'get_date_fields', "Date",
        states=_states('date_field', required=True))

    @fields.depends('template')
    def get_date_fields(self):
        Scenario = Pool().get('marketing.automation.scenario')
        template = scenario_templates().get(self.template)
        if not template or 'date_field' not in template.needs:
            return [(None, "")]
        return [(None, "")] + Scenario.template_dates(template)


class TemplateListParameters(metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario.template.parameters'

    list = fields.Many2One(
        'marketing.email.list', "Mailing List",
        states=_states('list'),
        help="Leave empty to create one.")
    confirmed_list = fields.Many2One(
        'marketing.email.list', "Confirmed List",
        states=_states('confirmed_list'),
        help="Leave empty to create one.")


class FromTemplate(Wizard):
    __name__ = 'marketing.automation.scenario.template'

    start = StateView(
        'marketing.automation.scenario.template.start',
        'marketing_automation.scenario_template_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Next", 'choose', 'tryton-forward', default=True),
            ])
    choose = StateTransition()
    parameters = StateView(
        'marketing.automation.scenario.template.parameters',
        'marketing_automation.scenario_template_parameters_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Back", 'start', 'tryton-back'),
            Button("Create", 'open_', 'tryton-ok', default=True),
            ])
    open_ = StateAction('marketing_automation.act_scenario_form')

    def transition_choose(self):
        Scenario = Pool().get('marketing.automation.scenario')
        template = scenario_templates()[self.start.template]
        Scenario.check_modules(template)
        return 'parameters'

    def default_start(self, fields):
        return {'template': getattr(self.start, 'template', None)}

    def default_parameters(self, fields):
        language = Transaction().language
        template = scenario_templates()[self.start.template]
        return {
            'template': template.name,
            'description': localized(template.description, language),
            'needs': '\n'.join(
                localized(n, language) for n in template.needs.values()),
            'organization': self._organization(),
            'user': Transaction().user or None,
            }

    @classmethod
    @without_check_access
    def _organization(cls):
        "Return the name of the company of the user, if there is one"
        try:
            Company = Pool().get('company.company')
        except KeyError:
            return None
        id_ = Transaction().context.get('company')
        return Company(id_).party.name if id_ else None

    def do_open_(self, action):
        Scenario = Pool().get('marketing.automation.scenario')
        template = scenario_templates()[self.start.template]
        scenario = Scenario.from_template(template.name, {
                need: getattr(self.parameters, need, None)
                for need in template.needs})
        # The form opens first
        action['views'].reverse()
        return action, {'res_id': scenario.id}
