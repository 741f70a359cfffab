# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Execute the record activities that are due.

A batch is a set of record activities of one activity.  First its rows are
locked, the gates and the action decide, and what they decide is committed
together with the claim on what has to be handed over.  Then each parcel is
handed over and its outcome committed before the next one.  At last the
children of what is done are planned.  Whatever is interrupted is found again
by its claim.
"""

import datetime as dt
import logging
import math
import time
from contextlib import ExitStack

from sql import Literal
from sql.aggregate import Count

import trytond.config as config
from trytond import backend
from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, TransactionError

from . import claim
from .exceptions import CourierError
from .outcome import CourierAway, Outcome, Parcel, failed

logger = logging.getLogger(__name__)

# The seconds between two looks at whether the scenario still runs
_LOOK = 1


def batch_size():
    return config.getint('marketing', 'batch_size', default=200)


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    @classmethod
    def execute(cls, activities):
        """
        Execute what is due of the activities and of their descendants.

        It commits.  With workers it executes one batch and queues what
        remains, without it goes on until nothing is left.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        transaction = Transaction()
        ids = [a.id for a in activities]
        with transaction.set_user(0), transaction.reset_context():
            for id_ in ids:
                with Run(RecordActivity, id_) as run:
                    more = run.execute()
                if more:
                    cls.__queue__.execute(more)


class Run:
    """
    The execution of what is due of one activity by this process.

    It knows the claim, the courier and the time; the rows are written by the
    record activity.
    """

    def __init__(self, RecordActivity, activity):
        self.RecordActivity = RecordActivity
        self.activity_id = activity
        self.courier = None
        self.away = None
        self._stack = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.__exit__(*exception)

    def execute(self):
        "Execute the batches and return the activities that have more to do"
        worker = config.getboolean('queue', 'worker', default=False)
        RecordActivity = self.RecordActivity
        more = []
        ids = self.orphans()
        while True:
            ids = ids or RecordActivity.due(
                self.activity_id, dt.datetime.now(), batch_size())
            if not ids:
                break
            full = len(ids) >= batch_size()
            self.execute_batch(ids)
            ids = None
            if self.away:
                raise CourierError(gettext(
                        'marketing_automation.msg_courier_away',
                        activity=self.activity.rec_name,
                        error=str(self.away)))
            if worker:
                if full:
                    more.append(self.activity)
                break
        Transaction().rollback()
        children = RecordActivity.due_activities(
            dt.datetime.now(), parent=self.activity_id)
        if worker:
            more.extend(children)
        else:
            for child in [c.id for c in children]:
                with Run(RecordActivity, child) as run:
                    run.execute()
        return more

    @property
    def activity(self):
        "The activity in the present transaction"
        return Pool().get('marketing.automation.activity')(self.activity_id)

    def orphans(self):
        "Return the ids of what a dead process left behind"
        RecordActivity = self.RecordActivity
        transaction = Transaction()
        claims = RecordActivity.claims(self.activity_id)
        with claim.adopt(claims, dt.datetime.now()) as numbers:
            if not numbers:
                return []
            # What they had done may be newer than what has been read
            transaction.rollback()
            for number in numbers:
                self.finish(number)
            ids = RecordActivity.give_back(numbers)
            transaction.commit()
        return ids[:batch_size()]

    def execute_batch(self, ids):
        """
        Execute the record activities (ids).

        What raises is tried again with ever smaller batches until the one
        that fails is alone.
        """
        transaction = Transaction()
        number = claim.new()
        with claim.hold(number):
            try:
                parcels = self.decide(ids, number)
            except (TransactionError, backend.DatabaseOperationalError):
                raise
            except Exception as exception:
                transaction.rollback()
                if len(ids) == 1:
                    logger.error(
                        "record activity %s failed", *ids, exc_info=True)
                    self.RecordActivity.store({
                            ids[0]: failed('action_error', repr(exception)),
                            }, dt.datetime.now())
                    transaction.commit()
                    return
            else:
                sent = self.deliver(parcels, number)
                self.finish(number, sent)
                return
        middle = len(ids) // 2
        self.execute_batch(ids[:middle])
        self.execute_batch(ids[middle:])

    def decide(self, ids, number):
        "Commit what becomes of the ids and return the parcels to hand over"
        RecordActivity = self.RecordActivity
        now = dt.datetime.now()
        ids = RecordActivity.lock_waiting(ids)
        outcomes = RecordActivity.decide(self.activity, ids)
        parcels = {
            id_: o for id_, o in outcomes.items() if isinstance(o, Parcel)}
        if parcels and not self.connect():
            parcels.clear()
        RecordActivity.store({
                id_: o for id_, o in outcomes.items()
                if isinstance(o, Outcome)}, now, number)
        RecordActivity.store_sending(parcels, now, number)
        Transaction().commit()
        logger.info(
            "activity %s: %s decided, %s to hand over",
            self.activity_id, len(outcomes), len(parcels))
        return parcels

    def connect(self):
        "Return if there is a courier to hand over to"
        if not self.courier and not self.away:
            activity = self.activity
            try:
                self.courier = self._stack.enter_context(
                    getattr(activity, f'courier_{activity.action}')())
            except CourierAway as exception:
                self.away = exception
        return bool(self.courier)

    def deliver(self, parcels, number):
        "Hand over the parcels and return those which were"
        RecordActivity = self.RecordActivity
        transaction = Transaction()
        sent = {}
        started = looked = time.monotonic()
        for id_, parcel in parcels.items():
            if time.monotonic() - looked > _LOOK:
                looked = time.monotonic()
                running = RecordActivity.is_running(self.activity_id)
                transaction.rollback()
                if (not running
                        or looked - started
                        > claim.DEADLINE.total_seconds()):
                    break
            try:
                outcome = self.courier.send(parcel)
            except CourierAway as exception:
                self.away = exception
                break
            if outcome.state == 'done':
                sent[id_] = parcel
            self.settle(id_, outcome, number)
        if parcels:
            RecordActivity.give_back([number])
            transaction.commit()
            logger.info(
                "activity %s: %s of %s handed over",
                self.activity_id, len(sent), len(parcels))
        return sent

    def settle(self, id_, outcome, number):
        """
        Commit the outcome of a parcel.

        What happened outside can not be undone, so it insists.
        """
        transaction = Transaction()
        retry = config.getint('database', 'retry') * 2
        for count in range(retry, -1, -1):
            try:
                self.RecordActivity.store(
                    {id_: outcome}, dt.datetime.now(), number)
                transaction.commit()
                break
            except backend.DatabaseOperationalError:
                transaction.rollback()
                if not count:
                    raise
                time.sleep(0.02 * (retry - count))

    def finish(self, number, sent=None):
        "Commit what follows from what the claim has done"
        transaction = Transaction()
        RecordActivity = self.RecordActivity
        retry = config.getint('database', 'retry')
        for count in range(retry, -1, -1):
            try:
                RecordActivity.follow(self.activity, number)
                log = getattr(
                    self.activity, f'log_{self.activity.action}', None)
                if log and sent:
                    log(sent)
                transaction.commit()
                break
            except backend.DatabaseOperationalError:
                transaction.rollback()
                if not count:
                    raise
                time.sleep(0.02 * (retry - count))


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def process(cls):
        """
        Execute what is due.

        It is called by cron, applies what the recipients did and queues the
        execution of the activities which have something to do.
        """
        Activity = Pool().get('marketing.automation.activity')
        cls.react()
        now = dt.datetime.now()
        for activity in cls.due_activities(now):
            for _ in range(cls._task_count(activity, now)):
                Activity.__queue__.execute([activity])

    @classmethod
    def _task_count(cls, activity, now):
        "Return the number of tasks worth to work on what is due"
        if not config.getboolean('queue', 'worker', default=False):
            return 1
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        size = batch_size()
        limit = config.getint('marketing', 'tasks', default=16)
        due = table.select(
            table.id, where=cls._is_due(table, activity.id, now),
            limit=size * limit)
        cursor.execute(*due.select(Count(Literal(1))))
        count, = cursor.fetchone()
        pending = cls._pending_tasks(activity)
        return max(1 if not pending else 0, math.ceil(count / size) - pending)

    @classmethod
    def _pending_tasks(cls, activity):
        "Return the number of tasks that wait to execute the activity"
        Queue = Pool().get('ir.queue')
        count = 0
        for task in Queue.search([('dequeued_at', '=', None)], order=[]):
            data = task.data
            count += (
                data['model'] == activity.__name__
                and data['method'] == 'execute'
                and data['instances'] == [activity.id])
        return count
