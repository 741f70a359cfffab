# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import json

from trytond.pool import Pool

from .guarantee import GuaranteeTestCase


class FlowTestCase(GuaranteeTestCase):
    "Test case of the flow of parties through scenarios"
    emails = ['ann@example.com', 'bob@example.com', 'cay@example.com']

    def setUp(self):
        super().setUp()
        self.parties = self.create_parties(*self.emails)

    def create(self, *activities, **values):
        """
        Create and run a scenario of steps: tuples of the name, the name of
        the parent or None, and the values.
        """
        with self.transaction():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            scenario, = Scenario.create([{
                        'name': "Scenario",
                        'model': 'party.party',
                        'domain': json.dumps([['id', 'in', self.parties]]),
                        **values}])
            ids = {None: scenario}
            for name, parent, values in activities:
                ids[name], = Activity.create([{
                            'name': name,
                            'parent': str(ids[parent]),
                            **values}])
            Scenario.run([scenario])
            Scenario.enter([scenario])
            ids.pop(None)
            return {n: a.id for n, a in ids.items()}

    def outcomes(self):
        "Return the sorted activities, first letters of targets and outcomes"
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            return sorted(
                (r.activity.name, r.record.rec_name[0], r.state, r.reason)
                for r in RecordActivity.search([]))


del GuaranteeTestCase
