# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Databases to upgrade.

The folder fixtures holds dumps of SQLite and PostgreSQL by series of Tryton:

upstream
    What the module of the Tryton project has left in a database in which also
    sale, marketing_campaign and web_shortener are activated.
flat
    What this module has left when all its files were in one folder, see
    flat_fixture.py.
"""

import gzip
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

import trytond.config as config
from trytond import __version__, backend
from trytond.transaction import Transaction

SCENARIO = 'marketing.automation.scenario'
ACTIVITY = 'marketing.automation.activity'
RECORD = 'marketing.automation.record'
RECORD_ACTIVITY = 'marketing.automation.record.activity'
UNSUBSCRIBED = 'party.party-unsubscribed-marketing.automation.scenario'
# The activities in the databases
WELCOME, OPENED, THANKS, REMINDER, SURVEY, QUOTATION, _, WAIT = range(1, 9)
# The tables that hold no data from XML
CONTENT = re.compile(
    r'marketing_automation_|party_|sale_|ir_cron$|ir_email|web_shortened_url')

SERIES = '.'.join(__version__.split('.')[:2])
_FIXTURES = Path(__file__).parents[1] / 'fixtures'
_KIND = {'sqlite': 'sqlite', 'postgresql': 'pg'}[backend.name]


def _dump(fixture):
    return _FIXTURES / f'{fixture}-{SERIES}.{_KIND}.sql.gz'


def available(fixture='upstream'):
    return _dump(fixture).exists()


def content(fixture='upstream'):
    "Return the figures of the content"
    for name in [f'{fixture}-{SERIES}.{_KIND}', f'{fixture}-{SERIES}']:
        path = _FIXTURES / f'{name}.json'
        if path.exists():
            return json.loads(path.read_text(encoding='utf-8'))


def new_database(fixture='upstream'):
    "Return the context manager of a database of the present backend"
    if backend.name == 'sqlite':
        return SQLite(fixture)
    return PostgreSQL(fixture)


class Snapshot:
    "What is in a database"

    def __init__(self, database):
        self.schema = database.schema()
        tables = database.tables()
        self.rows = {
            table: database.rows(table)
            for table in tables if CONTENT.match(table)}
        self.sizes = {table: len(database.rows(table)) for table in tables}
        self.ids = {
            (row['model'], row['fs_id']): row['db_id']
            for row in database.rows('ir_model_data')
            if row['module'] == 'marketing_automation'}
        self.fields = {
            (row['model'], row['name'], row['ttype'], row['relation'])
            for row in database.rows('ir_model_field')
            if row['module'] == 'marketing_automation'}
        self.translations = {
            (row['name'], row['res_id'], row['lang'], row['value'],
                row['fuzzy'])
            for row in database.rows('ir_translation')
            if row['type'] == 'model'
            and row['name'].startswith('marketing.automation.')
            # Those of a module come from its files
            and not row['module']
            # The names of the models themselves have no record
            and row['res_id'] not in {None, -1}}


class Database:
    "A database made from the fixture"

    def __init__(self, fixture):
        self.fixture = fixture
        self.name = f'upgrade_{secrets.token_hex(4)}'

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='upgrade-'))
        try:
            self.load()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self):
        raise NotImplementedError

    @property
    def uri(self):
        raise NotImplementedError

    def connect(self):
        raise NotImplementedError

    def tables(self):
        raise NotImplementedError

    def rows(self, table):
        "Return the list of the rows, as dictionaries, of the table"
        connection = self.connect()
        try:
            cursor = connection.execute(f'SELECT * FROM "{table}" ORDER BY 1')
            names = [c[0] for c in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]
        finally:
            connection.close()

    def schema(self):
        raise NotImplementedError

    # Processes

    def environment(self):
        return {
            **{
                name: value for name, value in os.environ.items()
                if not name.startswith(('TRYTOND_', 'DB_'))},
            'TRYTOND_DATABASE_URI': self.uri,
            'TRYTOND_DATABASE__PATH': str(self.folder),
            'DB_NAME': self.name,
            }

    def run(self, *command):
        "Run the command which must succeed"
        process = subprocess.run(
            command, cwd=self.folder, env=self.environment(), text=True,
            errors='replace', stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if process.returncode:
            raise AssertionError(
                f'{" ".join(command)}: {process.returncode}\n'
                f'{process.stdout}')

    def update(self):
        "Update the module as an administrator does"
        path = self.folder / 'trytond.conf'
        path.write_text(
            '[database]\n'
            f'uri = {self.uri}\n'
            f'path = {self.folder}\n')
        self.run(
            self._program('trytond-admin'),
            '-c', str(path), '-d', self.name, '-u', 'marketing_automation')

    def _program(self, name):
        path = Path(sys.executable).parent / name
        return str(path) if path.exists() else name

    def check(self, *names):
        "Run the checks on the database, in this order"
        self.run(
            sys.executable, '-m', 'unittest', '-v',
            *(f'{__package__}.{name}' for name in names))

    def module_data(self):
        "Return the result of the function in a process of its own"
        path = self.folder / 'module_data.json'
        self.run(
            sys.executable, '-m', f'{__package__}.module_data', str(path))
        return json.loads(path.read_text(encoding='utf-8'))


class SQLite(Database):

    uri = 'sqlite:///'

    @property
    def path(self):
        return self.folder / f'{self.name}.sqlite'

    def load(self):
        connection = self.connect()
        try:
            with gzip.open(_dump(self.fixture), 'rt', encoding='utf-8') as f:
                connection.executescript(f.read())
        finally:
            connection.close()

    def connect(self):
        return sqlite3.connect(self.path)

    def _master(self, column, type_):
        connection = self.connect()
        try:
            return {row for row, in connection.execute(
                    f'SELECT {column} FROM sqlite_master WHERE type = ?',
                    [type_])}
        finally:
            connection.close()

    def tables(self):
        return self._master('name', 'table')

    def schema(self):
        return self._master('sql', 'table') | self._master('sql', 'index')


class PostgreSQL(Database):

    _created = False

    @property
    def uri(self):
        return config.get('database', 'uri')

    def _administrate(self, method):
        with Transaction().start(
                None, 0, close=True, autocommit=True) as transaction:
            getattr(transaction.database, method)(
                transaction.connection, self.name)

    def load(self):
        self._administrate('create')
        self._created = True
        with self.connect() as connection:
            with gzip.open(_dump(self.fixture), 'rt', encoding='utf-8') as f:
                self._load(connection.cursor(), f)

    def _load(self, cursor, lines):
        "Execute a dump in plain text, which psql might be too old to read"
        statement = ''
        for line in lines:
            if not statement and line.startswith(('--', '\\', '\n')):
                continue
            statement += line
            if not line.endswith(';\n'):
                continue
            if statement.startswith('COPY '):
                with cursor.copy(statement) as copy:
                    for data in lines:
                        if data == '\\.\n':
                            break
                        copy.write(data)
            else:
                cursor.execute(statement)
            statement = ''

    def __exit__(self, *exception):
        if self._created:
            self._administrate('drop')
        super().__exit__(*exception)

    def connect(self):
        import psycopg
        return psycopg.connect(
            urlparse(self.uri)._replace(path=f'/{self.name}').geturl())

    def _query(self, query):
        with self.connect() as connection:
            return set(connection.execute(query).fetchall())

    def tables(self):
        return {name for name, in self._query(
                "SELECT tablename FROM pg_tables "
                "WHERE schemaname = 'public'")}

    def schema(self):
        return {
            *self._query(
                "SELECT table_name, column_name, data_type, is_nullable, "
                "column_default FROM information_schema.columns "
                "WHERE table_schema = 'public'"),
            *self._query(
                "SELECT conrelid::regclass::text, conname, "
                "pg_get_constraintdef(oid) FROM pg_constraint"),
            *self._query(
                "SELECT indexname, indexdef FROM pg_indexes "
                "WHERE schemaname = 'public'"),
            }
