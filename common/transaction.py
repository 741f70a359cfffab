# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Transient errors of the database, and transactions that are run again.
"""

import time
from contextlib import contextmanager

import trytond.config as config
from trytond import backend
from trytond.transaction import Transaction, TransactionError

__all__ = [
    'autocommit', 'begin', 'is_database', 'is_transient', 'run_with_retry',
    'savepoint']

# SQLite raises the same exception for a statement that is wrong
_BUSY = ('locked', 'busy')
# Those of PostgreSQL: a lock not available, the server shuts down or starts
_RETRY_CODES = {'55P03', '57P01', '57P02', '57P03'}
# The classes of conflicts with others and of lost connections
_RETRY_CLASSES = {'40', '08'}


def is_transient(exception):
    "Return if the error is transient: another transaction may succeed"
    if isinstance(exception, TransactionError):
        return True
    if not isinstance(exception, backend.DatabaseOperationalError):
        return False
    if backend.name == 'sqlite':
        return any(word in str(exception) for word in _BUSY)
    # Without code it is not the server that speaks: it is out of reach
    code = getattr(exception, 'sqlstate', None)
    return not code or code in _RETRY_CODES or code[:2] in _RETRY_CLASSES


def is_database(exception):
    "Return if the exception comes from the database"
    return isinstance(exception, (
            backend.DatabaseDataError, backend.DatabaseIntegrityError,
            backend.DatabaseOperationalError))


def run_with_retry(function, factor=1):
    """
    Call the function and commit until there is no conflict with others.

    It starts with a new transaction each time and returns the result.
    """
    transaction = Transaction()
    retry = config.getint('database', 'retry') * factor
    for count in range(retry + 1):
        begin()
        try:
            result = function()
            transaction.commit()
            return result
        except backend.DatabaseOperationalError as exception:
            transaction.rollback()
            if count == retry or not is_transient(exception):
                raise
            time.sleep(0.02 * (count + 1))


@contextmanager
def autocommit():
    """
    Commit each statement by itself, where the database can.

    Elsewhere, and where something has begun, it is committed at the end.
    """
    transaction = Transaction()
    connection = transaction.connection
    if (backend.name != 'postgresql' or connection.autocommit
            or connection.info.transaction_status):
        begin()
        yield
        transaction.commit()
        return
    connection.autocommit = True
    try:
        yield
    finally:
        if not connection.closed:
            connection.autocommit = False


def begin():
    """
    Let what is written next be part of a transaction.

    On SQLite, the cache of Tryton works on the same connection when another
    process has to be told, and leaves it so that each statement is committed.
    """
    if backend.name == 'sqlite':
        Transaction().database.get_connection()


@contextmanager
def savepoint():
    "Keep the transaction usable if the database refuses a statement"
    cursor = Transaction().connection.cursor()
    cursor.execute('SAVEPOINT marketing_domain')
    try:
        yield
    except Exception as exception:
        if not is_transient(exception):
            cursor.execute('ROLLBACK TO SAVEPOINT marketing_domain')
            cursor.execute('RELEASE SAVEPOINT marketing_domain')
        raise
    else:
        cursor.execute('RELEASE SAVEPOINT marketing_domain')
