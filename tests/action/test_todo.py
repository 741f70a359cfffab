# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest

from trytond.model.exceptions import AccessError, ValidationError
from trytond.modules.marketing_automation.exceptions import (
    ActivityError, TemplateError)
from trytond.pool import Pool
from trytond.tests.test_tryton import drop_db, with_transaction
from trytond.transaction import Transaction

from ..tools import activate_all


def create_user(name, groups=(), **values):
    User = Pool().get('res.user')
    user, = User.create([{
                'name': name,
                'login': name.lower(),
                'groups': [('add', list(groups))],
                **values}])
    return user


def marketing():
    ModelData = Pool().get('ir.model.data')
    return ModelData.get_id('marketing', 'group_marketing')


def create_activity(model='party.party', **values):
    pool = Pool()
    Activity = pool.get('marketing.automation.activity')
    Scenario = pool.get('marketing.automation.scenario')
    scenario, = Scenario.create([{'name': "Calls", 'model': model}])
    activity, = Activity.create([{
                'name': "Call",
                'parent': str(scenario),
                'action': 'todo',
                'todo_subject': "Call ${record.name}",
                **values}])
    return activity


def create_party(name="Party"):
    Party = Pool().get('party.party')
    party, = Party.create([{'name': name}])
    return party


def plan(activity, *targets):
    pool = Pool()
    Record = pool.get('marketing.automation.record')
    RecordActivity = pool.get('marketing.automation.record.activity')
    records = Record.create([{
                'scenario': activity.scenario.id,
                'record': str(target),
                } for target in targets])
    return RecordActivity.create([{
                'record': record.id,
                'activity': activity.id,
                'at': dt.datetime.now(),
                } for record in records])


def execute(activity, record_activities):
    "Execute like the cron does and return the outcomes by order"
    RecordActivity = Pool().get('marketing.automation.record.activity')
    outcomes = RecordActivity.decide(
        activity, [r.id for r in record_activities])
    RecordActivity.store(outcomes, dt.datetime.now())
    return [outcomes[r.id] for r in record_activities]


def acting(user):
    return Transaction().set_user(user.id), Transaction().set_context(
        _check_access=True)


class ToDoTestCase(unittest.TestCase):
    "Test the to-dos"

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(drop_db)
        activate_all()

    @with_transaction()
    def test_execute(self):
        "Test each record gets one to-do, whatever happens"
        ToDo = Pool().get('marketing.automation.todo')
        user = create_user("Sam")
        activity = create_activity(
            todo_user=user.id, todo_days=3,
            todo_note="Ask ${record.name}\nabout <news>")
        parties = [create_party("Ann"), create_party("Bob")]
        planned = plan(activity, *parties)
        self.assertEqual(
            [o.state for o in execute(activity, planned)], ['done'] * 2)
        # After a crash
        self.assertEqual(
            [o.state for o in activity.execute_todo(planned).values()],
            ['done'] * 2)

        todos = sorted(ToDo.search([]), key=lambda t: t.subject)
        self.assertEqual(
            [t.subject for t in todos], ["Call Ann", "Call Bob"])
        todo = todos[0]
        self.assertEqual(todo.note, "Ask Ann\nabout <news>")
        self.assertEqual(
            todo.deadline, dt.date.today() + dt.timedelta(days=3))
        self.assertEqual(todo.user, user)
        self.assertEqual(todo.party, parties[0])
        self.assertEqual(todo.origin, parties[0])
        self.assertEqual(todo.origin_name, "Ann")
        self.assertEqual(todo.scenario_name, "Calls")
        self.assertEqual(todo.record_activity, planned[0])
        self.assertEqual((todo.state, todo.test), ('todo', False))

    @with_transaction()
    def test_user_from_field(self):
        "Test the responsible is taken from the record"
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        ToDo = pool.get('marketing.automation.todo')
        User = pool.get('res.user')
        sam, fallback = create_user("Sam"), create_user("Fallback")
        with Transaction().set_user(sam.id):
            own = create_party("Own")
        other = create_party("Other")
        activity = create_activity(
            todo_user=fallback.id, todo_user_path='create_uid')
        execute(activity, plan(activity, own))
        todo, = ToDo.search([])
        self.assertEqual(todo.user, sam)

        # Who is not there any more is nobody
        User.write([sam], {'active': False})
        again = create_activity(
            todo_user=fallback.id, todo_user_path='create_uid')
        execute(again, plan(again, own))
        todo, = ToDo.search([('id', '!=', todo.id)])
        self.assertEqual(todo.user, fallback)

        without = create_activity(todo_user_path='replaced_by.create_uid')
        planned = plan(without, other)
        outcome, = execute(without, planned)
        self.assertEqual(
            (outcome.state, outcome.reason), ('skipped', 'no_responsible'))
        planned, = RecordActivity.search([('id', '=', planned[0].id)])
        self.assertTrue(planned.is_retryable)

    @with_transaction()
    def test_employee(self):
        "Test an employee is found by the user"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Company = pool.get('company.company')
        Currency = pool.get('currency.currency')
        Employee = pool.get('company.employee')
        currency, = Currency.create([{'name': "Euro", 'code': 'EUR',
                    'symbol': "€"}])
        company, = Company.create([{
                    'party': create_party("Company").id,
                    'currency': currency.id}])
        first, second, third = Employee.create([{
                    'party': create_party(name).id,
                    'company': company.id,
                    } for name in ["First", "Second", "Third"]])
        companies = {
            'companies': [('add', [company.id])],
            'company': company.id}
        chief = create_user(
            "Chief", employees=[('add', [first.id, second.id])],
            employee=first.id, **companies)
        own = create_user(
            "Own", employees=[('add', [second.id])], employee=second.id,
            **companies)
        self.assertEqual(
            Activity._employee_users({first.id, second.id, third.id}),
            {first.id: chief, second.id: own})

    @with_transaction()
    def test_language(self):
        "Test the words are in the language of the user"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        Lang = pool.get('ir.lang')
        ToDo = pool.get('marketing.automation.todo')
        french, = Lang.search([('code', '=', 'fr')])
        french.translatable = True
        french.save()
        user = create_user("Jeanne", language=french.id)
        activity = create_activity(todo_user=user.id)
        with Transaction().set_context(language='fr'):
            Activity.write(
                [Activity(activity.id)],
                {'todo_subject': "Appeler ${record.name}"})
        execute(activity, plan(activity, create_party("Ann")))
        todo, = ToDo.search([])
        self.assertEqual(todo.subject, "Appeler Ann")

    @with_transaction()
    def test_failure(self):
        "Test a failure belongs to one record"
        ToDo = Pool().get('marketing.automation.todo')
        user = create_user("Sam")
        activity = create_activity(
            todo_user=user.id,
            todo_subject="${10 / (len(record.name) - 3)} ${record.name}")
        planned = plan(activity, create_party("Ann"), create_party("Marie"))
        outcomes = execute(activity, planned)
        self.assertEqual(
            [(o.state, o.reason) for o in outcomes],
            [('failed', 'template_error'), ('done', None)])
        self.assertIn('Call', outcomes[0].detail)
        self.assertEqual(
            [t.subject for t in ToDo.search([])], ["5.0 Marie"])

    @with_transaction()
    def test_checks(self):
        "Test what can not work is refused when it is typed"
        user = create_user("Sam")
        for values, error in [
                ({'todo_subject': "${record.nothing}"}, TemplateError),
                ({'todo_subject': "${record."}, TemplateError),
                ({'todo_note': "{% if record %}"}, TemplateError),
                ({'todo_user_path': 'nothing'}, ActivityError),
                ({'todo_user_path': 'name'}, ActivityError),
                ({'todo_user_path': 'addresses.party'}, ActivityError),
                ({'todo_user_path': 'lang'}, ActivityError),
                ({'todo_user_path': 'create_uid.password'}, ActivityError),
                ({'todo_user_path': 'create_uid.'}, ActivityError)]:
            with self.subTest(values=values), self.assertRaises(error):
                create_activity(todo_user=user.id, **values)
        create_activity(todo_user_path='create_uid')

    @with_transaction()
    def test_events(self):
        "Test what follows when it is done, not done or cancelled"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        RecordActivity = pool.get('marketing.automation.record.activity')
        ToDo = pool.get('marketing.automation.todo')
        user = create_user("Sam")
        activity = create_activity(todo_user=user.id)
        self.assertEqual(
            [e for e, _ in Activity(
                    parent=activity, parent_action='todo').get_on()],
            [None, 'todo_done', 'todo_done_not', 'todo_cancelled'])
        children = Activity.create([{
                    'name': on,
                    'parent': str(activity),
                    'event': on.removesuffix('_not'),
                    'negative': on.endswith('_not'),
                    'delay': dt.timedelta(days=1),
                    } for on in [
                    'todo_done', 'todo_done_not', 'todo_cancelled']])
        with self.assertRaises(ValidationError):
            Activity.create([{
                        'name': "Never",
                        'parent': str(activity),
                        'event': 'todo_cancelled',
                        'negative': True,
                        'delay': dt.timedelta(days=1),
                        }])
        planned = plan(activity, create_party(), create_party())
        outcomes = RecordActivity.decide(activity, [p.id for p in planned])
        RecordActivity.store(outcomes, dt.datetime.now(), 1)
        RecordActivity.follow(activity, claim=1)

        def states(planned):
            return {
                r.activity.name: (r.state, bool(r.at))
                for r in RecordActivity.search([
                        ('record', '=', planned.record.id),
                        ('activity', 'in', [c.id for c in children])])}

        first, second = [
            ToDo.search([('record_activity', '=', p.id)])[0] for p in planned]
        self.assertEqual(states(planned[0]), {
                'todo_done': ('waiting', False),
                'todo_done_not': ('waiting', True),
                'todo_cancelled': ('waiting', False),
                })
        as_user, checked = acting(user)
        with as_user, checked:
            ToDo.do([ToDo(first.id)])
            ToDo.cancel([ToDo(second.id)])
        self.assertEqual(states(planned[0]), {
                'todo_done': ('waiting', True),
                'todo_done_not': ('cancelled', True),
                'todo_cancelled': ('waiting', False),
                })
        self.assertEqual(states(planned[1]), {
                'todo_done': ('waiting', False),
                'todo_done_not': ('waiting', True),
                'todo_cancelled': ('waiting', True),
                })
        todo = ToDo(first.id)
        self.assertEqual((todo.state, todo.ended_by), ('done', user))
        self.assertTrue(todo.ended_at)

    @with_transaction()
    def test_access(self):
        "Test users see and do their own, marketers all"
        ToDo = Pool().get('marketing.automation.todo')
        sam, kim = create_user("Sam"), create_user("Kim")
        mary = create_user("Mary", [marketing()])
        for user in [sam, kim]:
            activity = create_activity(todo_user=user.id)
            execute(activity, plan(activity, create_party("Ann")))
        own, = ToDo.search([('user', '=', sam.id)])
        other, = ToDo.search([('user', '=', kim.id)])
        as_user, checked = acting(sam)
        with as_user, checked:
            self.assertEqual(list(ToDo.search([])), [own])
            self.assertEqual(list(ToDo.search([('mine', '=', True)])), [own])
            for type_ in ['tree', 'form', 'calendar']:
                view = ToDo.fields_view_get(None, type_)
                values, = ToDo.read([own.id], list(view['fields']))
                self.assertEqual(values['origin_name'], "Ann")
            with self.assertRaises(AccessError):
                ToDo.do([ToDo(other.id)])
            ToDo.write([ToDo(own.id)], {'note': "Called"})
            for values in [
                    {'state': 'done'}, {'ended_by': kim.id},
                    {'party': None}]:
                with self.subTest(values=values), \
                        self.assertRaises(AccessError):
                    ToDo.write([ToDo(own.id)], values)
            with self.assertRaises(AccessError):
                ToDo.create([{'subject': "Own", 'user': sam.id}])
            with self.assertRaises(AccessError):
                ToDo.delete([ToDo(own.id)])
            ToDo.do([ToDo(own.id)])
            # Nobody gives his own to others
            with self.assertRaises(AccessError):
                ToDo.write([ToDo(own.id)], {'user': kim.id})
        as_user, checked = acting(mary)
        with as_user, checked:
            self.assertEqual(set(ToDo.search([])), {own, other})
            view = ToDo.fields_view_get(None, 'form')
            ToDo.read([own.id], list(view['fields']))
            ToDo.write([ToDo(other.id)], {'user': mary.id})
        self.assertEqual(ToDo(other.id).user, mary)

    @with_transaction()
    def test_left(self):
        "Test it stays when the record leaves and tells why"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        ToDo = pool.get('marketing.automation.todo')
        activity = create_activity(todo_user=create_user("Sam").id)
        execute(activity, plan(activity, create_party()))
        todo, = ToDo.search([])
        self.assertIsNone(todo.end_reason)
        Record.end(
            [todo.record_activity.record.id], 'unsubscribed', blocked=True)
        todo = ToDo(todo.id)
        self.assertEqual(
            (todo.state, todo.end_reason), ('todo', 'unsubscribed'))


if __name__ == '__main__':
    unittest.main()
