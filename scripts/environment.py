#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Create or update the environments of the given series of Tryton.

An environment is a virtual environment in .venv/<series> with trytond, the
modules on which this one depends and the tools for its tests.  This module is
not installed in it: its checkout is linked among the modules of trytond.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = 'marketing_automation'
MINIMUM = (3, 10)
# What the tests and the linters need besides what setup.py tells
TOOLS = [
    'flake8',
    'isort',
    'psycopg[binary,pool] >= 3.2',
    'setuptools >= 70.1',
    ]
REQUIREMENTS = '''
import distutils.core, json, setuptools
distribution = distutils.core.run_setup('setup.py', stop_after='init')
print(json.dumps([
    *distribution.install_requires, *distribution.extras_require['test']]))
'''


def directory(series):
    return ROOT / '.venv' / series


def python(series):
    return directory(series) / 'bin' / 'python'


def fingerprint(series):
    "Return what changes when the environment has to be updated"
    config = ConfigParser()
    config.read(ROOT / 'tryton.cfg')
    digest = hashlib.sha256(repr((
                series, str(ROOT),
                config.get('tryton', 'depends', fallback=''),
                config.get('tryton', 'extras_depend', fallback=''),
                )).encode())
    for path in [ROOT / 'setup.py', Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def interpreter():
    "Return a Python that is recent enough for trytond"
    candidates = [sys.executable] + [
        shutil.which('python3.%s' % minor) for minor in range(14, 9, -1)]
    for candidate in filter(None, candidates):
        version = subprocess.run(
            [candidate, '-c', 'import sys; print(sys.version_info >= %r)'
                % (MINIMUM,)],
            stdout=subprocess.PIPE, universal_newlines=True).stdout
        if version.strip() == 'True':
            return candidate
    sys.exit("Python %s.%s or later is needed." % MINIMUM)


def create(series):
    "Create the virtual environment, also where Python comes without pip"
    path, base = directory(series), interpreter()
    if not subprocess.call([base, '-m', 'venv', str(path)]):
        return
    shutil.rmtree(str(path), ignore_errors=True)
    if shutil.which('apt-get') and not os.getuid():
        subprocess.check_call(['apt-get', 'update', '-qq'])
        subprocess.check_call([
                'apt-get', 'install', '-y', '-qq', '--no-install-recommends',
                'python3-venv'])
        subprocess.check_call([base, '-m', 'venv', str(path)])
    else:
        sys.exit(
            "Python can not create virtual environments: "
            "install its package venv (python3-venv on Debian).")


def pip(series, *args):
    subprocess.check_call([
            str(python(series)), '-m', 'pip', 'install',
            '--quiet', '--disable-pip-version-check', *args])


def requirements(series):
    "Return the requirements of setup.py limited to the series"
    output = subprocess.check_output(
        [str(python(series)), '-c', REQUIREMENTS], cwd=str(ROOT))
    for requirement in json.loads(output.decode()):
        if requirement.startswith(('trytond', 'proteus')):
            requirement += ', == %s.*' % series
        yield requirement


def install(series):
    # The distribution of the same name that an index may have is never to
    # come beside the checkout
    constraints = directory(series) / 'constraints.txt'
    constraints.write_text('trytond-%s < 0\n' % MODULE.replace('_', '-'))
    pip(series, '--upgrade', 'setuptools >= 70.1')
    pip(series, '-c', str(constraints), *requirements(series), *TOOLS)


def link(series):
    "Put the checkout among the modules of trytond"
    modules = subprocess.check_output([
            str(python(series)), '-c',
            'import os, trytond; print(os.path.join('
            'os.path.dirname(trytond.__file__), "modules"))'],
        cwd=str(directory(series)))
    path = Path(modules.decode().strip()) / MODULE
    if path.is_symlink():
        if path.resolve() == ROOT:
            return
        path.unlink()
    elif path.exists():
        sys.exit("%s is not a link to the checkout: remove it." % path)
    path.symlink_to(ROOT, target_is_directory=True)


def update(series):
    stamp = directory(series) / '.stamp'
    expected = fingerprint(series)
    if stamp.exists() and stamp.read_text() == expected:
        return
    print("Environment for Tryton %s..." % series, flush=True)
    if not python(series).exists():
        create(series)
    install(series)
    link(series)
    stamp.write_text(expected)


if __name__ == '__main__':
    for series in sys.argv[1:] or ['8.0']:
        try:
            update(series)
        except subprocess.CalledProcessError as error:
            sys.exit("Environment for Tryton %s: %s" % (series, error))
