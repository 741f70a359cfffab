# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What comes back: STOP and other answers, delivery reports.
"""

import datetime as dt
import logging
import unicodedata

from sql import Literal, Null
from sql.conditionals import Coalesce
from sql.functions import Function
from sql.operators import Exists

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..exceptions import NumberError
from . import gateway

logger = logging.getLogger(__name__)

_SLICE = 500
_STOP_WORDS = (
    'STOP,STOPP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT,ARRET,ALTO,BAJA,PARAR,'
    'FERMA,CANCELLA,ABMELDEN,AFMELDEN')
_FAILED = {
    'error', 'expired', 'failed', 'rejectd', 'rejected', 'undeliv',
    'undeliverable', 'undelivered'}
_DELIVERED = {'delivered', 'delivrd'}
# The same again within this time is a repetition of the provider
_GAP = dt.timedelta(hours=1)
# How long a report waits for its SMS, whose outcome may not be stored yet
_PATIENCE = dt.timedelta(days=1)
_LENGTH = 1000


def stop_words():
    words = config.get('marketing', 'sms_stop_words', default=_STOP_WORDS)
    return {_plain(w) for w in words.split(',')} - {''}


def _plain(text):
    "Return the text without case, accents and what is around"
    text = unicodedata.normalize('NFKD', text).casefold()
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return text.strip(' \t\r\n.,!?"\'*')


def _storable(text):
    "Return the text without what a database refuses"
    return ''.join(
        c if c.isprintable() or c == '\n' else ' ' for c in text)[:_LENGTH]


class _Replace(Function):
    __slots__ = ()
    _function = 'REPLACE'


class Stop(ModelSQL, ModelView):
    "A mobile number that gets no SMS"
    __name__ = 'marketing.automation.sms.stop'
    _rec_name = 'number'

    number = fields.Char(
        "Mobile Number", required=True,
        help="The number with the code of the country.")
    at = fields.Timestamp("At", required=True, readonly=True)
    comment = fields.Text("Comment")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('number_unique', Unique(t, t.number),
                'marketing_automation.msg_sms_stop_number_unique'),
            ]
        cls._order = [('at', 'DESC'), ('id', 'DESC')]

    @classmethod
    def default_at(cls):
        return dt.datetime.now()

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if values.get('number'):
            try:
                values['number'] = gateway.e164(values['number'])
            except gateway.NumberError as exception:
                raise NumberError(gettext(
                        'marketing_automation.msg_sms_number_invalid',
                        number=values['number'])) from exception
        return values

    @classmethod
    def on_modification(cls, mode, stops, field_names=None):
        super().on_modification(mode, stops, field_names=field_names)
        if mode in {'create', 'delete'}:
            cls._log_change(
                'stopped' if mode == 'create' else 'resumed', stops)

    @classmethod
    def _log_change(cls, change, stops):
        Consent = Pool().get('marketing.automation.consent')
        Consent.log([{
                    'party': party,
                    'change': change,
                    'scope': 'sms',
                    } for party in cls._parties([s.number for s in stops])])

    @classmethod
    def _parties(cls, numbers):
        "Return the ids of the parties that have one of the numbers"
        ContactMechanism = Pool().get('party.contact_mechanism')
        table = ContactMechanism.__table__()
        cursor = Transaction().connection.cursor()
        # Without library the numbers are stored as they were typed
        number = Coalesce(table.value_compact, table.value)
        for separator in gateway.SEPARATORS:
            number = _Replace(number, separator, '')
        forms = [f for n in numbers for f in [n, f'00{n[1:]}']]
        parties = set()
        for sub_forms in grouped_slice(forms, _SLICE):
            cursor.execute(*table.select(
                    table.party,
                    where=(table.type == 'mobile')
                    & number.in_(list(sub_forms))))
            parties.update(party for party, in cursor)
        return sorted(parties)

    @classmethod
    def refused(cls, numbers):
        "Return the set of those of the numbers that get no SMS"
        result = set()
        for sub_numbers in grouped_slice(sorted(numbers), _SLICE):
            result.update(s.number for s in cls.search(
                    [('number', 'in', list(sub_numbers))], order=[]))
        return result

    @classmethod
    def stop(cls, number, record=None):
        """
        Send nothing more to the number, and end the scenario of the record
        (id).

        It may be called any number of times.
        """
        Consent = Pool().get('marketing.automation.consent')
        with Transaction().set_context(marketing_consent={
                    'how': 'sms', 'record': record}):
            if not cls.refused([number]):
                cls.create([{'number': number}])
        if record:
            Consent.stop(record, 'scenario', 'sms')


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
        stops = _plain(item['text']) in stop_words()
        if stops:
            Stop.stop(
                number, record_activity.record.id if record_activity else None)
        cls._add({
                'kind': 'answer',
                'number': number,
                'text': _storable(item['text']),
                'sms_id': gateway.one_line(item.get('id', '')) or None,
                'record_activity': record_activity,
                'result': 'stopped' if stops else 'kept',
                })

    @classmethod
    def _receive_report(cls, item):
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        RecordActivity = pool.get('marketing.automation.record.activity')
        status = _plain(item['status'])
        sms_id = gateway.one_line(item['id'])
        if not sms_id:
            return
        elif status in _DELIVERED:
            RecordActivity.sms_delivered(sms_id, dt.datetime.now())
        elif status in _FAILED:
            cls._add({
                    'kind': 'report',
                    'text': gateway.one_line(item['status']),
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
                [('at', '>', now - _GAP), *same], limit=1, order=[]):
            cls.create([{**values, 'at': now}])

    @classmethod
    def react(cls):
        "Let what was reported as not delivered have bounced"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        pending = list(cls.search(
                [('result', '=', 'pending')], order=[('id', 'ASC')],
                limit=_SLICE))
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
            elif incoming.at < dt.datetime.now() - _PATIENCE:
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


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    def _sms_refused(self, numbers):
        Stop = Pool().get('marketing.automation.sms.stop')
        return super()._sms_refused(numbers) | Stop.refused(numbers)


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    sms_delivered_at = fields.DateTime(
        "SMS Delivered at", readonly=True,
        states={
            'invisible': ~Eval('sms_delivered_at'),
            },
        help="When the provider has reported that the SMS was delivered.")

    @classmethod
    def react(cls, record_activities=None):
        # What it dates is queued by what follows
        Pool().get('marketing.automation.sms.incoming').react()
        super().react(record_activities)

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


class Hit(metaclass=PoolMeta):
    __name__ = 'marketing.automation.hit'

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
                                Record.of_parties([party_id]))),
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
