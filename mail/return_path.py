# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Return paths: the address to which each mail returns (VERP).

The token is written in base 32 because some mail servers do not keep the case
of an address.
"""

import base64
import re

import trytond.config as config

from ..common.address import AddressError, envelope_address
from ..tracking import url

__all__ = ['find', 'return_path']

# The length of a token
_LENGTH = '{16,50}'


def _base():
    "Return the local part and the domain of the addresses, None if not set"
    text = config.get('marketing', 'bounce_email')
    if not text:
        return None
    try:
        local, _, domain = envelope_address(text.strip()).partition('@')
    except AddressError:
        return None
    return local, domain


def return_path(record_activity):
    """
    Return the address for what is to be told about the mail of the record
    activity (id), None if none is configured.
    """
    if not (base := _base()):
        return None
    local, domain = base
    token = url.encode(url.BOUNCE, record_activity)
    content = base64.urlsafe_b64decode(token + '=' * (-len(token) % 4))
    token = base64.b32encode(content).decode('ascii').rstrip('=').lower()
    try:
        return envelope_address(f'{local}+{token}@{domain}')
    except AddressError:
        # Too long
        return None


def find(text):
    "Return the id of the record activity of the first address in the text"
    if not (base := _base()):
        return None
    local, domain = map(re.escape, base)
    for match in re.finditer(
            fr'{local}\+([a-z2-7]{_LENGTH})@{domain}(?!\.?\w|-)', text,
            re.IGNORECASE):
        token = match[1].upper()
        try:
            content = base64.b32decode(token + '=' * (-len(token) % 8))
        except ValueError:
            continue
        if base64.b32encode(content).decode('ascii').rstrip('=') != token:
            continue
        token = base64.urlsafe_b64encode(content).decode('ascii')
        if ids := url.decode(url.BOUNCE, token.rstrip('=')):
            id_, _ = ids
            return id_
