# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Messages serialized without the policy of the library, which is slow."

import binascii
import email
import functools
import re
from email.message import EmailMessage
from email.policy import SMTP
from email.policy import default as default_policy
from email.utils import formatdate

from trytond.tools.email_ import set_from_header

from ..common.text import one_line
from .mail_merge import _BOUNDARY, _HTML, _TEXT
from .message import Words, is_plain, set_recipient, set_subject

_HEAD = (
    b'MIME-Version: 1.0\r\n'
    b'Content-Type: multipart/alternative;\r\n'
    b' boundary="%s"\r\n') % _BOUNDARY.encode()

_END = f'\r\n--{_BOUNDARY}--\r\n'.encode()

# The names that need no quotes (RFC 5322 3.2.3)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    r"(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")

_LINE = 78


class SerializedMessage(bytes):
    "A message as it is handed over, that can be read like a message"
    #: The header To, as the log shows it
    to = None

    @property
    def message(self):
        return email.message_from_bytes(
            self.replace(b'\r\n', b'\n'), policy=default_policy)

    def __getitem__(self, key):
        if isinstance(key, str):
            return self.message[key]
        return super().__getitem__(key)

    def __contains__(self, key):
        if isinstance(key, str):
            return key in self.message
        return super().__contains__(key)

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.message, name)


def serialize(sender, from_, name, address, subject, text, html, headers):
    """
    Return the message with the text and the HTML part.

    The parameters are those of compose; who reads it reads the same as in the
    result of compose.
    """
    name, subject = one_line(name), one_line(subject)
    head = [_head_from(sender, from_)]
    message = EmailMessage()
    to = f'To: {name} <{address}>'
    if (_ATOMS.fullmatch(name) and is_plain(name) and len(to) <= _LINE
            and _ADDRESS.fullmatch(address)):
        head.append(f'{to}\r\n'.encode())
    else:
        set_recipient(message, name, address)
    line = f'Subject: {subject}'
    if subject and is_plain(subject) and len(line) <= _LINE:
        head.append(f'{line}\r\n'.encode())
    else:
        set_subject(message, subject)
    head.append(f'Date: {formatdate()}\r\n'.encode())
    for header, value in headers.items():
        value = Words(header, one_line(value))
        if isinstance(value, Words):
            head.append(value.fold(policy=SMTP).encode())
        else:
            message[header] = value
    if message.keys():
        head.append(_head(message))
    result = SerializedMessage(b''.join([
                *head, _HEAD, _TEXT, _quoted(text), _HTML, _quoted(html),
                _END]))
    result.to = str(message['To'] or to[len('To: '):])
    return result


@functools.lru_cache(maxsize=64)
def _head_from(sender, from_):
    message = EmailMessage()
    set_from_header(message, sender, from_)
    return _head(message)


def _head(message):
    head, _, _ = message.as_bytes(policy=SMTP).partition(b'\r\n\r\n')
    return head + b'\r\n'


def _quoted(text):
    "Return the text in quoted-printable"
    lines = text.replace('\r\n', '\n').replace('\r', '\n')
    if not lines.endswith('\n'):
        lines += '\n'
    return binascii.b2a_qp(
        lines.replace('\n', '\r\n').encode(), istext=True)
