# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What some work costs: CPU, statements, rows, bytes and memory.
"""

import os
import re
import time
from pathlib import Path

import psycopg

TICK = os.sysconf('SC_CLK_TCK')
PAGE = os.sysconf('SC_PAGE_SIZE')
# What the work writes
_TABLES = re.compile('marketing_automation_|ir_email|ir_queue|ir_error')


def cpu_of(pid):
    "Return the CPU seconds of the process and of the children it waited for"
    try:
        stat = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return 0
    fields = stat.rpartition(')')[2].split()
    # user, system, and those of the children: proc(5)
    return sum(map(int, fields[11:15])) / TICK


def family(pid):
    "Return the process and all those below it"
    children = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = path.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo.extend(children.get(found[-1], []))
    return found


def resident():
    "Return the resident memory of this process in MB"
    pages = Path('/proc/self/statm').read_text().split()[1]
    return int(pages) * PAGE / 2 ** 20


def count_statements():
    "Count from now on the statements of this process"
    from trytond.backend.postgresql.database import LoggingCursor
    execute = LoggingCursor.execute

    def counted(self, *args, **kwargs):
        Cost.statements += 1
        return execute(self, *args, **kwargs)
    LoggingCursor.execute = counted


class Cost:
    """
    The cost of what happens inside of the context.

    :param uri: the database server.
    :param name: the database.
    :param processes: the numbers of the other processes of trytond.
    """
    statements = 0

    def __init__(self, uri, name, processes=()):
        self.processes = processes
        self.monitor = psycopg.connect(uri + name, autocommit=True)
        self.name = name

    def __enter__(self):
        self._rows, self._bytes = self._size()
        self._others = {}
        self._started = self._cpu()
        self._statements = Cost.statements
        self._time = time.monotonic()
        return self

    def __exit__(self, *exception):
        self.seconds = time.monotonic() - self._time
        python, database = self._cpu()
        self.python = python - self._started[0]
        self.database = database - self._started[1]
        self.statements = Cost.statements - self._statements
        rows, bytes_ = self._size()
        self.rows, self.bytes = rows - self._rows, bytes_ - self._bytes
        self.monitor.close()

    @property
    def cpu(self):
        return self.python + self.database

    def _cpu(self):
        "Return the CPU of trytond and of its backends"
        for pid in self.processes:
            for member in family(pid):
                self._others[member] = cpu_of(member)
        cursor = self.monitor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s "
            "AND pid != pg_backend_pid()", [self.name])
        self._backends = getattr(self, '_backends', {})
        for pid, in cursor:
            # It has started with the work if it is new
            self._backends[pid] = cpu_of(pid)
        return (
            time.process_time() + sum(self._others.values()),
            sum(self._backends.values()))

    def _size(self):
        "Return the number of rows and of bytes of what is written"
        cursor = self.monitor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace")
        tables = [n for n, in cursor.fetchall() if _TABLES.match(n)]
        rows = sum(
            self.monitor.execute(
                f'SELECT count(*) FROM "{n}"').fetchone()[0]
            for n in tables)
        bytes_ = sum(
            self.monitor.execute(
                'SELECT pg_total_relation_size(%s)', [n]).fetchone()[0]
            for n in tables)
        return rows, bytes_
