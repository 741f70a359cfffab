# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from sql import Flavor

from trytond.transaction import Transaction

__all__ = ['Statement', 'forget']


class Statement:
    """
    A statement whose SQL is composed once, as that takes longer than its
    execution.

    :param compose: a function that returns the statement of its keyword
        arguments, which it uses as values only.
    """

    def __init__(self, compose):
        self._compose = compose
        self._texts = {}

    def __call__(self, **values):
        "Return the arguments to execute the statement with the values"
        # SQL compares with null in another way
        key = Flavor.get().paramstyle, *(
            n for n, v in values.items() if v is None)
        if key not in self._texts:
            self._texts[key] = self._text(values)
        text, names = self._texts[key]
        return text, [
            values[n.name] if isinstance(n, _Value) else n for n in names]

    def _text(self, values):
        query = self._compose(**{
                n: None if v is None else _Value(n)
                for n, v in values.items()})
        return str(query), query.params


class _Value:
    "Where a value is in the parameters"
    __slots__ = ('name',)

    def __init__(self, name):
        self.name = name


def forget(*Models):
    "Let the instances of the models read again what SQL has changed"
    transaction = Transaction()
    transaction.counter += 1
    for cache in transaction.cache.values():
        for Model in Models:
            cache.pop(Model.__name__, None)
