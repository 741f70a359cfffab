# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt

from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.flow import FlowTestCase
from ..tools import configured

DAY = dt.timedelta(days=1)
MAIL = {
    'action': 'send_email', 'email_title': "Hello ${record.name}",
    'email_template': (
        '<html><body><p>Hello</p><a href="https://example.com/">Shop</a>'
        '<a href="unsubscribe">Stop</a></body></html>')}


class SentTestCase(FlowTestCase):
    "Test the content of what was sent"

    def show(self):
        with self.transaction(user=0):
            pool = Pool()
            Sent = pool.get('marketing.automation.sent', type='wizard')
            RecordActivity = pool.get('marketing.automation.record.activity')
            session, _, _ = Sent.create()
            wizard = Sent(session)
            record_activity = RecordActivity.search([])[0]
            with self.context(record_activity):
                return wizard.default_show([])

    def context(self, record):
        return Transaction().set_context(
            active_model=record.__name__, active_id=record.id,
            active_ids=[record.id])

    def test_kept(self):
        "Test what was sent is shown without what would count as a visit"
        self.create(("Mail", None, MAIL))
        with configured(marketing__keep_content=True):
            self.process()
        with self.transaction():
            Activity = Pool().get('marketing.automation.activity')
            Activity.write(Activity.search([]), {'email_title': "Other"})
        shown = self.show()
        self.assertEqual(shown['how'], 'kept')
        self.assertTrue(shown['subject'].startswith("Hello "))
        html = shown['html'].decode()
        self.assertIn("Shop", html)
        self.assertNotIn('/m/', html)

    def test_again(self):
        "Test what was not kept is rendered again"
        self.create(("Mail", None, MAIL))
        self.process()
        shown = self.show()
        self.assertEqual(shown['how'], 'again')
        self.assertTrue(shown['subject'].startswith("Hello "))
        with self.transaction():
            Email = Pool().get('ir.email')
            self.assertEqual(
                {e.marketing_automation_content for e in Email.search([])},
                {None})

    def test_tables(self):
        "Test what follows a scenario can be read on each database"
        self.create(
            ("Mail", None, MAIL), ("Next", "Mail", {'delay': DAY}))
        self.process()
        with self.transaction():
            pool = Pool()
            for name, count in [
                    ('story', 9),
                    ('reporting.funnel', 3),
                    ('reporting.agenda', 1),
                    ('reporting.failure', 0)]:
                with self.subTest(model=name):
                    Model = pool.get(f'marketing.automation.{name}')
                    rows = Model.search([])
                    self.assertEqual(len(rows), count)
                    Model.read(
                        [r.id for r in rows], list(Model._fields))


del FlowTestCase
