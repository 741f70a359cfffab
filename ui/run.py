#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Test the module in the web client, with a headless Chromium.

It installs what is missing: the Python package of playwright, the web client
(with npm) and, on Debian as root, Chromium.
"""

import os
import shutil
import subprocess
import sys
import unittest
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = 'playwright'


def install():
    "Install what is missing and return what can not be"
    try:
        import playwright  # noqa: F401
    except ImportError:
        if subprocess.call([
                    sys.executable, '-m', 'pip', 'install', '--quiet',
                    '--disable-pip-version-check', PACKAGE]):
            yield PACKAGE
    for name, packages in [
            ('npm', ['nodejs', 'npm']),
            ('chromium', ['chromium', 'fonts-dejavu-core'])]:
        if shutil.which(name) or (
                name == 'chromium' and os.environ.get('CHROMIUM')):
            continue
        if shutil.which('apt-get') and not os.getuid():
            subprocess.call(['apt-get', 'update', '-qq'])
            subprocess.call([
                    'apt-get', 'install', '-y', '-qq',
                    '--no-install-recommends', *packages],
                stdout=subprocess.DEVNULL)
        if shutil.which(name):
            continue
        if name == 'chromium' and not subprocess.call([
                    sys.executable, '-m', 'playwright', 'install',
                    'chromium']):
            continue
        yield name


def main():
    if missing := list(install()):
        print(
            "The user interface is NOT tested: install", ', '.join(missing),
            file=sys.stderr)
        sys.exit(os.environ.get('UI_REQUIRED') and 1)
    # Where unittest discovers
    os.chdir(HERE)
    sys.path.insert(0, str(HERE))
    warnings.simplefilter('ignore')
    unittest.main(module=None, warnings='ignore')


if __name__ == '__main__':
    main()
