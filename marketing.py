# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenarios: their fields, their workflow, and how records enter and run.

From here the way leads to the other models of the heart: *Activity*, a step
of a scenario, is in ``scenario/activity.py``, *Record*, a target inside a
scenario, in ``record/record.py``, and *Record Activity*, an activity for a
record with its state, in ``record/record_activity.py``.  What is due is
executed from ``execution/run.py``.  What another room adds to a scenario is
in its file ``scenario.py``.
"""

import datetime as dt
import json
import logging
import time

from trytond.i18n import gettext
from trytond.model import (
    DeactivableMixin, Index, ModelSQL, ModelView, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from .common.domain import check_search, decode
from .common.error import error_location, error_text, raise_as
from .common.transaction import is_transient
from .exceptions import DomainError, ScenarioError
from .mixin import MarketingAutomationMixin

logger = logging.getLogger(__name__)

# When the activities of a scenario were found correct, by database and id
_checked = {}
# What they depend on may change elsewhere, so they are looked at again after
# as many seconds
_CHECK_INTERVAL = 60 * 60
# What the system writes on a scenario itself
_OWN = {'problems', 'write_date', 'write_uid'}


class Scenario(DeactivableMixin, Workflow, ModelSQL, ModelView):
    "Scenario: the records of a model that enter it, and its activities"
    __name__ = 'marketing.automation.scenario'

    _states = {
        'readonly': Eval('state') != 'draft',
        }

    name = fields.Char("Name", translate=True)
    model = fields.Selection(
        'get_models', "Model", required=True, states=_states,
        help="The type of the records that enter the scenario.")
    domain = fields.Char(
        "Domain", required=True,
        help="A PYSON domain: the records that match enter the scenario.")
    activities = fields.One2Many(
        'marketing.automation.activity', 'parent', "Activities",
        help="The activities which start when a record enters the scenario.")
    unsubscribable = fields.Boolean(
        "Unsubscribable",
        help="If checked, mail programs offer to unsubscribe from the "
        "scenario with one click.")
    state = fields.Selection([
            ('draft', "Draft"),
            ('running', "Running"),
            ('stopped', "Stopped"),
            ], "State", required=True, readonly=True, sort=False)
    problem = fields.Function(
        fields.Text(
            "Problem",
            states={
                'invisible': ~Eval('problem'),
                },
            help="What prevents the scenario from working."),
        'get_problem', searcher='search_problem')
    problems = fields.Text("Problems", readonly=True, strip=False)

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.state, Index.Equality(cardinality='low')),
                where=t.state.in_(['draft', 'running'])))
        cls._order = [('name', 'ASC'), ('id', 'DESC')]
        cls._transitions |= {
            ('draft', 'running'),
            ('running', 'stopped'),
            ('stopped', 'running'),
            ('stopped', 'draft'),
            }
        cls._buttons.update({
                'draft': {
                    'invisible': Eval('state') != 'stopped',
                    'depends': ['state'],
                    },
                'run': {
                    'invisible': ~Eval('state').in_(['draft', 'stopped']),
                    'depends': ['state'],
                    },
                'stop': {
                    'invisible': Eval('state') != 'running',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_model(cls):
        return 'party.party'

    @classmethod
    def default_domain(cls):
        return '[]'

    @classmethod
    def default_unsubscribable(cls):
        return True

    @classmethod
    def default_state(cls):
        return 'draft'

    @classmethod
    def get_models(cls):
        # Also those that the user may not read, others may have used them
        Model = Pool().get('ir.model')
        return Model.get_name_items(MarketingAutomationMixin)

    def get_rec_name(self, name):
        return self.name or f'({self.id})'

    def get_problem(self, name):
        "Return the texts of the problems in the language of the user"
        problems = json.loads(self.problems) if self.problems else {}
        return '\n'.join(
            gettext(
                f'marketing_automation.msg_scenario_problem_{code}', **words)
            for code, words in sorted(problems.items())) or None

    @classmethod
    def search_problem(cls, name, clause):
        return [('problems', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('problem', ''), 'danger', '')),
            ('/tree/field[@name="name"]', 'visual',
                If(Eval('state') == 'stopped', 'muted', '')),
            ]

    # Validation

    @classmethod
    def validate_fields(cls, scenarios, field_names):
        super().validate_fields(scenarios, field_names)
        cls.check_domain(scenarios, field_names)

    @classmethod
    def check_domain(cls, scenarios, field_names=None):
        "Ensure that the domain can be searched by who saves it"
        if field_names and not (field_names & {'model', 'domain'}):
            return
        for scenario in scenarios:
            with raise_as(
                    DomainError, 'msg_scenario_domain_invalid',
                    scenario=scenario.rec_name, domain=scenario.domain):
                scenario._check_domain()

    def _check_domain(self):
        self._check_search(self.decode_domain())

    def _check_search(self, domain):
        "Ensure that the user can search the model with the domain"
        check_search(Pool().get(self.model), domain)

    def decode_domain(self):
        "Return the domain evaluated at the present time"
        return decode(self.domain)

    # Modification

    @classmethod
    def check_modification(
            cls, mode, scenarios, values=None, external=False):
        super().check_modification(
            mode, scenarios, values=values, external=external)
        if mode == 'delete':
            cls._check_delete(scenarios)
        elif mode == 'write' and 'model' in values:
            cls._check_model(scenarios, values['model'])
        if external:
            cls._check_state(mode, scenarios, values)

    @classmethod
    def _check_model(cls, scenarios, model):
        for scenario in scenarios:
            if (model != scenario.model
                    and (scenario.state == 'running'
                        or cls._with_records([scenario]))):
                raise AccessError(gettext(
                        'marketing_automation.msg_scenario_modify_model',
                        scenario=scenario.rec_name))

    @classmethod
    def _check_state(cls, mode, scenarios, values):
        "Ensure that only the buttons and the system change the state"
        facts = {n for n in values or [] if mode == 'write'
            and cls._fields[n].readonly}
        for scenario in scenarios:
            if facts or (
                    mode == 'create'
                    and (scenario.state != 'draft' or scenario.problems)):
                raise AccessError(gettext(
                        'marketing_automation.msg_scenario_modify_state',
                        scenario=scenario.rec_name))

    @classmethod
    def _check_delete(cls, scenarios):
        for scenario in scenarios:
            if scenario.state == 'running':
                raise AccessError(gettext(
                        'marketing_automation.msg_scenario_delete_running',
                        scenario=scenario.rec_name))
        for scenario in cls._with_records(scenarios):
            raise AccessError(gettext(
                    'marketing_automation.msg_scenario_delete_history',
                    scenario=scenario.rec_name))

    @classmethod
    @without_check_access
    def _with_records(cls, scenarios):
        "Return those of the scenarios that have been entered"
        Record = Pool().get('marketing.automation.record')
        return [
            s for s in scenarios
            if Record.search([
                    ('scenario', '=', s.id),
                    ('test', '=', False),
                    ], limit=1, order=[])]

    @classmethod
    def on_delete(cls, scenarios):
        callback = super().on_delete(scenarios)
        Activity = Pool().get('marketing.automation.activity')
        with inactive_records(), without_check_access():
            activities = Activity.browse(Activity.search([
                        ('scenario', 'in', [s.id for s in scenarios]),
                        ]))
        if activities:
            with without_check_access():
                Activity.delete(activities)
        return callback

    @classmethod
    def copy(cls, scenarios, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('state', cls.default_state())
        default.setdefault('problems', None)
        default.setdefault('name', lambda data: gettext(
                'marketing_automation.msg_scenario_copy_name',
                name=data['name'] or ''))
        # The tree has also what is below a deactivated activity
        with inactive_records():
            return super().copy(scenarios, default=default)

    # Workflow

    @classmethod
    @ModelView.button
    @Workflow.transition('draft')
    def draft(cls, scenarios):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('running')
    def run(cls, scenarios):
        cls.check_ready(scenarios)
        cls.write(scenarios, {'problems': None})

    @classmethod
    def check_ready(cls, scenarios):
        "Raise an error if the scenarios can not be executed"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        cls.validate_fields(scenarios, None)
        for scenario in scenarios:
            activities = Activity.search([('scenario', '=', scenario.id)])
            if not activities:
                raise ScenarioError(gettext(
                        'marketing_automation.msg_scenario_no_activity',
                        scenario=scenario.rec_name))
            # They were saved when the model may have been another one
            Activity.validate_fields(activities, None)
            for activity in activities:
                activity.check_ready()

    @classmethod
    @ModelView.button
    @Workflow.transition('stopped')
    def stop(cls, scenarios):
        pass

    # Enter

    @classmethod
    def trigger(cls):
        """
        Let the records that match enter the running scenarios.

        It is called by cron; each scenario has its own task and so its own
        transaction.
        """
        for scenario in cls.search([('state', '=', 'running')]):
            cls.__queue__.enter([scenario])

    @classmethod
    def enter(cls, scenarios):
        """
        Let the records that match now enter the scenarios.

        What fails is kept in the problem of the scenario and hinders no other
        one.  It may be called any number of times.
        """
        Record = Pool().get('marketing.automation.record')
        transaction = Transaction()
        for id_ in [s.id for s in scenarios]:
            with transaction.set_user(0):
                try:
                    scenario = cls(id_)
                    if scenario.state != 'running' or not scenario.active:
                        continue
                    entered = Record.enter(scenario, dt.datetime.now())
                except Exception as exception:
                    if is_transient(exception):
                        raise
                    transaction.rollback()
                    logger.error(
                        "broken scenario=%s error=%s",
                        id_, error_location(exception))
                    words = {'error': error_text(exception)}
                else:
                    logger.info("entered scenario=%s records=%s", id_, entered)
                    words = {}
                cls.set_problem(id_, 'enter', **words)
                transaction.commit()
                cls._check_activities(id_)
                transaction.commit()

    @classmethod
    def _check_activities(cls, id_):
        "Show the problem of an activity that was correct when it was saved"
        Activity = Pool().get('marketing.automation.activity')
        key = Transaction().database.name, id_
        state, at = cls._activities_state(id_), time.monotonic()
        if key in _checked and _checked[key][0] == state:
            if at - _checked[key][1] < _CHECK_INTERVAL:
                return
        words = {}
        try:
            for activity in Activity.search([('scenario', '=', id_)]):
                Activity.validate_fields([activity], None)
                activity.check_ready()
        except Exception as exception:
            if is_transient(exception):
                raise
            Transaction().rollback()
            logger.error(
                "broken scenario=%s error=%s",
                id_, error_location(exception))
            words = {'error': error_text(exception)}
        else:
            # What is broken may be repaired elsewhere
            _checked[key] = state, at
        cls.set_problem(id_, 'activity', **words)

    @classmethod
    def _activities_state(cls, id_):
        "Return a value that differs when the activities have changed"
        Activity = Pool().get('marketing.automation.activity')
        cursor = Transaction().connection.cursor()
        rows = []
        for Model, name, ignored in [
                (cls, 'id', _OWN), (Activity, 'scenario', set())]:
            table = Model.__table__()
            columns = [
                getattr(table, n) for n, field in sorted(Model._fields.items())
                if n not in ignored and not isinstance(field, fields.Function)
                and field.sql_type()]
            cursor.execute(*table.select(
                    *columns, where=getattr(table, name) == id_,
                    order_by=[table.id]))
            rows.append(cursor.fetchall())
        return hash(repr(rows))

    @classmethod
    def set_problem(cls, id_, code, **words):
        """
        Show the problem, known by its code, that prevents the scenario from
        working or, without words, that it is over.

        The words are the variables of the message
        ``msg_scenario_problem_<code>``, which each user reads in his language.
        """
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(table.problems, where=table.id == id_))
        row = cursor.fetchone()
        if not row:
            return
        problems = json.loads(row[0]) if row[0] else {}
        if problems.get(code, {}) == words:
            return
        problems.pop(code, None)
        if words:
            problems[code] = words
        cls.write([cls(id_)], {
                'problems': (
                    json.dumps(problems, sort_keys=True)
                    if problems else None),
                })
