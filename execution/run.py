# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Run: one batch of one activity, from claimed to followed.

A batch is a set of record activities of one activity.  First its rows are
locked, the gates and the action decide, and what they decide is committed
together with the claim on what has to be handed over.  Then each message is
handed over and its outcome committed before the next one.  At last the
children of what is done are planned; without an action they are at once.
Whatever is interrupted is found again by its claim.
"""

import datetime as dt
import logging
import time
from contextlib import ExitStack

import trytond.config as config
from trytond import backend
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.error import error_location
from ..common.transaction import is_transient, run_with_retry
from ..outcome import (
    Outcome, OutgoingMessage, RollbackNeeded, TransportUnavailable, done,
    failed)
from . import claim

logger = logging.getLogger(__name__)

# The seconds between two looks at whether the scenario still runs
_CHECK_INTERVAL = 1


def batch_size(activity=None):
    # SQLite has one writer at a time, so it must not be one for long
    default = 50 if backend.name == 'sqlite' else 250
    size = config.getint('marketing', 'batch_size', default=default)
    if activity and not activity.action:
        # Nothing is composed and nobody waits for another one
        size *= 2
    return max(size, 1)


def is_trouble(outcome):
    "Return if the outcome fails, or may after too many tries"
    return (
        isinstance(outcome, Outcome)
        and outcome.state in {'failed', 'waiting'})


def has_worker():
    return config.getboolean('queue', 'worker', default=False)


class Run:
    """
    Execution of what is due of one activity by this process.

    It knows the claim, the transport and the time; the rows are written by the
    record activity.
    """

    def __init__(self, activity):
        self.RecordActivity = Pool().get(
            'marketing.automation.record.activity')
        self.activity_id = activity
        self.transport = None
        # The exception if the transport is out of reach
        self.away = None
        # Whether it is shown that it is not
        self.is_back = False
        # Whether there is more to do now
        self.full = False
        # Whether something of the batch may have failed
        self.trouble = False
        # Whether what follows was planned with the decision
        self.at_once = False
        self._stack = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.__exit__(*exception)

    @property
    def activity(self):
        "The activity in the present transaction"
        return Pool().get('marketing.automation.activity')(self.activity_id)

    def execute(self):
        "Execute one batch with workers, without until nothing is left"
        Transaction().rollback()
        self.recover()
        while self.execute_batch():
            if has_worker():
                break

    def children(self):
        "Return the ids of the children that have something to do"
        Transaction().rollback()
        return [a.id for a in self.RecordActivity.due_activities(
                dt.datetime.now(), parent=self.activity_id)]

    def queue(self):
        "Queue what remains to be done"
        Activity = Pool().get('marketing.automation.activity')
        for id_ in self.children():
            Activity.__queue__.execute([id_])
        if self.away:
            return
        if self.full:
            Activity.__queue__.execute([self.activity_id])
            return
        delay = self.RecordActivity.next_reservation(self.activity)
        if (delay
                and not self.RecordActivity.pending_tasks()[self.activity_id]):
            with Transaction().set_context(queue_scheduled_at=delay):
                Activity.__queue__.execute([self.activity_id])

    def recover(self):
        "Take over what a dead process left behind"
        RecordActivity = self.RecordActivity
        claims = RecordActivity.claims(self.activity_id)
        if not claims:
            return
        with claim.adopt(claims, dt.datetime.now()) as numbers:
            if not numbers:
                return
            # What they had done may be newer than what has been read
            Transaction().rollback()
            for number in numbers:
                self.finish(number)
            ids = run_with_retry(lambda: RecordActivity.give_back(numbers))
        logger.warning(
            "recovered activity=%s claims=%s given_back=%s",
            self.activity_id, len(numbers), len(ids))

    def execute_batch(self):
        "Execute what is due, at most one batch, and return if there is more"
        RecordActivity = self.RecordActivity
        started = time.monotonic()
        self.full = self.trouble = False
        if (not RecordActivity.has_due(self.activity_id, dt.datetime.now())
                or not self.connect()):
            return False
        number = claim.new()
        with claim.hold(number):
            activity = self.activity
            with RecordActivity.reserve(
                    activity, batch_size(activity)) as limit:
                ids, messages = self.claim(number, limit)
            sent = self.deliver(messages, number)
            self.finish(number, sent)
        RecordActivity.watch(self.activity, self.trouble)
        self.full = bool(ids) and not self.away
        logger.info(
            "batch activity=%s claim=%s decided=%s messages=%s sent=%s "
            "away=%s seconds=%.3f",
            self.activity_id, number, len(ids), len(messages), len(sent),
            int(bool(self.away)), time.monotonic() - started)
        return self.full

    def connect(self):
        "Return if the transport of the action, if it has one, is reached"
        activity = self.activity
        get_transport = getattr(activity, f'courier_{activity.action}', None)
        if self.transport or not get_transport:
            return True
        # It may take long, so nothing must be locked meanwhile
        Transaction().rollback()
        try:
            self.transport = self._stack.enter_context(get_transport())
        except TransportUnavailable as exception:
            self.pause_transport(exception)
        return bool(self.transport)

    def pause_transport(self, exception):
        self.away, self.is_back = exception, False
        self.RecordActivity.pause_transport(self.activity, str(exception))
        logger.error("transport away activity=%s", self.activity_id)

    def claim(self, number, limit):
        """
        Decide about what is due and commit it; return its ids and the messages
        to hand over.
        """
        due = []

        def select():
            due[:] = self.RecordActivity.due(
                self.activity_id, dt.datetime.now(), limit)
            return due

        try:
            return due, self.decide(select, number)
        except Exception as exception:
            if is_transient(exception) or not due:
                raise
            return due, self.divide(due, number, exception)

    def divide(self, ids, number, exception):
        """
        Decide about ever smaller parts of the ids because all together raise
        the exception, until the one that does is alone.
        """
        Transaction().rollback()
        if len(ids) == 1:
            logger.error(
                "failed activity=%s record_activity=%s error=%s",
                self.activity_id, *ids, error_location(exception))
            outcome = (
                exception.outcome if isinstance(exception, RollbackNeeded)
                else failed('action_error', repr(exception)))
            run_with_retry(lambda: self.RecordActivity.store(
                    {ids[0]: outcome}, dt.datetime.now()))
            self.trouble = True
            return {}
        messages = {}
        middle = len(ids) // 2
        for part in [ids[:middle], ids[middle:]]:
            try:
                messages.update(self.decide(
                        lambda: self.RecordActivity.lock_waiting(part),
                        number))
            except Exception as exception:
                if is_transient(exception):
                    raise
                messages.update(self.divide(part, number, exception))
        return messages

    def decide(self, lock, number):
        """
        Decide about the ids that lock returns and commit it; return the
        messages to hand over.
        """
        try:
            return run_with_retry(lambda: self._decide(lock, number))
        except Exception as exception:
            if is_transient(exception) or not self.at_once:
                raise
            # It may be what follows, which must not undo what is done
            Transaction().rollback()
        return run_with_retry(
            lambda: self._decide(lock, number, at_once=False))

    def _decide(self, lock, number, at_once=True):
        """
        Write what is decided about the ids that lock returns and return the
        messages to hand over.

        :param at_once: whether the children of what is done may be planned
            now, without a claim, if there is no action that may take long.
        """
        RecordActivity = self.RecordActivity
        now = dt.datetime.now()
        ids = lock()
        activity = self.activity
        self.at_once = at_once and not activity.action
        outcomes = RecordActivity.decide(activity, ids)
        # What is not due any more has none
        messages = {
            i: outcomes[i] for i in ids
            if isinstance(outcomes.get(i), OutgoingMessage)}
        decided = {
            i: o for i, o in outcomes.items() if isinstance(o, Outcome)}
        RecordActivity.store(decided, now, None if self.at_once else number)
        if self.at_once:
            RecordActivity.follow(activity, ids=[
                    i for i, o in decided.items() if o.state == 'done'])
        RecordActivity.store_sending(messages, now, number)
        self.trouble |= any(is_trouble(o) for o in outcomes.values())
        return messages

    def deliver(self, messages, number):
        "Hand over the messages and return those which were handed over"
        RecordActivity = self.RecordActivity
        transaction = Transaction()
        sent, still = {}, messages.keys()
        started = looked = time.monotonic()
        for id_, message in messages.items():
            if time.monotonic() - looked > _CHECK_INTERVAL:
                looked = time.monotonic()
                running = self.is_running()
                still = RecordActivity.still_sending(number)
                transaction.rollback()
                if (not running
                        or looked - started
                        > claim.DEADLINE.total_seconds()):
                    break
            if id_ not in still:
                # It is released, and the gates store the reason when it is
                # due again
                continue
            try:
                outcome = self.send(message)
            except TransportUnavailable as exception:
                self.pause_transport(exception)
                break
            self.trouble |= is_trouble(outcome)
            # What happened outside can not be undone
            stored = self.store(id_, outcome, number)
            if stored and outcome.state == 'done':
                sent[id_] = message
        if messages:
            run_with_retry(lambda: RecordActivity.give_back([number]))
            if not (self.away or self.is_back):
                RecordActivity.resume_transport(self.activity)
                self.is_back = True
        return sent

    def is_running(self):
        "Return if what is not yet handed over still should be"
        return self.RecordActivity.is_running(self.activity_id)

    def store(self, id_, outcome, number):
        """
        Commit the outcome of the message that was handed over, return if it
        was.
        """
        now = dt.datetime.now()
        if outcome == done():
            try:
                return self.RecordActivity.store_done(id_, now, number)
            except backend.DatabaseOperationalError as exception:
                if not is_transient(exception):
                    raise
                Transaction().rollback()
        return run_with_retry(lambda: self.RecordActivity.store(
                {id_: outcome}, now, number, handed_over=True), factor=2)

    def send(self, message):
        "Hand over the message and return its outcome"
        try:
            return self.transport.send(message)
        except TransportUnavailable:
            raise
        except Exception as exception:
            # An error that is not understood would be tried again for ever
            logger.error(
                "failed activity=%s error=%s",
                self.activity_id, error_location(exception))
            return failed('action_error', repr(exception))

    def finish(self, number, sent=None):
        "Commit what follows from what the claim has done"
        def finish():
            activity = self.activity
            self.RecordActivity.follow(activity, claim=number)
            log = getattr(activity, f'log_{activity.action}', None)
            if log and sent:
                log(sent)
        run_with_retry(finish)
