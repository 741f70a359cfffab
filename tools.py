# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.transaction import Transaction

__all__ = ['forget']


def forget(*Models):
    "Let the instances of the models read again what SQL has changed"
    transaction = Transaction()
    transaction.counter += 1
    for cache in transaction.cache.values():
        for Model in Models:
            cache.pop(Model.__name__, None)
