# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.marketing_automation.execution.retry import retry_delay
from trytond.pool import Pool

from ..common.guarantee import GuaranteeTestCase


class OutcomeTestCase(GuaranteeTestCase):
    "Test that the outcome of each mail is known"

    def create_addresses(self, *names):
        return self.create_scenario(self.create_parties(*(
                    f'{name}@example.com' for name in names)))

    def by_name(self, *names):
        "Return the values of the record activities by name"
        result = {}
        for record, *values in self.rows('record', *names):
            with self.transaction():
                Record = Pool().get('marketing.automation.record')
                name = Record(record.id).record.name.split('@')[0]
            result[name] = tuple(values)
        return result

    def click(self, button, *names):
        "Click as a marketer on the selected record activities"
        with self.transaction():
            RecordActivity = Pool().get('marketing.automation.record.activity')
            getattr(RecordActivity, button)([
                    r for r in RecordActivity.search([])
                    if not names or r.record.record.name.split('@')[0] in names
                    ])

    def test_done(self):
        "Test what was taken has its time and Message-ID"
        self.create_addresses('alice')
        self.process()
        (state, ended_at, message_id, reason), = self.rows(
            'state', 'ended_at', 'message_id', 'reason')
        self.assertEqual((state, reason), ('done', None))
        self.assertLess(dt.datetime.now() - ended_at, dt.timedelta(minutes=1))
        self.assertEqual(message_id, self.smtp.messages[0].message_id)

    def test_durable(self):
        "Test an outcome is durable before the next mail is handed over"
        done = []
        self.smtp.on_accept = lambda _: done.append(self.states['done'])
        self.create_mails(4)
        self.process()
        self.assertEqual(done, [0, 1, 2, 3])

    def test_busy(self):
        "Test what the server puts off waits longer and longer"
        self.create_addresses('alice', 'bob')
        self.smtp.busy('bob', text='greylisted')
        delays = []
        for attempt in range(1, 4):
            start = dt.datetime.now()
            self.process()
            self.process()
            rows = self.by_name('state', 'attempts', 'reason', 'detail', 'at')
            self.assertEqual(rows['alice'][0], 'done')
            self.assertEqual(rows['bob'][:4], (
                    'waiting', attempt, 'server_busy', '451 greylisted'))
            delays.append(rows['bob'][4] - start)
            self.make_due()
        self.assertEqual(
            [round(d.total_seconds() / 60) for d in delays], [5, 10, 20])

        self.smtp.obey()
        self.process()
        self.assertOnce(2)
        self.assertEqual(
            self.by_name('state', 'attempts')['bob'], ('done', 3))

    def test_given_up(self):
        "Test what is put off for too long is given up"
        self.configure(
            marketing__retry_delay=10, marketing__retry_duration=25)
        self.create_addresses('alice')
        self.smtp.busy()
        for _ in range(2):
            self.process()
            self.make_due()
        self.assertEqual(self.rows('state', 'attempts', 'reason', 'detail'), [
                ('failed', 2, 'given_up', '451 try again later')])

    def test_delays(self):
        "Test the delays follow RFC 5321 4.5.4.1"
        delays = []
        while delay := retry_delay(len(delays) + 1):
            delays.append(delay)
        self.assertEqual(delays[0], dt.timedelta(minutes=5))
        self.assertEqual(delays[-1], dt.timedelta(hours=4))
        self.assertEqual(delays, sorted(delays))
        self.assertLessEqual(sum(delays, dt.timedelta()), dt.timedelta(days=2))
        self.assertGreater(
            sum(delays, dt.timedelta()), dt.timedelta(days=1, hours=18))

    def test_refused(self):
        "Test what is refused fails with the words of the server"
        self.create_addresses('alice', 'bob', 'carol')
        self.smtp.refuse_rcpt('bob')
        self.smtp.refuse_data('carol')
        self.process()
        self.assertEqual(self.by_name('state', 'reason', 'detail'), {
                'alice': ('done', None, None),
                'bob': ('failed', 'refused', '550 no such user'),
                'carol': ('failed', 'refused', '554 content refused'),
                })
        self.make_due()
        self.process()
        self.assertOnce(1)

    def test_retry(self):
        "Test a marketer retries a selection after the address is corrected"
        self.create_addresses('alice', 'bob', 'carol', 'dave')
        self.smtp.refuse_rcpt('bob|carol|dave')
        self.process()
        with self.transaction():
            Mechanism = Pool().get('party.contact_mechanism')
            for mechanism in Mechanism.search([
                        ('value', 'in', [
                                'bob@example.com', 'carol@example.com'])]):
                mechanism.value = 'new-' + mechanism.value[0] + '@example.com'
                mechanism.save()
        message_ids = self.by_name('message_id')
        self.click('retry', 'alice', 'bob', 'carol')
        self.assertEqual(self.by_name('state', 'attempts', 'detail'), {
                'alice': ('done', 0, None),
                'bob': ('waiting', 0, None),
                'carol': ('waiting', 0, None),
                'dave': ('failed', 0, '550 no such user'),
                })
        self.process()
        self.assertEqual(set(self.smtp.by_recipient), {
                'alice@example.com', 'new-b@example.com', 'new-c@example.com'})
        self.assertOnce(3)
        self.assertEqual(self.by_name('message_id'), message_ids)

    def test_retry_no_address(self):
        "Test who had no address can be retried but not who does not match"
        self.create_scenario(self.create_parties(None))
        self.process()
        self.assertEqual(
            self.rows('state', 'reason'), [('skipped', 'no_address')])
        self.click('retry')
        self.assertEqual(self.rows('state'), ['waiting'])
        self.sql(
            "UPDATE marketing_automation_record_activity "
            "SET state = 'skipped', reason = 'condition'")
        self.click('retry')
        self.assertEqual(self.rows('state'), ['skipped'])

    def test_connection_reset(self):
        "Test a connection that is cut is opened again"
        self.create_mails(10)
        self.smtp.drop_at('data', after=4)
        self.process()
        self.assertEqual(self.states, {'done': 9, 'waiting': 1})
        self.assertIn(
            ('waiting', 'connection_lost', 1),
            self.rows('state', 'reason', 'attempts'))
        self.make_due()
        self.process()
        self.assertOnce(10)
        self.assertEqual(self.states, {'done': 10})

    def test_stopped(self):
        "Test what is not yet handed over waits when the scenario is stopped"
        scenario = self.create_mails(10)

        def stop(_):
            if len(self.smtp.messages) == 2:
                self.smtp.stall(1.2, 'accepted')
                self.sql(
                    "UPDATE marketing_automation_scenario "
                    "SET state = 'stopped' WHERE id = %s", scenario)

        self.smtp.on_accept = stop
        self.process()
        self.assertEqual(self.states, {'done': 3, 'waiting': 7})
        self.process()
        self.assertEqual(len(self.smtp.messages), 3)
        self.smtp.on_accept = None
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            Scenario.run([Scenario(scenario)])
        self.process()
        self.assertOnce(10)

    def test_left_meanwhile(self):
        "Test who leaves while the batch goes out gets no mail any more"
        self.create_mails(10)

        def leave(_):
            if len(self.smtp.messages) == 2:
                self.smtp.stall(1.2, 'accepted')
                self.sql(
                    "UPDATE marketing_automation_record "
                    "SET blocked = %s, end_reason = 'unsubscribed'", True)

        self.smtp.on_accept = leave
        self.process()
        self.assertEqual(len(self.smtp.messages), 3)
        self.process()
        self.assertEqual(len(self.smtp.messages), 3)
        self.assertEqual(self.states, {'done': 3, 'cancelled': 7})

    def test_erased_meanwhile(self):
        "Test who is erased while the batch goes out stays so"
        self.create_mails(10)

        def erase(_):
            if len(self.smtp.messages) == 2:
                self.smtp.stall(1.2, 'accepted')
                self.sql(
                    "UPDATE marketing_automation_record_activity "
                    "SET state = 'cancelled', reason = 'erased', claim = NULL "
                    "WHERE state = 'sending'")

        self.smtp.on_accept = erase
        self.process()
        # The one that was on its way is not known any more
        self.assertEqual(len(self.smtp.messages), 3)
        self.assertEqual(self.states, {'done': 2, 'cancelled': 8})
        self.assertEqual(set(self.rows('claim')), {None})
        (count,), = self.sql("SELECT COUNT(*) FROM ir_email")
        self.assertEqual(count, 2)
