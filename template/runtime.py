# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Runtime of the expressions: the guarded operations they are compiled to.

Attributes are offered per kind of value by :data:`OFFERED`; a kind that is not
there has none.  Everything that is made while rendering is paid out of a
:class:`Budget`.
"""

import time
from typing import NamedTuple

from genshi.template.base import Context

from ..common.access import Refused
from .value import (
    BUILTINS, CONTAINERS, OFFERED, bounded, check_key, modulo, multiply)

__all__ = ['Budget', 'FUNCTIONS', 'Limits', 'Scope']


class Budget:
    "Steps, memory and time that are left to one rendering"
    __slots__ = ('_steps', '_room', '_end')

    def __init__(self, steps, room, seconds):
        self._steps = steps
        self._room = room
        self._end = time.monotonic() + seconds

    def step(self):
        "Pay for one iteration or call"
        self._steps -= 1
        if self._steps < 0:
            raise Refused("the template has too many steps")
        if time.monotonic() > self._end:
            raise Refused("the template takes too much time")

    def spend(self, size):
        "Pay for so many characters"
        self._room -= size
        if self._room < 0:
            raise Refused("the template uses too much memory")

    def weigh(self, value):
        "Pay for a value that was just made and return it"
        if isinstance(value, str):
            self.spend(len(value))
        elif isinstance(value, CONTAINERS):
            self.spend(8 * len(value))
        return value

    def weigh_deep(self, value):
        "Pay for the walk through a value, however it is nested"
        if isinstance(value, CONTAINERS):
            self.spend(len(value) + 1)
            if isinstance(value, dict):
                value = value.values()
            for item in value:
                self.weigh_deep(item)


class Scope(Context):
    "The variables of one rendering, and its budget"

    def __init__(self, variables, budget):
        super().__init__(**variables)
        self.budget = budget


def _name(scope, name):
    for frame in scope.frames:
        if name in frame:
            return frame[name]
    try:
        return BUILTINS[name]
    except KeyError:
        raise Refused(f'"{name}" is not defined')


def _attribute(value, name):
    try:
        offer = OFFERED[type(value)]
    except KeyError:
        for kind in type(value).__mro__:
            if kind in OFFERED:
                offer = OFFERED[kind]
                break
        else:
            raise Refused(
                f'"{name}" can not be read from {_describe(value)}')
    return offer(value, name)


def _item(scope, value, key):
    check_key(key)
    if not isinstance(value, (str, list, tuple, dict, range)):
        raise Refused(f"{_describe(value)} has no items")
    try:
        return scope.budget.weigh(value[key])
    except (KeyError, IndexError):
        raise Refused(f"there is no item {key!r}")


def _call(scope, function, /, *args, **kwargs):
    scope.budget.step()
    # A class is only called through what BUILTINS and SAFE_DATETIME offer
    if isinstance(function, type) or not callable(function):
        raise Refused(f"{_describe(function)} can not be called")
    return scope.budget.weigh(function(*args, **kwargs))


def _iterate(scope, values):
    step = scope.budget.step
    for value in values:
        step()
        yield value


def _comparable(scope, value):
    if isinstance(value, CONTAINERS):
        scope.budget.weigh_deep(value)
    return value


def _describe(value):
    if value is None:
        return "an empty value"
    return f"a value of type {type(value).__name__}"


#: What the compiled expressions call
FUNCTIONS = {
    '__builtins__': {},
    '__name': _name,
    '__attribute': _attribute,
    '__item': _item,
    '__slice': slice,
    '__call': _call,
    '__iterate': _iterate,
    '__comparable': _comparable,
    '__add': lambda scope, a, b: scope.budget.weigh(bounded(a + b)),
    '__sub': lambda scope, a, b: bounded(a - b),
    '__mult': lambda scope, a, b: scope.budget.weigh(multiply(a, b)),
    '__div': lambda scope, a, b: bounded(a / b),
    '__floordiv': lambda scope, a, b: bounded(a // b),
    '__mod': lambda scope, a, b: scope.budget.weigh(modulo(a, b)),
    }


class Limits(NamedTuple):
    "Limits of the cost of a template"
    source: int = 500_000
    output: int = 1_000_000
    steps: int = 50_000
    room: int = 20_000_000
    seconds: float = 10
