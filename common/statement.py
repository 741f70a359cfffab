# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Make the text of a statement once, and execute it with other values.
"""

from trytond.transaction import Transaction

_SIZE = 100


class _Mark:
    "The place of a value in the parameters of a statement"
    __slots__ = ('index',)

    def __init__(self, index):
        self.index = index


class Statements:
    "The texts of the statements of a model"

    def __init__(self):
        self._texts = {}

    def execute(self, key, values, build):
        """
        Return the rows of the statement for the values.

        :param key: what the statement depends on besides the values; whether
            each of these is None is part of it.
        :param build: a function that returns the query for the values, with
            which it must do nothing but use them as parameters.
        """
        key = (key, tuple(v is None for v in values))
        if key not in self._texts:
            query = build([
                    _Mark(i) if v is not None else None
                    for i, v in enumerate(values)])
            if len(self._texts) >= _SIZE:
                self._texts.clear()
            self._texts[key] = str(query), query.params
        text, params = self._texts[key]
        cursor = Transaction().connection.cursor()
        cursor.execute(text, [
                values[p.index] if isinstance(p, _Mark) else p
                for p in params])
        return cursor.fetchall()
