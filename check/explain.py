# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Explanation why something happens to a record, or why not.

It calls the rules themselves, and repeats none: those that let targets enter,
and the gates of the activities.
"""

import datetime as dt
from typing import NamedTuple, Optional

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction, inactive_records

from ..execution.gates import GATES
from ..outcome import Outcome

__all__ = ['Check']


class Check(NamedTuple):
    """
    Answer of a rule about a record.

    :param name: the rule in plain words, as if it passed.
    :param result: ``passed``, ``closed`` (it ends here) or ``waits`` (it goes
        on at the time, if there is one).
    :param reason: why it did not pass.
    :param at: when it goes on.
    :param subject: the activity it is about, None for the scenario.
    """
    name: str
    result: str = 'passed'
    reason: Optional[str] = None
    at: Optional[dt.datetime] = None
    subject: Optional[str] = None


class ScenarioExplain:
    "Check whether a scenario runs"
    __slots__ = ()

    def check_running(self):
        "Return the check whether the scenario runs"
        name = gettext('marketing_automation.msg_why_running')
        if self.state == 'running' and self.active:
            return Check(name)
        state = self.fields_get(['state'])['state']['selection']
        return Check(name, 'waits', dict(state)[self.state] if self.active
            else gettext('marketing_automation.msg_why_inactive'))


class ActivityExplain:
    "Check of the recipient of an action"
    __slots__ = ()

    def check_recipient(self, record_activity):
        """
        Return the check whether the action has what it needs, None if it
        needs nothing.

        An action defines it with a method `recipient_<action>` that returns
        the address for the record activity, or the outcome if there is none.
        """
        method = getattr(self, f'recipient_{self.action}', None)
        if not method:
            return
        name = gettext('marketing_automation.msg_why_recipient')
        recipient = method(record_activity)
        if isinstance(recipient, Outcome):
            return record_activity._check_outcome(name, recipient)
        return Check(name, reason=recipient)

    def recipient_send_email(self, record_activity):
        return self.email_recipients([record_activity])[record_activity.id]

    def recipient_send_sms(self, record_activity):
        numbers, outcomes = self.sms_recipients([record_activity])
        return {**numbers, **outcomes}[record_activity.id]


class RecordExplain:
    "Checks whether a target may enter"
    __slots__ = ()

    @classmethod
    def enter_checks(cls, scenario, target):
        "Return the list of the checks whether the target may enter"
        Target = target.__class__
        checks = [scenario.check_running(), Check(
                gettext('marketing_automation.msg_why_match'),
                *cls._closed(
                    not cls._matches(Target, target, scenario.decode_domain()),
                    'msg_why_match_not'))]
        for reason, find in cls._refusals(scenario):
            if reason == 'no_party' and not Target.marketing_party_required():
                continue
            if isinstance(find, list):
                refused = cls._matches(Target, target, find, inactive=True)
            else:
                refused = target.id in find([target.id])
            checks.append(Check(
                    gettext(f'marketing_automation.msg_why_enter_{reason}'),
                    *cls._closed(refused, f'msg_join_{reason}')))
        if (all(c.result == 'passed' for c in checks[1:])
                and not cls._may_enter(scenario, target)):
            # A rule that has no name here
            checks.append(Check(
                    gettext('marketing_automation.msg_why_enter'),
                    *cls._closed(True, 'msg_join_other')))
        return checks

    @classmethod
    def _closed(cls, closed, message):
        if closed:
            return 'closed', gettext(f'marketing_automation.{message}')
        return ()

    @classmethod
    def _matches(cls, Target, target, domain, inactive=False):
        def search():
            return Target.search(
                [('id', '=', target.id), domain], count=True)
        if not inactive:
            return bool(search())
        with inactive_records():
            return bool(search())

    @classmethod
    def _may_enter(cls, scenario, target):
        "Return if the statement that lets targets enter finds the target"
        table = Pool().get(scenario.model).__table__()
        values = {}
        if scenario.unicity and not cls._has_sql_key(scenario):
            # Unicity has a check of its own
            values['keys'] = {}
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id,
                where=(table.id == target.id)
                & cls._enter_where(scenario, table, **values)
                & table.id.in_(cls._enter_query(
                        scenario, cls._enter_domain(scenario)))))
        return bool(cursor.fetchone())

    @classmethod
    def imagine(cls, scenario, target):
        "Return the record of the target as if it had entered"
        values = _nothing(cls)
        return cls(**{
                **values, 'id': -1, 'scenario': scenario, 'record': target,
                'blocked': False, 'test': False})


class RecordActivityExplain:
    "Checks whether a record activity will be executed"
    __slots__ = ()

    @classmethod
    def _gate_names(cls):
        """
        Return a dictionary of the question of each gate, in plain words and as
        if it were open.

        A module that adds a gate extends it.
        """
        return {
            name: gettext(f'marketing_automation.msg_why_gate_{name}')
            for name in GATES}

    @classmethod
    def imagine(cls, record, activity):
        "Return the record activity as if it were due"
        values = _nothing(cls)
        return cls(**{
                **values, 'id': -1, 'record': record, 'activity': activity,
                'state': 'waiting', 'test': False, 'attempts': 0})

    def checks(self):
        "Return the list of the checks whether it will be executed"
        if self.state not in {'waiting', 'sending'}:
            return [self._check_ended()]
        activity = self.activity
        checks = []
        if self.id >= 0:
            checks = [self._check_date()]
        names = self._gate_names()
        gates = self._gates()
        for gate in gates:
            outcome = getattr(self, f'_gate_{gate}')(
                activity, [self]).get(self.id)
            name = names.get(gate) or gettext(
                'marketing_automation.msg_why_gate', gate=gate)
            checks.append(
                self._check_outcome(name, outcome) if outcome
                else Check(name))
            if gate == 'target' and outcome:
                # The others have nothing to look at
                break
        else:
            if check := activity.check_recipient(self):
                checks.append(check)
            checks += self._check_throttle()
        return [c._replace(subject=activity.rec_name) for c in checks]

    def _check_ended(self):
        name = gettext(
            'marketing_automation.msg_why_state',
            state=self.state_string, date=_local(self.ended_at))
        return Check(
            name, 'passed' if self.state == 'done' else 'closed',
            self._reason_text(self.reason, self.detail),
            subject=self.activity.rec_name)

    def _check_date(self):
        now = dt.datetime.now()
        if not self.at:
            return Check(
                gettext('marketing_automation.msg_why_event'), 'waits',
                gettext('marketing_automation.msg_why_event_not'))
        name = gettext('marketing_automation.msg_why_due')
        if self.at > now:
            return Check(
                name, 'waits',
                self._reason_text(self.reason) or gettext(
                    'marketing_automation.msg_why_later'), self.at)
        return Check(name)

    def _check_outcome(self, name, outcome):
        return Check(
            name, 'waits' if outcome.state == 'waiting' else 'closed',
            self._reason_text(outcome.reason, outcome.detail), outcome.at)

    def _check_throttle(self):
        delays = self._rate_delays(self.activity, dt.datetime.now())
        if not self._rates(self.activity):
            return []
        name = gettext('marketing_automation.msg_why_throttle')
        if not delays:
            return [Check(name)]
        return [Check(
                name, 'waits',
                gettext('marketing_automation.msg_why_throttle_full'),
                dt.datetime.now() + max(delays))]

    @classmethod
    def _reason_text(cls, reason, detail=None):
        reasons = dict(cls.fields_get(['reason'])['reason']['selection'])
        return '\n'.join(filter(None, [reasons.get(reason, reason), detail]))


class Explanation(NamedTuple):
    "Explanation of a record in a scenario"
    text: str
    checks: list
    at: Optional[dt.datetime] = None


class Explainer:
    "Makes the explanation of a target in a scenario"

    def __init__(self, scenario, target, activity=None):
        pool = Pool()
        self.Record = pool.get('marketing.automation.record')
        self.RecordActivity = pool.get('marketing.automation.record.activity')
        self.scenario = scenario
        self.target = target
        self.activity = activity

    def answer(self):
        "Return the :class:`Explanation`"
        for record in self.Record.search([
                    ('scenario', '=', self.scenario.id),
                    ('record', '=', str(self.target)),
                    ('test', '=', False),
                    ], limit=1):
            return self._inside(record)
        return self._outside()

    @property
    def _words(self):
        return {
            'record': self.target.rec_name,
            'scenario': self.scenario.rec_name,
            }

    def _say(self, message, **words):
        return gettext(
            f'marketing_automation.msg_why_{message}', **self._words, **words)

    def _outside(self):
        checks = self.Record.enter_checks(self.scenario, self.target)
        closed = _first(checks)
        record = self.Record.imagine(self.scenario, self.target)
        for activity in self._first_activities():
            checks += self.RecordActivity.imagine(record, activity).checks()
        if closed:
            return Explanation(self._say('stays_out', reason=_words(closed)),
                checks)
        return Explanation(
            self._say('enters'), checks,
            _next_run('marketing.automation.scenario|trigger'))

    def _first_activities(self):
        if self.activity:
            return [self.activity]
        Activity = Pool().get('marketing.automation.activity')
        return Activity.search([('parent', '=', str(self.scenario))])

    def _inside(self, record):
        domain = [('record', '=', record.id)]
        if self.activity:
            domain.append(('activity', '=', self.activity.id))
        steps = list(self.RecordActivity.search(
                domain, order=[('ended_at', 'ASC NULLS LAST'), ('id', 'ASC')]))
        checks = [self.scenario.check_running(), Check(
                gettext(
                    'marketing_automation.msg_why_entered',
                    date=_local(record.create_date)))]
        if record.end_reason or record.blocked:
            checks.append(Check(
                    gettext('marketing_automation.msg_why_goes_on'), 'closed',
                    self._end(record)))
        waiting = []
        for step in steps:
            found = step.checks()
            checks += found
            if step.state in {'waiting', 'sending'}:
                waiting.append((step, found))
        if self.activity and not steps:
            imagined = self.RecordActivity.imagine(record, self.activity)
            checks.append(Check(
                    gettext('marketing_automation.msg_why_planned'), 'waits',
                    gettext('marketing_automation.msg_why_planned_not',
                        parent=self.activity.parent.rec_name),
                    subject=self.activity.rec_name))
            checks += imagined.checks()
        return self._sum_up(record, checks, waiting)

    def _end(self, record):
        reason = record.end_reason or 'blocked'
        return ' '.join(filter(None, [
                    self.RecordActivity._reason_text(reason),
                    _local(record.ended_at)]))

    def _sum_up(self, record, checks, waiting):
        "Return the explanation of a record inside, by what comes first"
        running = checks[0]
        best = None
        for step, found in waiting:
            closed = _first(found, 'closed')
            waits = [c for c in found if c.result == 'waits']
            if closed:
                answer = self._say(
                    'step_ends', activity=step.activity.rec_name,
                    reason=_words(closed)), None
            elif waits and not all(c.at for c in waits):
                answer = self._say(
                    'step_waits', activity=step.activity.rec_name,
                    reason=_words(next(c for c in waits if not c.at))), None
            else:
                answer = self._comes(step, waits)
            # What has a date says more than what has none
            if best is None or answer[1] and (
                    not best[1] or answer[1] < best[1]):
                best = answer
        if waiting and running.result != 'passed':
            return Explanation(
                self._say('stopped', reason=_words(running)), checks)
        if best:
            return Explanation(best[0], checks, best[1])
        if record.end_reason or record.blocked:
            return Explanation(
                self._say('ended', reason=self._end(record)), checks)
        return Explanation(self._say('nothing'), checks)

    def _comes(self, step, waits):
        "Return the text about the next step, and its time"
        at = max((c.at for c in waits), default=None) or _next_run(
            'marketing.automation.record.activity|process')
        if not at:
            return self._say('step_soon', activity=step.activity.rec_name), at
        return self._say(
            'step_comes', activity=step.activity.rec_name,
            date=_local(at)), at


def _first(checks, *results):
    "Return the first check with one of the results, any but passed"
    results = results or ('closed', 'waits')
    return next((c for c in checks if c.result in results), None)


def _words(check):
    return f'{check.name}: {check.reason}' if check.reason else check.name


def _nothing(Model):
    "Return the values of an instance of which nothing is stored"
    return {
        n: None for n, f in Model._fields.items()
        if not isinstance(f, (fields.Function, fields.One2Many))}


def _next_run(method):
    "Return when the cron calls the method the next time, None if never"
    Cron = Pool().get('ir.cron')
    for cron in Cron.search([('method', '=', method)], limit=1):
        return cron.next_call


def _local(value):
    "Return the text of a date and time"
    if not value:
        return ''
    Lang = Pool().get('ir.lang')
    return Lang.get().strftime(value, f'{Lang.get().date} %H:%M')
