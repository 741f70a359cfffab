# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import atexit
import unittest

import stage
from browser import Browser, Client


class UserInterfaceTestCase(unittest.TestCase):
    "A test in the web client, as a user who is only a marketer"

    @classmethod
    def setUpClass(cls):
        cls.stage = stage.build()
        cls.browser = _browser()
        cls.client = Client(cls.browser, cls.stage)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.browser.errors.clear()

    def tearDown(self):
        self.client.close_tabs()

    def assertNoError(self):
        "Ensure that neither the page nor its console told an error"
        self.assertEqual(self.browser.errors, [])


def _browser():
    if not hasattr(_browser, 'browser'):
        _browser.browser = Browser(stage.PICTURES)
        atexit.register(_close)
    return _browser.browser


def _close():
    _browser.browser.close()
    stage.strike()
