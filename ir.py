# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The crons, and the log of the e-mails of the activities."

import email.policy
import zlib

from sql import Literal
from sql.functions import CurrentTimestamp

import trytond.config as config
from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .common.sql import scalar_subquery, values_table

# The number of parameters of a statement is limited
_SLICE = 2000
_SLICE_DELETED = 500


def keeps_content():
    return config.getboolean('marketing', 'keep_content', default=False)


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
                ('marketing.automation.record|complete_all',
                    "Complete Marketing Records"),
                ])


class Email(metaclass=PoolMeta):
    __name__ = 'ir.email'

    marketing_automation_activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True,
        ondelete='SET NULL')
    marketing_automation_record = fields.Many2One(
        'marketing.automation.record', "Record", readonly=True,
        ondelete='SET NULL')
    marketing_automation_content = fields.Binary(
        "Content", readonly=True,
        help="The compressed message as it was sent.")

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
        record's id, the resource and the message.
        """
        for sub_emails in grouped_slice(list(emails), _SLICE):
            sub_emails = list(sub_emails)
            cls._log_marketing(sub_emails)
            if keeps_content():
                cls._keep_content(sub_emails)

    @classmethod
    def _log_marketing(cls, emails):
        Address = Pool().get('ir.email.address')
        table = cls.__table__()
        address = Address.__table__()
        cursor = Transaction().connection.cursor()
        sent = values_table([
                [activity, record, resource,
                    message.to or str(message.content['To']),
                    message.subject, message.message_id]
                for activity, record, resource, message in emails],
            ['INTEGER', 'INTEGER', *['VARCHAR'] * 4])
        cursor.execute(*table.insert(
                [table.marketing_automation_activity,
                    table.marketing_automation_record, table.resource,
                    table.recipients, table.subject, table.message_id,
                    table.create_uid, table.create_date],
                sent.select(
                    *(getattr(sent, f'column{i}') for i in range(1, 7)),
                    Literal(0), CurrentTimestamp())))
        recipients = values_table([
                [record, message.message_id, message.recipient]
                for _, record, _, message in emails],
            ['INTEGER', 'VARCHAR', 'VARCHAR'])
        logged = scalar_subquery(table, table.id, (
                (table.marketing_automation_record == recipients.column1)
                & (table.message_id == recipients.column2)))
        cursor.execute(*address.insert(
                [address.email, address.address, address.create_uid,
                    address.create_date],
                recipients.select(
                    logged, recipients.column3, Literal(0),
                    CurrentTimestamp())))

    @classmethod
    def _keep_content(cls, emails):
        table = cls.__table__()
        field = cls.marketing_automation_content
        values = values_table([
                [record, message.message_id,
                    field.sql_format(zlib.compress(bytes(message.content)))]
                for _, record, _, message in emails],
            ['INTEGER', 'VARCHAR', field.sql_type().base])
        Transaction().connection.cursor().execute(*table.update(
                [table.marketing_automation_content], [values.column3],
                from_=[values],
                where=(table.marketing_automation_record == values.column1)
                & (table.message_id == values.column2)))

    def marketing_message(self):
        "Return the message that was kept, None if it was not"
        if content := self.marketing_automation_content:
            return email.message_from_bytes(
                zlib.decompress(content), policy=email.policy.default)

    @classmethod
    def clean_marketing(cls, before):
        "Remove what was logged before and return how many"
        domain = [
            ('create_date', '<', before),
            ['OR',
                ('marketing_automation_activity', '!=', None),
                ('marketing_automation_record', '!=', None),
                ],
            ]
        count = 0
        while emails := list(cls.search(
                    domain, limit=_SLICE_DELETED, order=[])):
            cls.delete(emails)
            count += len(emails)
        return count
