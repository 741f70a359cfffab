# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
from unittest.mock import patch

from trytond.pool import Pool

from ..common.guarantee import GuaranteeTestCase


class RetentionTestCase(GuaranteeTestCase):
    "Test that what is old is removed without another effect"

    def setUp(self):
        super().setUp()
        self.scenario = self.create_mails(3)
        self.process()
        self.hit(days=0)
        self.hit(days=89)
        self.hit(days=91)
        self.hit(days=91, applied=False)

    def hit(self, days, applied=True):
        with self.transaction(0):
            pool = Pool()
            Hit = pool.get('marketing.automation.hit')
            RecordActivity = pool.get('marketing.automation.record.activity')
            record_activity, *_ = RecordActivity.search([])
            if applied:
                RecordActivity.on_email_opened([record_activity])
            Hit.create([{
                        'kind': 'open',
                        'at': dt.datetime.now() - dt.timedelta(days=days),
                        'record_activity': record_activity.id,
                        'applied': applied,
                        }])

    def age_emails(self, count, days):
        "Let the first e-mails be old"
        with self.transaction():
            Email = Pool().get('ir.email')
            ids = [e.id for e in Email.search([], limit=count)]
        for id_ in ids:
            self.sql(
                "UPDATE ir_email SET create_date = %s WHERE id = %s",
                dt.datetime.now() - dt.timedelta(days=days), id_)

    def clean(self):
        with self.transaction(0):
            pool = Pool()
            Cron = pool.get('ir.cron')
            cron, = Cron.search([
                    ('method', '=', 'marketing.automation.hit|clean')])
            Cron.run_once([cron])

    def count(self, model):
        with self.transaction():
            return Pool().get(model).search([], count=True)

    def figures(self):
        with self.transaction():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Activity = pool.get('marketing.automation.activity')
            result = []
            for Model, names in [
                    (Scenario, ['record_count', 'done_count', 'block_rate']),
                    (Activity, [
                            'record_count', 'email_opened', 'email_clicked',
                            'email_open_rate', 'email_click_rate',
                            'email_click_through_rate']),
                    ]:
                for record in Model.search([]):
                    result.append([getattr(record, n) for n in names])
            return result

    def test_hits(self):
        "Test old hits are removed once they have had their effect"
        figures = self.figures()
        self.clean()
        with self.transaction():
            Hit = Pool().get('marketing.automation.hit')
            hits = [
                ((dt.datetime.now() - h.at).days, h.applied)
                for h in Hit.search([], order=[('id', 'ASC')])]
        self.assertEqual(hits, [(0, True), (89, True), (91, False)])
        self.assertEqual(self.figures(), figures)

    def test_keep_hits(self):
        "Test the age is configurable"
        self.configure(marketing__keep_hits=50)
        self.clean()
        self.assertEqual(self.count('marketing.automation.hit'), 2)
        self.configure(marketing__keep_hits=0)
        self.hit(days=9999)
        self.clean()
        self.assertEqual(self.count('marketing.automation.hit'), 3)

    def test_emails(self):
        "Test old e-mails are removed only if configured"
        figures = self.figures()
        self.age_emails(2, days=400)
        self.sql(
            "INSERT INTO ir_email (subject, resource, create_date) "
            "VALUES (%s, %s, %s)",
            "Of somebody else", 'party.party,1', dt.datetime(2000, 1, 1))
        self.clean()
        self.assertEqual(self.count('ir.email'), 4)

        self.configure(marketing__keep_emails=365)
        # In several rounds
        with patch(
                'trytond.modules.marketing_automation.ir._SLICE_DELETED',
                1), \
                self.assertLogs('trytond.modules', logging.INFO) as logs:
            self.clean()
        self.assertIn(
            'cleaned hits=0 emails=2',
            [r.getMessage() for r in logs.records])
        self.assertEqual(self.count('ir.email'), 2)
        self.assertEqual(self.figures(), figures)
        self.assertEqual(self.states, {'done': 3})
