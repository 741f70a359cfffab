# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.modules.marketing_automation.tracking import bot_rule
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .test_hit import APPLE, GMAIL, START, HitTestCase, seconds
from .test_url import configure


class JudgeTestCase(HitTestCase):
    "Test the hits are judged"

    @with_transaction()
    def test_human(self):
        "Test a human counts"
        mail = self.create_mail()
        link, = self.create_links(1)
        self.hit(0, 'open', mail)
        self.hit(5, 'click', mail, link)

        self.react()

        self.assertVerdicts(('open', 'human', None), ('click', 'human', None))
        self.assertEqual(self.flags(mail), (True, True, True, True))

    @with_transaction()
    def test_machine(self):
        "Test a machine triggers nothing, and a human later still does"
        mail = self.create_mail()
        link, = self.create_links(1)
        self.hit(0, 'open', mail, agent="curl/8")
        self.hit(0, 'click', mail, link, agent="Googlebot/2.1")

        self.react()

        self.assertVerdicts(
            ('open', 'machine', 'agent'), ('click', 'machine', 'agent'))
        self.assertEqual(self.flags(mail), (False, False, True, True))

        self.hit(61, 'open', mail)
        self.react(120)

        self.assertEqual(self.flags(mail), (True, False, True, True))

    @with_transaction()
    def test_proxies(self):
        "Test the opens of the proxies"
        apple, gmail = self.create_mail(), self.create_mail()
        self.hit(0, 'open', apple, agent=APPLE)
        self.hit(0, 'open', gmail, agent=GMAIL)

        self.react()

        self.assertVerdicts(
            ('open', 'unreliable', 'privacy_proxy'),
            ('open', 'human', 'image_proxy'))
        self.assertEqual(self.flags(apple), (False, False, True, False))
        self.assertEqual(self.flags(gmail), (True, False, True, False))

    @with_transaction()
    def test_speed(self):
        "Test who is faster than anybody can be"
        mail = self.create_mail(START)
        link, = self.create_links(1)
        self.hit(-1, 'open', mail)
        self.hit(2.5, 'click', mail, link)
        # The same program, but in the hands of a person
        self.hit(6, 'click', mail, link)

        self.react()

        self.assertVerdicts(
            ('open', 'machine', 'speed'), ('click', 'machine', 'speed'),
            ('click', 'human', None))
        self.assertEqual(self.flags(mail), (True, True, True, True))

    @with_transaction()
    def test_sending(self):
        "Test what comes during the delivery is judged afterwards"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        mail = self.create_mail(None, state='sending')
        self.hit(0, 'open', mail)

        self.react()
        self.assertVerdicts(('open', None, None))

        RecordActivity.write(
            [RecordActivity(mail)],
            {'state': 'done', 'ended_at': START + seconds(5)})
        self.react()
        self.assertVerdicts(('open', 'machine', 'speed'))

    @with_transaction()
    def test_sending_forever(self):
        "Test a hit does not wait for ever"
        mail = self.create_mail(None, state='waiting')
        self.hit(0, 'open', mail)

        self.react(2 * 24 * 3600)

        self.assertVerdicts(('open', 'human', None))
        self.assertEqual(self.flags(mail), (False, False, True, False))

    @with_transaction()
    def test_burst(self):
        "Test several links at once, also by programs like those of persons"
        mail, other = self.create_mail(), self.create_mail()
        links = self.create_links(3)
        self.hit(0, 'open', mail)
        for i, link in enumerate(links):
            self.hit(i, 'click', mail, link)
            self.hit(i * 20, 'click', other, link)
        self.hit(50, 'click', mail, links[0])

        self.react()
        self.assertEqual(self.flags(mail), (True, True, True, True))

        burst = ('machine', 'burst')
        human = ('human', None)
        self.assertVerdicts(
            ('open', *burst), ('click', *burst), ('click', *human),
            ('click', *burst), ('click', *human), ('click', *burst),
            ('click', *human), ('click', *human))

    @with_transaction()
    def test_quarantine(self):
        "Test a hit is kept back until those that follow are known"
        mail = self.create_mail()
        links = self.create_links(3)
        self.hit(0, 'click', mail, links[0])

        self.react(9)
        self.assertVerdicts(('click', None, None))

        self.hit(4, 'click', mail, links[1])
        self.hit(5, 'click', mail, links[2])
        self.react(10)
        self.assertVerdicts(
            ('click', 'machine', 'burst'), ('click', None, None),
            ('click', None, None))
        self.react(15)
        self.assertVerdicts(*[('click', 'machine', 'burst')] * 3)
        self.assertEqual(self.flags(mail), (False, False, True, True))

    @with_transaction()
    def test_configuration(self):
        "Test the rules are configured"
        for options, verdict_ in [
                ({'machine_links': '4'}, 'human'),
                ({'machine_links': '0'}, 'human'),
                ({'machine_burst': '1'}, 'human'),
                ({'machine_burst': '2'}, 'machine'),
                ({'machine_links': '4', 'machine_seconds': '3602'},
                    'machine'),
                ]:
            mail = self.create_mail()
            with self.subTest(options=options):
                for option, value in options.items():
                    configure(self, 'marketing', option, value)
                for i, link in enumerate(self.create_links(3)):
                    self.hit(i, 'click', mail, link)
                self.react()
                self.assertEqual(
                    {v for _, v, _ in self.verdicts()[-3:]}, {verdict_})
            self.doCleanups()

    @with_transaction()
    def test_events(self):
        "Test the children wait for humans"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        RecordActivity = pool.get('marketing.automation.record.activity')
        mail = RecordActivity(self.create_mail())
        Activity.write([mail.activity], {
                'action': 'send_email',
                'email_title': "Title",
                'email_template': "<p>Hello</p>",
                })
        child, = Activity.create([{
                    'name': "Child",
                    'parent': str(mail.activity),
                    'event': 'email_opened',
                    }])
        child, = RecordActivity.create([{
                    'record': mail.record.id,
                    'activity': child.id,
                    }])

        self.hit(0, 'open', mail.id, agent="curl/8")
        self.react()
        self.assertIsNone(RecordActivity(child.id).at)

        self.hit(90, 'open', mail.id)
        self.react(120)
        self.assertEqual(
            RecordActivity(child.id).at, START + seconds(90))

    @with_transaction()
    def test_clicks(self):
        "Test the clicks of a link are counted, also without the hits"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Link = pool.get('marketing.automation.link')
        mail = self.create_mail()
        link, other = self.create_links(2)
        self.hit(0, 'click', mail, link)
        self.hit(20, 'click', mail, link)
        self.hit(20, 'click', mail, link, agent="curl/8")
        self.hit(40, 'click', mail, 2 ** 31 - 1)
        self.react(80)
        self.hit(100, 'click', mail, link)
        self.react(200)
        Hit.delete(list(Hit.search([])))

        self.assertEqual((Link(link).clicks, Link(link).clicks_raw), (3, 4))
        self.assertFalse(Link(other).clicks)

    @with_transaction()
    def test_judge_again(self):
        "Test with other rules a machine may have been human"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Link = pool.get('marketing.automation.link')
        mail = self.create_mail()
        link, = self.create_links(1)
        self.hit(0, 'click', mail, link, agent="curl/8")
        self.hit(0, 'open', mail)
        self.react()
        self.assertEqual(self.flags(mail), (True, False, True, True))

        rules = [r for r in bot_rule.RULES if r is not bot_rule.by_agent]
        with patch.object(Hit, '_rules', return_value=rules):
            for _ in range(2):
                Hit.judge(list(Hit.search([])))

        self.assertVerdicts(('click', 'human', None), ('open', 'human', None))
        self.assertEqual(self.flags(mail), (True, True, True, True))
        self.assertEqual((Link(link).clicks, Link(link).clicks_raw), (1, 1))

        # What has had its effect stays
        Hit.judge(list(Hit.search([])))
        self.assertVerdicts(('click', 'human', None), ('open', 'human', None))
        self.assertEqual(self.flags(mail), (True, True, True, True))

    @with_transaction()
    def test_judge_pending(self):
        "Test the button does not end the quarantine, nor for unsubscribes"
        Hit = Pool().get('marketing.automation.hit')
        self.hit(0, 'open', self.create_mail())
        Hit.add('unsubscribe', record=1)

        Hit.judge(list(Hit.search([])))
        Hit.judge([])

        self.assertVerdicts(('open', None, None), ('unsubscribe', None, None))

    @with_transaction()
    def test_reasons(self):
        "Test each reason can be shown"
        Hit = Pool().get('marketing.automation.hit')
        reasons = {
            'agent', 'prefetch', 'speed', 'burst', 'privacy_proxy',
            'image_proxy'}
        self.assertEqual(
            {r for r, _ in Hit.reason.selection if r}, reasons)
        self.assertEqual(len(bot_rule.RULES), len(reasons))


del HitTestCase
