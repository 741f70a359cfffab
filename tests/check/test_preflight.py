# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json
from unittest.mock import patch

from trytond.modules.marketing_automation.check.preflight import Preflight
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..common.flow import FlowTestCase
from ..common.guarantee import TEMPLATE

MAIL = {
    'action': 'send_email', 'email_title': "Hello",
    'email_template': TEMPLATE}
DAY = dt.timedelta(days=1)


def audience_of(count):
    def __init__(self, scenario):
        self.count = self.mailed = count
        self.samples = {}
    return __init__


class PreflightTestCase(FlowTestCase):
    "Test what is told before a scenario runs"

    def create(self, *activities, **values):
        "Create a scenario that does not run"
        with patch.object(
                Pool(self.name).get('marketing.automation.scenario'), 'run'):
            return super().create(*activities, **values)

    def fly(self, *durations, change=None):
        with self.transaction(user=1) as transaction:
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            scenario, = Scenario.search([])
            if change:
                change(pool, scenario)
            flight = Preflight(Scenario(scenario.id))
            forecasts = [flight.forecast(d) for d in durations]
            transaction.rollback()
        return flight, forecasts

    def test_forecast(self):
        "Test the messages are those of the delays and of what may happen"
        self.create(
            ("1", None, MAIL),
            ("2", "1", {**MAIL, 'delay': 2 * DAY}),
            ("opened", "1", {**MAIL, 'event': 'email_opened'}),
            ("not opened", "1", {
                    **MAIL, 'event': 'email_opened', 'negative': True,
                    'delay': 3 * DAY}),
            ("after", "not opened", {**MAIL, 'delay': 10 * DAY}),
            ("some", "1", {
                    **MAIL, 'domain': '[["name", "like", "a%"]]'}),
            ("wait", None, {'delay': 5 * DAY}),
            ("last", "wait", MAIL))
        flight, forecasts = self.fly(DAY, 7 * DAY, 30 * DAY)
        self.assertEqual(flight.audience.count, 3)
        self.assertEqual(forecasts, [(3, 9), (9, 15), (9, 18)])

    def test_forecast_limit(self):
        "Test no more is told than the limit lets through"
        self.create(("1", None, MAIL), mails_per_hour=1)
        with patch(
                'trytond.modules.marketing_automation.check.preflight.Audience'
                '.__init__', audience_of(1000)):
            _, forecasts = self.fly(DAY, 7 * DAY)
        self.assertEqual(forecasts, [(24, 24), (168, 168)])

    def test_forecast_waiting(self):
        "Test what already waits counts, and who is inside does not enter"
        super().create(("1", None, {**MAIL, 'delay': 2 * DAY}))
        flight, forecasts = self.fly(DAY, 7 * DAY)
        self.assertEqual(flight.audience.count, 0)
        self.assertEqual(forecasts, [(0, 0), (3, 3)])

    def test_reach(self):
        "Test the numbers are those of the audience, and of what enters"
        with self.transaction():
            pool = Pool()
            Party = pool.get('party.party')
            Suppression = pool.get('marketing.automation.suppression')
            Suppression.suppress(
                'ann@example.com', 'manual', dt.datetime.now())
            self.parties += [p.id for p in Party.create([
                        {'name': "No address"}, {'name': "bob"}])]
            Party.write([Party(self.parties[1])], {'name': "bob"})
        self.create(("1", None, MAIL), unicity='name')
        flight, forecasts = self.fly(DAY)
        with self.transaction():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            scenario, = Scenario.search([])
            numbers = scenario.reach()
        self.assertEqual(
            (flight.audience.count, flight.audience.mailed),
            (numbers['entering'], numbers['mailed']))
        self.assertEqual(forecasts, [(2, 2)])
        with self.transaction():
            pool = Pool()
            Scenario = pool.get('marketing.automation.scenario')
            Record = pool.get('marketing.automation.record')
            scenarios = Scenario.search([])
            Scenario.run(scenarios)
            Scenario.enter(scenarios)
            self.assertEqual(Record.search([], count=True), 4)
        self.assertEqual(flight.audience.count, 4)

    def test_goal(self):
        "Test a goal that can not be searched is told"
        self.create(("1", None, MAIL))
        with self.transaction():
            Scenario = Pool().get('marketing.automation.scenario')
            table = Scenario.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.goal], ['[["unknown", "=", 1]]']))
        flight, _ = self.fly(DAY)
        self.assertEqual(len(flight.errors), 1)

    def test_languages(self):
        "Test everything is rendered in each language of the audience"
        self.create(("1", None, {
                    **MAIL, 'email_title': "Hello ${record.lang.code}"}))

        def speak(pool, scenario):
            Language = pool.get('ir.lang')
            Party = pool.get('party.party')
            for party, code in zip(self.parties, ['en', 'fr', 'fr']):
                language, = Language.search([('code', '=', code)])
                Party.write([Party(party)], {'lang': language.id})

        flight, _ = self.fly(change=speak)
        self.assertEqual(
            [(m.language, m.preview.subject) for m in flight.messages],
            [('en', "Hello en"), ('fr', "Hello fr")])
        self.assertEqual(flight.errors, [])

    def test_failure(self):
        "Test a template that fails for one of the samples is an error"
        self.create(("1", None, {
                    **MAIL,
                    'email_title': "${1 / (record.name[0] != 'b' and 1)}"}))
        flight, _ = self.fly()
        error, = flight.errors
        self.assertTrue(error.text)
        self.assertTrue(error.activity)

    def test_not_ready(self):
        "Test what can not run is an error and is not rendered"
        self.create()
        flight, _ = self.fly()
        self.assertEqual(len(flight.errors), 1)
        self.assertEqual(flight.messages, [])

    def test_warnings(self):
        "Test everybody and nobody are warnings"
        self.create(("1", None, MAIL))
        for domain, count in [
                ([], 3), ([[]], 3), ([['id', '=', -1]], 0)]:
            def change(pool, scenario):
                scenario.__class__.write(
                    [scenario], {'domain': json.dumps(domain)})

            with self.subTest(domain=domain):
                flight, _ = self.fly(change=change)
                self.assertEqual(bool(flight.audience.count), bool(count))
                self.assertEqual(flight.errors, [])
                self.assertEqual(len(
                        [w for w in flight.warnings if not w.activity]), 1)
                self.assertTrue(flight.messages)

    def test_nothing_written(self):
        "Test to look leaves nothing behind"
        self.create(("1", None, MAIL))
        self.fly(DAY)
        self.assertEqual(self.rows('state'), [])
        with self.transaction():
            Link = Pool().get('marketing.automation.link')
            self.assertFalse(Link.search([]))


del FlowTestCase
