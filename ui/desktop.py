#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Open the main forms in the desktop client, under a virtual display.

It is for a last look: each takes some seconds, and leaves a picture in
.cache/ui/desktop.  What the client prints of an error ends it with status 1.
It needs, as Debian calls them, the packages in PACKAGES.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import stage

PACKAGES = [
    'dbus-x11', 'gir1.2-gtk-3.0', 'imagemagick', 'openbox', 'python3-gi',
    'python3-gi-cairo', 'python3-venv', 'x11-utils', 'xdotool', 'xvfb']
COMMANDS = ['Xvfb', 'dbus-run-session', 'import', 'openbox', 'xdotool']
PYTHON = '/usr/bin/python3'
SERIES = '8.0'
ENVIRONMENT = stage.DIRECTORY / 'client'
PICTURES = stage.DIRECTORY / 'desktop'
DISPLAY = ':77'
CONFIGURATION = '''\
[client]
check_version = False
[login]
profile = none
'''
MODELS = [
    'scenario', 'activity', 'layout', 'record', 'record.activity', 'consent']
LOGIN, LOAD = 6, 9


def install():
    "Return the command of the client"
    command = ENVIRONMENT / 'bin' / 'tryton'
    if not command.exists():
        # PyGObject comes with the Python of the distribution
        subprocess.check_call([
                PYTHON, '-m', 'venv', '--system-site-packages', ENVIRONMENT])
        subprocess.check_call([
                ENVIRONMENT / 'bin' / 'pip', 'install', '--quiet',
                f'tryton == {SERIES}.*'])
    return command


def terminate(process):
    "End the process and its children"
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def start(stack, arguments, **options):
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        start_new_session=True, **options)
    stack.callback(terminate, process)
    return process


def look(command, site, model):
    "Open the first record and return what the client told of errors"
    address = '/'.join([
            site.url.replace('http:', 'tryton:'), site.name,
            f'model/marketing.automation.{model}/1'])
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = stack.enter_context(open(home / 'log', 'w+'))
        folder = home / '.config' / 'tryton' / SERIES
        folder.mkdir(parents=True)
        (folder / 'tryton.conf').write_text(CONFIGURATION)
        environment = {
            **os.environ, 'DISPLAY': DISPLAY, 'HOME': str(home),
            'LANG': 'C.UTF-8', 'NO_AT_BRIDGE': '1'}
        start(stack, [
                'dbus-run-session', '--', command, '-u', site.login, address],
            env=environment, stderr=log)

        def do(*arguments):
            subprocess.check_call(arguments, env=environment)

        # There is nothing to wait for but time
        time.sleep(LOGIN)
        do('xdotool', 'type', '--delay', '30', site.password)
        do('xdotool', 'key', 'Return')
        time.sleep(LOAD)
        # No tooltip in the picture
        do('xdotool', 'mousemove', '5', '845')
        time.sleep(1)
        do('import', '-window', 'root', PICTURES / f'{model}.png')
        log.seek(0)
        return [line for line in log if 'Traceback' in line]


def main():
    missing = [name for name in COMMANDS if not shutil.which(name)]
    if missing:
        sys.exit(f"{', '.join(missing)}: install {' '.join(PACKAGES)}")
    command = install()
    PICTURES.mkdir(parents=True, exist_ok=True)
    site = stage.build()
    failed = False
    with ExitStack() as stack:
        stack.callback(stage.strike)
        environment = {**os.environ, 'DISPLAY': DISPLAY}
        start(stack, [
                'Xvfb', DISPLAY, '-screen', '0', '1360x850x24',
                '-nolisten', 'tcp'], stderr=subprocess.DEVNULL)
        time.sleep(1)
        # Without it dialogs get no focus
        start(stack, ['openbox'], env=environment, stderr=subprocess.DEVNULL)
        for model in sys.argv[1:] or MODELS:
            errors = look(command, site, model)
            failed |= bool(errors)
            print(model, *errors or ["ok"], flush=True)
    sys.exit(failed)


if __name__ == '__main__':
    main()
