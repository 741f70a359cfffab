# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from case import UserInterfaceTestCase

NAME = "Tag Hot Contacts"
AUDIENCE = "Readers"
TEXT = "The new lamps are here."
WELCOME = "Welcome to the newsletter"


class CampaignWalkTestCase(UserInterfaceTestCase):
    "Test the way of a marketer from a template to the e-mails"

    def test_campaign(self):
        "Test a campaign is drawn, written, checked and run"
        self.new_from_template()
        self.change_audience()
        self.write()
        self.send_me()
        self.check()
        self.run_()

    def new_from_template(self):
        client = self.client
        client.menu("Marketing", "Scenarios", "New Scenario from Template")
        self.assertIn("Win Back", client.text())
        self.picture('template')
        client.fill('template', NAME)
        client.click("Next")
        client.fill('organization', "Maison Lumen")
        client.fill('url', 'https://www.lumen.example.com/new')
        client.change(lambda: client.click("Create"))
        self.assertEqual(client.value('name'), NAME)
        self.assertIn('As soon as "Welcome" is clicked', client.text())
        client.close_tabs()

    def change_audience(self):
        client = self.client
        client.menu("Marketing", "Audiences")
        client.toolbar('new_')
        client.fill('name', AUDIENCE)
        client.add_line()
        client.fill('field', "Categories")
        client.search('record', "Newsletter")
        client.toolbar('save')
        self.assertEqual(client.value('count'), '13')
        self.assertIn("Categories is Newsletter", client.value('description'))
        self.picture('audience')
        client.close_tabs()

        client.menu("Marketing", "Scenarios")
        client.tab("Draft")
        client.open(NAME)
        client.search('audience', AUDIENCE)
        self.assertIn(" of 13 would enter now", client.value('reach_summary'))
        client.toolbar('save')
        client.tab("Audience")
        self.assertEqual(client.value('reach_matching'), '13')
        self.picture('reach')
        client.tab("Activities")

    def write(self):
        client = self.client
        client.open("Welcome")
        client.fill('preview_language', "English")
        client.fill('email_title', "News for ${record.name}")
        client.fill('email_template', client.value('email_template').replace(
                "Thank you for your interest in Maison Lumen.", TEXT))
        self.assertRegex(client.value('preview_subject'), "News for [^$]+")
        self.assertIn(TEXT, client.preview())
        self.picture('activity')
        client.change(lambda: client.click("Apply Changes"))
        client.toolbar('save')

    def send_me(self):
        client = self.client
        client.open("Welcome")
        client.change(lambda: client.click("Send Me This"))
        client.click("Send")
        self.assertEqual(client.value('address'), self.stage.address)
        message = self.stage.smtp.messages[-1]
        self.assertEqual(message.rcpt_tos, [self.stage.address])
        self.assertIn("News for", message.message['Subject'])
        client.change(lambda: client.click("OK"))
        client.change(lambda: client.click("Discard Changes"))

    def check(self):
        client = self.client
        client.change(lambda: client.click("Run"))
        self.assertEqual(client.value('count'), '13')
        self.assertIn(TEXT, client.preview())
        self.picture('check')

    def run_(self):
        client = self.client
        client.change(lambda: client.click("Run"))
        self.assertEqual(client.shown('state'), "Running")
        before = len(self.stage.smtp.messages)
        self.stage.run_crons()
        # The other scenarios go on as well
        mailed = sum(
            "News for" in message.message['Subject']
            for message in self.stage.smtp.messages[before:])
        self.assertGreater(mailed, 5)
        client.toolbar('reload')
        client.tab("Progress")
        self.assertEqual(client.value('email_count'), str(mailed))


class FollowWalkTestCase(UserInterfaceTestCase):
    "Test what a marketer sees of a scenario that runs"

    def setUp(self):
        super().setUp()
        self.client.menu("Marketing", "Scenarios")
        self.client.open(WELCOME)

    def test_scenario(self):
        "Test the activities with their figures, and the diagram"
        client = self.client
        row = client.row('3 days after "Welcome", if not clicked')
        self.assertIn("Reminder", row.inner_text())
        self.picture('scenario')
        client.tab("Diagram")
        self.assertGreater(client.top.locator(
                'img.center-block:visible').last.evaluate(
                    'e => e.naturalWidth'), 300)
        self.picture('diagram')

    def test_progress(self):
        "Test the figures of the scenario"
        self.client.tab("Progress")
        self.assertEqual(self.client.value('record_count'), '13')
        self.picture('progress')

    def test_funnel(self):
        "Test how many get how far"
        self.client.choose('relate', "Funnel")
        self.assertIn("Entered", self.client.text())
        self.picture('funnel')
        self.client.toolbar('switch_')
        self.assertIn("Thanks for a click", self.client.text())

    def test_agenda(self):
        "Test what is due when"
        self.client.choose('relate', "Agenda")
        self.assertIn("Reminder without a click", self.client.text())

    def test_record_activities(self):
        "Test what became of each step"
        self.client.choose('relate', "Record Activities")
        self.client.tab("Failed")
        self.assertIn("Desmond Kettering", self.client.text())
        self.client.tab("All")
        self.picture('record_activity')

    def test_story(self):
        "Test what happened to a record, in order"
        client = self.client
        client.choose('relate', "Records")
        client.tab("All")
        client.open("Café des Tilleuls")
        self.assertEqual(client.value('rec_name'), "Café des Tilleuls")
        client.choose('relate', "Story")
        self.assertIn("E-Mail Clicked", client.text())
        self.picture('story')
        client.pick("Thanks for a click")
        client.change(lambda: client.row("Thanks for a click").locator(
                'button[name=show]').click())
        self.assertIn("Café des Tilleuls", client.preview())
        self.picture('message')

    def test_why(self):
        "Test why somebody gets nothing"
        client = self.client
        client.choose('action', "Why")
        client.search('record', "Desmond")
        client.click("Why?")
        self.assertIn("Nothing more happens", client.value('text'))
        self.assertIn("This mailbox is closed", client.text())
        self.picture('why')
