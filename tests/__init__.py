# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What makes the suite fast, for all its tests.

Each test class and each scenario document has a database of its own, which is
a copy of one where the modules are activated.  The classes of the pool are the
same for all the databases with the same modules, so they are made once.
"""

import functools

import trytond.config as config
from trytond import pool
from trytond.model import ModelStorage

try:
    import hypothesis
except ImportError:
    # Who only needs a server of the tests
    pass
else:
    # No test fails because the machine is slow
    hypothesis.settings.register_profile('patient', deadline=None)
    hypothesis.settings.load_profile('patient')

# To synchronise the caches, by default every five minutes, commits the
# transaction of a test on SQLite, as it has one connection
config.set('cache', 'clean_timeout', str(10 ** 9))

# Each pool looks for the same classes again by their names, which takes half
# of the time
pool.resolve = functools.cache(pool.resolve)

_init = pool.Pool.init
_shared = {}


def _modules(database_name):
    "Return the activated modules of the database, or None if some change"
    # The backend is the one of the configuration, which may come later
    from trytond import backend
    database = backend.Database(database_name).connect()
    connection = database.get_connection(readonly=True)
    try:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT name, state FROM ir_module WHERE state <> 'not activated'")
        states = dict(cursor)
        connection.rollback()
    finally:
        database.put_connection(connection)
    if set(states.values()) == {'activated'}:
        return frozenset(states)


def init(self, update=None, lang=None, activatedeps=False, indexes=None):
    "Make the pool, or take the one of another database with the same modules"
    modules = None
    if not update and not indexes:
        modules = _modules(self.database_name)
    if modules not in _shared:
        _init(
            self, update=update, lang=lang, activatedeps=activatedeps,
            indexes=indexes)
        if modules:
            _shared[modules] = self._pool, self._modules
        return
    with self._lock:
        self._pool, self._modules = _shared[modules]
        self._pools[self.database_name] = self._pool
        self._pool_modules[self.database_name] = self._modules
        # The instances of the other threads look for their classes again
        self._pool_instances.clear()
        self._pool_instances.add(self)
        self.ready = True


pool.Pool.init = init

_init_record = ModelStorage.__init__


def init_record(self, id=None, **kwargs):
    "Make the record without a check of all the ids that it is read with"
    ids = kwargs.get('_ids')
    if ids is None:
        _init_record(self, id, **kwargs)
        return
    assert id in ids
    _init_record(self, id, **{**kwargs, '_ids': [id]})
    self._ids = ids


# The check takes most of the time as soon as there are some hundred records,
# as each of them checks all the others
ModelStorage.__init__ = init_record
