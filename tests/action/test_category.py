# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond import backend
from trytond.model.exceptions import AccessError
from trytond.pool import Pool

from .common import ActionTestCase


class CategoryTestCase(ActionTestCase):
    "Test the actions with the categories of the party"

    def setUp(self):
        super().setUp()
        with self.transaction(0):
            Category = Pool().get('party.category')
            Category.delete(Category.search([]))
            hot, cold = Category.create([{'name': "Hot"}, {'name': "Cold"}])
            self.hot, self.cold = hot.id, cold.id

    def categories(self):
        with self.transaction():
            return {
                p.name: sorted(c.name for c in p.categories)
                for p in Pool().get('party.party').search([])}

    def test_add(self):
        "Test to add, also to a party that has it"
        self.create_named("Alice")
        self.create_named("Bob", categories=[('add', [self.hot, self.cold])])
        _, activity = self.draw('add_category', category=self.hot)
        self.enter_all()
        self.assertEqual(
            set(self.outcomes(activity).values()), {('done', None)})
        self.assertEqual(
            self.categories(), {"Alice": ["Hot"], "Bob": ["Cold", "Hot"]})

    def test_remove(self):
        "Test to remove, also from a party that has it not"
        self.create_named("Alice")
        self.create_named("Bob", categories=[('add', [self.hot, self.cold])])
        _, activity = self.draw('remove_category', category=self.hot)
        self.enter_all()
        self.assertEqual(
            set(self.outcomes(activity).values()), {('done', None)})
        self.assertEqual(self.categories(), {"Alice": [], "Bob": ["Cold"]})

    def test_rights(self):
        "Test who may not write the categories of a party"
        with self.transaction(0):
            Access = Pool().get('ir.model.field.access')
            access, = Access.create([{
                        'model': 'party.party',
                        'field': 'categories',
                        'perm_write': False,
                        }])
        try:
            with self.assertRaises(AccessError):
                self.draw('add_category', category=self.hot)
        finally:
            with self.transaction(0):
                Access = Pool().get('ir.model.field.access')
                Access.delete([Access(access.id)])

    def test_statements(self):
        "Test the number of statements does not grow with the records"
        for action in ['add_category', 'remove_category']:
            with self.subTest(action=action):
                counts = [
                    self.statements(count, lambda: self.draw(
                            action, category=self.hot))
                    for count in [4, 40]]
                if action == 'add_category' and backend.name == 'sqlite':
                    # It inserts one by one
                    counts[1] -= 36
                self.assertLessEqual(counts[1], counts[0])


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
