# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
RecordActivity, as this room extends it: from due to followed.
"""

import datetime as dt
import logging
import math
from collections import Counter

from sql import Literal
from sql.aggregate import Count

import trytond.config as config
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from ..common.error import error_location
from ..common.transaction import is_transient, run_with_retry
from .batch import RecordActivityBatch
from .circuit_breaker import RecordActivityCircuitBreaker
from .completion import RecordActivityCompletion
from .event import RecordActivityEvent
from .expiry import RecordActivityExpiry
from .gate_target import RecordActivityFilter, RecordActivityLeave
from .gates import RecordActivityGates
from .plan import RecordActivityPlan
from .record_date import RecordActivityRecordDate
from .replan import RecordActivityReplan
from .run import batch_size, has_worker
from .sending_window import RecordActivitySendingWindow
from .throttle import RecordActivityThrottle

logger = logging.getLogger(__name__)

# The jobs of each run of the cron, in their order
DUE = ['date_fields', 'expire', 'queue_activities']
# The reactions on what came in from outside, in their order: activities that
# the SMS date are queued with those of the hits
REACTIONS = ['sms', 'hits', 'tallies']


class RecordActivity(
        RecordActivityReplan,
        RecordActivityCompletion,
        RecordActivityLeave,
        RecordActivityCircuitBreaker,
        RecordActivityThrottle,
        RecordActivityEvent,
        RecordActivityFilter,
        RecordActivityRecordDate,
        RecordActivitySendingWindow,
        RecordActivityExpiry,
        RecordActivityGates,
        RecordActivityPlan,
        RecordActivityBatch,
        metaclass=PoolMeta):
    """
    Record activity: cron, queue, and the slices of its execution.

    A slice is asked before those below it: the completion looks at the record
    after the events, the plan and the outcomes are written; the date of the
    record and the window narrow what the gates let through, the expiry what
    can be retried.
    """
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
            if is_transient(exception):
                raise
            # What is due does not depend on what the recipients did
            Transaction().rollback()
            logger.error("failed reaction error=%s", error_location(exception))
        cls.queue_due()

    @classmethod
    def react(cls, record_activities=None):
        """
        Apply what came in from outside and has not been yet, by the methods
        `_react_<name>` of REACTIONS.

        It serves all, whatever it is called with.  The queue calls it with
        some, then what became due by it is queued.
        """
        for name in REACTIONS:
            getattr(cls, f'_react_{name}')()
        if record_activities is not None:
            cls.queue_due()

    @classmethod
    def queue_due(cls):
        """
        Do the jobs of DUE in their order.

        What is too late must not be executed by the same run, what waits for
        a date of its record has it before what is due is looked for.
        """
        for job in DUE:
            getattr(cls, job)()

    @classmethod
    def queue_activities(cls):
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
    def pause_transport(cls, activity, error):
        "Show on the scenario that the transport is out of reach"
        Scenario = Pool().get('marketing.automation.scenario')
        id_ = activity.scenario.id
        run_with_retry(
            lambda: Scenario.set_problem(id_, 'courier', error=error))

    @classmethod
    def resume_transport(cls, activity):
        "Show no longer that the transport is out of reach"
        Scenario = Pool().get('marketing.automation.scenario')
        id_ = activity.scenario.id
        run_with_retry(lambda: Scenario.set_problem(id_, 'courier'))
