# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Claims of processes on batches: whether the process is still alive.

A claim is a number that a process writes on the rows of its batch. As long as
the process holds the number, the rows are its own; when it dies, the
operating system or the database server lets the number go at once and another
process may adopt the rows:

- on PostgreSQL, the number is an advisory lock of the session,
- on SQLite, it is a lock on a byte of a file next to the database,
- where neither exists (in memory, on Windows), it counts as dead after LEASE.

Locks are not part of the transaction: they are neither taken nor released by a
commit or a rollback, nor do they renew the snapshot that it reads.
"""

import datetime as dt
import hashlib
import os
import secrets
import threading
from contextlib import contextmanager

from trytond import backend
from trytond.transaction import Transaction

try:
    import fcntl
except ImportError:
    # Not on this platform
    fcntl = None

__all__ = [
    'DEADLINE', 'LEASE',
    'adopt', 'dead', 'exclusive', 'hold', 'new', 'release']

# After this time a batch releases what it has not yet handed over
DEADLINE = dt.timedelta(minutes=5)
# It must be greater than DEADLINE and the longest time of one hand-over
LEASE = dt.timedelta(minutes=30)

_BITS = 31

# The lock of each number that the threads of this process hold.
# The key contains the process because a fork inherits the dictionary only.
_held = {}
_mutex = threading.Lock()


def new():
    "Return the number of a new claim"
    return secrets.randbelow(2 ** _BITS - 1) + 1


@contextmanager
def hold(number):
    """
    Hold the number until the exit.

    The transaction may be committed as often as needed in between but it must
    stay the same. The end of the batch must be committed before the exit,
    otherwise another process may adopt rows of which it does not see the end.
    """
    if not _acquire(number):
        raise ValueError("claim is already held")
    try:
        yield number
    finally:
        _release(number)


def dead(claims, now):
    """
    Return the numbers of the claims nobody holds any more, now held by this
    process until they are released.

    The claims are a dictionary of the time at which each number was claimed.

    The rows were read before the lock was taken: their holder may have
    finished them in between, so the transaction must be committed or rolled
    back, and the rows read again, before anything is done with them.
    """
    numbers = set()
    try:
        for number, claimed_at in claims.items():
            if _acquire(number, age=now - claimed_at):
                numbers.add(number)
    except BaseException:
        release(numbers)
        raise
    return numbers


def release(numbers):
    "Release the numbers got from dead"
    for number in numbers:
        _release(number)


@contextmanager
def adopt(claims, now):
    "Hold the dead claims until the exit (see dead)"
    numbers = dead(claims, now)
    try:
        yield numbers
    finally:
        release(numbers)


@contextmanager
def exclusive(name):
    """
    Wait until no other session is inside with this name.

    What others did inside is visible only if the transaction reads nothing
    between its last commit, or rollback, and the entry; what is done inside is
    visible to the next only if it is committed before the exit.

    It does nothing where the database has one writer at a time.
    """
    transaction = Transaction()
    if not _has_advisory(transaction):
        yield
        return
    lock = _AdvisoryLock(transaction.connection, 'exclusive')
    number = _digest(name)
    lock.wait(number)
    try:
        yield
    finally:
        lock.release(number)


def _identity(number):
    return os.getpid(), Transaction().database.name, number


def _acquire(number, age=None):
    "Return True if the lock was free and is taken; only a new one has no age"
    identity = _identity(number)
    lock = _get_lock(age)
    with _mutex:
        # Whom a lock below belongs to can take it twice
        if identity in _held:
            return False
        _held[identity] = lock
    locked = False
    try:
        locked = lock.acquire(number)
    finally:
        if not locked:
            with _mutex:
                del _held[identity]
    return locked


def _release(number):
    identity = _identity(number)
    try:
        _held[identity].release(number)
    finally:
        with _mutex:
            del _held[identity]


def _get_lock(age):
    "Return the kind of lock of this database and platform"
    transaction = Transaction()
    if _has_advisory(transaction):
        return _AdvisoryLock(transaction.connection, 'claim')
    elif fcntl and backend.name == 'sqlite':
        cursor = transaction.connection.cursor()
        cursor.execute('PRAGMA database_list')
        for _, name, path in cursor.fetchall():
            if name == 'main' and path:
                return _FileLock(path + '-claims')
    return _Lease(age)


def _has_advisory(transaction):
    return (
        backend.name == 'postgresql' and transaction.database.has_select_for())


def _digest(text):
    digest = hashlib.sha256(text.encode('utf-8')).digest()
    return int.from_bytes(digest[:4], 'big') % 2 ** _BITS


class _AdvisoryLock:
    "A lock of the PostgreSQL session"

    def __init__(self, connection, space):
        self.connection = connection
        # The keys of trytond are below 2 ** 32, so in the space 0
        self.space = _digest(f'marketing.automation,{space}') | 1

    def acquire(self, number):
        return self._select('pg_try_advisory_lock', number)

    def wait(self, number):
        self._select('pg_advisory_lock', number)

    def release(self, number):
        if self.connection.closed:
            # The server has released it
            return
        try:
            self._select('pg_advisory_unlock', number)
        except backend.DatabaseOperationalError:
            if not self.connection.closed:
                raise
        except Exception:
            # An error has aborted the transaction
            self.connection.rollback()
            self._select('pg_advisory_unlock', number)

    def _select(self, function, number):
        connection = self.connection
        # In a transaction the statement would fix what it sees before the
        # lock is got.
        idle = not connection.autocommit and (
            connection.info.transaction_status == 0)
        if idle:
            connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    f'SELECT {function}(%s)', (self.space << 32 | number,))
                result, = cursor.fetchone()
        finally:
            if idle and not connection.closed:
                connection.autocommit = False
        return result


class _FileLock:
    "A lock on the byte of a file, the number is its position"
    # To close any descriptor of a file would release all the locks that the
    # process has on it.
    _files = {}

    def __init__(self, path):
        with _mutex:
            if path not in self._files:
                self._files[path] = os.open(
                    path, os.O_RDWR | os.O_CREAT, 0o666)
        self.file = self._files[path]

    def acquire(self, number):
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, number):
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, number)


class _Lease:
    "No lock: the claim ends by itself"

    def __init__(self, age):
        self.age = age

    def acquire(self, number):
        return self.age is None or self.age > LEASE

    def release(self, number):
        pass
