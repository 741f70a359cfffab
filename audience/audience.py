# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Audience: a reusable choice of records without PYSON.
"""

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONEncoder
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)

from ..common.domain import checked, decode, describe
from ..common.error import raise_as
from ..common.transaction import is_transient, savepoint
from ..exceptions import AudienceError


class Audience(DeactivableMixin, ModelSQL, ModelView):
    "Records chosen by rules, or by a saved search"
    __name__ = 'marketing.automation.audience'

    name = fields.Char("Name", required=True, translate=True)
    model = fields.Selection(
        'get_models', "Model", required=True,
        states={
            'readonly': Eval('id', -1) >= 0,
            },
        help="The type of the records.")
    source = fields.Selection([
            ('rules', "Rules"),
            ('search', "Saved Search"),
            ], "Chosen by", required=True, sort=False)
    match = fields.Selection([
            ('all', "All Rules"),
            ('any', "Any Rule"),
            ], "Match", required=True, sort=False,
        states={
            'invisible': Eval('source') != 'rules',
            })
    rules = fields.One2Many(
        'marketing.automation.audience.rule', 'audience', "Rules",
        states={
            'invisible': Eval('source') != 'rules',
            'required': Eval('source') == 'rules',
            })
    search_ = fields.Function(
        fields.Selection(
            'get_searches', "Saved Search",
            states={
                'invisible': Eval('source') != 'search',
                },
            help="One of the searches which you have saved in the list of the "
            "records.\n"
            "It is copied: what you change of it later does not count."),
        'get_search', setter='set_search')
    search_text = fields.Char(
        "Search",
        states={
            'invisible': Eval('source') != 'search',
            'required': Eval('source') == 'search',
            },
        help="The PYSON domain of the search.")
    domain = fields.Function(
        fields.Char("Domain"), 'get_domain')
    description = fields.Function(
        fields.Text("Description"), 'on_change_with_description')
    count = fields.Function(
        fields.Integer(
            "Matching Records",
            help="The number of records which match now."),
        'on_change_with_count')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('name', 'ASC'), ('id', 'DESC')]
        cls._buttons.update({
                'open_matching': {
                    'readonly': ~Eval('id') | (Eval('id', -1) < 0),
                    'depends': ['id'],
                    },
                })

    @classmethod
    def default_model(cls):
        return 'party.party'

    @classmethod
    def default_source(cls):
        return 'rules'

    @classmethod
    def default_match(cls):
        return 'all'

    @classmethod
    def get_models(cls):
        Scenario = Pool().get('marketing.automation.scenario')
        return Scenario.get_models()

    # Saved searches

    @fields.depends('model')
    def get_searches(self):
        return [(None, "")] + [
            (str(s.id), s.name) for s in self._searches()]

    @without_check_access
    def _searches(self):
        "Return the saved searches of the user, as the client offers them"
        Search = Pool().get('ir.ui.view_search')
        return Search.search([
                ('model', '=', self.model),
                ['OR',
                    ('user', '=', Transaction().user),
                    ('user', '=', None),
                    ],
                ], order=[('name', 'ASC')])

    def get_search(self, name):
        # The search was copied and is no longer linked
        return None

    @classmethod
    def set_search(cls, audiences, name, value):
        for audience in audiences if value else []:
            for search in audience._searches():
                if str(search.id) == value:
                    cls.write([audience], {'search_text': search.domain})

    @fields.depends('model', 'search_', 'name', 'search_text')
    def on_change_search_(self):
        for search in self._searches():
            if str(search.id) == self.search_:
                self.search_text = search.domain
                self.name = self.name or search.name

    # Domain

    @fields.depends('source', 'match', 'rules', 'search_text')
    def get_domain(self, name=None):
        "Return the PYSON text of the domain"
        if self.source == 'search':
            return self.search_text
        clauses = [r.get_domain() for r in self.rules]
        return PYSONEncoder().encode([
                'AND' if self.match == 'all' else 'OR', *clauses])

    @fields.depends('model', 'source', 'match', 'rules', 'search_text')
    def on_change_with_description(self, name=None):
        if self.source == 'rules':
            rules = [r for r in self.rules or [] if r.is_complete()]
            if not rules:
                return
            return '\n'.join([
                    gettext('marketing_automation.msg_audience_match_'
                        + self.match),
                    *[f'- {r.get_rec_name(None)}' for r in rules]])
        try:
            return describe(
                Pool().get(self.model), decode(self.search_text))
        except Exception as exception:
            if is_transient(exception):
                raise

    @fields.depends('model', 'source', 'match', 'rules', 'search_text')
    def on_change_with_count(self, name=None):
        if self.source == 'rules' and not (
                self.rules and all(r.is_complete() for r in self.rules)):
            return
        try:
            with savepoint(), check_access():
                return self._Target.search(
                    self._checked_domain(), count=True)
        except Exception as exception:
            if is_transient(exception):
                raise
            # The error is raised when it is saved

    @property
    def _Target(self):
        return Pool().get(self.model)

    def _checked_domain(self):
        "Return the domain if both the user and a scenario may search it"
        domain = checked(self._Target, decode(self.get_domain()))
        self._Target.marketing_check_domain(domain)
        return domain

    # Modification

    @classmethod
    def check_modification(
            cls, mode, audiences, values=None, external=False):
        super().check_modification(
            mode, audiences, values=values, external=external)
        if mode == 'write' and 'model' in values:
            for audience in audiences:
                if audience.model != values['model']:
                    raise AudienceError(gettext(
                            'marketing_automation.msg_audience_model',
                            audience=audience.rec_name))

    @classmethod
    def on_modification(cls, mode, audiences, field_names=None):
        super().on_modification(mode, audiences, field_names=field_names)
        if mode != 'delete':
            cls.apply(audiences)

    @classmethod
    def apply(cls, audiences):
        "Apply the domains of the audiences to the drafts that use them"
        audiences = cls.browse([a.id for a in audiences])
        for audience in audiences:
            if audience.source == 'search' or audience.rules:
                audience._check()
        pool = Pool()
        for name in [
                'marketing.automation.scenario',
                'marketing.automation.activity']:
            pool.get(name).follow_audiences(audiences)

    def _check(self):
        "Ensure that the domain can be searched by who saves it"
        with raise_as(
                AudienceError, 'msg_audience_invalid',
                audience=self.rec_name):
            domain = self._checked_domain()
            with check_access():
                self._Target.search(domain, limit=1, order=[])

    # Open

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_matching(cls, audiences):
        for audience in audiences:
            return {
                'res_model': audience.model,
                'pyson_domain': audience.domain,
                }


class AudienceUserMixin:
    "Fields of domains that may come from audiences"
    __slots__ = ()

    @classmethod
    def _audiences(cls):
        """
        Return a dictionary of the field of the domain by the field of its
        audience.
        """
        return {}

    @classmethod
    def _audience_draft(cls):
        "Return the clause of the drafts, which follow their audiences"
        raise NotImplementedError

    @classmethod
    def preprocess_values(cls, mode, values):
        Audience = Pool().get('marketing.automation.audience')
        values = super().preprocess_values(mode, values)
        for use, name in cls._audiences().items():
            if values.get(use):
                with without_check_access():
                    values[name] = Audience(values[use]).domain
            elif mode == 'write' and name in values and use not in values:
                # What is typed by hand is no audience any more
                values[use] = None
        return values

    def _has_changed_audience(self):
        "Return if an audience has another domain than the record that uses it"
        return any(
            getattr(self, use).domain != getattr(self, name)
            for use, name in self._audiences().items() if getattr(self, use))

    @classmethod
    def follow_audiences(cls, audiences):
        "Write the domains of the audiences on the drafts that use them"
        cls.use_audiences([
                cls._audience_draft(),
                ['OR'] + [
                    (use, 'in', [a.id for a in audiences])
                    for use in cls._audiences()],
                ])

    @classmethod
    @without_check_access
    def use_audiences(cls, domain):
        "Write the domains of their audiences on the records of the domain"
        with inactive_records():
            users = cls.search(domain, order=[])
        for user in users:
            if user._has_changed_audience():
                cls.write([user], {
                        use: getattr(user, use).id for use in cls._audiences()
                        if getattr(user, use)})
