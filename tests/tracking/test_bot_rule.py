# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import unittest

from trytond.modules.marketing_automation.tracking.bot_rule import (
    RULES, Case, Event, Limits, classify, count_links)
from trytond.modules.marketing_automation.tracking.user_agent import (
    address_part, agent_family)

NOW = dt.datetime(2026, 3, 1, 12, 0, 0)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36")


def after(seconds):
    return NOW + dt.timedelta(seconds=seconds)


class AgentTestCase(unittest.TestCase):
    "Test what is kept of the one who makes a request"

    def test_family(self):
        "Test the families"
        for user_agent, family in [
                (None, None),
                ("", None),
                ("  ", None),
                (CHROME, 'chrome'),
                (CHROME + " Edg/120.0", 'edge'),
                (CHROME + " Edge/12.246 Mozilla/5.0", 'gmail prefetch'),
                ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 "
                    "(via ggpht.com GoogleImageProxy)", 'gmail'),
                ("YahooMailProxy; https://help.yahoo.com/", 'yahoo'),
                ("Microsoft Office/16.0 (Microsoft Outlook 16.0; Pro)",
                    'outlook'),
                ("Mozilla/5.0 (X11; rv:115.0) Gecko/20100101 "
                    "Thunderbird/115.5.0", 'thunderbird'),
                ("Mozilla/5.0", 'apple proxy'),
                ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 "
                    "(KHTML, like Gecko)", 'apple mail'),
                ("Mozilla/5.0 (Linux; Android 12; Cubot X50) "
                    "AppleWebKit/537.36 Chrome/110 Mobile", 'chrome'),
                ("Mozilla/5.0 (compatible; Googlebot/2.1; "
                    "+http://www.google.com/bot.html)", 'scanner'),
                ("BarracudaCentral", 'scanner'),
                ("curl/8.5.0", 'program'),
                ("python-requests/2.31", 'program'),
                ("WhatsApp/2.23.20.0", 'robot'),
                ("facebookexternalhit/1.1", 'robot'),
                ("Spark/3.0 CFNetwork/1490 Darwin/23.0", 'other'),
                ("x" * 60_000, 'other'),
                ]:
            with self.subTest(user_agent=(user_agent or '')[:60]):
                self.assertEqual(agent_family(user_agent), family)

    def test_address(self):
        "Test which part of the address is kept"
        for address, part, result in [
                ('192.0.2.33', None, None),
                ('192.0.2.33', 'none', None),
                ('192.0.2.33', 'all', None),
                ('192.0.2.33', 'network', '192.0.2.0/24'),
                ('192.0.2.33', 'full', '192.0.2.33'),
                ('::ffff:192.0.2.33', 'network', '192.0.2.0/24'),
                ('2001:db8:1:2::3', 'network', '2001:db8:1::/48'),
                ('2001:db8:1:2::3', 'full', '2001:db8:1:2::3'),
                (None, 'full', None),
                ('unknown', 'full', None),
                ]:
            with self.subTest(address=address, part=part):
                self.assertEqual(address_part(address, part), result)


class VerdictTestCase(unittest.TestCase):
    "Test the rules"

    def test_human(self):
        "Test who gives no reason for doubt is human"
        for kind in ['open', 'click']:
            for agent in [
                    None, 'chrome', 'safari', 'outlook', 'thunderbird',
                    'apple mail', 'other']:
                with self.subTest(kind=kind, agent=agent):
                    self.assertEqual(
                        classify(Case(kind, after(60), agent, NOW, 1)),
                        ('human', None))

    def test_agent(self):
        "Test what says that it is a machine"
        for kind in ['open', 'click']:
            for agent in ['scanner', 'robot', 'program']:
                with self.subTest(kind=kind, agent=agent):
                    self.assertEqual(
                        classify(Case(kind, after(60), agent, NOW)),
                        ('machine', 'agent'))

    def test_proxies(self):
        "Test the proxies that load the images"
        for agent, verdict in [
                ('gmail', ('human', 'image_proxy')),
                ('yahoo', ('human', 'image_proxy')),
                ('gmail prefetch', ('machine', 'prefetch')),
                ('apple proxy', ('unreliable', 'privacy_proxy')),
                ]:
            with self.subTest(agent=agent):
                self.assertEqual(
                    classify(Case('open', after(60), agent, NOW)), verdict)
                self.assertEqual(
                    classify(Case('click', after(60), agent, NOW)),
                    ('human', None))

    def test_speed(self):
        "Test nobody reads a mail within seconds"
        # The mail was delivered at any time of the second
        for seconds, delay, verdict in [
                (2, -3600, 'machine'),
                (2, 0, 'machine'),
                (2, 1.999, 'machine'),
                (2, 2.999, 'machine'),
                (2, 3, 'human'),
                (60, 60, 'machine'),
                (60, 61, 'human'),
                (0, 0, 'human'),
                (0, -1, 'human'),
                ]:
            with self.subTest(seconds=seconds, delay=delay):
                result, _ = classify(
                    Case('click', after(delay), 'chrome', NOW),
                    Limits(seconds=seconds))
                self.assertEqual(result, verdict)
        self.assertEqual(
            classify(Case('click', NOW, 'chrome', None)), ('human', None))

    def test_burst(self):
        "Test nobody follows several links at once"
        for limit, links, verdict in [
                (3, 0, 'human'),
                (3, 2, 'human'),
                (3, 3, 'machine'),
                (3, 9, 'machine'),
                (5, 4, 'human'),
                (0, 9, 'human'),
                ]:
            with self.subTest(limit=limit, links=links):
                result, _ = classify(
                    Case('click', after(60), 'chrome', NOW, links),
                    Limits(links=limit))
                self.assertEqual(result, verdict)

    def test_extend(self):
        "Test the rules can be extended"
        def by_night(case, limits):
            if case.at.hour == 12:
                return 'machine', 'night'

        case = Case('click', after(60), 'chrome', NOW)
        self.assertEqual(
            classify(case, rules=[by_night, *RULES]), ('machine', 'night'))
        self.assertEqual(classify(case, rules=RULES), ('human', None))

    def test_documented(self):
        "Test each rule tells what it is for"
        for rule in RULES:
            self.assertTrue(rule.__doc__)

    def test_count_links(self):
        "Test how many links are followed at once"
        for events, counts in [
                ([], []),
                ([(0, 1)], [1]),
                ([(0, None)], [0]),
                # the same link
                ([(0, 1), (1, 1), (2, 1)], [1, 1, 1]),
                # with the open
                ([(0, None), (1, 1), (2, 2), (3, 3)], [3, 3, 3, 3]),
                ([(5, 3), (0, 1), (1, 2)], [3, 3, 3]),
                # One after the other
                ([(0, 1), (4, 2), (8, 3), (12, 4)], [2, 2, 2, 2]),
                ([(0, 1), (4, 2), (5, 3), (9, 4)], [3, 3, 3, 3]),
                ([(0, 1), (10, 2), (20, 3)], [1, 1, 1]),
                # A burst and a person
                ([(0, 1), (0, 2), (0, 3), (0, 4), (30, 1)],
                    [4, 4, 4, 4, 1]),
                ]:
            with self.subTest(events=events):
                result = count_links([
                        Event(i, after(seconds), link)
                        for i, (seconds, link) in enumerate(events)], 5)
                self.assertEqual(
                    [result[i] for i in range(len(events))], counts)
