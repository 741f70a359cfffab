# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.model.exceptions import ValidationError
from trytond.pool import Pool

from .common import ActionTestCase


class ColleagueTestCase(ActionTestCase):
    "Test the action that sends a mail to a colleague"

    def setUp(self):
        super().setUp()
        with self.transaction(0):
            pool = Pool()
            User = pool.get('res.user')
            Lang = pool.get('ir.lang')
            lang, = Lang.search([('code', '=', 'fr')])
            Lang.write([lang], {'translatable': True})
            User.write([User(self.marketer)], {
                    'email': 'marketer@example.com', 'language': lang.id})

    def mail(self, user=None, **values):
        _, activity = self.draw('email_colleague', user=user, **{
                'email_title': "Call ${record.name}",
                'email_template':
                '<p>${record.name} <a href="https://example.com/x">x</a></p>',
                **values})
        return activity

    def create_by(self, user, *names, email=None):
        with self.transaction(user):
            Party = Pool().get('party.party')
            Party.create([{
                        'name': n,
                        'contact_mechanisms': [('create', [{
                                        'type': 'email',
                                        'value': email,
                                        }])] if email else None,
                        } for n in names])

    def test_user(self):
        "Test a fixed user gets a mail that is not tracked"
        self.create_named("Alice", "Bob")
        activity = self.mail(colleague_user=self.marketer)
        self.enter_all()
        self.assertEqual(
            set(self.outcomes(activity).values()), {('done', None)})
        self.assertEqual(
            sorted(str(m.message['Subject']) for m in self.smtp.messages),
            ["Call Alice", "Call Bob"])
        for accepted in self.smtp.messages:
            message = accepted.message
            self.assertIn('marketer@example.com', str(message['To']))
            self.assertNotIn('List-Unsubscribe', message)
            self.assertNotIn('Precedence', message)
            self.assertNotIn('Reply-To', message)
            html = message.get_body(['html']).get_content()
            self.assertIn('href="https://example.com/x"', html)
            self.assertNotIn('<img', html)

    def test_field(self):
        "Test a field that leads to a user, to nobody, and the reply"
        self.create_by(self.marketer, "Alice", email='alice@example.com')
        self.create_by(0, "Bob")
        activity = self.mail(colleague='create_uid', colleague_reply=True)
        self.enter_all()
        self.assertEqual(self.outcomes(activity), {
                "Alice": ('done', None),
                "Bob": ('skipped', 'no_colleague'),
                })
        accepted, = self.smtp.messages
        self.assertEqual(
            str(accepted.message['Reply-To']), 'alice@example.com')

    def test_language(self):
        "Test the mail is in the language of the colleague"
        self.create_named("Alice")
        activity = self.mail(colleague_user=self.marketer)
        with self.transaction() as transaction, \
                transaction.set_context(language='fr'):
            Activity = Pool().get('marketing.automation.activity')
            Activity.write(
                [Activity(activity)], {'email_title': "Appeler"})
        self.enter_all()
        accepted, = self.smtp.messages
        self.assertEqual(str(accepted.message['Subject']), "Appeler")

    def test_no_customer(self):
        "Test no mail goes to a party without its consent"
        self.create_by(self.marketer, "Alice", email='alice@example.com')
        with self.transaction(0):
            pool = Pool()
            Activity = pool.get('marketing.automation.activity')
            self.assertEqual(
                Activity._strangers({
                        'ALICE@example.com', 'alice@example.com',
                        'other@example.com'}),
                {'ALICE@example.com', 'alice@example.com'})
            alice, = pool.get('party.party').search([])
            self.assertEqual(Activity._internal_parties([alice]), {})

    def test_refused(self):
        "Test paths that lead to nobody"
        self.create_named("Alice")
        for path in [
                'name', 'lang', 'marketing_party', 'nothing', 'create_uid.x',
                'create_uid.password', 'contact_mechanisms', 'write_uid']:
            with self.subTest(path=path), self.assertRaises(ValidationError):
                self.mail(colleague=path)
        with self.assertRaises(ValidationError):
            self.mail()

    def test_title(self):
        "Test title and template are required"
        for name in ['email_title', 'email_template']:
            with self.assertRaises(ValidationError):
                self.mail(colleague_user=self.marketer, **{name: None})


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
