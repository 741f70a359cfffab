# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The reference work: parties with an e-mail address and a language, and
scenarios whose mails have 6 KB and eight links.
"""

import datetime as dt
import os
import subprocess
import sys
import time
from contextlib import contextmanager

from measure import family, resident

import trytond.config as config
from trytond import backend
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

PARAGRAPH = (
    '<tr><td style="padding:8px 24px;font-family:Arial,sans-serif;'
    'font-size:15px;line-height:22px;color:#333333">'
    'Nothing of what we make leaves the house before three people have held '
    'it in their hands, and this spring they held more than ever: %d new '
    'pieces for the table, the desk and the garden, made to be repaired. '
    '<a href="https://shop.example.com/spring/%d?from=mail&amp;part=body" '
    'style="color:#0b6e4f;text-decoration:underline">See number %d</a>'
    '</td></tr>\n')
TEMPLATE = '''<!DOCTYPE html>
<html xmlns:py="http://genshi.edgewall.org/">
<head><meta charset="utf-8"/><title>Spring</title></head>
<body style="margin:0;background:#f4f4f4">
<table role="presentation" width="600" align="center" cellpadding="0">
<tr><td style="padding:24px"><img src="https://shop.example.com/logo.png"
 width="120" height="40" alt="Shop"/></td></tr>
<tr><td style="padding:8px 24px"><h1>Hello ${record.name}</h1></td></tr>
%s<tr py:if="record.name"><td style="padding:8px 24px">
<a href="https://shop.example.com/cart/${record.id}">Your cart</a></td></tr>
%s<tr><td style="padding:24px;font-size:12px">You get this mail because you
asked for it. <a href="unsubscribe">Unsubscribe</a></td></tr>
</table>
</body>
</html>
'''
TEMPLATE %= (
    ''.join(PARAGRAPH % (i, i, i) for i in range(7)),
    ''.join(
        '<tr><td style="padding:8px 24px;font-family:Arial,sans-serif;'
        'font-size:15px;line-height:22px;color:#333333">%s</td></tr>\n' % (
            "The workshop is open on Saturdays from ten to four; bring what "
            "is broken and we will look at it together over a coffee. " * 2)
        for _ in range(6)))

# The size of the lists
_SCENARIOS, _ACTIVITIES = 5, 4
FIGURES = {
    'scenario': [
        'record_count', 'record_count_blocked', 'block_rate',
        'block_rate_trend', 'waiting_count', 'sending_count', 'done_count',
        'skipped_count', 'cancelled_count', 'failed_count'],
    'activity': [
        'record_count', 'email_opened', 'email_clicked', 'email_open_rate',
        'email_click_rate', 'email_click_through_rate',
        'email_open_rate_trend', 'email_click_rate_trend',
        'email_click_through_rate_trend', 'waiting_count', 'sending_count',
        'done_count', 'skipped_count', 'cancelled_count', 'failed_count'],
    }


class Work:
    "The work of trytond on the database"

    def __init__(self, name):
        self.name = name
        with Transaction().start(name, 0, readonly=True):
            Pool(name).init()

    @contextmanager
    def transaction(self, user=0):
        with Transaction().start(self.name, user) as transaction:
            yield transaction
            transaction.commit()

    def sql(self, statement, *parameters):
        if backend.name == 'sqlite':
            statement = statement.replace('%s', '?').replace('%%', '%')
        with self.transaction() as transaction:
            cursor = transaction.connection.cursor()
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else None

    # What is there

    def create_parties(self, count):
        self.sql(
            "INSERT INTO party_party (name, code, active, create_date) "
            "SELECT 'Party ' || i, 'B' || i, TRUE, CURRENT_TIMESTAMP "
            "FROM generate_series(1, %s) i", count)
        self.sql(
            "INSERT INTO party_contact_mechanism "
            "(party, type, value, value_compact, active) "
            "SELECT id, 'email', 'party.' || id || '@example.com', "
            "'party.' || id || '@example.com', TRUE FROM party_party "
            "WHERE code LIKE 'B%%'")
        self.sql(
            "INSERT INTO party_party_lang (party, lang) "
            "SELECT p.id, l.id FROM party_party p, ir_lang l "
            "WHERE p.code LIKE 'B%%' AND l.code = 'en'")
        first, = self.sql(
            "SELECT min(id) FROM party_party WHERE code LIKE 'B%%'")
        self.analyze()
        return first[0]

    def analyze(self):
        "Do what autovacuum does after a while, not with what is empty"
        if backend.name == 'sqlite':
            self.sql("ANALYZE")
            return
        for name, in self.sql(
                "SELECT relname FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = 'public'::regnamespace "
                "AND pg_relation_size(oid) > 0"):
            self.sql(f'ANALYZE "{name}"')

    def archive(self):
        "Hide all scenarios, with their activities"
        for kind in ['scenario', 'activity']:
            self.sql(f'UPDATE marketing_automation_{kind} SET active = FALSE')

    def create_scenario(self, first, count, children=0, event=None, **values):
        "Create and run a scenario for as many parties, return the ids"
        with self.transaction(1):
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            scenario, = Scenario.create([{
                        'name': "Scenario",
                        'model': 'party.party',
                        'domain': (
                            f'[["id", ">=", {first}], '
                            f'["id", "<", {first + count}]]'),
                        }])
            activity, = Activity.create([{
                        'name': "Root", 'parent': str(scenario), **values}])
            Activity.create([{
                        'name': f"Child {i}",
                        'parent': str(activity),
                        'event': event,
                        } for i in range(children)])
            Scenario.run([scenario])
            return scenario.id, activity.id

    def create_mails(self, *args, **kwargs):
        return self.create_scenario(
            *args, action='send_email', email_title="Hello ${record.name}",
            email_template=TEMPLATE, **kwargs)

    def create_waiting_mails(self, *args):
        "Create mails with one child for the open and one for the click"
        scenario, activity = self.create_mails(
            *args, children=1, event='email_opened')
        with self.transaction(1):
            Activity = Pool().get('marketing.automation.activity')
            Activity.create([{
                        'name': "Clicked",
                        'parent': f'{Activity.__name__},{activity}',
                        'event': 'email_clicked',
                        }])
        return scenario, activity

    def create_history(self, first, last):
        """
        Create the record activities, with numbers from first to before last,
        of mails that were sent in the last ten months.
        """
        if not (scenarios := self.sql(
                "SELECT id FROM marketing_automation_scenario "
                "WHERE name = 'Filled'")):
            with self.transaction(1):
                Scenario = Pool().get('marketing.automation.scenario')
                scenarios = [(s.id,) for s in Scenario.create([{
                                'name': "Filled",
                                'model': 'party.party',
                                'domain': '[["id", "=", -1]]',
                                } for _ in range(_SCENARIOS)])]
                Pool().get('marketing.automation.activity').create([{
                            'name': f"Mail {i}",
                            'parent': f'marketing.automation.scenario,{id_}',
                            'action': 'send_email',
                            'email_title': "Hello",
                            'email_template': "<p>Hello</p>",
                            } for id_, in scenarios
                        for i in range(_ACTIVITIES)])
        in_ = ', '.join(str(id_) for id_, in scenarios)
        (last_id,), = self.sql(
            "SELECT COALESCE(MAX(id), 0) FROM marketing_automation_record")
        share = _SCENARIOS * _ACTIVITIES
        if backend.name == 'sqlite':
            at = "DATETIME(%s, '-' || (n.i %% 300) || ' days')"
        else:
            at = "%s - (n.i %% 300) * INTERVAL '1 day'"
        # As if it had been counted when it happened
        self.sql(
            "INSERT INTO marketing_automation_record "
            "(scenario, record, uuid, blocked, test, by_hand, counted, "
            "create_uid, create_date) "
            "WITH RECURSIVE n (i) AS (SELECT CAST(%s AS INTEGER) UNION ALL "
            "SELECT i + 1 FROM n WHERE i + 1 < %s) "
            "SELECT s.id, 'party.party,' || (1000000000 + n.i), "
            "'filled-' || s.id || '-' || n.i, FALSE, FALSE, FALSE, "
            f"'running,', 0, {at} "
            "FROM n JOIN marketing_automation_scenario s "
            f"ON s.id IN ({in_})",
            first // share, last // share,
            dt.datetime.now().replace(microsecond=0))
        self.sql(
            "INSERT INTO marketing_automation_record_activity "
            "(record, activity, at, state, ended_at, email_opened, "
            "email_clicked, attempts, test, counted, counted_at, create_uid, "
            "create_date) "
            "SELECT r.id, a.id, r.create_date, 'done', r.create_date, "
            "r.id %% 3 = 0, FALSE, 0, FALSE, CASE WHEN r.id %% 3 = 0 "
            "THEN 'done,email_opened,email_opened_raw,' ELSE 'done,' END, "
            "r.create_date, 0, r.create_date "
            "FROM marketing_automation_record r "
            "JOIN marketing_automation_activity a ON a.scenario = r.scenario "
            f"WHERE r.id > %s AND r.scenario IN ({in_})", last_id)
        with self.transaction():
            Counter = Pool().get('marketing.automation.counter')
            Counter.verify()
            Counter.fold()
        self.analyze()
        (count,), = self.sql(
            "SELECT COUNT(*) FROM marketing_automation_record_activity")
        return count

    def stop(self, scenario):
        "Stop the scenario, so it is no part of what follows"
        with self.transaction(1):
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.stop([Scenario(scenario)])

    # What is measured

    def enter(self, scenario):
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.enter([Scenario(scenario)])

    def execute(self, activity):
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            Activity.execute([Activity(activity)])

    def react(self):
        with self.transaction():
            Pool().get('marketing.automation.record.activity').react()

    def crons(self):
        "Run what both crons run"
        from trytond.worker import run_task
        for model, method in [
                ('scenario', 'trigger'), ('record.activity', 'process')]:
            with self.transaction() as transaction:
                getattr(
                    Pool().get(f'marketing.automation.{model}'), method)()
            while transaction.tasks:
                run_task(self.name, transaction.tasks.pop())

    def read(self, kind, figures=True):
        "Read what the list of the client shows, or only what is stored"
        with self.transaction(1):
            Model = Pool().get(f'marketing.automation.{kind}')
            ids = [r.id for r in Model.search([])]
            view = Model.fields_view_get(view_type='tree')
            names = {*FIGURES[kind], *view['fields']}
            if not figures:
                names = {
                    n for n in names
                    if not isinstance(Model._fields[n], fields.Function)}
            Model.read(ids, sorted(names))
        return len(ids)

    def empty_task(self):
        "Queue and run a task that does nothing"
        from trytond.worker import run_task
        with self.transaction() as transaction:
            Pool().get('res.user').__queue__.browse([1])
        while transaction.tasks:
            run_task(self.name, transaction.tasks.pop())

    def mails(self, activity):
        return [id_ for id_, in self.sql(
                "SELECT id FROM marketing_automation_record_activity "
                "WHERE activity = %s AND state = 'done' ORDER BY id",
                activity)]

    def urls(self, kind, activity):
        "Return the paths of the URLs in the mails of the activity"
        from trytond.modules.marketing_automation.tracking import \
            url as tracking
        mails = self.mails(activity)
        records = [r for r, in self.sql(
                "SELECT record FROM marketing_automation_record_activity "
                "WHERE activity = %s ORDER BY id", activity)]
        links = [i for i, in self.sql(
                "SELECT id FROM marketing_automation_link "
                "WHERE activity = %s ORDER BY id", activity)]
        with self.transaction():
            if kind == 'open':
                urls = map(tracking.open_url, mails)
            elif kind == 'click':
                urls = [tracking.click_url(m, links[0]) for m in mails]
            else:
                urls = map(tracking.unsubscribe_url, records)
            return [url[len(tracking.base()):] for url in urls]


class Watch:
    "Look at the memory after each batch"

    def __init__(self, sink):
        self.sink = sink
        # The memory in MB by the number of mails
        self.memory = {0: resident()}

    def __enter__(self):
        from trytond.modules.marketing_automation.execution.run import Run
        self._execute_batch = execute_batch = Run.execute_batch

        def watched(run):
            result = execute_batch(run)
            self.memory[self.sink.count] = resident()
            return result
        Run.execute_batch = watched
        return self

    def __exit__(self, *exception):
        from trytond.modules.marketing_automation.execution.run import Run
        Run.execute_batch = self._execute_batch

    def at(self, count):
        return next(
            (m for c, m in sorted(self.memory.items()) if c >= count),
            resident())


@contextmanager
def process(*command, **options):
    "Run a process of trytond and yield its number"
    environment = {
        **os.environ,
        **{f'TRYTOND_{n}'.upper(): v for n, v in options.items()},
        }
    child = subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-m', *command], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child.pid
    finally:
        members = family(child.pid)
        child.terminate()
        child.wait()
        for member in members:
            try:
                os.kill(member, 9)
            except ProcessLookupError:
                pass


def workers(name, count):
    return process(
        'trytond.cli.worker', '-d', name, '-n', str(count), '-t', '1',
        queue__worker='True')


def web(name, port):
    return process(
        'trytond.cli', '-d', name, web__listen=f'127.0.0.1:{port}')


def use_queue(use):
    config.set('queue', 'worker', str(use))
    config._cache_clear()


def wait(condition, seconds=3600):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit("It takes too long")
        time.sleep(.05)
