# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Segments of a SMS (3GPP TS 23.038 and 23.040), without any record.
"""

from typing import NamedTuple

__all__ = ['GSM', 'Size', 'UCS2', 'measure']

GSM, UCS2 = 'gsm', 'ucs2'

# The default alphabet (3GPP TS 23.038 6.2.1)
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
# Its extension (6.2.1.1): each is preceded by an escape
_EXTENSION = frozenset("\f^{}\\[~]|€")
# The units of a message alone and of a part of a long one, whose header takes
# the place of some (3GPP TS 23.040 9.2.3.24.1)
_UNITS = {
    GSM: (160, 153),
    UCS2: (70, 67),
    }


class Size(NamedTuple):
    """
    The size of a text.

    :param encoding: ``gsm`` (7 bits per character) or ``ucs2`` (16 bits).
    :param units: what the text takes of the room of its segments: two for a
        character of the extension, or beyond the basic plane of Unicode.
    :param segments: the number of messages that are sent, and paid.
    """
    encoding: str
    units: int
    segments: int


def measure(text):
    "Return the size of the text"
    widths = _gsm_widths(text)
    encoding = GSM
    if widths is None:
        encoding = UCS2
        widths = [2 if ord(c) > 0xffff else 1 for c in text]
    alone, part = _UNITS[encoding]
    units = sum(widths)
    if units <= alone:
        return Size(encoding, units, 1 if text else 0)
    return Size(encoding, units, _count(widths, part))


def _gsm_widths(text):
    "Return the widths of the characters or None if one is not in GSM"
    widths = []
    for character in text:
        if character in _BASIC:
            widths.append(1)
        elif character in _EXTENSION:
            widths.append(2)
        else:
            return None
    return widths


def _count(widths, room):
    "Return the number of segments: no character is divided by their border"
    count, used = 1, 0
    for width in widths:
        if used + width > room:
            count += 1
            used = 0
        used += width
    return count
