# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
E-mail addresses (RFC 5321 4.1.2, RFC 6531) as they are typed and configured.
"""

import functools
import re
import unicodedata
from email.utils import getaddresses

import idna

import trytond.config as config

__all__ = ['AddressError', 'address_of', 'envelope_address', 'sender']

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")

_LABEL = re.compile(r'[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?')


class AddressError(ValueError):
    "The text is not exactly one address"


@functools.lru_cache(maxsize=2048)
def envelope_address(text):
    """
    Return the address as it goes into the envelope.

    The text must be exactly one address of the form local-part@domain: no
    name, no brackets, no comment, no list and no space, not even around it.
    The domain is converted to ASCII (IDNA 2008 after the mapping of UTS #46);
    the local part keeps its characters and needs SMTPUTF8 if there are others
    than ASCII. Whether the domain exists is not asked: any domain that can be
    written is accepted, with or without dot.

    The rare quoted local parts and address literals are refused on purpose.
    """
    if not isinstance(text, str) or not text:
        raise AddressError("no address")
    # Normalize first because it may result in characters that are special
    text = unicodedata.normalize('NFC', text)
    local, at, domain = text.partition('@')
    if not at or '@' in domain:
        raise AddressError("not exactly one @")
    for atom in local.split('.'):
        # Letters outside of ASCII are atoms in RFC 6531
        ascii_ = ''.join('x' if _is_utf8_atom(c) else c for c in atom)
        if not _ATOM.fullmatch(ascii_):
            raise AddressError("local part not allowed")
    if '=?' in local:
        # Some servers decode it into something else
        raise AddressError("encoded word")
    if len(local.encode('utf-8')) > 64:
        raise AddressError("local part too long")
    if not domain.isascii():
        try:
            domain = idna.encode(
                domain, uts46=True, std3_rules=True).decode('ascii')
        except (idna.IDNAError, UnicodeError) as exception:
            raise AddressError("domain not allowed") from exception
    if not all(map(_LABEL.fullmatch, domain.split('.'))):
        raise AddressError("domain not allowed")
    address = f'{local}@{domain}'
    if len(address.encode('utf-8')) > 254:
        raise AddressError("address too long")
    return address


def _is_utf8_atom(character):
    return (not character.isascii()
        and unicodedata.category(character)[0] not in {'C', 'Z'})


@functools.lru_cache(maxsize=256)
def address_of(from_):
    "Return the address of a header, empty if it has not exactly one"
    addresses = getaddresses([from_])
    return addresses[0][1] if len(addresses) == 1 else ''


def sender():
    "Return the address that the server is configured to send from"
    return config.get(
        'marketing', 'email_from', default=config.get('email', 'from'))
