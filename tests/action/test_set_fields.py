# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest
from unittest.mock import patch

from trytond.exceptions import UserError
from trytond.model.exceptions import AccessError, SelectionValidationError
from trytond.modules.marketing_automation.exceptions import (
    ActivityError, ValueInvalidError)
from trytond.pool import Pool

from .common import ActionTestCase


class SetFieldsTestCase(ActionTestCase):
    "Test the action that sets fields"

    def clear(self):
        with self.transaction(0):
            pool = Pool()
            for name in [
                    'marketing.automation.activity.value',
                    'ir.model.access', 'ir.model.field.access']:
                Model = pool.get(name)
                domain = [('model', '=', 'party.party')]
                if name.endswith('value'):
                    domain = []
                Model.delete([
                        m for m in Model.search(domain)
                        if name.endswith('value')
                        or m.id not in self.accesses.get(name, ())])
        super().clear()

    def setUp(self):
        with self.transaction(0):
            self.accesses = {
                n: {m.id for m in Pool().get(n).search([])}
                for n in ['ir.model.access', 'ir.model.field.access']}
        super().setUp()

    def set(self, user=None, **values):
        "Draw the activity and return its id"
        _, activity = self.draw('set_fields', user=user, values=[
                ('create', [{'field': f, 'expression': e}
                        for f, e in values.items()])])
        return activity

    def values(self, *names):
        with self.transaction():
            return {
                p.name: tuple(getattr(p, n) for n in names)
                for p in Pool().get('party.party').search([])}

    def test_values(self):
        "Test values of expressions"
        self.create_named("Alice", "Bob")
        activity = self.set(
            name='"C-" + record.name.upper()', lang='"English"')
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity),
            dict.fromkeys(["C-ALICE", "C-BOB"], ('done', None)))
        with self.transaction():
            lang, = Pool().get('ir.lang').search([('code', '=', 'en')])
        self.assertEqual(
            {n: l.id for n, (l,) in self.values('lang').items()},
            {"C-ALICE": lang.id, "C-BOB": lang.id})

    def test_refused(self):
        "Test what is refused where it is typed"
        self.create_named("Alice")
        for values, words in [
                ({'id': '1'}, ''),
                ({'create_date': 'None'}, ''),
                ({'full_name': '"x"'}, ''),
                ({'nothing': '"x"'}, ''),
                ({'marketing_party': '1'}, ''),
                ({'contact_mechanisms': '1'}, ''),
                ({'lang': '"Klingon"'}, "Klingon"),
                ({'lang': '-4'}, "-4"),
                ({'lang': 'record'}, "Alice"),
                ({'active': '1'}, "Active"),
                ({'active': '"no"'}, "no"),
                ({'name': 'record.nothing'}, "nothing"),
                ({'name': 'unknown'}, "unknown"),
                ({'name': 'record.__class__'}, "__class__"),
                ({'name': '1 / 0'}, "division"),
                ({'name': '(1,'}, "never closed"),
                ({'name': '[1]'}, "1"),
                ]:
            with self.subTest(values=values), \
                    self.assertRaises(
                        ActivityError if words
                        # The selection does not offer it
                        else SelectionValidationError) as raised:
                self.set(**values)
            self.assertIn(words, str(raised.exception))

    def test_no_values(self):
        "Test an activity without value can not run"
        with self.assertRaises(ActivityError):
            self.set()

    def test_isolation(self):
        "Test a failing record does not hurt the others"
        self.create_named(*(f"Party {i}" for i in range(7)))
        activity = self.set(
            lang='"English"',
            name='1 / 0 if record.name == "Party 5" else record.name + "!"')
        Party = Pool(self.name).get('party.party')
        validate = Party.validate_fields

        def validate_fields(parties, names):
            validate(parties, names)
            if any(p.name == "Party 3!" for p in parties):
                raise UserError("wrong name")

        with patch.object(Party, 'validate_fields', validate_fields):
            self.enter_all()
        outcomes = self.outcomes(activity)
        details = self.details(activity)
        for name, words in [
                ("Party 3", "wrong name"), ("Party 5", "division by zero")]:
            self.assertEqual(
                outcomes.pop(name, None), ('failed', 'value_error'), outcomes)
            self.assertIn(words, details[name])
        self.assertEqual(
            outcomes, {f"Party {i}!": ('done', None) for i in [0, 1, 2, 4, 6]})
        self.assertEqual(self.values('lang')["Party 3"], (None,))
        with self.acting():
            Value = Pool().get('marketing.automation.activity.value')
            Value.write(Value.search([('field', '=', 'name')]), {
                    'expression': 'record.name + "?"'})
        self.retry(activity)
        self.assertEqual(
            set(self.outcomes(activity).values()), {('done', None)})

    def test_readonly(self):
        "Test a field that is readonly for the record"
        self.create_named("Alice")
        activity = self.set(code='"x"')
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('failed', 'value_error')})
        self.assertIn("read-only", self.details(activity)["Alice"])

    def restrict(self, model, **values):
        with self.transaction(0):
            pool = Pool()
            if 'field' in values:
                Field = pool.get('ir.model.field')
                Access = pool.get('ir.model.field.access')
                field, = Field.search([
                        ('model', '=', model),
                        ('name', '=', values['field'])])
                values['field'] = field.name
                Access.create([{'model': model, **values}])
            else:
                pool.get('ir.model.access').create([
                        {'model': model, **values}])

    def test_rights_field(self):
        "Test a field that may not be written"
        self.create_named("Alice")
        self.restrict(
            'party.party', field='lang', perm_read=True, perm_write=False)
        with self.assertRaises(AccessError):
            self.set(lang='None')
        self.set(name='"x"')

    def test_rights_model(self):
        "Test a model that may not be written"
        self.create_named("Alice")
        self.restrict('party.party', perm_read=True, perm_write=False)
        with self.assertRaises(AccessError):
            self.set(lang='None')

    def test_rights_group(self):
        "Test the group Marketing needs the right as well as the user"
        self.create_named("Alice")
        with self.transaction(0):
            ModelData = Pool().get('ir.model.data')
            group = ModelData.get_id(
                'marketing_automation', 'group_marketing_automation_admin')
        self.restrict(
            'party.party', field='lang', perm_read=True, perm_write=False)
        self.restrict(
            'party.party', field='lang', perm_read=True, perm_write=True,
            group=group)
        # The administrator himself may
        with self.assertRaises(AccessError):
            self.set(user=1, lang='None')

    def test_rights_later(self):
        "Test a right that is lost after it was saved"
        self.create_named("Alice")
        activity = self.set(lang='None')
        self.restrict(
            'party.party', field='lang', perm_read=True, perm_write=False)
        self.enter_all()
        self.assertEqual(
            self.outcomes(activity), {"Alice": ('failed', 'not_allowed')})

    def test_rule(self):
        "Test a record that the group may not write by a rule"
        self.create_named("Alice", "Bob")
        with self.transaction(0):
            RuleGroup = Pool().get('ir.rule.group')
            group, = RuleGroup.create([{
                        'name': "No Bob",
                        'model': 'party.party',
                        'global_p': True,
                        'perm_read': False,
                        'perm_write': True,
                        'perm_create': False,
                        'perm_delete': False,
                        'rules': [('create', [{
                                        'domain': '[["name", "!=", "Bob"]]',
                                        }])],
                        }])
        try:
            activity = self.set(lang='"English"')
            self.enter_all()
            self.assertEqual(self.outcomes(activity), {
                    "Alice": ('done', None),
                    "Bob": ('failed', 'not_allowed'),
                    })
        finally:
            with self.transaction(0):
                RuleGroup = Pool().get('ir.rule.group')
                RuleGroup.delete([RuleGroup(group.id)])

    def test_hidden(self):
        "Test an expression reads only what the virtual reader may read"
        self.create_named("Alice")
        self.restrict('party.party', field='lang', perm_read=False)
        with self.assertRaises(ValueInvalidError):
            self.set(name='record.lang.code')

    def test_statements(self):
        "Test equal values are written together"
        counts = [
            self.statements(count, lambda: (None, self.set(name='"x"')))
            for count in [4, 40]]
        self.assertLessEqual(counts[1], counts[0])


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
