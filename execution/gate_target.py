# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Gates that search the target: filter, goal and match.
"""

import datetime as dt

from sql import Literal

from trytond.pool import Pool
from trytond.transaction import active_records, inactive_records

from ..common.transaction import is_database, is_transient, savepoint
from ..outcome import cancelled, failed, skipped, until


class RecordActivityFilter:
    "Gate of the filters of the activity"
    __slots__ = ()

    @classmethod
    def _pass_filter(cls, activity, table, record):
        with inactive_records():
            filters = any(a.domain for a in activity._filters())
        return (Literal(True), []) if not filters else None

    @classmethod
    def _gate_filter(cls, activity, record_activities):
        "The target matches the domains of the activity and of its parents"
        try:
            with inactive_records():
                # A parent is no less a filter when it has been deactivated
                domains = activity.filter_domains()
            if not domains:
                return {}
            targets = {
                id_: t.id for id_, t in cls.targets_of(
                    activity, record_activities).items()}
            Target = Pool().get(activity.scenario.model)
            # The present user may read less than the one who has saved it
            Target.marketing_check_domain(domains)
            matching = {t.id for t in Target.search([
                        ('id', 'in', list(set(targets.values()))),
                        domains,
                        ], order=[])}
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                # Nothing more can be read in this transaction
                raise
            outcome = failed('filter_error', repr(exception))
            return dict.fromkeys((r.id for r in record_activities), outcome)
        return {
            id_: skipped('filter') for id_, target in targets.items()
            if target not in matching}


# The time until an undecided record activity is looked at again
_CHECK_INTERVAL = dt.timedelta(minutes=15)


class RecordActivityLeave:
    "Gates of the goal and of the domain of the scenario"
    __slots__ = ()

    @classmethod
    def _final_reasons(cls):
        return super()._final_reasons() | {'converted', 'left'}

    @classmethod
    def _pass_goal(cls, activity, table, record):
        return (Literal(True), []) if not activity.scenario.goal else None

    @classmethod
    def _gate_goal(cls, activity, record_activities):
        "The target has not reached the goal"
        scenario = activity.scenario
        if not scenario.goal:
            return {}
        return cls._gate_domain(
            activity, [r for r in record_activities if not r.test],
            scenario.decode_goal, True, 'converted')

    @classmethod
    def _pass_match(cls, activity, table, record):
        scenario = activity.scenario
        if not scenario.leave:
            return Literal(True), []
        Target = Pool().get(scenario.model)
        try:
            domain = scenario.decode_domain()
            Target.marketing_check_domain(domain)
        except Exception as exception:
            if is_transient(exception):
                raise
            return None
        return Literal(True), domain

    @classmethod
    def _gate_match(cls, activity, record_activities):
        "The target still matches, where the scenario says so"
        scenario = activity.scenario
        if not scenario.leave:
            return {}
        return cls._gate_domain(
            activity, [
                r for r in record_activities
                if not r.test and not r.record.by_hand],
            scenario.decode_domain, False, 'left')

    @classmethod
    def _gate_domain(cls, activity, record_activities, decode, closed, reason):
        """
        Cancel for the reason those whose target matches the domain, if closed
        is true, or does not.

        What can not be decided waits: who is inside stays inside.
        """
        # What outlives the end of its record does not depend on it
        targets = {
            r.id: r.record.record.id for r in record_activities
            if r.record.end_reason in {None, 'completed'}}
        if not targets:
            return {}
        Target = Pool().get(activity.scenario.model)
        try:
            with savepoint(), active_records():
                domain = decode()
                Target.marketing_check_domain(domain)
                matching = {r.id for r in Target.search([
                            domain,
                            ('id', 'in', sorted(set(targets.values()))),
                            ], order=[])}
        except Exception as exception:
            if is_transient(exception):
                raise
            at = dt.datetime.now() + _CHECK_INTERVAL
            return {id_: until(at, 'domain_error') for id_ in targets}
        return {
            id_: cancelled(reason) for id_, target in targets.items()
            if (target in matching) == closed}
