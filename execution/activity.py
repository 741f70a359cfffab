# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Activity, as this room extends it: the execution of what is due.
"""

from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from ..exceptions import TransportError
from .expiry import ActivityExpiry
from .record_date import ActivityRecordDate
from .replan import ActivityReplan
from .run import Run, has_worker
from .sending_window import ActivitySendingWindow


class Activity(
        ActivityReplan,
        ActivityRecordDate,
        ActivitySendingWindow,
        ActivityExpiry,
        metaclass=PoolMeta):
    """
    Activity: execution, and the slices of when and until when.

    A date of the record replaces the delay, so it is asked before the window
    and the validity.
    """
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
        Raise for the administrator that the transport is out of reach.

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
                raise TransportError(message)
