# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import os
import subprocess
import sys
import unittest

PROGRAM = '''
import trytond
import datetime as dt
import time
from trytond.modules.marketing_automation.scenario.activity import Activity

now = dt.datetime.now()
utc = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
assert abs(now - utc) < dt.timedelta(seconds=5), (now, utc)
print(time.tzname[0])
'''


class TimeTestCase(unittest.TestCase):
    "Test the times are those of the database wherever the server is"

    def test_timezone(self):
        "Test the time zone of the server does not move what is planned"
        for zone in ['Pacific/Auckland', 'America/St_Johns', 'UTC']:
            with self.subTest(zone=zone):
                result = subprocess.run(
                    [sys.executable, '-c', PROGRAM],
                    env={**os.environ, 'TZ': zone}, cwd='/',
                    capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stdout.strip(), 'UTC')
