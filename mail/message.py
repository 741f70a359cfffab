# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The message of a rendered template (RFC 5322), without any record.
"""

from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate

from trytond.tools.email_ import set_from_header

from ..common.text import one_line
from .page import text_of

__all__ = ['compose']

# The length of a line (RFC 5322 2.1.1)
_LINE = 78


def compose(sender, from_, name, address, subject, html, headers):
    """
    Return the message with a text and an HTML part (RFC 2046 5.1.4).

    :param sender: the address that the server is allowed to send from.
    :param from_: the address, with or without name, the mail comes from.
    :param name: the name of the recipient.
    :param address: the one address of the recipient.
    :param headers: a dictionary of further headers.
    """
    message = EmailMessage()
    set_from_header(message, sender, from_)
    set_recipient(message, one_line(name), address)
    set_subject(message, one_line(subject))
    message['Date'] = formatdate()
    for header, value in headers.items():
        message[header] = Words(header, one_line(value))
    message.set_content(text_of(html))
    message.add_alternative(html, subtype='html')
    return message


class Words(str):
    """
    The value of a header which is folded only between its words.

    The policy encodes words that are longer than a line, like a URL, and no
    other program understands them.
    """

    def __new__(cls, name, value):
        if not value.isascii():
            return value
        words = super().__new__(cls, value)
        words.name = name
        return words

    def fold(self, *, policy):
        first, *others = self.split() or ['']
        lines = [f'{self.name}: {first}']
        for word in others:
            if len(lines[-1]) + len(word) >= _LINE:
                lines.append('')
            lines[-1] += f' {word}'
        return policy.linesep.join(lines) + policy.linesep


def set_recipient(message, name, address):
    """
    Set the header To.

    What has to be folded is not left to the policy, which loses the quotes of
    what it folds, so that a part of a name may look like an address.
    """
    local, _, domain = address.rpartition('@')
    value = str(Address(name, local, domain))
    if is_plain(name) and len(value) <= _LINE - len('To: '):
        message['To'] = value
    elif len(address) > _LINE - len(' <>'):
        # The policy has to fold it, without a name it is harmless
        message['To'] = Address('', local, domain)
    else:
        message.set_raw('To', f'{_encoded("To", name)}\n <{address}>')


def set_subject(message, subject):
    if is_plain(subject) and len(subject) <= _LINE - len('Subject: '):
        message['Subject'] = subject
    else:
        message.set_raw('Subject', _encoded('Subject', subject))


def is_plain(text):
    return text.isascii() and '=?' not in text


def _encoded(name, text):
    "Return the text as folded value of the header (RFC 2047)"
    return Header(
        text, 'utf-8', maxlinelen=_LINE - 3, header_name=name).encode()
