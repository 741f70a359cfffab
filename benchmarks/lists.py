#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Measure the lists with their figures on SQLite, in a database of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAME = 'lists'
TIMES = 20


def measure(work, kind):
    "Return the CPU in ms of the list of the kind"
    work.read(kind)
    started = time.process_time()
    for _ in range(TIMES):
        work.read(kind)
    return (time.process_time() - started) / TIMES * 1000


def main(count):
    with tempfile.TemporaryDirectory() as directory:
        password = Path(directory, 'password')
        password.write_text('benchmark-1')
        Path(directory, f'{NAME}.sqlite').touch()
        os.environ.update({
                'TRYTOND_DATABASE__URI': 'sqlite://',
                'TRYTOND_DATABASE__PATH': directory,
                'TRYTONPASSFILE': str(password),
                })
        subprocess.run([
                sys.executable, '-m', 'trytond.cli.admin', '-d', NAME,
                '--email', 'admin@example.com', '-l', 'en',
                '-u', 'ir', 'res', 'marketing_automation',
                '--activate-dependencies'],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        from work import Work
        work = Work(NAME)
        found = work.create_history(0, count)
        print(json.dumps({
                    'record_activities': found,
                    **{k: measure(work, k) for k in ['scenario', 'activity']},
                    }))


if __name__ == '__main__':
    main(int(sys.argv[1]))
