# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Instances of many records, and their caches."

from trytond.tools import grouped_slice
from trytond.transaction import Transaction

_BROWSE = 50


def browse(Model, ids):
    """
    Return the instances for the ids, of whose fields little is read.

    Tryton compares each instance with all of its browse, so there are several;
    each of them reads by a statement of its own.
    """
    return [
        record for sub_ids in grouped_slice(ids, _BROWSE)
        for record in Model.browse(sub_ids)]


def clear_cache(*Models):
    "Let the instances of the models read again what SQL has changed"
    transaction = Transaction()
    transaction.counter += 1
    for cache in transaction.cache.values():
        for Model in Models:
            cache.pop(Model.__name__, None)
