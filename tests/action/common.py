# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What the tests of the actions have in common.
"""

from contextlib import contextmanager

from trytond.modules.marketing_automation.outcome import OutgoingMessage
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.crowd import create_crowd
from ..common.guarantee import GuaranteeTestCase
from ..test_statements import counted


class ActionTestCase(GuaranteeTestCase):
    "Test case with a marketer who draws a scenario of one activity"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Transaction().start(cls.name, 0):
            pool = Pool()
            User = pool.get('res.user')
            ModelData = pool.get('ir.model.data')
            marketer, = User.create([{
                        'name': "Marketer",
                        'login': 'marketer',
                        'groups': [('add', [ModelData.get_id(
                                        'marketing', 'group_marketing')])],
                        }])
            cls.marketer = marketer.id

    def clear(self):
        super().clear()
        self.clear_parties()

    def clear_parties(self):
        with self.transaction(0) as transaction:
            transaction.connection.cursor().execute(
                'DELETE FROM party_party')

    @contextmanager
    def acting(self, user=None):
        "Act in the client as the user, the marketer by default"
        with self.transaction(user or self.marketer) as transaction, \
                transaction.set_context(_check_access=True):
            yield

    def draw(self, action, name="Scenario", model='party.party', domain='[]',
            user=None, **values):
        "Draw and run a scenario of one activity as the user"
        with self.acting(user):
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            scenario, = Scenario.create([{
                        'name': name,
                        'model': model,
                        'domain': domain,
                        }])
            activity, = Activity.create([{
                        'name': "Activity",
                        'parent': str(scenario),
                        'action': action,
                        **values,
                        }])
            Scenario.run([scenario])
        return scenario.id, activity.id

    def enter_all(self):
        "Let the records enter and execute what is due"
        with self.transaction(0):
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.enter(Scenario.search([('state', '=', 'running')]))
        self.process()

    def outcomes(self, activity):
        "Return the state and the reason by the name of the target"
        with self.transaction():
            RecordActivity = Pool().get(
                'marketing.automation.record.activity')
            return {
                r.record.rec_name: (r.state, r.reason)
                for r in RecordActivity.search(
                    [('activity', '=', activity)])}

    def details(self, activity):
        with self.transaction():
            RecordActivity = Pool().get(
                'marketing.automation.record.activity')
            return {
                r.record.rec_name: r.detail
                for r in RecordActivity.search(
                    [('activity', '=', activity)])}

    def retry(self, activity):
        "Press the button of what has failed"
        with self.acting():
            RecordActivity = Pool().get(
                'marketing.automation.record.activity')
            RecordActivity.retry(RecordActivity.search([
                        ('activity', '=', activity),
                        ('state', '=', 'failed'),
                        ]))
        self.process()

    def statements(self, count, draw):
        "Return the number of statements that so many records cost"
        self.clear()
        self.create_named(*(f"Party {i}" for i in range(count)))
        _, activity = draw()
        with self.transaction(0):
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.enter(Scenario.search([('state', '=', 'running')]))
        with self.transaction(0) as transaction:
            pool = Pool()
            RecordActivity = pool.get('marketing.automation.record.activity')
            Activity = pool.get('marketing.automation.activity')
            ids = [r.id for r in RecordActivity.search(
                    [('activity', '=', activity)], order=[('id', 'ASC')])]
            assert len(ids) == count
            with counted() as statements:
                outcomes = RecordActivity.decide(Activity(activity), ids)
            assert all(
                isinstance(o, OutgoingMessage) or o.state == 'done'
                for o in outcomes.values()), outcomes
            transaction.rollback()
        return len(statements)

    def create_named(self, *names, **values):
        "Create parties with the names"
        with self.transaction():
            return [p.id for p in create_crowd(
                    ((n, None) for n in names), **values)]
