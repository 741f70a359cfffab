# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check list of a scenario before it runs.
"""

import datetime as dt
import math
from collections import defaultdict
from typing import NamedTuple, Optional

from sql import Literal
from sql.aggregate import Count

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..common.error import error_text
from ..common.transaction import is_transient
from ..exceptions import PreflightError
from ..mixin import TargetReferenceMixin

__all__ = ['Problem']

_DAY = dt.timedelta(days=1)
_WEEK = dt.timedelta(days=7)
# How many ids are read, of how many records the language is looked at, and
# for how many of each language everything is rendered
_IDS = 100_000
_SAMPLE = 500
_RENDERED = 3


class Problem(NamedTuple):
    """
    Problem that a marketer must know before the scenario runs.

    :param level: ``error`` (it can not run) or ``warning``.
    """
    level: str
    text: str
    activity: Optional[int] = None
    language: Optional[str] = None


class Message(NamedTuple):
    "Message as a record would get it"
    activity: int
    language: Optional[str]
    record: str
    preview: object


class ScenarioPreflight:
    "Problems of a scenario before it runs"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons['preflight'] = dict(cls._buttons['run'])

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_preflight')
    def preflight(cls, scenarios):
        pass

    def preflight_problems(self, audience):
        """
        Return the list of the problems (:class:`Problem`) besides those of
        the messages.
        """
        problems = []
        try:
            self.__class__.check_ready([self])
            self._check_reach()
        except Exception as exception:
            if is_transient(exception):
                raise
            problems.append(Problem(
                    'error',
                    error_text(exception)))
            return problems
        Model = Pool().get(self.model)
        words = Model.__names__()
        if self.is_for_everybody():
            problems.append(Problem('warning', gettext(
                        'marketing_automation.msg_preflight_everybody',
                        count=audience.count, **words)))
        if not audience.count:
            problems.append(Problem('warning', gettext(
                        'marketing_automation.msg_preflight_nobody')))
        if not audience.samples:
            problems.append(Problem('warning', gettext(
                        'marketing_automation.msg_preflight_no_sample')))
        return problems


class RecordActivityPreflight:
    "Record activities that are planned already"
    __slots__ = ()

    @classmethod
    def count_due(cls, scenario, until):
        "Return how many messages of the scenario are planned until the time"
        Activity = Pool().get('marketing.automation.activity')
        table = cls.__table__()
        activity = Activity.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.join(
                activity, condition=table.activity == activity.id
                ).select(
                    Count(Literal(1)),
                    where=(activity.scenario == scenario.id)
                    & fields.SQL_OPERATORS['in'](
                        activity.action,
                        sorted(Activity._recipient_actions()))
                    & (table.state == 'waiting')
                    & (table.at <= until)
                    & (table.test == Literal(False))))
        return cursor.fetchone()[0]


class Audience:
    """
    Records that would enter the scenario now.

    :ivar count: their number.
    :ivar mailed: the number of those who can get e-mails.
    :ivar samples: a dictionary of some of them that the user may read, by
        language.
    """

    def __init__(self, scenario):
        self.scenario = scenario
        numbers = scenario.reach_values()
        self.count = numbers['reach_entering'] or 0
        self.mailed = numbers['reach_mailed'] or 0
        self.samples = self._find_samples()

    def _find_samples(self):
        Target = Pool().get(self.scenario.model)
        samples = defaultdict(list)
        with check_access():
            try:
                targets = Target.search([('id', 'in', self._some())])
                if not targets:
                    # What is written can be looked at all the same
                    targets = Target.search([], limit=1)
            except AccessError:
                return samples
        with without_check_access():
            targets = Target.browse([t.id for t in targets])
            languages = Target.marketing_languages(targets)
        for target in targets:
            if len(samples[languages[target.id]]) < _RENDERED:
                samples[languages[target.id]].append(target.id)
        return samples

    def _some(self):
        """
        Return the ids of some records that would enter, from the first to the
        last.
        """
        if not self.count:
            return []
        Target = Pool().get(self.scenario.model)
        cursor = Transaction().connection.cursor()
        cursor.execute(*Target.search(
                self.scenario.reach_domain('entering'),
                order=[('id', 'ASC')], limit=_IDS, query=True))
        ids = [id_ for id_, in cursor]
        return ids[::max(math.ceil(len(ids) / _SAMPLE), 1)]


class Preflight:
    "Messages that the scenario would send, and its problems"

    def __init__(self, scenario):
        pool = Pool()
        self.scenario = scenario
        self.Activity = pool.get('marketing.automation.activity')
        self.RecordActivity = pool.get('marketing.automation.record.activity')
        self.audience = Audience(scenario)
        self.problems = scenario.preflight_problems(self.audience)
        self.messages = []
        if not any(p.level == 'error' for p in self.problems):
            self._render()

    @property
    def errors(self):
        return [p for p in self.problems if p.level == 'error']

    @property
    def warnings(self):
        return [p for p in self.problems if p.level == 'warning']

    def _render(self):
        Target = Pool().get(self.scenario.model)
        for activity in self.scenario.walk():
            for language, ids in sorted(
                    self.audience.samples.items(), key=str):
                previews = [
                    (t, activity.preview(t, language))
                    for t in Target.browse(ids)]
                previews = [(t, p) for t, p in previews if p]
                for target, preview in previews[:1]:
                    self.messages.append(Message(
                            activity.id, language, str(target), preview))
                self._find_problems(
                    activity, language, [p for _, p in previews])

    def _find_problems(self, activity, language, previews):
        "Collect the problems of the previews"
        get_warnings = getattr(activity, 'preview_warnings', None)
        found = []
        for preview in previews:
            if preview.failure:
                # The others fail in the same way
                found.append(('error', preview.failure))
                break
            found += [
                ('warning', text)
                for text in (get_warnings(preview) if get_warnings else [])]
        for level, text in found:
            problem = Problem(level, text, activity.id, language)
            if problem not in self.problems:
                self.problems.append(problem)

    def forecast(self, duration):
        """
        Return how many messages are sent in the duration: at least, if
        nothing is opened or clicked and no condition excludes anybody, and at
        most.
        """
        now = dt.datetime.now()
        waiting = self.RecordActivity.count_due(self.scenario, now + duration)
        least, most = self._messages(str(self.scenario), now, now + duration)
        return tuple(
            self._limit(n + waiting, duration)
            for n in (least, most))

    def _limit(self, count, duration):
        for activity in self.scenario.walk():
            for rate, period, _ in self.RecordActivity._rates(activity):
                count = min(count, math.ceil(rate * (duration / period)))
        return count

    def _messages(self, parent, at, until):
        """
        Return how many messages those who enter get until the time below the
        parent executed at the time: at least, and at most.
        """
        least = most = 0
        exclusive = defaultdict(lambda: [0, 0])
        for activity in self.Activity.search([('parent', '=', parent)]):
            planned = activity.planned_at(at)
            if planned > until:
                continue
            below = self._messages(str(activity), planned, until)
            own = self._recipients(activity)
            if activity.event:
                # Either it happens or it does not
                exclusive[activity.event][activity.negative] += (
                    own + below[1])
                continue
            most += own + below[1]
            if not (activity.condition or activity.domain
                    or activity.date_field):
                least += own + below[0]
        return least, most + sum(map(max, exclusive.values()))

    def _recipients(self, activity):
        """
        Return how many of those who enter can get the message of the activity.
        """
        if activity.action == 'send_email':
            return self.audience.mailed
        elif activity.action in self.Activity._recipient_actions():
            return self.audience.count
        return 0


class PreflightWizard(Wizard):
    __name__ = 'marketing.automation.preflight'

    start_state = 'check'
    check = StateView(
        'marketing.automation.preflight.check',
        'marketing_automation.preflight_check_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Run", 'run', 'tryton-launch', default=True, states={
                    'readonly': Bool(Eval('errors')) | (
                        Bool(Eval('warnings')) & ~Eval('accepted', False)),
                    }),
            ])
    run = StateTransition()

    def default_check(self, fields):
        preflight = Preflight(self.record)
        day, week = preflight.forecast(_DAY), preflight.forecast(_WEEK)
        return {
            'scenario': self.record.id,
            'count': preflight.audience.count,
            'mailed': preflight.audience.mailed,
            'day': _range(*day),
            'week': _range(*week),
            'errors': len(preflight.errors),
            'warnings': len(preflight.warnings),
            'accepted': False,
            'problems': [
                p._asdict() for p in preflight.errors + preflight.warnings],
            'messages': [{
                    'activity': m.activity,
                    'language': m.language,
                    'record': m.record,
                    'subject': m.preview.failure or m.preview.subject,
                    'html': m.preview.html.encode(),
                    'html_name': 'preview.html',
                    'text': m.preview.text,
                    } for m in preflight.messages],
            }

    def transition_run(self):
        preflight = Preflight(self.record)
        if preflight.errors:
            raise PreflightError(gettext(
                    'marketing_automation.msg_preflight_errors',
                    scenario=self.record.rec_name,
                    errors='\n'.join(p.text for p in preflight.errors)))
        if preflight.warnings and not self.check.accepted:
            raise PreflightError(gettext(
                    'marketing_automation.msg_preflight_warnings',
                    scenario=self.record.rec_name,
                    warnings='\n'.join(p.text for p in preflight.warnings)))
        self.model.run([self.record])
        return 'end'

    def end(self):
        return 'reload'


def _range(least, most):
    return str(most) if least == most else f'{least} – {most}'


class PreflightCheck(ModelView):
    __name__ = 'marketing.automation.preflight.check'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    count = fields.Integer(
        "Records", readonly=True,
        help="How many records enter the scenario with the next run.")
    mailed = fields.Integer(
        "Would Get E-Mails", readonly=True,
        help="How many of them have an e-mail address that is not "
        "suppressed.")
    day = fields.Char(
        "Messages the First Day", readonly=True,
        help="E-mails and SMS on the first day: at least and at most, as it "
        "depends on what the recipients do.")
    week = fields.Char(
        "Messages the First Week", readonly=True,
        help="E-mails and SMS in the first seven days: at least and at most, "
        "as it depends on what the recipients do.")
    errors = fields.Integer("Errors", readonly=True)
    warnings = fields.Integer("Warnings", readonly=True)
    problems = fields.One2Many(
        'marketing.automation.preflight.problem', None, "Problems",
        readonly=True,
        states={
            'invisible': ~Eval('errors') & ~Eval('warnings'),
            })
    accepted = fields.Boolean(
        "Run in Spite of the Warnings",
        states={
            'invisible': ~Eval('warnings') | Bool(Eval('errors')),
            })
    messages = fields.One2Many(
        'marketing.automation.preflight.message', None, "Messages",
        readonly=True,
        help="What a record in each language of the audience would get.")


class PreflightProblem(ModelView):
    __name__ = 'marketing.automation.preflight.problem'

    level = fields.Selection([
            ('error', "Error"),
            ('warning', "Warning"),
            ], "Level", readonly=True, sort=False)
    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    language = fields.Char("Language", readonly=True)
    text = fields.Text("Problem", readonly=True)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('level') == 'error', 'danger', 'warning')),
            ]


class PreflightMessage(TargetReferenceMixin, ModelView):
    __name__ = 'marketing.automation.preflight.message'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    language = fields.Char("Language", readonly=True)
    record = fields.Reference(
        "Record", selection='get_models', readonly=True)
    subject = fields.Char("Subject", readonly=True)
    html = fields.Binary("Preview", filename='html_name', readonly=True)
    html_name = fields.Char("File Name", readonly=True)
    text = fields.Text("Text", readonly=True)
