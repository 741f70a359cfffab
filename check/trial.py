# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Tests of a scenario: test records that a user takes through it by hand.

A test goes the way of the real records, through the same gates and actions,
but the user says when, and who gets the mails.
"""

import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, dualmethod, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction, without_check_access

from ..common.orm import clear_cache
from ..exceptions import TestError
from ..execution import claim
from ..execution.run import Run
from ..outcome import Outcome

# The dates of a test which are not those of its clock
_OTHER_DATES = {'claimed_at'}


class TestRun(Run):
    "The execution of the record activities (ids) of a test by hand"

    def __init__(self, activity, ids):
        super().__init__(activity)
        self.ids = ids

    def execute(self):
        Transaction().rollback()
        if not self.connect():
            return
        number = claim.new()
        with claim.hold(number):
            messages = self.decide(
                lambda: self.RecordActivity.lock_waiting(self.ids), number)
            self.finish(number, self.deliver(messages, number))

    def is_running(self):
        # Also a scenario which does not run is tested
        return True

    def pause_transport(self, exception):
        # Only who tests is alerted
        self.away = exception


class ScenarioTrial:
    "Tests of a scenario"
    __slots__ = ()

    test_count = fields.Function(
        fields.Integer(
            "Tests",
            help="The number of records which test the scenario."),
        'get_test_count')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'launch_test': {
                    'invisible': Eval('id', -1) < 0,
                    'depends': ['id'],
                    },
                'delete_tests': {
                    'invisible': ~Eval('test_count'),
                    'depends': ['test_count'],
                    },
                })

    @classmethod
    def get_test_count(cls, scenarios, name):
        Record = Pool().get('marketing.automation.record')
        with without_check_access():
            return {
                s.id: Record.search([
                        ('scenario', '=', s.id),
                        ('test', '=', True),
                        ], count=True)
                for s in scenarios}

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_test')
    def launch_test(cls, scenarios):
        pass

    @classmethod
    @ModelView.button
    def delete_tests(cls, scenarios):
        "Delete all tests of the scenarios"
        cls._delete_tests(scenarios)

    @classmethod
    @without_check_access
    def _delete_tests(cls, scenarios):
        Record = Pool().get('marketing.automation.record')
        Record.delete_test(Record.search([
                    ('scenario', 'in', [s.id for s in scenarios]),
                    ('test', '=', True),
                    ]))

    @classmethod
    def on_modification(cls, mode, scenarios, field_names=None):
        super().on_modification(mode, scenarios, field_names=field_names)
        if mode == 'write' and 'model' in field_names:
            cls._delete_tests(scenarios)

    @classmethod
    def on_delete(cls, scenarios):
        # Tests are no history
        cls._delete_tests(scenarios)
        return super().on_delete(scenarios)


class ActivityTrial:
    "Execution of an activity in a test: for whom, and whether at all"
    __slots__ = ()

    @classmethod
    def _test_actions(cls):
        """
        Return the set of the actions which a test executes in any case since
        they only reach who gets its messages.
        """
        return {None, 'send_email'}

    def is_tested(self, record):
        "Return if the test of the record executes the action"
        if self.action in self._test_actions():
            return True
        elif self.action in self._recipient_actions():
            return not record.test_recipient
        return record.test_all

    def email_recipients(self, record_activities):
        recipients = super().email_recipients(record_activities)
        for record_activity in record_activities:
            if not record_activity.test:
                continue
            if address := record_activity.record.test_recipient:
                recipients[record_activity.id] = address
        return recipients

    def tracked_urls(self, record_activity):
        if (record_activity.test
                and self.how_tracked(record_activity) == 'anonymously'):
            # It could not be kept apart from the others
            return None, None
        return super().tracked_urls(record_activity)


class RecordTrial:
    "Test record: its recipient, and its steps by hand"
    __slots__ = ()

    test_recipient = fields.Char(
        "Test Recipient", readonly=True,
        states={
            'invisible': ~Eval('test', False),
            },
        help="Who gets the e-mails of the test instead of the recipient.")
    test_all = fields.Boolean(
        "All Actions", readonly=True,
        states={
            'invisible': ~Eval('test', False),
            },
        help="Check if the test executes also the actions which send no "
        "e-mail.")
    activities = fields.One2Many(
        'marketing.automation.record.activity', 'record', "Activities",
        readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        ended = Eval('blocked', False) | Bool(Eval('end_reason'))
        cls._buttons.update({
                'test_next': {
                    'invisible': ~Eval('test', False),
                    'readonly': ended,
                    'depends': ['test', 'blocked', 'end_reason'],
                    },
                'test_later': {
                    'invisible': ~Eval('test', False),
                    'readonly': ended,
                    'depends': ['test', 'blocked', 'end_reason'],
                    },
                'delete_test': {
                    'invisible': ~Eval('test', False),
                    'depends': ['test'],
                    },
                })

    @dualmethod
    @ModelView.button
    def test_next(cls, records):
        "Execute the next of the steps with a date, whatever its delay"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        for record in _tests(records):
            for next_ in record._test_waiting():
                RecordActivity.test_execute([next_])
                break
            else:
                raise TestError(gettext(
                        'marketing_automation.msg_test_nothing_planned',
                        record=record.rec_name))

    @dualmethod
    @ModelView.button
    def test_later(cls, records):
        "Let time pass until something becomes due, and execute it"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        for record in _tests(records):
            dates = [
                d for r in record._test_waiting(with_date=False)
                for d in r._test_dates()]
            if not dates:
                raise TestError(gettext(
                        'marketing_automation.msg_test_nothing_planned',
                        record=record.rec_name))
            now = dt.datetime.now()
            record._test_advance(min(dates) - now)
            # The gate lets expire what is too late
            RecordActivity.test_execute([
                    r for r in record._test_waiting(with_date=False)
                    if r._test_dates() and min(r._test_dates()) <= now])

    def _test_waiting(self, with_date=True):
        """
        Return the waiting record activities, the one due first before the
        others.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        domain = [
            ('record', '=', self.id),
            ('state', '=', 'waiting'),
            ]
        if with_date:
            domain.append(('at', '!=', None))
        return list(RecordActivity.search(
                domain, order=[('at', 'ASC'), ('id', 'ASC')]))

    def _test_advance(self, delay):
        "Move the dates of the test back as if the time had passed"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        if delay <= dt.timedelta():
            return
        # The dates have no fraction
        delay += dt.timedelta(seconds=1)
        names = [
            n for n, f in RecordActivity._fields.items()
            if isinstance(f, fields.DateTime) and n not in _OTHER_DATES]
        for record_activity in RecordActivity.search([
                    ('record', '=', self.id)]):
            RecordActivity.write([record_activity], {
                    n: (getattr(record_activity, n) - delay
                        ).replace(microsecond=0)
                    for n in names if getattr(record_activity, n)})

    @dualmethod
    @ModelView.button
    def delete_test(cls, records):
        "Delete the tests with what they have left"
        pool = Pool()
        Email = pool.get('ir.email')
        Hit = pool.get('marketing.automation.hit')
        with without_check_access():
            records = list(_tests(records))
            ids = [r.id for r in records]
            Email.delete(Email.search([
                        ('marketing_automation_record', 'in', ids),
                        ]))
            Hit.delete(Hit.search(['OR',
                        ('record', 'in', ids),
                        ('record_activity', 'in', [
                                a.id for r in records for a in r.activities]),
                        ]))
            cls.delete(records)


class RecordActivityTrial:
    "Record activity of a test: its content, and its execution by hand"
    __slots__ = ()

    content = fields.Function(
        fields.Text(
            "Content",
            states={
                'invisible': ~Eval('content'),
                },
            help="What the recipient gets."),
        'get_content')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'test_execute': {
                    'invisible': (
                        ~Eval('test', False) | (Eval('state') != 'waiting')),
                    'depends': ['test', 'state'],
                    },
                })

    def get_content(self, name):
        target = self.record.target
        preview = target and self.activity.preview(target)
        if not preview:
            return None
        return preview.failure or '\n\n'.join(
            filter(None, [preview.subject, preview.text]))

    @classmethod
    def _execute(cls, activity, record_activities):
        simulated = [r for r in record_activities if r._is_simulated]
        executed = [r for r in record_activities if not r._is_simulated]
        outcomes = {
            r.id: Outcome('done', detail=gettext(
                    'marketing_automation.msg_test_simulated'))
            for r in simulated}
        if executed:
            outcomes.update(super()._execute(activity, executed))
        return outcomes

    @property
    def _is_simulated(self):
        return self.test and not self.activity.is_tested(self.record)

    @classmethod
    @ModelView.button
    def test_execute(cls, record_activities):
        "Execute what waits in a test at once, whatever its date"
        transaction = Transaction()
        by_activity = {}
        for record_activity in _tests(record_activities):
            by_activity.setdefault(
                record_activity.activity.id, []).append(record_activity.id)
        # What comes has its own transactions
        transaction.commit()
        with transaction.set_user(0), transaction.reset_context():
            for activity, ids in by_activity.items():
                with TestRun(activity, ids) as run:
                    run.execute()
                if run.away:
                    raise TestError(gettext(
                            'marketing_automation.msg_test_courier_away',
                            error=str(run.away)))
        clear_cache(cls)

    def _test_dates(self):
        "Return the dates at which something happens to it"
        return list(filter(None, [self.at, self.expire_at]))


class Hit(metaclass=PoolMeta):
    __name__ = 'marketing.automation.hit'

    @classmethod
    def _count_clicks(cls, rows, humans):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        tests = {r.id for r in RecordActivity.search([
                    ('id', 'in', list({r.record_activity for r in rows})),
                    ('test', '=', True),
                    ])}
        super()._count_clicks(*[
                [r for r in hits if r.record_activity not in tests]
                for hits in [rows, humans]])


class Consent(metaclass=PoolMeta):
    __name__ = 'marketing.automation.consent'

    @classmethod
    def _is_recipient(cls, subject):
        Record = Pool().get('marketing.automation.record')
        return super()._is_recipient(subject) and not (
            subject.test and Record.search([
                    ('id', '=', subject.record),
                    ('test_recipient', '!=', None),
                    ]))


def _tests(records):
    "Return the records after ensuring that they belong to tests"
    for record in records:
        if not record.test:
            raise AccessError(gettext(
                    'marketing_automation.msg_test_only',
                    record=record.rec_name))
    return records
