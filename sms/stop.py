# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Stop list: the mobile numbers that get no SMS."

import datetime as dt
import unicodedata

from sql.conditionals import Coalesce
from sql.functions import Function

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.sql import SLICE
from ..exceptions import NumberError
from . import gateway

_STOP_WORDS = (
    'STOP,STOPP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT,ARRET,ALTO,BAJA,PARAR,'
    'FERMA,CANCELLA,ABMELDEN,AFMELDEN')


def stop_words():
    words = config.get('marketing', 'sms_stop_words', default=_STOP_WORDS)
    return {plain_words(w) for w in words.split(',')} - {''}


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
        for sub_forms in grouped_slice(forms, SLICE):
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
        for sub_numbers in grouped_slice(sorted(numbers), SLICE):
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


def plain_words(text):
    "Return the text without case, accents and what is around"
    text = unicodedata.normalize('NFKD', text).casefold()
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return text.strip(' \t\r\n.,!?"\'*')
