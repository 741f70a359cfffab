#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Measure what the module costs per recipient, on a PostgreSQL of its own.

The CPU is the user and system time of the processes of trytond and of their
database backends.  The mail server and the HTTP client are not counted.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'scripts'))

import chart  # noqa: E402
import outside  # noqa: E402
import postgresql  # noqa: E402
import table  # noqa: E402

NAME = 'benchmark'
DOC = ROOT / 'doc'
# What is committed survives the machine
postgresql.SETTINGS.update({
        'fsync': 'on', 'full_page_writes': 'on', 'synchronous_commit': 'on',
        })
STARTED = time.monotonic()


def say(text):
    print(f'{time.monotonic() - STARTED:6.0f} s  {text}', flush=True)


def configure(uri, sink):
    for name in list(os.environ):
        if name.startswith('TRYTOND_'):
            del os.environ[name]
    os.environ.update({
            'TRYTOND_DATABASE__URI': uri,
            'TRYTOND_EMAIL__URI': sink.uri,
            'TRYTOND_EMAIL__FROM': 'shop@example.com',
            'TRYTOND_MARKETING__EMAIL_FROM': 'shop@example.com',
            'TRYTOND_MARKETING__AUTOMATION_BASE': 'https://shop.example.com',
            # The client follows the links as soon as it can
            'TRYTOND_MARKETING__QUARANTINE': '0',
            'TRYTOND_MARKETING__MACHINE_SECONDS': '0',
            'PYTHONHASHSEED': '0',
            })


def create_database(uri):
    import psycopg
    with psycopg.connect(uri + 'postgres', autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE {NAME}')
    password = Path(os.environ['TRYTONPASSFILE'])
    password.write_text('benchmark-1')
    subprocess.run([
            sys.executable, '-m', 'trytond.cli.admin', '-d', NAME,
            '--email', 'admin@example.com', '-l', 'en',
            '-u', 'ir', 'res', 'marketing_automation',
            '--activate-dependencies'],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Benchmark:
    "The rows of the table"

    def __init__(self, uri, sink, count, history, only):
        import measure
        from work import Work
        self.uri = uri
        self.sink = sink
        self.count = count
        self.history = history
        self.only = only
        self.rows = []
        self.work = Work(NAME)
        self.Cost = measure.Cost
        self.resident = measure.resident
        measure.count_statements()
        say("creating the parties")
        self.first = self.work.create_parties(max(count * 10, 1000))

    def cost(self, *processes):
        return self.Cost(self.uri, NAME, processes)

    def add(self, name, target, items, *costs, **more):
        row = {
            'name': name,
            'target': target,
            'items': items,
            'cpu': sum(c.cpu for c in costs) / items * 1000,
            'python': sum(c.python for c in costs) / items * 1000,
            'database': sum(c.database for c in costs) / items * 1000,
            'statements': sum(c.statements for c in costs) / items,
            'rows': sum(c.rows for c in costs) / items,
            'bytes': sum(c.bytes for c in costs) / items,
            'seconds': sum(c.seconds for c in costs),
            **more,
            }
        self.rows.append(row)
        say(f"{name}: {row['cpu']:.3f} ms")
        return row

    def run(self):
        for name in [
                'enter', 'condition', 'steps', 'send', 'workers', 'web',
                'idle', 'lists', 'sqlite']:
            if not self.only or name in self.only:
                getattr(self, name)()

    def enter(self):
        for count in [self.count, self.count * 10]:
            scenario, _ = self.work.create_scenario(self.first, count)
            before = self.resident()
            with self.cost() as cost:
                self.work.enter(scenario)
            self.add(
                "enter, no condition", .03, count, cost,
                memory=[before, self.resident()])
            self.work.stop(scenario)

    def condition(self):
        for count in self._tenth():
            self._condition(count)

    def _tenth(self):
        "Return the number of which is shown that the cost is linear"
        return sorted({max(self.count // 10, 200), self.count})

    def _condition(self, count):
        scenario, activity = self.work.create_scenario(
            self.first, count,
            condition='{"__class__": "Not", "v": {"__class__": "Equal", "s1": '
            '{"__class__": "Get", "v": {"__class__": "Eval", "v": "self", '
            '"d": {}}, "k": "name", "d": ""}, "s2": "Nobody"}}')
        with self.cost() as cost:
            self.work.enter(scenario)
        self.work.analyze()
        with self.cost() as decide:
            self.work.execute(activity)
        self.add(
            "enter, with a condition on the root", .15, count, cost, decide)
        self.work.stop(scenario)

    def steps(self):
        for count in self._tenth():
            self._steps(count)

    def _steps(self, count):
        scenario, activity = self.work.create_scenario(
            self.first, count, children=2)
        self.work.enter(scenario)
        self.work.analyze()
        # The children wait
        self.work.sql(
            "UPDATE marketing_automation_activity SET delay = '1 day' "
            "WHERE scenario = %s AND id != %s", scenario, activity)
        with self.cost() as cost:
            self.work.execute(activity)
        self.add("step without action, two children", .2, count, cost)
        self.work.stop(scenario)

    def send(self):
        for count in sorted({200, *self._tenth()}):
            self._send(count)

    def _send(self, count):
        from work import Watch
        scenario, activity = self.work.create_mails(self.first, count)
        self.work.enter(scenario)
        self.work.analyze()
        self.sink.reset()
        watch = Watch(self.sink)
        started = time.time()
        with watch, self.cost() as cost:
            self.work.execute(activity)
        if self.sink.count != count:
            sys.exit(f"{self.sink.count} mails instead of {count}")
        self.add(
            "send", 2, count, cost,
            first_mail=self.sink.first - started,
            mails_per_second=count / cost.seconds,
            memory=[watch.at(count // 10), watch.at(count)])
        self.work.stop(scenario)

    def workers(self):
        import work
        count = max(self.count // 2, 200)
        for number in [1, 2, 4]:
            scenario, activity = self.work.create_mails(self.first, count)
            self.work.enter(scenario)
            self.work.analyze()
            self.sink.reset()
            with work.workers(NAME, number) as pid:
                # They wait for work
                time.sleep(3)
                work.use_queue(True)
                with self.cost(pid) as cost:
                    self.work.crons()
                    work.wait(lambda: self.sink.count >= count)
                    # until what follows is stored
                    work.wait(lambda: self.work.sql(
                            "SELECT count(*) FROM "
                            "marketing_automation_record_activity "
                            "WHERE activity = %s AND (state != 'done' "
                            "OR claim IS NOT NULL)", activity) == [(0,)])
                work.use_queue(False)
            self.add(
                f"send, {number} worker{'s' if number > 1 else ''}", None,
                count, cost, mails_per_second=count / cost.seconds,
                statements=None)
            self.work.stop(scenario)

    def web(self):
        import work
        count = min(self.count, 4000)
        scenario, activity = self.work.create_waiting_mails(self.first, count)
        self.work.enter(scenario)
        self.work.execute(activity)
        self.work.analyze()
        port = outside.free_port()
        with work.web(NAME, port) as pid:
            work.wait(lambda: outside.answers(port), 60)
            empty = ['/m/empty.gif'] * 1000
            outside.request(port, empty)
            with self.cost(pid) as cost:
                outside.request(port, empty)
            self.add("a request without database (floor)", None, 1000, cost)
            for kind, target in [('open', 1.5), ('click', 1.5)]:
                paths = self.work.urls(kind, activity)
                for name, limit in [("", target), (", again", 1)]:
                    time.sleep(4)
                    with self.cost(pid) as cost:
                        statuses = outside.request(port, paths)
                    with self.cost() as react:
                        self.work.react()
                    assert statuses.keys() <= {200, 302}, statuses
                    self.add(
                        f"{kind}{name}", limit, count, cost, react,
                        statements=self._statements(paths[0])
                        + react.statements / count)
            *paths, first, second = self.work.urls('unsubscribe', activity)
            paths = paths[:1000]
            body = 'List-Unsubscribe=One-Click'
            with self.cost(pid) as cost:
                statuses = outside.request(port, paths, body)
            assert statuses.keys() == {200}, statuses
            self.add(
                "unsubscribe", 3, len(paths), cost,
                statements=self._statements(first, second, body=body))
        self.work.stop(scenario)

    def _statements(self, *paths, body=None):
        "Return the number of statements of the last of the requests"
        from werkzeug.test import Client

        from trytond.wsgi import app
        client = Client(app)
        for path in paths if body else paths * 2:
            before = self.Cost.statements
            if body:
                client.post(
                    path, data=body,
                    content_type='application/x-www-form-urlencoded')
            else:
                client.get(path)
        return self.Cost.statements - before

    def idle(self):
        self.work.sql(
            "UPDATE marketing_automation_scenario SET state = 'stopped' "
            "WHERE state = 'running'")
        for count in sorted({min(1000, self.count), self.count}):
            scenario, _ = self.work.create_scenario(self.first, count)
            self.work.enter(scenario)
            # Nothing is left to be done
            self.work.sql(
                "UPDATE marketing_automation_record_activity "
                "SET at = '9999-01-01' WHERE state = 'waiting'")
            self.work.crons()
            connections = self.sink.connections
            times = 20
            with self.cost() as cost:
                for _ in range(times):
                    self.work.crons()
            assert self.sink.connections == connections
            self.add(
                f"idle crons, {count:,} have entered", 10, times, cost)
            self.work.stop(scenario)
        with self.cost() as cost:
            for _ in range(times):
                self.work.empty_task()
        self.add("an empty task of the queue (floor)", None, times, cost)

    def lists(self):
        # The lists have always the same lines
        self.work.archive()
        times, first = 20, 0
        for last in sorted({1000, self.history}):
            self.work.create_history(first, last)
            first = last
            for kind in ['scenario', 'activity']:
                self.work.read(kind)
                with self.cost() as cost:
                    for _ in range(times):
                        self.work.read(kind)
                self.add(
                    f"list of the {kind} figures, {last:,}", 10, times, cost)
        for kind in ['scenario', 'activity']:
            with self.cost() as cost:
                for _ in range(times):
                    self.work.read(kind, figures=False)
            self.add(
                f"list of the {kind} without figures (floor)", None, times,
                cost)

    def sqlite(self):
        output = subprocess.check_output(
            [sys.executable, '-W', 'ignore',
                Path(__file__).parent / 'lists.py',
                str(min(30_000, self.history))],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        measured = json.loads(output)
        for kind in ['scenario', 'activity']:
            self.rows.append({
                    'name': f"list of the {kind} figures, "
                    f"{measured['record_activities']:,} on SQLite",
                    'target': 50,
                    'items': 20,
                    'cpu': measured[kind],
                    'python': measured[kind],
                    'database': 0,
                    })


def show(rows, floors):
    print(f"\n{'ms of CPU per item':48}{'items':>8}{'target':>8}{'CPU':>9}"
        f"{'python':>9}{'database':>9}{'statem.':>9}{'rows':>7}{'bytes':>8}"
        f"{'per s':>8}")
    for row in rows:
        def number(name, digits):
            value = row.get(name)
            return '' if value is None else f'{value:.{digits}f}'
        print(
            f"{row['name']:48}{row['items']:8}{row['target'] or '':>8}"
            f"{number('cpu', 3):>9}{number('python', 3):>9}"
            f"{number('database', 3):>9}{number('statements', 2):>9}"
            f"{number('rows', 2):>7}{number('bytes', 0):>8}"
            f"{number('mails_per_second', 0):>8}")
        if 'memory' in row:
            small, big = row['memory']
            first = row.get('first_mail')
            print(
                f"    memory {small:.0f} MB " + (
                    "before" if first is None else "after a tenth")
                + f", {big:.0f} MB at the end" + (
                    "" if first is None
                    else f"; first mail after {first:.2f} s"))
    print("\nfloors")
    for name, value in floors.items():
        print(f"{name:48}{'':16}{value:9.3f}")


def write(result, path):
    "Write what the documentation shows of the result"
    path.with_suffix('.svg').write_text(chart.draw(result))
    for name in ['rows', 'sending', 'floors']:
        path.with_name(f'{path.stem}_{name}.csv').write_text(
            getattr(table, name)(result))
    path.with_name(f'{path.stem}_run.txt').write_text(table.run(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--number', '-n', type=int, default=10_000)
    parser.add_argument(
        '--history', type=int, default=1_000_000,
        help="the record activities which the lists count")
    parser.add_argument('--only', nargs='*', help="the parts to measure")
    parser.add_argument(
        '--out', type=Path,
        default=DOC / 'performance' / 'benchmark.json')
    options = parser.parse_args()

    load, _, _ = os.getloadavg()
    with ExitStack() as stack:
        sink = stack.enter_context(outside.sink())
        say("starting PostgreSQL")
        uri, _ = stack.enter_context(postgresql.cluster())
        configure(uri, sink)
        os.environ['TRYTONPASSFILE'] = stack.enter_context(
            postgresql.tempfile.NamedTemporaryFile()).name
        say("creating the database")
        create_database(uri)
        from floors import floors
        from work import TEMPLATE
        benchmark = Benchmark(
            uri, sink, options.number, options.history, options.only)
        say("floors")
        measured = floors(TEMPLATE, sink.uri, uri + NAME)
        benchmark.run()
    show(benchmark.rows, measured)
    result = {
        'number': options.number,
        'python': platform.python_version(),
        'cores': os.cpu_count(),
        'load': load,
        'rows': benchmark.rows,
        'floors': measured,
        }
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + '\n')
    write(result, options.out)


if __name__ == '__main__':
    main()
