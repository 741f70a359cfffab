# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
A database of their own for the tests of the delivery, and the processes which
work on it.

As a process it waits for orders on its input: for each line it runs the crons
that are due in a process of its own, of which it prints the number, and when
that ends its status::

    python -m trytond.modules.marketing_automation.tests.common.guarantee \
        DATABASE
"""

import datetime as dt
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from contextlib import ExitStack, contextmanager

from sql import Table

import trytond.config as config
from trytond import backend
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..mail.smtp import SMTPServer
from ..tools import BASE, configured
from .crowd import create_crowd

PROCESS = 'marketing.automation.record.activity|process'
TEMPLATE = '<html><body><p>Hello ${record.name}</p></body></html>'
PATIENCE = 120

_number = itertools.count(1)


@contextmanager
def database(*extras):
    """
    Yield the name of a database, with the module and the extra modules
    activated, that other processes can open.
    """
    from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
    name = f'promise_{os.getpid()}_{next(_number)}'
    with ExitStack() as stack:
        activate_module(['marketing_automation', *extras])
        if backend.name == 'sqlite':
            path = stack.enter_context(tempfile.TemporaryDirectory())
            stack.enter_context(configured(database__path=path))
            import sqlite3
            source = backend.Database(DB_NAME).connect().get_connection()
            with sqlite3.connect(
                    os.path.join(path, name + '.sqlite')) as target:
                source.backup(target)
            target.close()
        else:
            backend.Database(DB_NAME).close()
            with Transaction().start(None, 0, autocommit=True) as transaction:
                transaction.database.create(
                    transaction.connection, name, DB_NAME)
        drop_db()
        Pool(name).init()
        try:
            yield name
        finally:
            Pool.stop(name)
            backend.Database(name).close()
            if backend.name != 'sqlite':
                with Transaction().start(
                        None, 0, autocommit=True) as transaction:
                    transaction.connection.cursor().execute(
                        f'DROP DATABASE "{name}" WITH (FORCE)')
            backend.Database.clear_cache()


class GuaranteeTestCase(unittest.TestCase):
    "Test case with a database of its own and a real mail server"
    _options = {}
    _extras = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = cls.enterClassContext(database(*cls._extras))

    @classmethod
    def enterClassContext(cls, manager):
        # Python 3.10 does not have it
        result = manager.__enter__()
        cls.addClassCleanup(manager.__exit__, None, None, None)
        return result

    def enter(self, manager):
        result = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return result

    def setUp(self):
        super().setUp()
        self.smtp = self.enter(SMTPServer())
        self.configure(
            email__uri=self.smtp.uri,
            email__from='erp@example.com',
            marketing__email_from='marketing@example.com',
            marketing__automation_base=BASE,
            **self._options)
        self.addCleanup(self.clear)

    def configure(self, **options):
        self.enter(configured(**options))

    @contextmanager
    def transaction(self, user=1):
        with Transaction().start(self.name, user) as transaction:
            yield transaction

    def clear(self):
        "Forget all but the parties"
        tables = [
            'ir_email_address', 'ir_email', 'ir_queue', 'ir_error',
            'res_notification', 'marketing_automation_hit',
            'marketing_automation_link', 'marketing_automation_counter',
            'marketing_automation_record_activity',
            'marketing_automation_record', 'marketing_automation_activity',
            'marketing_automation_scenario']
        with self.transaction() as transaction:
            transaction.tasks.clear()
            cursor = transaction.connection.cursor()
            for name in tables:
                cursor.execute(*Table(name).delete())

    # What is to be sent

    def create_parties(self, *emails):
        "Create parties with an address, each with the name of it"
        with self.transaction():
            return [p.id for p in create_crowd(
                    (email or "Nobody", email) for email in emails)]

    def create_scenario(self, parties, name="Scenario", **values):
        "Create and run a scenario with one mail which the parties entered"
        with self.transaction():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            scenario, = Scenario.create([{
                        'name': name,
                        'model': 'party.party',
                        'domain': f'[["id", "in", {list(parties)}]]',
                        **{n: values.pop(n) for n in ['mails_per_hour']
                            if n in values},
                        }])
            Activity.create([{
                        'name': "Mail",
                        'parent': str(scenario),
                        'action': 'send_email',
                        'email_title': "Title",
                        'email_template': TEMPLATE,
                        **values,
                        }])
            Scenario.run([scenario])
            Scenario.enter([scenario])
            return scenario.id

    def create_mails(self, count, **values):
        "Create a scenario with as many mails"
        return self.create_scenario(self.create_parties(*(
                    f'{i}.{next(_number)}@example.com'
                    for i in range(count))), **values)

    # What happens

    def process(self):
        "Do what the cron does, in this process"
        from trytond.worker import run_task
        with self.transaction(0) as transaction:
            Pool().get('marketing.automation.record.activity').process()
        while transaction.tasks:
            run_task(self.name, transaction.tasks.pop())

    def make_due(self):
        "Let all that waits be due"
        self.sql(
            "UPDATE marketing_automation_record_activity "
            "SET at = '2000-01-01 00:00:00' WHERE state = 'waiting'")

    def schedule(self):
        "Let only the cron of the execution be due"
        with self.transaction(0):
            Cron = Pool().get('ir.cron')
            crons = Cron.search([])
            Cron.write(crons, {
                    'next_call': dt.datetime.now() + dt.timedelta(days=9),
                    })
            Cron.write([c for c in crons if c.method == PROCESS], {
                    'next_call': dt.datetime(2000, 1, 1),
                    })

    # What became of it

    def rows(self, *names):
        "Return the values of the record activities"
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            rows = [
                tuple(getattr(r, n) for n in names)
                for r in RecordActivity.search([], order=[('id', 'ASC')])]
        return [r[0] if len(names) == 1 else r for r in rows]

    @property
    def states(self):
        return Counter(self.rows('state'))

    def problem(self, scenario):
        with self.transaction():
            return Pool().get('marketing.automation.scenario')(
                scenario).problem

    def errors(self):
        "Return the origin and the message of what the administrator sees"
        with self.transaction():
            return [
                (e.origin.__class__.__name__, e.message)
                for e in Pool().get('ir.error').search([])]

    def sql(self, statement, *parameters):
        with self.transaction() as transaction:
            cursor = transaction.connection.cursor()
            if backend.name == 'sqlite':
                statement = statement.replace('%s', '?')
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else None

    def assertOnce(self, count, by_recipient=None):
        "Assert that so many recipients have each exactly one mail"
        counts = by_recipient or self.smtp.by_recipient
        self.assertEqual(len(counts), count)
        self.assertEqual(set(counts.values()), {1})

    def wait(self, condition, patience=PATIENCE):
        end = time.monotonic() + patience
        while not condition():
            self.assertLess(time.monotonic(), end, "too long")
            time.sleep(0.02)

    # The processes

    def start(self, *command, **options):
        "Start a process of trytond, it ends with the test"
        environment = {
            **{n: v for n, v in os.environ.items()
                if not n.startswith('TRYTOND_')},
            'TRYTOND_DATABASE_URI': config.get('database', 'uri'),
            'TRYTOND_DATABASE__PATH': config.get('database', 'path'),
            }
        for section in ['email', 'marketing', 'queue']:
            if config.has_section(section):
                for option in config.options(section):
                    name = f'TRYTOND_{section}__{option}'.upper()
                    environment[name] = config.get(section, option)
        process = subprocess.Popen(
            [sys.executable, '-W', 'ignore', *command], env=environment,
            start_new_session=True, stderr=subprocess.PIPE
            if 'stderr' not in options else options.pop('stderr'), **options)
        self.addCleanup(self.kill, process)
        return process

    def kill(self, process):
        "Kill the process and those that it has started"
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for stream in [process.stdin, process.stdout, process.stderr]:
            if stream:
                stream.close()

    def start_cron(self):
        return self.start(
            '-m', 'trytond.cli.cron', '-d', self.name, '--once',
            stderr=subprocess.DEVNULL)

    def start_worker(self, processes=1):
        return self.start(
            '-m', 'trytond.cli.worker', '-d', self.name,
            '-n', str(processes), '-t', '1', stderr=subprocess.DEVNULL)


class Runner:
    "Runs the crons in one process after the other"

    def __init__(self, test_case):
        self.process = test_case.start(
            '-m', __name__, test_case.name, text=True, stderr=None,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = None

    def run(self):
        "Return the number of the process that runs the crons"
        self.process.stdin.write('run\n')
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())
        return self.pid

    def kill(self):
        "Kill the process and return if it has been alive"
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait()

    def wait(self):
        return int(self.process.stdout.readline()) == signal.SIGKILL


def serve(name):
    from trytond.cron import run_cron
    Pool.start()
    with Transaction().start(name, 0, readonly=True):
        Pool(name).init()
    # A connection can not be shared
    backend.Database(name).close()
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            run_cron(name)
            os._exit(0)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)


if __name__ == '__main__':
    serve(sys.argv[1])
