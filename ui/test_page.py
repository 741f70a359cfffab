# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest

import stage
from browser import PHONE
from case import _browser, illustrate


class PageWalkTestCase(unittest.TestCase):
    "Test the pages that recipients meet on their telephones"

    def setUp(self):
        self.stage = stage.build()
        self.browser = _browser()
        self.browser.errors.clear()
        self.page = self.browser.page(PHONE, is_mobile=True, has_touch=True)
        self.addCleanup(self.page.context.close)

    def open(self, name):
        "Open the page to unsubscribe of the record"
        self.page.goto(self.stage.unsubscribe_link(name))

    def picture(self, name):
        width = self.page.evaluate('document.documentElement.scrollWidth')
        self.assertLessEqual(width, PHONE['width'])
        self.browser.picture(self.page, name)
        illustrate(name)

    def test_unsubscribe(self):
        "Test to leave a scenario, and to undo it"
        self.open("Owen Pritchard")
        self.assertIn("Do you want to unsubscribe?", self.text())
        self.picture('unsubscribe')
        self.press("Unsubscribe")
        self.assertIn("You have been unsubscribed", self.text())
        self.browser.picture(self.page, 'unsubscribed')
        self.press("Undo")
        self.assertIn("Everything is as before", self.text())
        self.assertEqual(self.browser.errors, [])

    def test_preferences(self):
        "Test to choose how much to leave, and to tell why"
        self.open("The Old Bakery")
        self.page.get_by_text("Tell us why").tap()
        self.page.get_by_label("Reason").select_option(
            "I get too many e-mails")
        self.page.get_by_label("for the next").check()
        self.picture('preferences')
        self.press("Unsubscribe")
        self.assertIn("You will get no e-mails for a while", self.text())
        self.assertEqual(self.browser.errors, [])

    def test_unknown(self):
        "Test a link that is cut"
        url = self.stage.unsubscribe_link("Owen Pritchard")[:-5]
        self.assertEqual(self.page.goto(url).status, 404)
        self.assertIn("This link does not work", self.text())

    def press(self, label):
        "Press the button and wait for the next page"
        with self.page.expect_navigation():
            self.page.get_by_role('button', name=label).tap()

    def text(self):
        return self.page.locator('body').inner_text()
