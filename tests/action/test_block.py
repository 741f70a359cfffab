# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.pool import Pool

from .common import ActionTestCase


class BlockTestCase(ActionTestCase):
    "Test the action that blocks"

    def test_block(self):
        "Test what waits is cancelled and what follows does not happen"
        self.create_named("Alice")
        scenario, activity = self.draw('block')
        with self.acting():
            Activity = Pool().get('marketing.automation.activity')
            waiting, child = Activity.create([{
                        'name': "Waiting",
                        'parent': f'marketing.automation.scenario,{scenario}',
                        }, {
                        'name': "Child",
                        'parent': f'marketing.automation.activity,{activity}',
                        }])
        with self.acting():
            import datetime as dt
            Activity = Pool().get('marketing.automation.activity')
            Activity.write(
                [Activity(waiting.id)], {'delay': dt.timedelta(days=1)})
        self.enter_all()
        self.assertEqual(self.outcomes(activity), {"Alice": ('done', None)})
        for other in [waiting, child]:
            self.assertEqual(
                self.outcomes(other.id),
                {"Alice": ('cancelled', 'blocked_activity')})
        with self.transaction():
            record, = Pool().get('marketing.automation.record').search([])
            self.assertTrue(record.blocked)
            self.assertTrue(record.ended_at)
            self.assertEqual(record.end_reason, 'blocked_activity')

    def test_statements(self):
        "Test the number of statements does not grow with the records"
        counts = [
            self.statements(count, lambda: self.draw('block'))
            for count in [4, 40]]
        self.assertEqual(*counts)


del ActionTestCase

if __name__ == '__main__':
    unittest.main()
