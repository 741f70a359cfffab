# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check that the links in the mails sent by the flat module work.

test_upgrade_flat runs it in a process of its own, because it needs, and
changes, the database named by the environment.
"""

import unittest

import proteus
from lxml import html
from werkzeug.test import Client
from werkzeug.wrappers import Response

from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.wsgi import Base64Converter, app

from .upgrade import UNSUBSCRIBED, content


def setUpModule():
    proteus.config.set_trytond()


class MailTestCase(unittest.TestCase):
    "Test the links in the mails"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = Client(app, Response)
        cls.links = content('flat')['links']

    def path(self, address, name):
        database = Base64Converter(None).to_url(DB_NAME)
        return f'/m/{database}/{self.links[address][name]}'

    @with_transaction(user=0)
    def unsubscribed(self):
        "Return the names of who has unsubscribed from a scenario"
        Unsubscribed = Pool().get(UNSUBSCRIBED)
        return {u.party.name for u in Unsubscribed.search([])}

    def test_page(self):
        "Test the page to unsubscribe is in the language of the recipient"
        for address, name, language, title in [
                ('ann@example.com', "Unsubscribe", 'en', "Unsubscribe"),
                ('benoit@example.com', "Se désabonner", 'fr', "Se désabonner"),
                ('hans@example.com', "Abmelden 2", 'de', "Abmelden"),
                ]:
            with self.subTest(address=address):
                response = self.client.get(self.path(address, name))

                self.assertEqual(response.status_code, 200)
                page = html.document_fromstring(response.text)
                self.assertEqual(page.get('lang'), language)
                self.assertEqual(page.findtext('.//title'), title)

    def test_unsubscribe(self):
        "Test the recipient unsubscribes"
        self.assertNotIn("Benoît", self.unsubscribed())

        response = self.client.post(
            self.path('benoit@example.com', "Se désabonner"),
            data={'unsubscribe': 'yes', 'choice': 'scenario'})

        self.assertEqual(response.status_code, 200)
        self.assertIn("Benoît", self.unsubscribed())

    def test_one_click(self):
        "Test the mail program unsubscribes"
        self.assertNotIn("Ann", self.unsubscribed())

        response = self.client.post(
            self.path('ann@example.com', "Unsubscribe"),
            data={'List-Unsubscribe': 'One-Click'})

        self.assertEqual(response.status_code, 200)
        self.assertIn("Ann", self.unsubscribed())

    def test_unknown(self):
        "Test the page of a link that is wrong"
        path = self.path('ann@example.com', "Unsubscribe")

        response = self.client.get(
            path[:-1], headers={'Accept-Language': 'de'})

        self.assertEqual(response.status_code, 404)
        page = html.document_fromstring(response.text)
        self.assertEqual(page.get('lang'), 'de')

    def test_links(self):
        "Test the links lead to the shop and the pixel is shown"
        for address, name in [
                ('kaethe@example.com', "Laden"),
                ('reader@example.com', "Shop"),
                ]:
            with self.subTest(address=address):
                response = self.client.get(self.path(address, name))
                self.assertEqual(response.status_code, 302)
                self.assertEqual(
                    response.headers['Location'],
                    'https://shop.example.com/lamps')
                response = self.client.get(self.path(address, 'open'))
                self.assertEqual(response.content_type, 'image/gif')
