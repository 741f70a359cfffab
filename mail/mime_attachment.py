# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The attachments of many messages, made once (RFC 2046 5.1.3).
"""

import mimetypes
import secrets
from email.message import EmailMessage
from email.policy import SMTP

__all__ = ['attach', 'parts']

# What is in the head of a message about its body
_INNER = ('content-', 'mime-version')


def parts(attachments):
    """
    Return the bytes of the attachments as they are in each message, None if
    there are none.

    :param attachments: the list of the name and the data of each.
    """
    result = []
    for name, data in attachments:
        type_, encoding = mimetypes.guess_type(name)
        if not type_ or encoding or type_.startswith(('message/', 'multi')):
            type_ = 'application/octet-stream'
        maintype, subtype = type_.split('/', 1)
        message = EmailMessage(policy=SMTP)
        message.set_content(
            data, maintype, subtype, disposition='attachment', filename=name)
        del message['MIME-Version']
        result.append(message.as_bytes())
    return result or None


def attach(data, attachments):
    """
    Return the message with its body and the attachments as parts.

    :param data: the bytes of the message, its lines end with CRLF.
    :param attachments: what parts has returned.
    """
    if not attachments:
        return data
    head, _, body = data.partition(b'\r\n\r\n')
    outer, inner = _split(head)
    boundary = b'=_' + secrets.token_hex(12).encode()
    line = b'\r\n--' + boundary
    # What does not understand parts shows nothing of this
    chunks = [
        *outer,
        b'MIME-Version: 1.0',
        b'Content-Type: multipart/mixed;',
        b' boundary="' + boundary + b'"',
        line + b'\r\n' + b'\r\n'.join(inner), b'',
        body.rstrip(b'\r\n')]
    for part in attachments:
        chunks.append(line + b'\r\n' + part.rstrip(b'\r\n'))
    chunks.append(line + b'--\r\n')
    return b'\r\n'.join(chunks)


def _split(head):
    "Return the lines of the head, and those about the body"
    outer, inner = [], []
    lines = outer
    for line in head.split(b'\r\n'):
        if not line.startswith((b' ', b'\t')):
            name = line.partition(b':')[0].strip().lower().decode('latin-1')
            lines = inner if name.startswith(_INNER) else outer
            if name == 'mime-version':
                lines = []
        lines.append(line)
    return outer, inner
