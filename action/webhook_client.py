# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Webhook client: posts messages over HTTPS to the hosts of the configuration.

The address to which a host leads is checked and then connected to, so that
the name can not lead elsewhere in between.
"""

import base64
import binascii
import datetime as dt
import email.utils
import hashlib
import hmac
import http.client
import ipaddress
import logging
import socket
import ssl
import time
from urllib.parse import urlsplit

import idna

import trytond.config as config
from trytond.i18n import gettext

from ..common.text import one_line
from ..outcome import done, failed, postponed

__all__ = ['ConfigurationError', 'Transport', 'check_url', 'secrets', 'sign']

logger = logging.getLogger(__name__)

_PREFIX = 'whsec_'
# As the specification asks for
_MIN_SECRET, _MAX_SECRET = 24, 64
_DETAIL = 250
_RETRY_STATUSES = {408, 425, 429}
_MAX_DELAY = dt.timedelta(days=1)


class ConfigurationError(ValueError):
    "The secret of the configuration is missing or not valid"


class _Private(OSError):
    "The address belongs to the own network"


def secrets():
    """
    Return the list of the keys, the first signs for those who know only one.

    :raises ConfigurationError: if there is none or it is too short.
    """
    keys = []
    for word in config.get('marketing', 'webhook_secret', default='').split():
        try:
            key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
        except binascii.Error as exception:
            raise ConfigurationError(gettext(
                    'marketing_automation.msg_webhook_secret_invalid')
                ) from exception
        if not _MIN_SECRET <= len(key) <= _MAX_SECRET:
            raise ConfigurationError(gettext(
                    'marketing_automation.msg_webhook_secret_invalid'))
        keys.append(key)
    if not keys:
        raise ConfigurationError(gettext(
                'marketing_automation.msg_webhook_secret_missing'))
    return keys


def sign(key, message_id, timestamp, content):
    "Return the signature of the content (bytes)"
    digest = hmac.digest(
        key, f'{message_id}.{timestamp}.'.encode() + content, hashlib.sha256)
    return 'v1,' + base64.b64encode(digest).decode('ascii')


def check_url(url):
    """
    Return the host, the port and the path of the URL.

    :raises ValueError: if it is not allowed, in the words for who typed it.
    """
    parts = None
    if url.isprintable() and ' ' not in url:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or '', parts.port or 443
            if not host.isascii():
                host = idna.encode(host, uts46=True).decode('ascii')
        except (ValueError, idna.IDNAError):
            parts = None
    if (not parts or parts.scheme != 'https' or not host or not url.isascii()
            or '@' in parts.netloc or '\\' in url):
        raise ValueError(gettext(
                'marketing_automation.msg_webhook_url_invalid'))
    name = host if port == 443 else f'{host}:{port}'
    allowed = config.get('marketing', 'webhook_hosts', default='').split()
    if name not in {a.lower() for a in allowed}:
        raise ValueError(gettext(
                'marketing_automation.msg_webhook_host', host=name))
    path = parts.path or '/'
    return host, port, f'{path}?{parts.query}' if parts.query else path


def _addresses(host, port):
    "Return the addresses of the host that may be connected to"
    private = config.getboolean('marketing', 'webhook_private', default=False)
    found = []
    for _, _, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM):
        ip = ipaddress.ip_address(address[0].partition('%')[0])
        ip = getattr(ip, 'ipv4_mapped', None) or ip
        if private or ip.is_global and not ip.is_multicast:
            found.append(address[:2])
    if not found:
        raise _Private(gettext(
                'marketing_automation.msg_webhook_private', host=host))
    return found


class _Connection(http.client.HTTPSConnection):
    "A connection to an address that has been checked"

    def connect(self):
        error = None
        for address in _addresses(self.host, self.port):
            try:
                sock = socket.create_connection(address, self.timeout)
                break
            except OSError as exception:
                error = exception
        else:
            raise error
        try:
            self.sock = self._context.wrap_socket(
                sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise


class Transport:
    """
    Posts the messages; none of them is sent twice in a row.

    What is out of reach is so for the rest of the batch.
    """

    def __init__(self):
        self._connection = None
        self._unavailable = None

    def __enter__(self):
        self._timeout = config.getint(
            'marketing', 'webhook_timeout', default=10)
        self._context = ssl.create_default_context(
            cafile=config.get('marketing', 'webhook_ca') or None)
        self._secrets = secrets()
        return self

    def __exit__(self, *args):
        self._close()

    def _close(self):
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def send(self, message):
        "Post the message and return its outcome"
        if self._unavailable:
            return self._unavailable
        try:
            host, port, path = check_url(message.recipient)
        except ValueError as exception:
            return failed('not_allowed', str(exception))
        try:
            # One connection for each: whether the other side has taken what
            # was sent over a connection that it closes is not known
            self._connection = _Connection(
                host, port, timeout=self._timeout, context=self._context)
            self._connection.connect()
        except (OSError, UnicodeError) as exception:
            self._close()
            self._unavailable = postponed(
                'webhook_away', one_line(str(exception), _DETAIL))
            return self._unavailable
        try:
            self._connection.request(
                'POST', path, message.content, self._headers(message))
            response = self._connection.getresponse()
            body = response.read(_DETAIL)
        except (OSError, http.client.HTTPException) as exception:
            return postponed(
                'webhook_lost',
                one_line(str(exception), _DETAIL) or type(exception).__name__)
        finally:
            self._close()
        return _outcome(response, body)

    def _headers(self, message):
        timestamp = int(time.time())
        return {
            'Content-Type': 'application/json',
            'User-Agent': 'Tryton-Marketing-Automation',
            'Connection': 'close',
            'webhook-id': message.message_id,
            'webhook-timestamp': str(timestamp),
            'webhook-signature': ' '.join(
                sign(key, message.message_id, timestamp, message.content)
                for key in self._secrets),
            }


def _outcome(response, body):
    status = response.status
    if 200 <= status <= 299:
        return done()
    words = body.decode('utf-8', 'replace')
    detail = one_line(f'{status} {response.reason} {words}', _DETAIL)
    if status in _RETRY_STATUSES or status >= 500:
        return postponed(
            'webhook_busy', detail, _delay(response.getheader('Retry-After')))
    return failed('webhook_refused', detail)


def _delay(value):
    "Return the delay of the header Retry-After (RFC 9110 10.2.3) or None"
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        delay = dt.timedelta(seconds=min(
                int(value[:9]), _MAX_DELAY.total_seconds()))
    else:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        if not date.tzinfo:
            date = date.replace(tzinfo=dt.timezone.utc)
        delay = date - dt.datetime.now(dt.timezone.utc)
    return min(max(delay, dt.timedelta()), _MAX_DELAY)
