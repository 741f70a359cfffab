# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The conditions of the activities: statements in PYSON.
"""

import functools
import json

from trytond.pyson import PYSONDecoder

__all__ = ['evaluate', 'self_names']


def evaluate(source, context):
    "Return what the encoded PYSON results in"
    return _evaluate(_parse(source), PYSONDecoder(context).object_hook)


@functools.lru_cache(maxsize=256)
def _parse(source):
    "Return the PYSON as it is encoded, which must not be changed"
    return json.loads(source)


def _evaluate(pyson, hook):
    "Return what the decoder with the hook makes of the parsed PYSON"
    if isinstance(pyson, dict):
        return hook({k: _evaluate(v, hook) for k, v in pyson.items()})
    if isinstance(pyson, list):
        return [_evaluate(v, hook) for v in pyson]
    return pyson


def self_names(pyson):
    "Yield the names of the fields that an encoded condition reads on self"
    if isinstance(pyson, list):
        for value in pyson:
            yield from self_names(value)
    elif isinstance(pyson, dict):
        value = pyson.get('v')
        if pyson.get('__class__') == 'Eval':
            if isinstance(value, str) and value.startswith('self.'):
                yield value.split('.')[1]
        elif (pyson.get('__class__') == 'Get'
                and isinstance(value, dict)
                and value.get('__class__') == 'Eval'
                and value.get('v') == 'self'
                and isinstance(pyson.get('k'), str)):
            yield pyson['k']
        for value in pyson.values():
            yield from self_names(value)
