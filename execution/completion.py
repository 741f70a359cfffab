# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Completion of records after each step of their record activities.
"""

from sql import Null

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.sql import SLICE


class RecordActivityCompletion:
    "Record activities of which depends whether the record is completed"
    __slots__ = ()

    @classmethod
    def is_expected(cls, table, since):
        """
        Return the SQL clause of what is still to come: planned, in the hands
        of somebody, or waiting for its event not longer than since the time.
        """
        return (
            (table.state == 'sending')
            | (table.claim != Null)
            | ((table.state == 'waiting')
                & ((table.at != Null)
                    | (table.create_date > since))))

    @classmethod
    def records_of(cls, ids):
        "Return the set of the ids of the records of the record activities"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        records = set()
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            cursor.execute(*table.select(
                    table.record,
                    where=fields.SQL_OPERATORS['in'](table.id, list(sub_ids))))
            records.update(record for record, in cursor)
        return records

    @classmethod
    def _stored_completion(cls, outcomes, now, handed_over):
        # What follows what is done is not planned yet
        if ended := [
                i for i, o in outcomes.items()
                if o.state not in {'waiting', 'done'}]:
            cls._complete_records(cls.records_of(ended))

    @classmethod
    def follow(cls, activity, ids=None, claim=None):
        records = super().follow(activity, ids=ids, claim=claim)
        cls._complete_records(records)
        return records

    @classmethod
    def _complete_records(cls, records):
        Record = Pool().get('marketing.automation.record')
        if records:
            Record.complete(records)

    @classmethod
    def _change(cls, record_activities, states, values):
        super()._change(record_activities, states, values)
        Record = Pool().get('marketing.automation.record')
        records = {r.record.id for r in record_activities}
        if values.get('state') == 'waiting':
            Record.reopen(records)
        else:
            Record.complete(records)

    @classmethod
    def _date(cls, rows):
        super()._date(rows)
        Record = Pool().get('marketing.automation.record')
        Record.reopen({record for record, *_ in rows})

    @classmethod
    def _cancel(cls, rows, reason, undated=False):
        super()._cancel(rows, reason, undated=undated)
        cls._complete_records({record for record, *_ in rows})
