# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import atexit
import os
import shutil
import unittest
from pathlib import Path

import stage
from browser import Browser, Client

# Where the pictures of the documentation are
ILLUSTRATIONS = os.environ.get('PICTURES')


class UserInterfaceTestCase(unittest.TestCase):
    "A test in the web client, as a user who is only a marketer"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = stage.build()
        cls.browser = _browser()
        cls.client = Client(cls.browser, cls.stage)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        super().setUp()
        self.browser.errors.clear()

    def tearDown(self):
        errors = list(self.browser.errors)
        self.client.close_tabs()
        self.assertEqual(errors, [])
        super().tearDown()

    def picture(self, name):
        self.client.picture(name)
        illustrate(name)


def illustrate(name):
    "Copy the picture into the documentation, where it is asked for"
    if ILLUSTRATIONS:
        name = f'{name}.png'
        shutil.copy(
            stage.PICTURES / name, Path(stage.ROOT, ILLUSTRATIONS, name))


def _browser():
    if not hasattr(_browser, 'browser'):
        _browser.browser = Browser(stage.PICTURES)
        atexit.register(_close)
    return _browser.browser


def _close():
    _browser.browser.close()
    stage.strike()
