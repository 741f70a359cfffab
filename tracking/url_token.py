# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Tokens of public URLs: opaque, authentic and short.

A token is ``base64url(key number | tag | ciphertext)``.  It is encrypted in
the way of SIV (:rfc:`5297`): the tag authenticates the kind and the payload,
and it is the nonce with which the payload is encrypted.  The payload is a
sequence of varints, which a text may follow.
"""

import base64
import functools
import hashlib
import hmac

__all__ = ['encode', 'encode_text', 'decode', 'decode_text']

_TAG = 12
# With the kind and the slashes of the URL it makes 40 characters
_TOKEN = 37
_TEXT_TOKEN = 600


def _pack(numbers):
    result = bytearray()
    for number in numbers:
        while number > 0x7f:
            result.append(0x80 | number & 0x7f)
            number >>= 7
        result.append(number)
    return bytes(result)


def _unpack(payload):
    numbers, number, shift = [], 0, 0
    for byte in payload:
        number |= (byte & 0x7f) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(number)
            number, shift = 0, 0
    return tuple(numbers)


@functools.lru_cache(maxsize=32)
def _derive(key):
    "Return the keys for the authentication and for the encryption"
    return tuple(
        hmac.digest(key.encode(), purpose, hashlib.sha256)
        for purpose in [b'marketing_automation mac', b'marketing_automation'])


def _crypt(key, tag, payload):
    stream, size = hmac.digest(key, tag, hashlib.sha256), len(payload)
    counter = 0
    while len(stream) < size:
        counter += 1
        stream += hmac.digest(key, tag + bytes([counter]), hashlib.sha256)
    return (
        int.from_bytes(payload, 'big') ^ int.from_bytes(stream[:size], 'big')
        ).to_bytes(size, 'big')


def _tag(key, kind, payload):
    return hmac.digest(key, kind.encode() + payload, hashlib.sha256)[:_TAG]


def _encode(number, key, kind, payload):
    mac, encryption = _derive(key)
    tag = _tag(mac, kind, payload)
    token = base64.urlsafe_b64encode(
        bytes([number]) + tag + _crypt(encryption, tag, payload))
    return token.decode('ascii').rstrip('=')


def encode(number, key, kind, numbers):
    """
    Return the token of the positive numbers.

    :param number: the number of the key, less than 256.
    """
    token = _encode(number, key, kind, _pack(numbers))
    if not all(n > 0 for n in numbers) or len(token) > _TOKEN:
        raise ValueError("numbers out of range")
    return token


def encode_text(number, key, kind, numbers, text):
    "Return the token of the positive numbers and the text"
    token = _encode(number, key, kind, _pack(numbers) + text.encode('utf-8'))
    if not all(n > 0 for n in numbers) or len(token) > _TEXT_TOKEN:
        raise ValueError("numbers or text out of range")
    return token


def _decode(keys, kind, token, size):
    "Return the payload of the token or None if it is not genuine"
    if len(token) > size:
        return None
    try:
        content = base64.urlsafe_b64decode(token + '=' * (-len(token) % 4))
    except ValueError:
        return None
    # The decoder skips foreign characters and ignores the spare bits
    canonical = base64.urlsafe_b64encode(content).decode('ascii').rstrip('=')
    key = keys.get(content[0]) if content else None
    if canonical != token or key is None:
        return None
    mac, encryption = _derive(key)
    tag = content[1:_TAG + 1]
    payload = _crypt(encryption, tag, content[_TAG + 1:])
    if not hmac.compare_digest(tag, _tag(mac, kind, payload)):
        return None
    return payload


def decode(keys, kind, token):
    """
    Return the numbers of the token or None if it is not genuine.

    :param keys: a dictionary of the keys by their number.
    """
    payload = _decode(keys, kind, token, _TOKEN)
    if payload is None:
        return None
    numbers = _unpack(payload)
    if _pack(numbers) != payload:
        return None
    return numbers


def decode_text(keys, kind, token, count):
    "Return so many numbers and the text of the token, None if not genuine"
    payload = _decode(keys, kind, token, _TEXT_TOKEN)
    if payload is None:
        return None
    numbers = _unpack(payload)[:count]
    packed = _pack(numbers)
    if len(numbers) != count or not payload.startswith(packed):
        return None
    try:
        return numbers, payload[len(packed):].decode('utf-8')
    except UnicodeDecodeError:
        return None
