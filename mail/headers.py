# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The headers that tell the other programs what kind of mail it is.

They are explained in doc/reference/headers.rst.
"""

import functools
import hashlib
import ipaddress
import re
from email.utils import make_msgid
from types import MappingProxyType
from urllib.parse import quote, urlsplit

import idna

__all__ = ['bulk', 'domain', 'list_unsubscribe', 'message_id']

_LABEL = 40


@functools.lru_cache(maxsize=64)
def domain(base):
    """
    Return the domain of the base of the URLs in ASCII and whether it is a
    name (instead of an address of the network).
    """
    host = urlsplit(base).hostname or ''
    try:
        return ipaddress.ip_address(host).compressed, False
    except ValueError:
        pass
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode('ascii')
    return host.rstrip('.').lower(), True


def message_id(base):
    "Return a new Message-ID on the domain of the base"
    name, is_name = domain(base)
    if not is_name:
        name = f'[IPv6:{name}]' if ':' in name else f'[{name}]'
    return make_msgid(domain=name)


@functools.lru_cache(maxsize=64)
def bulk(base, database, scenario, activity):
    """
    Return the headers that are the same for all mails of an activity, as a
    mapping that can not be changed.

    :param base: the start of the URLs.
    :param database: the name of the database.
    """
    name, is_name = domain(base)
    sender = hashlib.sha256(f'{database}.{name}'.encode()).hexdigest()[:12]
    if not is_name:
        name = f'{_label(name)}.localhost'
    return MappingProxyType({
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'OOF, AutoReply',
            'Precedence': 'bulk',
            'List-Id': f'<scenario-{scenario}.{_label(database)}.{name}>',
            'Feedback-ID': f'{activity}:{scenario}:marketing:{sender}',
            })


def list_unsubscribe(url, email=None, one_click=True):
    """
    Return a dictionary of the headers to unsubscribe.

    :param url: the URL of the page, whose last part is the token.
    :param email: the address which accepts the token as the subject.
    :param one_click: whether mail programs may do it without the page.
    """
    ways = [f'<{url}>']
    if email:
        _, _, token = url.rpartition('/')
        address = quote(email.strip(), safe='@+')
        ways.append(f'<mailto:{address}?subject=unsubscribe%20{token}>')
    headers = {'List-Unsubscribe': ', '.join(ways)}
    if one_click and url.startswith('https://'):
        headers['List-Unsubscribe-Post'] = 'List-Unsubscribe=One-Click'
    return headers


def _label(name):
    "Return a label of a domain that no other name has"
    label = re.sub(r'[^a-z0-9]+', '-', name.lower())[:_LABEL].strip('-')
    if label != name or not label:
        label += '-' + hashlib.sha256(name.encode()).hexdigest()[:8]
    return label.lstrip('-')
