# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Public URLs of messages, and their tokens.
"""

import base64
import encodings.idna
import functools
import urllib.parse

import trytond.config as config
from trytond.pool import Pool
from trytond.transaction import Transaction

from . import url_token

__all__ = [
    'ANONYMOUS_CLICK', 'ANONYMOUS_OPEN', 'ANONYMOUS_PERSONAL_CLICK',
    'ANONYMOUS_SMS_CLICK', 'BOUNCE', 'CLICK', 'OPEN', 'PERSONAL_CLICK',
    'SMS_CLICK', 'UNSUBSCRIBE', 'anonymous_click_url', 'anonymous_open_url',
    'anonymous_sms_url', 'base', 'click_url', 'decode', 'decode_personal',
    'encode', 'open_url', 'sms_base', 'sms_url', 'unsubscribe_url',
    ]

OPEN, CLICK, UNSUBSCRIBE = 'o', 'c', 'u'
# Those with the activity but without the recipient
ANONYMOUS_OPEN, ANONYMOUS_CLICK = 'p', 'a'
# The links that contain values of the recipient
PERSONAL_CLICK, ANONYMOUS_PERSONAL_CLICK = 'l', 'w'
# The links of SMS, as short as possible
SMS_CLICK, ANONYMOUS_SMS_CLICK = 's', 't'

# The address to which a mail returns
BOUNCE = 'b'

_NUMBERS = {
    BOUNCE: {1},
    OPEN: {1},
    CLICK: {2},
    UNSUBSCRIBE: {1, 2},
    ANONYMOUS_OPEN: {1},
    ANONYMOUS_CLICK: {2},
    SMS_CLICK: {2},
    ANONYMOUS_SMS_CLICK: {2},
    }

_SEPARATOR = '\0'


# Tokens


def encode(kind, id, link=None):
    "Return the token of the kind for the id and the link"
    Secret = Pool().get('marketing.automation.secret')
    number, key = Secret.current()
    return url_token.encode(
        number, key, kind, [id] if link is None else [id, link])


def decode(kind, token):
    """
    Return the id and the link (or None) of the token, or None if the token
    has not been made by this database for the kind.
    """
    Secret = Pool().get('marketing.automation.secret')
    numbers = url_token.decode(Secret.keys(), kind, token)
    if numbers is None or len(numbers) not in _NUMBERS[kind]:
        return None
    id, link = (*numbers, None)[:2]
    return id, link


def decode_personal(kind, token):
    """
    Return the id, the link and the list of the values of the token, or None if
    the token has not been made by this database for the kind.
    """
    Secret = Pool().get('marketing.automation.secret')
    content = url_token.decode_text(Secret.keys(), kind, token, 2)
    if content is None:
        return None
    (id, link), text = content
    return id, link, text.split(_SEPARATOR)


# URLs


def base():
    """
    Return the start of all public URLs or None if none is configured.

    It depends neither on the request nor on the name of the machine as the
    URL must work from the mailbox of the recipient.
    """
    if url := config.get('marketing', 'automation_base'):
        return url.rstrip('/')
    hostname = config.get('web', 'hostname')
    if not hostname:
        return None
    hostname = '.'.join(
        encodings.idna.ToASCII(part).decode('ascii') if part else ''
        for part in hostname.split('.'))
    secure = (
        config.get('ssl', 'certificate') or config.get('ssl', 'privatekey'))
    return urllib.parse.urljoin(
        f"http{'s' if secure else ''}://{hostname}",
        config.get('web', 'root_path', default='/')).rstrip('/')


@functools.lru_cache(maxsize=128)
def _prefix(base, database_name):
    if not base:
        raise ValueError("neither automation_base nor hostname is configured")
    name = base64.urlsafe_b64encode(database_name.encode('utf-8'))
    return f"{base}/m/{name.decode('ascii').rstrip('=')}"


def sms_base():
    "Return the start of the URLs in SMS, which may be a shorter one"
    if url := config.get('marketing', 'sms_base'):
        return url.rstrip('/')
    return base()


def _url(kind, id, link=None, base=base):
    prefix = _prefix(base(), Transaction().database.name)
    return f'{prefix}/{kind}/{encode(kind, id, link)}'


def _personal_url(kind, id, link, values):
    Secret = Pool().get('marketing.automation.secret')
    prefix = _prefix(base(), Transaction().database.name)
    number, key = Secret.current()
    token = url_token.encode_text(
        number, key, kind, [id, link], _SEPARATOR.join(values))
    return f'{prefix}/{kind}/{token}'


def open_url(record_activity):
    return _url(OPEN, record_activity)


def click_url(record_activity, link, values=None):
    """
    Return the URL of a click.

    :param values: what the link of a pattern contains, see `Link.ids`.
    """
    if values:
        return _personal_url(PERSONAL_CLICK, record_activity, link, values)
    return _url(CLICK, record_activity, link)


def anonymous_open_url(activity):
    return _url(ANONYMOUS_OPEN, activity)


def anonymous_click_url(activity, link, values=None):
    if values:
        return _personal_url(ANONYMOUS_PERSONAL_CLICK, activity, link, values)
    return _url(ANONYMOUS_CLICK, activity, link)


def unsubscribe_url(record, link=None):
    """
    Return the URL to unsubscribe the record.

    :param link: the id of the link that is followed afterwards.
    """
    return _url(UNSUBSCRIBE, record, link)


def sms_url(record_activity, link):
    return _url(SMS_CLICK, record_activity, link, base=sms_base)


def anonymous_sms_url(activity, link):
    return _url(ANONYMOUS_SMS_CLICK, activity, link, base=sms_base)
