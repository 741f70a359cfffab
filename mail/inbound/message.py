# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Incoming messages: the bounce, complaint, reply or request they contain.

Anybody can send anything, so nothing here is trusted: the message only tells
about which mail it claims to be.  It is read as far as it can be.

- Delivery status notifications (:rfc:`3464`, :rfc:`6533`) with their codes
  (:rfc:`3463`), other formats as far as ``flufl.bounce`` knows them.
- Feedback reports (:rfc:`5965`).
- Automatic answers (:rfc:`3834`), receipts (:rfc:`8098`) and the like, which
  are not replies.
- Requests to unsubscribe (:rfc:`2369`).
- Replies (:rfc:`5322#section-3.6.4`).
"""

import logging
import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from functools import partial
from typing import NamedTuple

from flufl.bounce import all_failures

from ...common.text import one_line

__all__ = [
    'BOUNCE', 'COMPLAINT', 'REPLY', 'UNSUBSCRIBE', 'Notice', 'is_hard', 'read']

logger = logging.getLogger(__name__)
# It reports as an error what anybody can send
logging.getLogger('flufl.bounce').setLevel(logging.CRITICAL)

BOUNCE, COMPLAINT = 'bounce', 'complaint'
REPLY, UNSUBSCRIBE = 'reply', 'unsubscribe'

# What tells something is at the begin, the rest is a copy of the mail
_MAX_SIZE = 1024 * 1024
_MAX_PARTS = 100
_MAX_IDS = 50
_MAX_TEXT = 64 * 1024
_DETAIL = 250

_ASCII = bytes(b if b < 128 else ord('?') for b in range(256))
_MESSAGE_ID = re.compile(r'<[^<>\s]{1,250}>')
_MESSAGE_ID_LINE = re.compile(
    r'^[>\s]*message-id:\s*(<[^<>\s]{1,250}>)', re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r'(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)')
_REPLY_CODE = re.compile(r'(?<![\d.])([45])\d\d(?=[\s-])')
_FIELD = re.compile(r'^([!-9;-~]+):[ \t]*(.*)$')
_UNSUBSCRIBE = re.compile(
    r'\bunsubscribe\s+([A-Za-z0-9_-]{16,64})(?![\w-])', re.IGNORECASE)
_DAEMON = re.compile(
    r'(?:^|[\s<"])(?:mailer-daemon|postmaster|mail-daemon|mdaemon)\b',
    re.IGNORECASE)
_AUTOMATIC_SUBJECT = re.compile(
    r'\s*(?:auto(?:matic)?[ -]?(?:reply|response)|auto:|automated reply|'
    r'out of (?:the )?office|away from|on vacation|vacation:|'
    r'abwesen|automatische antwort|r[ée]ponse automatique|absence\b|'
    r'respuesta autom|fuera de la oficina|risposta automatica|fuori sede|'
    r'automatisch antwoord|afwezig)', re.IGNORECASE)
# The headers to which the address that a message was sent to is written
_ADDRESS_HEADERS = [
    'To', 'Cc', 'Delivered-To', 'X-Original-To', 'Envelope-To',
    'X-Envelope-To', 'X-Forwarded-To', 'Resent-To', 'X-Rcpt-To', 'Received']
# Failures (RFC 3463) that tell about the message, the sender or the moment,
# although they are permanent
_SOFT_SUBJECTS = {3, 6, 7}
_SOFT_CODES = {(2, 2), (2, 3), (4, 5), (4, 7)}
# RFC 5965 7.3
_COMPLAINTS = {'abuse', 'fraud', 'opt-out', 'opt-out-list'}


class Notice(NamedTuple):
    """
    The bounce, complaint, reply or request of an incoming message.

    :param kind: BOUNCE, COMPLAINT, REPLY, UNSUBSCRIBE or None if it says
        nothing.
    :param hard: for a bounce, whether the address does not exist.
    :param detail: the words of the other side.
    :param addresses: the text with the addresses to which it came, and from
        which the mail had been sent.
    :param message_ids: the Message-IDs of the mails it may be about.
    :param token: for an unsubscription, what the subject names.
    """
    kind: str = None
    hard: bool = False
    detail: str = None
    addresses: str = ''
    message_ids: tuple = ()
    token: str = None


def read(data, addresses=''):
    """
    Return what the message says, it never raises.

    :param data: the bytes or the text of the message, or the message.
    :param addresses: the text with the addresses to which it came, if known
        otherwise than from the message.
    """
    try:
        return _read(data, addresses)
    except Exception as exception:
        # The email package raises about anything, also a RecursionError, on
        # what was made to be misunderstood
        logger.info(
            "message not readable error=%s", exception.__class__.__name__)
        return Notice()


def _read(data, addresses):
    if isinstance(data, str):
        data = data[:_MAX_SIZE].encode('utf-8', 'replace')
    if isinstance(data, Message):
        data = data.as_bytes()
    data = bytes(data[:_MAX_SIZE])
    message = message_from_bytes(data)
    addresses = '\n'.join(
        [addresses] + [_header(message, n) for n in _ADDRESS_HEADERS])
    parts = []
    for part in message.walk():
        parts.append(part)
        if len(parts) >= _MAX_PARTS:
            break
    for reader in [
            _read_feedback, _read_status, _read_unsubscribe,
            partial(_read_odd, data), _read_reply]:
        notice = reader(message, parts, addresses)
        if notice:
            return notice
    return Notice()


# Parts


def _header(message, name):
    "Return the text of all headers of the name"
    texts = []
    for value in message.get_all(name, [])[:_MAX_PARTS]:
        value = str(value)
        if '=?' in value:
            try:
                value = str(make_header(decode_header(value)))
            except (LookupError, ValueError):
                # Unknown or broken encoding
                pass
        texts.append(value)
    return '\n'.join(texts)


def _content(part):
    "Return the text of a part without parts"
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ''
    return payload[:_MAX_TEXT].decode('utf-8', 'replace')


def _fields(part):
    "Return the list of the dictionaries of fields of a part of a report"
    blocks = []
    payload = part.get_payload()
    if isinstance(payload, list):
        for block in payload[:_MAX_PARTS]:
            blocks.append({
                    n.lower(): str(v).strip() for n, v in block.items()})
            if isinstance(block.get_payload(), str):
                blocks.extend(_parse_fields(block.get_payload()))
    else:
        blocks.extend(_parse_fields(_content(part)))
    return [b for b in blocks if b]


def _parse_fields(text):
    blocks, name = [{}], None
    for line in text[:_MAX_TEXT].splitlines():
        if not line.strip():
            blocks.append({})
            name = None
        elif line[0] in ' \t' and name:
            blocks[-1][name] += ' ' + line.strip()
        elif match := _FIELD.match(line):
            name = match[1].lower()
            blocks[-1].setdefault(name, match[2].strip())
    return blocks


def _original(parts):
    "Yield the messages, or only their headers, which a report contains"
    for part in parts[1:]:
        type_ = part.get_content_type()
        if type_ in {'text/rfc822-headers', 'message/rfc822-headers',
                'message/global-headers'} and not part.is_multipart():
            yield message_from_bytes(
                _content(part).encode('utf-8', 'replace'))
        elif type_ in {'message/rfc822', 'message/global',
                'message/rfc822-headers', 'message/global-headers'}:
            if part.is_multipart():
                yield part.get_payload(0)


def _ids(text):
    return _MESSAGE_ID.findall(text)


def _original_ids(message, parts):
    "Return the Message-IDs of the mail that a report is about"
    ids = []
    for original in _original(parts):
        ids.extend(_ids(_header(original, 'Message-ID')))
    for name in ['In-Reply-To', 'References', 'X-Original-Message-ID']:
        ids.extend(_ids(_header(message, name)))
    return _unique(ids)


def _unique(ids):
    return tuple(dict.fromkeys(ids[:_MAX_IDS]))


def _line(text):
    return one_line(text[:_MAX_TEXT], _DETAIL) or None


# Feedback


def _read_feedback(message, parts, addresses):
    for part in parts:
        if part.get_content_type() != 'message/feedback-report':
            continue
        fields = {}
        for block in _fields(part):
            fields = {**block, **fields}
        type_ = fields.get('feedback-type', '').lower()
        if type_ not in _COMPLAINTS:
            return Notice()
        originals = list(_original(parts))
        addresses = '\n'.join([
                addresses, fields.get('original-mail-from', ''),
                *(_header(o, 'Return-Path') for o in originals)])
        agent = fields.get('user-agent', '')
        return Notice(
            COMPLAINT, detail=_line(f'{type_} {agent}'), addresses=addresses,
            message_ids=_original_ids(message, parts))


# Delivery status


def is_hard(text):
    """
    Return if the code in the text means that the address does not exist,
    None if there is no code.

    What is refused for what the message or its sender is, or because the
    mailbox is full, is not.
    """
    matches = list(_STATUS.finditer(text))
    # Some programs tell more in the diagnostic than in the status
    for match in sorted(
            matches, key=lambda m: (m[2], m[3]) == ('0', '0')):
        class_, subject, detail = map(int, match.groups())
        if class_ == 2:
            continue
        return (class_ == 5
            and subject not in _SOFT_SUBJECTS
            and (subject, detail) not in _SOFT_CODES)
    if match := _REPLY_CODE.search(text):
        return match[1] == '5'


def _read_status(message, parts, addresses):
    for part in parts:
        if part.get_content_type() not in {
                'message/delivery-status', 'message/global-delivery-status'}:
            continue
        ids = _original_ids(message, parts)
        for fields in _fields(part):
            action = fields.get('action', '').lower()
            # OpenSMTPD writes error
            if not action.startswith(('fail', 'error')):
                continue
            status = fields.get('status', '')
            diagnostic = fields.get('diagnostic-code', '')
            _, _, words = diagnostic.rpartition(';')
            return Notice(
                BOUNCE, bool(is_hard(f'{status} {diagnostic}')),
                _line(words) or _line(status), addresses, ids)
        # It is delivered, relayed or tried again
        return Notice()


def _failures(data):
    "Return the addresses that fail for a time, and those that do for ever"
    try:
        # It does not expect other characters in the headers
        return all_failures(message_from_bytes(data.translate(_ASCII)))
    except Exception as exception:
        logger.info(
            "bounce not readable error=%s", exception.__class__.__name__)
        return frozenset(), frozenset()


def _read_odd(data, message, parts, addresses):
    "Read the bounces of programs that do not follow the standards"
    null_path = _header(message, 'Return-Path').strip() == '<>'
    if not (null_path or _DAEMON.search(_header(message, 'From'))):
        return
    temporary, permanent = _failures(data)
    if temporary and not permanent:
        return Notice()
    if not permanent:
        return
    text = '\n'.join(
        _content(p) for p in parts
        if p.get_content_type() == 'text/plain' and not p.is_multipart())
    hard = is_hard(text)
    ids = [
        *_original_ids(message, parts), *_MESSAGE_ID_LINE.findall(text)]
    code = _STATUS.search(text) or _REPLY_CODE.search(text)
    line = None
    if code:
        begin = text.rfind('\n', 0, code.start()) + 1
        line = text[begin:].partition('\n')[0]
    return Notice(
        BOUNCE, hard is None or hard, _line(line or text), addresses,
        _unique(ids))


# What persons, or their programs, write


def _read_unsubscribe(message, parts, addresses):
    match = _UNSUBSCRIBE.search(_header(message, 'Subject')[:_MAX_TEXT])
    if match and message.get_content_type() != 'multipart/report':
        return Notice(UNSUBSCRIBE, addresses=addresses, token=match[1])


def _read_reply(message, parts, addresses):
    # The last of a thread is the one it is about
    ids = [
        *_ids(_header(message, 'In-Reply-To')),
        *reversed(_ids(_header(message, 'References')))]
    if ids and not _is_automatic(message):
        return Notice(
            REPLY, addresses=addresses, message_ids=_unique(ids))


def _is_automatic(message):
    "Return if no person has written the message"
    submitted = _header(message, 'Auto-Submitted').strip().lower()
    if submitted and not re.match(r'no\b', submitted):
        return True
    precedence = _header(message, 'Precedence').strip().lower()
    if precedence in {'bulk', 'junk', 'list', 'auto_reply', 'auto-reply'}:
        return True
    for name in message.keys():
        name = name.lower()
        if name.startswith(('x-auto', 'x-mail-auto')) or name in {
                'x-vacation', 'x-away', 'x-fc-machinegenerated',
                'x-ms-exchange-inbox-rules-loop', 'feedback-id', 'list-id',
                'list-unsubscribe'}:
            return True
    return (
        message.get_content_type() == 'multipart/report'
        or _header(message, 'Return-Path').strip() == '<>'
        or bool(_DAEMON.search(_header(message, 'From')))
        or bool(_AUTOMATIC_SUBJECT.match(_header(message, 'Subject'))))
