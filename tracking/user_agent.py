# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
User agents and IP addresses: the part that is kept of them.
"""

import functools
import ipaddress
import re

from crawleruseragents import is_crawler

__all__ = ['address_part', 'agent_family']

_MAX_LENGTH = 512


def _compile(patterns):
    return [(re.compile(pattern), family) for pattern, family in patterns]


# The first pattern found is the family.
# The programs that matter for a mail, before those known as robots.
_MAIL = _compile([
        (r'googleimageproxy', 'gmail'),
        (r'edge/12\.246 mozilla/5\.0$', 'gmail prefetch'),
        (r'yahoomailproxy', 'yahoo'),
        (r'outlook|msoffice|microsoft office|ms-office', 'outlook'),
        (r'thunderbird', 'thunderbird'),
        # Cubot makes telephones
        (r'(?<!cu)bot\b|crawl|spider|scan|preview|proofpoint|mimecast'
            r'|barracuda|safelinks|zscaler|fireeye|trellix|symantec|cloudmark'
            r'|trend ?micro|bitdefender|forcepoint|sophos|fortinet',
            'scanner'),
        (r'curl|wget|python|java/|okhttp|go-http|libwww|headless', 'program'),
        ])
# Many browsers pretend to be the ones below them.
_BROWSERS = _compile([
        (r'\bedg', 'edge'),
        (r'\bopr/|opera', 'opera'),
        (r'firefox|fxios', 'firefox'),
        (r'chrome|chromium|crios', 'chrome'),
        (r'safari', 'safari'),
        (r'applewebkit', 'apple mail'),
        (r'^mozilla/5\.0$', 'apple proxy'),
        (r'\S', 'other'),
        ])


def agent_family(user_agent):
    "Return the family of the user agent, in one or two words"
    return _family((user_agent or '')[:_MAX_LENGTH].strip())


@functools.lru_cache(maxsize=1024)
def _family(user_agent):
    lower = user_agent.lower()
    return (
        _find(_MAIL, lower)
        or (is_crawler(user_agent) and 'robot')
        or _find(_BROWSERS, lower))


def _find(patterns, user_agent):
    for pattern, family in patterns:
        if pattern.search(user_agent):
            return family


def address_part(address, part):
    """
    Return what is kept of the IP address.

    :param part: ``none``, ``network`` (the first 24 bits of an IPv4 and 48
        bits of an IPv6 address) or ``full``.
    """
    if part not in {'network', 'full'}:
        return None
    try:
        address = ipaddress.ip_address(address or '')
    except ValueError:
        return None
    address = getattr(address, 'ipv4_mapped', None) or address
    if part == 'full':
        return str(address)
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, prefix), strict=False))
