# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Conditions of the kinds that count for a figure, for Python as well as for SQL.

A kind is the state, and the names of the events that have happened, each
followed by a comma.
"""

from sql import Literal
from sql.operators import Like

__all__ = ['Condition', 'has_event', 'is_kind', 'nothing']


class Condition:
    "Condition on a kind"
    __slots__ = ('_test', 'sql')

    def __init__(self, test, sql):
        self._test = test
        #: The function that returns the SQL condition of the SQL of a kind
        self.sql = sql

    def __call__(self, kind):
        "Return if the kind, as text, meets the condition"
        return self._test(kind)

    def __and__(self, other):
        return Condition(
            lambda kind: self(kind) and other(kind),
            lambda kind: self.sql(kind) & other.sql(kind))

    def __or__(self, other):
        return Condition(
            lambda kind: self(kind) or other(kind),
            lambda kind: self.sql(kind) | other.sql(kind))

    def __invert__(self):
        return Condition(
            lambda kind: not self(kind),
            lambda kind: ~self.sql(kind))


def nothing():
    "Return the condition that no kind meets"
    return Condition(lambda kind: False, lambda kind: Literal(False))


def is_kind(state, prefix=False):
    "Return the condition of a kind in the state, or in those that start so"
    start = state if prefix else f'{state},'
    return Condition(
        lambda kind: kind.startswith(start),
        lambda kind: Like(kind, f'{start}%'))


def has_event(event):
    "Return the condition of a kind for which the event has happened"
    return Condition(
        lambda kind: f',{event},' in kind,
        lambda kind: Like(kind, f'%,{event},%'))
