# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest
from unittest.mock import patch

from trytond.model import ModelView
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool
from trytond.pyson import Eval

from .common import ActionTestCase


class CallTestCase(ActionTestCase):
    "Test the action that calls"

    def setUp(self):
        super().setUp()
        pool = Pool(self.name)
        Activity = pool.get('marketing.automation.activity')
        Party = pool.get('party.party')

        def mark(cls, parties):
            cls.write(parties, {'name': "marked"})

        def exclaim(cls, parties):
            for party in parties:
                party.name += "!"
            cls.save(parties)
            for party in parties:
                if party.name.startswith("Bad"):
                    raise ValueError(f"bad {party.name}")

        def opens(cls, parties):
            pass

        def changes(self):
            pass

        for patcher in [
                patch.object(Party, 'mark', classmethod(mark), create=True),
                patch.object(
                    Party, 'exclaim',
                    classmethod(ModelView.button(exclaim)), create=True),
                patch.object(
                    Party, 'opens', classmethod(
                        ModelView.button_action('ir.act_x')(opens)),
                    create=True),
                patch.dict(Party._buttons, {
                        'exclaim': {
                            'invisible': Eval('name') == "Hidden",
                            },
                        'opens': {},
                        'changes': {},
                        }),
                patch.object(
                    Activity, '_call_methods', classmethod(
                        lambda cls: {'party.party': [('mark', "Mark")]})),
                ]:
            patcher.start()
            self.addCleanup(patcher.stop)
        # Not a class method
        Party.changes = changes
        self.addCleanup(delattr, Party, 'changes')

    def names(self):
        with self.transaction():
            return sorted(
                p.name for p in Pool().get('party.party').search([]))

    def test_method(self):
        "Test to call a method that is registered"
        self.create_named("Alice", "Bob")
        _, activity = self.draw('call', call='method,mark')
        self.enter_all()
        self.assertEqual(self.names(), ["marked", "marked"])

    def test_selection(self):
        "Test what can be called"
        with self.acting():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            scenario, = Scenario.create([{
                        'model': 'party.party', 'domain': '[]'}])
            activity = Activity(parent=scenario, action='call', call=None)
            self.assertEqual(dict(activity.get_calls()), {
                    None: "",
                    'method,mark': "Mark",
                    'button,exclaim': 'exclaim',
                    })

    def test_refused(self):
        "Test what can not be called"
        for call in [
                'method,delete', 'button,opens', 'button,changes',
                'button,delete', 'method,exclaim', 'delete']:
            with self.subTest(call=call), self.assertRaises(ValidationError):
                self.draw('call', call=call)
            with self.transaction(0):
                Activity = Pool().get('marketing.automation.activity')
                self.assertFalse(
                    Activity(call=call)._may_call('party.party'))

    def test_button(self):
        "Test to click a button, a failing record does not hurt the others"
        self.create_named("Alice", "Bad", "Bob", "Hidden")
        _, activity = self.draw('call', call='button,exclaim')
        self.enter_all()
        self.assertEqual(self.outcomes(activity), {
                "Alice!": ('done', None),
                "Bad": ('failed', 'action_error'),
                "Bob!": ('done', None),
                "Hidden": ('skipped', 'not_possible'),
                })
        self.assertIn("bad Bad!", self.details(activity)["Bad"])

    def test_rights(self):
        "Test a button of other groups"
        self.create_named("Alice")
        _, activity = self.draw('call', call='button,exclaim')
        with self.transaction(0):
            pool = Pool()
            Button = pool.get('ir.model.button')
            ModelData = pool.get('ir.model.data')
            button, = Button.create([{
                        'name': 'exclaim',
                        'model': 'party.party',
                        'groups': [('add', [ModelData.get_id(
                                        'marketing_automation',
                                        'group_marketing_automation_admin'),
                                    ])],
                        }])
        try:
            for user in [1, self.marketer]:
                with self.assertRaises(ValidationError):
                    self.draw(
                        'call', user=user, name="Other",
                        call='button,exclaim')
            # It was allowed when it was saved
            self.enter_all()
            self.assertEqual(
                self.outcomes(activity), {"Alice": ('failed', 'not_allowed')})
        finally:
            with self.transaction(0):
                Button = Pool().get('ir.model.button')
                Button.delete([Button(button.id)])


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
