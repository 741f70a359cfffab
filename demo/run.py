#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Live through a campaign.

Nine days of a shop pass in a minute: what is sent goes over SMTP, what the
recipients do comes back over HTTP, only the clock is moved.
"""

import datetime as dt
import os
import sys
import time
from collections import Counter

import client
import server

STATES = ['waiting', 'done', 'skipped', 'cancelled', 'failed']
STARTED = time.monotonic()
DAYS = 9
ACTIONS = {
    'open': "opens",
    'click': "clicks",
    'leave': "unsubscribes on the page",
    'leave_at_once': "unsubscribes in the mail program",
    }


def say(text=''):
    print(f'{time.monotonic() - STARTED:6.1f} s  {text}'.rstrip(), flush=True)


def create_database():
    say("Creating the database with party, sale and marketing_automation")
    print(' ' * 8, end='')
    for module in server.create_database():
        print(f' {module}', end='', flush=True)
    print()


def sent(messages):
    "Return the number of messages by the name of their activity"
    from proteus import Model
    RecordActivity = Model.get('marketing.automation.record.activity')
    return Counter(
        step.activity.name for step in RecordActivity.find([
                ('message_id', 'in', [m.message_id for m in messages]),
                ]))


class Campaign:
    "What happens during the demo, told as it happens"

    def __init__(self, clock, mailboxes):
        self.clock = clock
        self.mailboxes = mailboxes
        self.sent = 0

    def run_crons(self):
        from proteus import Model
        Cron = Model.get('ir.cron')
        for method in [
                'marketing.automation.scenario|trigger',
                'marketing.automation.record.activity|process']:
            cron, = Cron.find([('method', '=', method)])
            cron.click('run_once')
        messages = self.mailboxes.server.messages[self.sent:]
        self.sent += len(messages)
        for name, count in sent(messages).items():
            say(f"    {count:3} × {name}")

    def react(self):
        for person, action in self.mailboxes.look():
            say(f"        {person.name}: {ACTIONS[action]}")

    def live(self, start, days):
        "Every few hours the crons run and the recipients look at their mails"
        for day in range(days):
            self.clock.move_to(start + dt.timedelta(days=day))
            say(f"{dt.datetime.now():%A, %d %B}, the crons run")
            self.run_crons()
            self.clock.shift(dt.timedelta(hours=3))
            self.react()
            self.clock.shift(dt.timedelta(hours=1))
            self.run_crons()


def prepare():
    "Fill the database and return the names of the scenarios"
    import data
    from proteus import Model
    data.create_company()
    parties = data.create_people()
    data.create_sales(parties)
    user = data.create_marketer()
    user.password = server.PASSWORD
    user.save()
    # Else the first login shows the wizard that configures the modules
    Item = Model.get('ir.module.config_wizard.item')
    items = Item.find([('state', '!=', 'done')])
    for item in items:
        item.state = 'done'
    Item.save(items)
    scenarios = [data.draw_welcome(), data.draw_quotation()]
    for scenario in scenarios:
        scenario.click('run')
    return data.PEOPLE


def table():
    "Print what became of each activity"
    from proteus import Model
    Activity = Model.get('marketing.automation.activity')
    RecordActivity = Model.get('marketing.automation.record.activity')
    header = [*STATES, 'opened', 'clicked']
    print(f"\n{'':32}" + ''.join(f'{name:>10}' for name in header))
    # The activities are found in the order they have been drawn
    for activity in Activity.find([], order=[('id', 'ASC')]):
        steps = RecordActivity.find([('activity', '=', activity.id)])
        states = Counter(step.state for step in steps)
        numbers = [states[state] for state in STATES] + [
            activity.email_opened or 0, activity.email_clicked or 0]
        depth, parent = 0, activity.parent
        while isinstance(parent, Activity):
            depth, parent = depth + 1, parent.parent
        if not depth:
            print(parent.name)
        print(f"{'  ' * (depth + 1) + activity.name:32}"
            + ''.join(f'{number:10}' for number in numbers))


def reasons():
    "Print why some have not been executed"
    from proteus import Model
    from proteus.config import get_config
    RecordActivity = Model.get('marketing.automation.record.activity')
    labels = dict(RecordActivity.fields_get(
            ['reason'], get_config().context)['reason']['selection'])
    steps = RecordActivity.find([
            ('state', 'in', ['skipped', 'failed']),
            ])
    print()
    for step in steps:
        detail = f" ({step.detail})" if step.detail else ""
        print(f"{step.activity.name}, {step.record.record.rec_name}: "
            f"{step.state}, {labels[step.reason]}{detail}")


def stay(campaign, url, web):
    print(f"""
Database   {server.DATABASE}
Server     {url}
Users      admin, and camille who is only a marketer
Password   {server.PASSWORD}
""")
    if web:
        print(f"Open {url}/#{server.DATABASE} in a browser.")
    print("The crons run every 10 seconds.  Control-C stops.", flush=True)
    while True:
        time.sleep(10)
        campaign.run_crons()


def main():
    staying = bool(os.environ.get('STAY'))
    ports = server.configure()
    installation = client.Installation()
    if staying:
        say("Installing the web client meanwhile, if there is npm")
        installation.start()
    create_database()

    import time_machine
    from proteus.config import set_trytond
    from recipients import Mailboxes

    now = dt.datetime.now().astimezone()
    start = (now - dt.timedelta(days=DAYS)).replace(hour=9, minute=0)
    set_trytond(
        f'sqlite:///{server.DATABASE}', config_file=os.environ[
            'TRYTOND_CONFIG'])
    smtp = server.smtp_server(ports['smtp'])
    smtp.refuse_rcpt('closed-mailbox', text='5.1.1 This mailbox is closed')
    with smtp:
        http = server.serve_http(ports['http'])
        url = f"http://{server.HOST}:{ports['http']}"
        say(f"SMTP on port {ports['smtp']}, HTTP on {url}")
        with time_machine.travel(start, tick=True) as clock:
            say("Creating people and sales, drawing the scenarios")
            people = prepare()
            campaign = Campaign(clock, Mailboxes(smtp, people))
            campaign.live(start, DAYS)
        mail = server.DIRECTORY / 'mail.eml'
        mail.write_bytes(next(
                message.content for message in smtp.messages
                if people[0].email in message.rcpt_tos))
        say("The story ends")
        table()
        reasons()
        print(f"\nA complete mail: {os.path.relpath(mail)}")
        if installation.is_alive():
            say("Waiting for the web client")
            installation.join()
        if staying:
            try:
                stay(campaign, url, installation.installed)
            except KeyboardInterrupt:
                print()
        else:
            print(
                "To look around with a Tryton client: make demo STAY=1, then "
                f"{url}, database {server.DATABASE}, user admin or camille, "
                f"password {server.PASSWORD}")
        http.shutdown()


if __name__ == '__main__':
    sys.exit(main())
