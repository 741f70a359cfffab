# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from ...tracking.url import UNSUBSCRIBE
from ..test_routes import BUTTON, RoutesTestCase


class UnsubscribeReportTestCase(RoutesTestCase):
    "Test the file of the unsubscribe page"

    def test_former_path(self):
        "Test the page works before the update of the database"
        for path in [
                # Before the files were in folders
                'marketing_automation/unsubscribe.html',
                'marketing_automation/gone/unsubscribe.html',
                ]:
            with self.subTest(path=path):
                self.write_report(report=path)
                self.addCleanup(self.write_report)

                response = self.client().get(
                    self.url(UNSUBSCRIBE, self.french))
                page = self.assertPage(response, 200, "Unsubscribe")
                self.assertEqual(page.get('lang'), 'fr')
                self.assertEqual(len(page.forms), 1)
                response = self.client().post(
                    self.url(UNSUBSCRIBE, self.record), data=BUTTON)
                self.assertPage(response, 200, "You have been unsubscribed")
                self.assertTrue(self.unsubscribed())

    def test_custom(self):
        "Test the page is the one of the administrator"
        self.addCleanup(self.write_report)
        for path in [
                'marketing_automation/consent/unsubscribe.html',
                'marketing_automation/unsubscribe.html',
                ]:
            with self.subTest(path=path):
                self.write_report(report=path, report_content=(
                        b'<html lang="${language}">'
                        b'<title>Bye ${state}</title></html>'))

                response = self.client().get(
                    self.url(UNSUBSCRIBE, self.french))
                page = self.assertPage(response, 200, "Bye ask")
                self.assertEqual(page.get('lang'), 'fr')

    @with_transaction(user=0)
    def write_report(
            self, report='marketing_automation/consent/unsubscribe.html',
            report_content=None):
        Report = Pool().get('ir.action.report')
        reports = Report.search([
                ('report_name', '=', 'marketing.automation.unsubscribe'),
                ])
        Report.write(reports, {
                'report': report,
                'report_content': report_content,
                })
        Transaction().commit()


del RoutesTestCase
