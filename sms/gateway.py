# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
SMS gateway: the function of the configuration, and requests of its provider.

Each SMS that is handed over becomes an outcome.
"""

import hmac
import inspect
import json
import logging
import re
from typing import NamedTuple, Optional

from werkzeug.exceptions import HTTPException

import trytond.config as config
from trytond.tools import resolve

from ..common.error import error_location
from ..common.text import one_line
from ..outcome import TransportUnavailable, done, failed, postponed

__all__ = [
    'LENGTH', 'SEPARATORS', 'Gateway', 'NumberError', 'SMS', 'SMSPostponed',
    'SMSRefused', 'e164', 'function', 'is_configured', 'parse', 'receive']

logger = logging.getLogger(__name__)

# Length of what is kept of the words and the identifier of the provider
LENGTH = 250
# How the token must be, so that nobody finds it by trying
_TOKEN_LENGTH = 16
# The names that providers use
_NAMES = {
    'from': {'from', 'msisdn', 'originator', 'sender'},
    'text': {'text', 'body', 'message'},
    'id': {'id', 'messageid', 'message_id', 'messagesid'},
    'status': {'status', 'messagestatus', 'message_status'},
    }
_MAX_ITEMS = 100
# The recommendation E.164 of the ITU: at most 15 digits, no zero at the start
_E164 = re.compile(r'\+[1-9][0-9]{5,14}')
# What people write between the digits
SEPARATORS = ' ()./-\t\n\r\xa0\u2010\u2011\u2012\u2013\u202a\u202c\u202f'
_SEPARATORS = str.maketrans('', '', SEPARATORS)


class SMSRefused(Exception):
    """
    The provider will never accept the SMS: it is not tried again.

    Its words are shown to the marketers.
    """


class SMSPostponed(Exception):
    """
    The provider did not accept the SMS now: it is tried again later.

    Its words are shown to the marketers.

    :param delay: the least time (timedelta) before the next try.
    """

    def __init__(self, *args, delay=None):
        super().__init__(*args)
        self.delay = delay


class NumberError(ValueError):
    "The text is not a number that can be called from everywhere"


class SMS(NamedTuple):
    "The content of an outgoing SMS"
    text: str
    from_: Optional[str]
    segments: int


def e164(text, international=False):
    """
    Return the number like ``+12025550123``.

    :param international: whether it starts with the code of the country also
        without a plus, as the providers write it.
    """
    number = (text or '').translate(_SEPARATORS)
    if number.startswith('00'):
        number = f'+{number[2:]}'
    elif international and not number.startswith('+'):
        number = f'+{number}'
    if not _E164.fullmatch(number):
        raise NumberError("not an international number")
    return number


def is_configured():
    return bool(config.get('marketing', 'sms'))


def function():
    """
    Return the function that sends.

    :raises ValueError: if there is none, in words for the administrator.
    """
    name = config.get('marketing', 'sms')
    if not name:
        raise ValueError("sms is missing in the section [marketing]")
    try:
        result = resolve(name)
    except Exception as exception:
        raise ValueError(
            f'"{name}" of [marketing] can not be imported: '
            f'{exception.__class__.__name__}') from exception
    if not callable(result):
        raise ValueError(f'"{name}" of [marketing] is not a function')
    return result


class Gateway:
    """
    The transport of SMS, one by one.

    When it is entered it raises TransportUnavailable if there is no function.
    """

    def __init__(self):
        self._function = None
        self._with_reference = False

    def __enter__(self):
        try:
            self._function = function()
        except ValueError as exception:
            raise TransportUnavailable(str(exception)) from exception
        self._with_reference = _accepts(self._function, 'reference')
        return self

    def __exit__(self, *args):
        self._function = None

    def send(self, message):
        """
        Hand over the message and return its outcome.

        When it raises TransportUnavailable, the message was not handed over.
        """
        options = {}
        if self._with_reference:
            # It is the same at each try, so a provider can know it
            options['reference'] = message.message_id
        sms = message.content
        try:
            number = self._function(
                sms.text, message.recipient, sms.from_, **options)
        except TransportUnavailable:
            raise
        except SMSRefused as exception:
            return failed('sms_refused', _words(exception))
        except SMSPostponed as exception:
            return postponed(
                'sms_busy', _words(exception), delay=exception.delay)
        except Exception as exception:
            # Its words may be those of the message, or have a password
            logger.error("SMS not sent error=%s", error_location(exception))
            return postponed('sms_busy', exception.__class__.__name__)
        if isinstance(number, (str, int)) and not isinstance(number, bool):
            number = one_line(str(number), LENGTH)
        else:
            number = None
        return done(reference=number or message.message_id)


def receive(request, token):
    """
    Return a list of what the provider tells: dictionaries of texts with the
    keys ``from`` and ``text`` for an answer, ``id`` and ``status`` for a
    delivery report.

    It is None if the request has not the token of the configuration, or is
    not understood.
    """
    expected = config.get('marketing', 'sms_token') or ''
    if (len(expected) < _TOKEN_LENGTH
            or not hmac.compare_digest(expected.encode(), token.encode())):
        return
    try:
        if name := config.get('marketing', 'sms_parser'):
            items = resolve(name)(request)
        else:
            items = parse(request)
        if items is None:
            return
        return [_item(i) for i in list(items)[:_MAX_ITEMS]]
    except Exception as exception:
        if isinstance(exception, HTTPException):
            raise
        # Its words may be those of a person
        logger.warning(
            "SMS request not understood: %s", error_location(exception))


def parse(request):
    """
    Return the items of a request with a form or with JSON, one object or a
    list of them.
    """
    if request.mimetype == 'application/json':
        items = json.loads(request.get_data())
        return items if isinstance(items, list) else [items]
    return [request.form.to_dict()]


def _item(values):
    "Return the texts of the values by our names"
    values = {
        str(k).lower(): v for k, v in values.items()
        if isinstance(v, (str, int)) and not isinstance(v, bool)}
    return {
        name: str(values[alias])
        for name, aliases in _NAMES.items()
        for alias in sorted(aliases & values.keys())[:1]}


def _accepts(function, name):
    "Return if the function has the parameter"
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters


def _words(exception):
    return one_line(str(exception), LENGTH) or exception.__class__.__name__
