# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Execute the record activities that are due.

A batch is a set of record activities of one activity.  First its rows are
locked, the gates and the action decide, and what they decide is committed
together with the claim on what has to be handed over.  Then each parcel is
handed over and its outcome committed before the next one.  At last the
children of what is done are planned; without an action they are at once.
Whatever is interrupted is found again by its claim.
"""

import datetime as dt
import logging
import math
import time
from collections import Counter
from contextlib import ExitStack

from sql import Literal
from sql.aggregate import Count

import trytond.config as config
from trytond import backend
from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from ..common.transaction import insist, place, transient
from ..exceptions import CourierError
from ..outcome import CourierAway, Outcome, Parcel, Undone, done, failed
from . import claim

logger = logging.getLogger(__name__)

# The seconds between two looks at whether the scenario still runs
_LOOK = 1


def batch_size(activity=None):
    # SQLite has one writer at a time, so it must not be one for long
    default = 50 if backend.name == 'sqlite' else 250
    size = config.getint('marketing', 'batch_size', default=default)
    if activity and not activity.action:
        # Nothing is composed and nobody waits for another one
        size *= 2
    return max(size, 1)


def is_trouble(outcome):
    "Return if the outcome fails or may, after too many tries"
    return (
        isinstance(outcome, Outcome)
        and outcome.state in {'failed', 'waiting'})


def has_worker():
    return config.getboolean('queue', 'worker', default=False)


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    @classmethod
    def execute(cls, activities):
        """
        Execute what is due of the activities and of their descendants.

        It commits.  With workers it executes one batch of each and queues
        what remains, without it goes on until nothing is left.
        """
        transaction = Transaction()
        todo = [a.id for a in activities]
        away = {}
        with transaction.set_user(0), transaction.reset_context():
            while todo:
                activity = todo.pop(0)
                with Run(activity) as run:
                    run.execute()
                if run.away:
                    away[activity] = run.away
                if has_worker():
                    run.queue()
                else:
                    todo.extend(run.children())
                transaction.commit()
            cls._report_away(away)

    @classmethod
    def _report_away(cls, away):
        """
        Raise for the administrator that the courier is out of reach.

        It is silent as long as the same is still to be solved: each run would
        report it again.
        """
        Error = Pool().get('ir.error')
        messages = [
            gettext('marketing_automation.msg_courier_away',
                activity=activity.rec_name,
                error=str(away[activity.id]))
            for activity in cls.browse(list(away))]
        for message in messages:
            if not Error.search([
                        ('message', '=', message),
                        ('state', '!=', 'solved'),
                        ], limit=1):
                raise CourierError(message)


class Run:
    """
    The execution of what is due of one activity by this process.

    It knows the claim, the courier and the time; the rows are written by the
    record activity.
    """

    def __init__(self, activity):
        self.RecordActivity = Pool().get(
            'marketing.automation.record.activity')
        self.activity_id = activity
        self.courier = None
        # Why the courier is out of reach
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
        delay = self.RecordActivity.next_turn(self.activity)
        if (delay
                and not self.RecordActivity.pending_tasks()[self.activity_id]):
            with Transaction().set_context(queue_scheduled_at=delay):
                Activity.__queue__.execute([self.activity_id])

    def recover(self):
        "Take care of what a dead process left behind"
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
            ids = insist(lambda: RecordActivity.give_back(numbers))
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
            with RecordActivity.turn(
                    activity, batch_size(activity)) as limit:
                ids, parcels = self.claim(number, limit)
            sent = self.deliver(parcels, number)
            self.finish(number, sent)
        RecordActivity.watch(self.activity, self.trouble)
        self.full = bool(ids) and not self.away
        logger.info(
            "batch activity=%s claim=%s decided=%s parcels=%s sent=%s "
            "away=%s seconds=%.3f",
            self.activity_id, number, len(ids), len(parcels), len(sent),
            int(bool(self.away)), time.monotonic() - started)
        return self.full

    def connect(self):
        "Return if there is what is needed to hand over"
        activity = self.activity
        get_courier = getattr(activity, f'courier_{activity.action}', None)
        if self.courier or not get_courier:
            return True
        # It may take long, so nothing must be locked meanwhile
        Transaction().rollback()
        try:
            self.courier = self._stack.enter_context(get_courier())
        except CourierAway as exception:
            self.go_away(exception)
        return bool(self.courier)

    def go_away(self, exception):
        self.away, self.is_back = exception, False
        self.RecordActivity.courier_away(self.activity, str(exception))
        logger.error("courier away activity=%s", self.activity_id)

    def claim(self, number, limit):
        """
        Commit what becomes of what is due and return its ids and the parcels
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
            if transient(exception) or not due:
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
                self.activity_id, *ids, place(exception))
            outcome = (
                exception.outcome if isinstance(exception, Undone)
                else failed('action_error', repr(exception)))
            insist(lambda: self.RecordActivity.store(
                    {ids[0]: outcome}, dt.datetime.now()))
            self.trouble = True
            return {}
        parcels = {}
        middle = len(ids) // 2
        for part in [ids[:middle], ids[middle:]]:
            try:
                parcels.update(self.decide(
                        lambda: self.RecordActivity.lock_waiting(part),
                        number))
            except Exception as exception:
                if transient(exception):
                    raise
                parcels.update(self.divide(part, number, exception))
        return parcels

    def decide(self, lock, number):
        """
        Commit what becomes of the ids that lock returns and return the
        parcels to hand over.
        """
        try:
            return insist(lambda: self._decide(lock, number))
        except Exception as exception:
            if transient(exception) or not self.at_once:
                raise
            # It may be what follows, which must not undo what is done
            Transaction().rollback()
        return insist(lambda: self._decide(lock, number, at_once=False))

    def _decide(self, lock, number, at_once=True):
        """
        Write what becomes of the ids that lock returns and return the parcels
        to hand over.

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
        parcels = {
            i: outcomes[i] for i in ids
            if isinstance(outcomes.get(i), Parcel)}
        decided = {
            i: o for i, o in outcomes.items() if isinstance(o, Outcome)}
        RecordActivity.store(decided, now, None if self.at_once else number)
        if self.at_once:
            RecordActivity.follow(activity, [
                    i for i, o in decided.items() if o.state == 'done'])
        RecordActivity.store_sending(parcels, now, number)
        self.trouble |= any(is_trouble(o) for o in outcomes.values())
        return parcels

    def deliver(self, parcels, number):
        "Hand over the parcels and return those which were"
        RecordActivity = self.RecordActivity
        transaction = Transaction()
        sent, still = {}, parcels.keys()
        started = looked = time.monotonic()
        for id_, parcel in parcels.items():
            if time.monotonic() - looked > _LOOK:
                looked = time.monotonic()
                running = self.is_running()
                still = RecordActivity.still_sending(number)
                transaction.rollback()
                if (not running
                        or looked - started
                        > claim.DEADLINE.total_seconds()):
                    break
            if id_ not in still:
                # What is given back has the gates say why
                continue
            try:
                outcome = self.send(parcel)
            except CourierAway as exception:
                self.go_away(exception)
                break
            self.trouble |= is_trouble(outcome)
            # What happened outside can not be undone
            stored = self.store(id_, outcome, number)
            if stored and outcome.state == 'done':
                sent[id_] = parcel
        if parcels:
            insist(lambda: RecordActivity.give_back([number]))
            if not (self.away or self.is_back):
                RecordActivity.courier_back(self.activity)
                self.is_back = True
        return sent

    def is_running(self):
        "Return if what is not yet handed over still should be"
        return self.RecordActivity.is_running(self.activity_id)

    def store(self, id_, outcome, number):
        "Commit the outcome of what was handed over, return if it was"
        now = dt.datetime.now()
        if outcome == done():
            try:
                return self.RecordActivity.store_done(id_, now, number)
            except backend.DatabaseOperationalError as exception:
                if not transient(exception):
                    raise
                Transaction().rollback()
        return insist(lambda: self.RecordActivity.store(
                {id_: outcome}, now, number, handed_over=True), factor=2)

    def send(self, parcel):
        "Hand over the parcel and return its outcome"
        try:
            return self.courier.send(parcel)
        except CourierAway:
            raise
        except Exception as exception:
            # Who tries again what is not understood does so for ever
            logger.error(
                "failed activity=%s error=%s",
                self.activity_id, place(exception))
            return failed('action_error', repr(exception))

    def finish(self, number, sent=None):
        "Commit what follows from what the claim has done"
        def finish():
            activity = self.activity
            self.RecordActivity.follow(activity, number)
            log = getattr(activity, f'log_{activity.action}', None)
            if log and sent:
                log(sent)
        insist(finish)


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def process(cls):
        """
        Execute what is due.

        It is called by cron, applies what the recipients did and queues the
        execution of the activities which have something to do.
        """
        try:
            cls.react()
        except Exception as exception:
            if transient(exception):
                raise
            # What is due does not depend on what the recipients did
            Transaction().rollback()
            logger.error("failed reaction error=%s", place(exception))
        cls.queue_due()

    @classmethod
    def queue_due(cls):
        "Queue the execution of the activities which have something to do"
        Activity = Pool().get('marketing.automation.activity')
        now = dt.datetime.now()
        activities = cls.due_activities(now)
        pending = cls.pending_tasks() if activities and has_worker() else {}
        for activity in activities:
            count = cls._task_count(activity, now, pending.get(activity.id, 0))
            for _ in range(count):
                Activity.__queue__.execute([activity])

    @classmethod
    def do(cls, record_activities):
        """
        Execute what is due.

        Migration from the module of the Tryton project: the queue may still
        hold its tasks.
        """
        cls.process()

    @classmethod
    def _task_count(cls, activity, now, pending):
        """
        Return the number of tasks worth to work on what is due, besides those
        pending.
        """
        if not has_worker():
            return 1
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        size = batch_size(activity)
        limit = config.getint('marketing', 'tasks', default=16)
        due = table.select(
            table.id, where=cls._is_due(table, activity.id, now),
            limit=size * limit)
        cursor.execute(*due.select(Count(Literal(1))))
        count, = cursor.fetchone()
        return max(1 if not pending else 0, math.ceil(count / size) - pending)

    @classmethod
    def pending_tasks(cls):
        "Return the number of tasks that wait to execute each activity (id)"
        Queue = Pool().get('ir.queue')
        count = Counter()
        for task in Queue.search([('dequeued_at', '=', None)], order=[]):
            data = task.data
            if (data['model'] == 'marketing.automation.activity'
                    and data['method'] == 'execute'):
                count.update(data['instances'])
        return count

    @classmethod
    def courier_away(cls, activity, words):
        "Show on the scenario that the courier is out of reach"
        Scenario = Pool().get('marketing.automation.scenario')
        id_ = activity.scenario.id
        insist(lambda: Scenario.set_problem(id_, 'courier', error=words))

    @classmethod
    def courier_back(cls, activity):
        "Show no longer that the courier is out of reach"
        Scenario = Pool().get('marketing.automation.scenario')
        id_ = activity.scenario.id
        insist(lambda: Scenario.set_problem(id_, 'courier'))
