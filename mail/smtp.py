# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
SMTP session (RFC 5321): each message becomes an outcome.
"""

import copy
import email
import logging
import re
import smtplib
from collections import Counter
from email.message import Message
from email.policy import SMTP as SMTP_POLICY
from urllib.parse import parse_qs

import trytond.config as config
from trytond.sendmail import get_smtp_server

from ..common.address import AddressError, envelope_address
from ..common.text import one_line
from ..outcome import TransportUnavailable, done, failed, postponed
from .mime_attachment import attach

__all__ = ['ServerUnavailable', 'Session']

logger = logging.getLogger(__name__)

# The answer to the final dot may take long and who does not wait for it sends
# twice (RFC 5321 4.5.3.2.6), so the data gets this many times the timeout.
DATA_FACTOR = 5
# Seconds to wait for the answer to QUIT, nothing depends on it
QUIT_TIMEOUT = 5
# Length of what is kept from the words of the server
DETAIL_LENGTH = 250
# The server wants to know who we are (RFC 4954): the configuration is wrong,
# not the message.
AUTHENTICATION_CODES = {530, 534, 535, 538}
LOST = -1

# What says that the address does not exist (RFC 3463 3.2, RFC 7505): neither
# 5.1.7 nor 5.1.8, they are about the sender
_NO_MAILBOX = re.compile(r'55\d 5\.1\.(1|2|3|6|10)\b')
_EOL = re.compile(rb'\r\n|\r|\n')


class ServerUnavailable(TransportUnavailable):
    "The SMTP server is out of reach, or refuses the session"


class _Utf8Missing(Exception):
    pass


class Session:
    """
    A connection to the SMTP server, for as many messages as there are.

    It connects when it is entered and raises ServerUnavailable if that fails.
    A connection that is lost is opened again by the next message.
    """

    def __init__(self, uri=None):
        self._uri = uri
        self._server = None
        # Whether a message was begun on the connection
        self._used = False

    def __enter__(self):
        self._connect()
        return self

    def __exit__(self, *args):
        server, self._server = self._server, None
        if not server:
            return
        try:
            if server.sock:
                server.sock.settimeout(min(QUIT_TIMEOUT, server.timeout))
            server.quit()
        except OSError:
            logger.debug("connection lost at quit")
        finally:
            _close(server)

    def send(self, message):
        """
        Hand over the message and return its outcome.

        When it raises ServerUnavailable, the message was not handed over.
        It never waits before a second try and never sends a second time what
        the server may have accepted.
        """
        try:
            recipient = envelope_address(message.recipient)
        except AddressError:
            return failed('address_invalid', _line(message.recipient))
        try:
            # Without sender nobody is told about what can not be delivered
            sender = envelope_address(message.sender) if message.sender else ''
        except AddressError:
            return failed('sender_invalid', _line(message.sender))

        while True:
            if not self._server:
                self._connect()
            server = self._server
            try:
                data, options = _serialize(
                    message, sender, recipient, server)
            except _Utf8Missing:
                return failed('smtputf8', _line(recipient))
            except Exception as exception:
                # The email package raises about anything on what it does not
                # understand.
                # Its words may be those of the message
                logger.warning(
                    "message not serializable error=%s",
                    exception.__class__.__name__)
                return failed('message_invalid', _words(exception))

            used, self._used = self._used, True
            code, text = _say(server.mail, sender, options)
            if code in {LOST, 421} and used:
                # The server has closed the connection after the last
                # message, it has nothing of this one.
                logger.info("connection to the SMTP server lost, reconnect")
                self._hang_up()
                continue
            if accepted := _accepted(code):
                code, text = _say(server.rcpt, recipient)
            if _accepted(code):
                server.sock.settimeout(server.timeout * DATA_FACTOR)
                code, text = _say(server.data, data)
                if server.sock:
                    server.sock.settimeout(server.timeout)
            outcome = self._outcome(code, text)
            if (accepted and outcome.reason == 'refused'
                    and _NO_MAILBOX.match(outcome.detail)):
                return failed('mailbox_unknown', outcome.detail)
            return outcome

    def _outcome(self, code, text):
        if _accepted(code):
            return done()
        elif not 400 <= code <= 599:
            self._hang_up()
            return postponed('connection_lost', _line(text))
        if code == 421 or code in AUTHENTICATION_CODES:
            self._hang_up()
        else:
            # Forget the transaction that was begun
            code_, _ = _say(self._server.rset)
            if not _accepted(code_):
                self._hang_up()
        detail = _line(_join(code, text))
        if code < 500 or code in AUTHENTICATION_CODES:
            return postponed('server_busy', detail)
        return failed('refused', detail)

    def _connect(self):
        server = None
        try:
            server = get_smtp_server(_with_timeout(self._uri), strict=True)
            if not server.sock:
                raise ValueError("no host")
            server.ehlo_or_helo_if_needed()
        except OSError as exception:
            if server:
                _close(server)
            raise ServerUnavailable(_words(exception)) from exception
        except (ValueError, TypeError):
            # Its words may contain a piece of the password
            raise ServerUnavailable(
                "the uri in [email] is not valid") from None
        self._server = server
        self._used = False

    def _hang_up(self):
        server, self._server = self._server, None
        _close(server)


def _with_timeout(uri):
    "Return the URI with a timeout"
    uri = config.parse_uri(uri or config.get('email', 'uri'))
    if 'timeout' not in parse_qs(uri.query):
        timeout = config.getint('marketing', 'smtp_timeout', default=60)
        query = filter(None, [uri.query, f'timeout={timeout}'])
        uri = uri._replace(query='&'.join(query))
    return uri.geturl()


def _say(command, *args):
    "Return the code and the text of the answer"
    try:
        return command(*args)
    except smtplib.SMTPDataError as exception:
        # Any positive answer but the request of the data is out of order
        code = exception.smtp_code
        return (code if code >= 400 else LOST), exception.smtp_error
    except OSError as exception:
        return LOST, str(exception)


def _accepted(code):
    return 200 <= code <= 299


def _close(server):
    try:
        server.close()
    except OSError:
        logger.debug("connection lost at close")


def _serialize(message, sender, recipient, server):
    "Return the bytes of the message and the options of MAIL"
    content = message.content
    utf8 = not (sender + recipient).isascii()
    if utf8 and not server.has_extn('smtputf8'):
        raise _Utf8Missing
    eight_bit = server.has_extn('8bitmime')
    if isinstance(content, Message):
        data = _flatten(content, utf8, eight_bit)
    else:
        data = content
        if not data.isascii() and not eight_bit:
            data = _flatten(
                email.message_from_bytes(data, policy=SMTP_POLICY),
                utf8, eight_bit)
    # A bare CR or LF is read as end of line by some servers only
    data = attach(_with_crlf(data), message.enclosure)
    options = []
    if server.has_extn('size'):
        options.append(f'SIZE={len(data)}')
    if eight_bit and not data.isascii():
        options.append('BODY=8BITMIME')
    if utf8:
        options.append('SMTPUTF8')
    return data, options


def _with_crlf(data):
    "Return the data with the same end for all lines"
    # Mostly it has, and to count is faster than to replace
    if data.count(b'\r\n') == data.count(b'\r') == data.count(b'\n'):
        return data
    return _EOL.sub(b'\r\n', data)


def _flatten(message, utf8, eight_bit):
    message = copy.copy(message)
    for name in ['Bcc', 'Resent-Bcc']:
        del message[name]
    data = message.as_bytes(policy=SMTP_POLICY.clone(
            utf8=utf8, cte_type='8bit' if eight_bit else '7bit'))

    # Depending on its version Python folds some values into other headers
    head, _, _ = data.partition(b'\r\n\r\n')
    names = Counter(
        line.partition(b':')[0].decode('ascii', 'replace').lower()
        for line in head.split(b'\r\n')
        if not line.startswith((b' ', b'\t')))
    expected = Counter(name.lower() for name in message.keys())
    for counter in [names, expected]:
        # which the generator may add
        counter.pop('content-transfer-encoding', None)
    if names != expected:
        raise ValueError("line break in a header")
    return data


def _words(exception):
    if isinstance(exception, smtplib.SMTPResponseException):
        text = _join(exception.smtp_code, exception.smtp_error)
    else:
        text = str(exception)
    return _line(text) or exception.__class__.__name__


def _join(code, text):
    return f'{code} {_text(text)}'


def _text(answer):
    return (
        answer.decode('utf-8', 'replace') if isinstance(answer, bytes)
        else str(answer))


def _line(answer):
    return one_line(_text(answer), DETAIL_LENGTH)
