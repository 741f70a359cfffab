# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from sql import Literal
from sql.functions import CurrentTimestamp

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .common.sql import lookup, row_table

# The number of parameters of a statement is limited
_SLICE = 2000


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.extend([
                ('marketing.automation.scenario|trigger',
                    "Trigger Marketing Scenarios"),
                ('marketing.automation.record.activity|process',
                    "Process Marketing Activities"),
                ('marketing.automation.hit|clean',
                    "Clean Marketing Hits and E-Mails"),
                ])


class Email(metaclass=PoolMeta):
    __name__ = 'ir.email'

    marketing_automation_activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True,
        ondelete='SET NULL')
    marketing_automation_record = fields.Many2One(
        'marketing.automation.record', "Record", readonly=True,
        ondelete='SET NULL')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.marketing_automation_activity, Index.Range())),
                Index(t, (t.marketing_automation_record, Index.Range())),
                })

    @classmethod
    def log_marketing(cls, emails):
        """
        Log the e-mails that were sent: tuples of the activity's id, the
        record's id, the resource and the parcel.
        """
        for sub_emails in grouped_slice(list(emails), _SLICE):
            cls._log_marketing(list(sub_emails))

    @classmethod
    def _log_marketing(cls, emails):
        Address = Pool().get('ir.email.address')
        table = cls.__table__()
        address = Address.__table__()
        cursor = Transaction().connection.cursor()
        sent = row_table([
                [activity, record, resource,
                    parcel.to or str(parcel.content['To']),
                    parcel.subject, parcel.message_id]
                for activity, record, resource, parcel in emails],
            ['INTEGER', 'INTEGER', *['VARCHAR'] * 4])
        cursor.execute(*table.insert(
                [table.marketing_automation_activity,
                    table.marketing_automation_record, table.resource,
                    table.recipients, table.subject, table.message_id,
                    table.create_uid, table.create_date],
                sent.select(
                    *(getattr(sent, f'column{i}') for i in range(1, 7)),
                    Literal(0), CurrentTimestamp())))
        recipients = row_table([
                [record, parcel.message_id, parcel.recipient]
                for _, record, _, parcel in emails],
            ['INTEGER', 'VARCHAR', 'VARCHAR'])
        logged = lookup(table, table.id, (
                (table.marketing_automation_record == recipients.column1)
                & (table.message_id == recipients.column2)))
        cursor.execute(*address.insert(
                [address.email, address.address, address.create_uid,
                    address.create_date],
                recipients.select(
                    logged, recipients.column3, Literal(0),
                    CurrentTimestamp())))
