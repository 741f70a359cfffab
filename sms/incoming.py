# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Incoming SMS: STOP and other answers, delivery reports.
"""

import datetime as dt
import logging

from sql import Literal, Null
from sql.operators import Exists

import trytond.config as config
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.sql import SLICE
from ..common.text import one_line, printable
from . import gateway
from .stop import plain_words, stop_words

logger = logging.getLogger(__name__)

_FAILED = {
    'error', 'expired', 'failed', 'rejectd', 'rejected', 'undeliv',
    'undeliverable', 'undelivered'}
_DELIVERED = {'delivered', 'delivrd'}
# The same again within this time is a repetition of the provider
_REPEAT_WINDOW = dt.timedelta(hours=1)
# How long a report waits for its SMS, whose outcome may not be stored yet
_REPORT_TIMEOUT = dt.timedelta(days=1)
_LENGTH = 1000


class Incoming(ModelSQL, ModelView):
    """
    An answer to a SMS, or the report that one was not delivered.
    """
    __name__ = 'marketing.automation.sms.incoming'

    at = fields.Timestamp("At", required=True, readonly=True)
    kind = fields.Selection([
            ('answer', "Answer"),
            ('report', "Delivery Report"),
            ], "Kind", required=True, readonly=True, sort=False)
    kind_string = kind.translated('kind')
    number = fields.Char("Mobile Number", readonly=True)
    text = fields.Text(
        "Text", readonly=True,
        help="The answer, or the status that the provider has reported.")
    sms_id = fields.Char("SMS Identifier", readonly=True, strip=False)
    record_activity = fields.Many2One(
        'marketing.automation.record.activity', "Record Activity",
        readonly=True, ondelete='SET NULL',
        help="The SMS that is meant.")
    result = fields.Selection([
            ('pending', "Pending"),
            ('stopped', "Stopped"),
            ('kept', "Kept"),
            ('bounced', "Bounced"),
            ('unknown', "SMS Not Found"),
            ], "Result", required=True, readonly=True, sort=False,
        help="What it has led to.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.at, Index.Range())),
                Index(t, (t.id, Index.Range()), where=t.result == 'pending'),
                })
        cls._order = [('at', 'DESC'), ('id', 'DESC')]

    def get_rec_name(self, name):
        return f'{self.kind_string} ({self.id})'

    @classmethod
    def receive(cls, items):
        """
        Do what the items, dictionaries of texts, ask for.

        What is neither an answer nor a report has no effect.
        """
        for item in items:
            if 'from' in item and 'text' in item:
                cls._receive_answer(item)
            elif 'id' in item and 'status' in item:
                cls._receive_report(item)

    @classmethod
    def _receive_answer(cls, item):
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        Stop = pool.get('marketing.automation.sms.stop')
        try:
            number = gateway.e164(item['from'], international=True)
        except gateway.NumberError:
            # A name can not be answered to
            return
        record_activity = RecordActivity.last_sms(number)
        stops = plain_words(item['text']) in stop_words()
        if stops:
            Stop.stop(
                number, record_activity.record.id if record_activity else None)
        cls._add({
                'kind': 'answer',
                'number': number,
                'text': printable(item['text'], keep='\n')[:_LENGTH],
                'sms_id': one_line(item.get('id'), gateway.LENGTH) or None,
                'record_activity': record_activity,
                'result': 'stopped' if stops else 'kept',
                })

    @classmethod
    def _receive_report(cls, item):
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        RecordActivity = pool.get('marketing.automation.record.activity')
        status = plain_words(item['status'])
        sms_id = one_line(item['id'], gateway.LENGTH)
        if not sms_id:
            return
        elif status in _DELIVERED:
            RecordActivity.sms_delivered(sms_id, dt.datetime.now())
        elif status in _FAILED:
            cls._add({
                    'kind': 'report',
                    'text': one_line(item['status'], gateway.LENGTH),
                    'sms_id': sms_id,
                    'result': 'pending',
                    })
            if record_activities := RecordActivity.from_sms_ids([sms_id]):
                Hit.schedule(record_activities[0].id)

    @classmethod
    def _add(cls, values):
        same = [
            (n, '=', values[n]) for n in ['kind', 'number', 'text', 'sms_id']
            if values.get(n)]
        now = dt.datetime.now()
        if not cls.search(
                [('at', '>', now - _REPEAT_WINDOW), *same], limit=1, order=[]):
            cls.create([{**values, 'at': now}])

    @classmethod
    def react(cls):
        "Let what was reported as not delivered have bounced"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        pending = list(cls.search(
                [('result', '=', 'pending')], order=[('id', 'ASC')],
                limit=SLICE))
        if not pending:
            return
        found = {
            r.sms_id: r for r in RecordActivity.from_sms_ids(
                {i.sms_id for i in pending})}
        events = []
        for incoming in pending:
            if record_activity := found.get(incoming.sms_id):
                incoming.record_activity = record_activity
                incoming.number = record_activity.sms_number
                incoming.result = 'bounced'
                events.append((record_activity.id, 'sms_bounced', incoming.at))
            elif incoming.at < dt.datetime.now() - _REPORT_TIMEOUT:
                incoming.result = 'unknown'
        cls.save(pending)
        RecordActivity.apply_events(events)

    @classmethod
    def clean(cls, before):
        "Remove what came before and return how many"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.delete(
                where=(table.at < before) & (table.result != 'pending')))
        return cursor.rowcount


class RecordActivityIncoming:
    "Delivery and answers of the SMS of a record activity"
    __slots__ = ()

    sms_delivered_at = fields.DateTime(
        "SMS Delivered at", readonly=True,
        states={
            'invisible': ~Eval('sms_delivered_at'),
            },
        help="When the provider has reported that the SMS was delivered.")

    @classmethod
    def _react_sms(cls):
        Pool().get('marketing.automation.sms.incoming').react()

    @classmethod
    def still_sending(cls, number):
        "Leave out also the numbers from which STOP came meanwhile"
        Stop = Pool().get('marketing.automation.sms.stop')
        ids = super().still_sending(number)
        table, stop = cls.__table__(), Stop.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id,
                where=(table.claim == number)
                & (table.sms_number != Null)
                & Exists(stop.select(
                        Literal(1), where=stop.number == table.sms_number))))
        return ids - {id_ for id_, in cursor}

    @classmethod
    def last_sms(cls, number):
        "Return the last one that was sent to the number, or None"
        with inactive_records():
            for record_activity in cls.search([
                        ('sms_number', '=', number),
                        ('state', 'in', ['sending', 'done']),
                        ], order=[
                        ('ended_at', 'DESC NULLS FIRST'), ('id', 'DESC')],
                    limit=1):
                return record_activity

    @classmethod
    def from_sms_ids(cls, ids):
        "Return those that the provider names with the identifiers"
        with inactive_records():
            return list(cls.search([
                        ('sms_id', 'in', sorted(ids)),
                        ('state', '=', 'done'),
                        ], order=[]))

    @classmethod
    def sms_delivered(cls, sms_id, at):
        table = cls.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.sms_delivered_at], [at.replace(microsecond=0)],
                where=(table.sms_id == sms_id)
                & (table.sms_delivered_at == Null)))


class Consent(metaclass=PoolMeta):
    __name__ = 'marketing.automation.consent'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        for field, value in [
                (cls.scope, ('sms', "SMS")),
                (cls.how, ('sms', "Answer to a SMS"))]:
            if value not in field.selection:
                field.selection.append(value)


class HitIncoming:
    "Retention of the incoming SMS, with the one of the hits"
    __slots__ = ()

    @classmethod
    def clean(cls):
        Incoming = Pool().get('marketing.automation.sms.incoming')
        super().clean()
        if days := config.getint('marketing', 'keep_hits', default=90):
            count = Incoming.clean(
                dt.datetime.now() - dt.timedelta(days=days))
            logger.info("cleaned incoming SMS=%s", count)


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Incoming = pool.get('marketing.automation.sms.incoming')
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        with without_check_access(), inactive_records():
            sent = list(RecordActivity.search([
                        ('record', 'in', sorted(
                                Record.find_by_parties([party_id]))),
                        ('sms_number', '!=', None),
                        ], order=[]))
        ids = [r.id for r in sent]
        numbers = sorted({r.sms_number for r in sent})
        return super().to_erase(party_id) + [
            (Incoming, ['OR',
                    ('record_activity', 'in', ids),
                    ('number', 'in', numbers),
                    ], True,
                ['number', 'text', 'sms_id'], [None, None, None]),
            (RecordActivity, [('id', 'in', ids)], True,
                ['sms_number', 'sms_id'], [None, None]),
            ]
