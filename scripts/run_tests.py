#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Run the tests on each series of Tryton and each database, two at a time.

Every line of a suite is printed as it comes, behind the name of the suite and
the seconds since the start.  The last line counts the tests of all of them.
"""

import argparse
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from environment import MODULE, ROOT, python
from postgresql import cluster

CACHE = ROOT / '.cache' / 'databases'
PACKAGE = f'trytond.modules.{MODULE}'
# What decides on what is stored in a database when the module is activated
STORED = {'.cfg', '.html', '.json', '.po', '.py', '.xml'}
# The folders without any of it, like those whose name starts with a dot
APART = {
    'benchmarks', 'build', 'demo', 'dist', 'doc', 'scripts', 'tests', 'ui'}

_processes = set()
_started = time.monotonic()
_print = threading.Lock()
_ran = re.compile(r'^Ran (\d+) tests? in ')
_verdict = re.compile(r'^(OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$')


def say(suite, line):
    with _print:
        seconds = time.monotonic() - _started
        print(f'[{suite} {seconds:3.0f} s] {line}'.rstrip(), flush=True)


def stored():
    "Yield the paths, from the root, of what a database stores of the module"
    for directory, folders, files in os.walk(ROOT):
        directory = Path(directory)
        apart = APART if directory == ROOT else set()
        folders[:] = sorted(
            f for f in folders if f not in apart and not f.startswith('.'))
        for name in sorted(files):
            path = directory / name
            if path.suffix in STORED:
                yield path.relative_to(ROOT)


def fingerprint():
    "Return what changes with anything that a database stores of the module"
    digest = hashlib.sha256()
    for path in stored():
        content = (ROOT / path).read_bytes()
        digest.update(f'{path.as_posix()} {len(content)}\n'.encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def cache(series, database):
    "Return the folder of the activated databases"
    path = CACHE / f'{series}-{database}' / fingerprint()
    if path.parent.exists():
        for old in path.parent.iterdir():
            if old != path:
                shutil.rmtree(old, ignore_errors=True)
    return str(path)


def variables(series, database, uri, programs):
    environment = {
        name: value for name, value in os.environ.items()
        if not name.startswith('TRYTOND_') and name != 'PYTHONPATH'}
    environment['PYTHONUNBUFFERED'] = '1'
    path = [python(series).parent, environment.get('PATH', os.defpath)]
    if programs:
        # behind those of the machine
        path.append(programs)
    environment['PATH'] = os.pathsep.join(map(str, path))
    if database == 'sqlite':
        environment['TRYTOND_DATABASE_URI'] = 'sqlite://'
        environment['DB_NAME'] = ':memory:'
        environment['DB_CACHE'] = cache(series, database)
    else:
        environment['TRYTOND_DATABASE_URI'] = uri
        environment['DB_NAME'] = 'test_' + series.replace('.', '_')
        # the cluster is new: its templates can not be stale
        environment['DB_CACHE'] = 'postgresql://'
    return environment


def command(series, tests, args):
    base = [str(python(series)), '-m', 'unittest']
    if tests:
        names = [f'{PACKAGE}.{name}' for name in tests]
        return [*base, '-v', *args, *names]
    return [*base, 'discover', '-v', '-s', PACKAGE, *args]


def count(ran, verdict):
    "Return the numbers of tests passed, failed and skipped"
    kind, details = verdict
    numbers = dict.fromkeys(
        ['failures', 'errors', 'skipped', 'unexpected successes'], 0)
    for detail in filter(None, (details or '').split(', ')):
        name, _, number = detail.partition('=')
        numbers[name] = int(number)
    skipped = numbers['skipped']
    failed = (numbers['failures'] + numbers['errors']
        + numbers['unexpected successes'])
    if kind != 'OK':
        failed = max(failed, 1)
    return max(ran - failed - skipped, 0), failed, skipped


def stop(*args):
    "End the suites, whose threads then stop their clusters"
    for process in _processes:
        process.terminate()
    sys.exit(143)


def run(series, database, tests, args):
    suite = f'{series} {database}'
    ran, verdict = 0, ('FAILED', '')
    with ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix='tests-'))
        uri, programs = None, None
        if database == 'postgresql':
            uri, programs = stack.enter_context(
                cluster(in_memory=True))
        process = stack.enter_context(subprocess.Popen(
                command(series, tests, args), cwd=directory,
                env=variables(series, database, uri, programs), text=True,
                errors='replace', stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        _processes.add(process)
        stack.callback(process.kill)
        for line in process.stdout:
            line = line.rstrip()
            say(suite, line)
            if match := _ran.match(line):
                ran = int(match[1])
            elif match := _verdict.match(line):
                verdict = match.groups()
        process.wait()
    if process.returncode and verdict[0] == 'OK':
        verdict = ('FAILED', '')
    passed, failed, skipped = count(ran, verdict)
    say(suite, f'{passed} passed, {failed} failed, {skipped} skipped')
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--series', nargs='+', default=['8.0'])
    parser.add_argument(
        '--database', nargs='+', default=['sqlite', 'postgresql'],
        choices=['sqlite', 'postgresql'])
    parser.add_argument('--test', default='')
    parser.add_argument('--args', default='')
    parser.add_argument('--jobs', type=int, default=2)
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, stop)
    suites = [(s, d) for s in options.series for d in options.database]
    with ThreadPoolExecutor(options.jobs) as executor:
        results = list(executor.map(
                lambda suite: run(
                    *suite, options.test.split(), shlex.split(options.args)),
                suites))
    passed, failed, skipped = map(sum, zip(*results))
    line = f'{passed} passed, {failed} failed'
    if skipped:
        line += f', {skipped} skipped'
    print(line, flush=True)
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
