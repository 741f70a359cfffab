# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The fixture of the flat module: databases of when its files were not in rooms.

In a checkout of the commit 5fa8432, whose environment ENV has this checkout as
module, start as

    ENV/bin/python THIS_FILE FOLDER

with TRYTOND_DATABASE_URI and, for PostgreSQL, pg_dump in the path:

    TRYTOND_DATABASE_URI=sqlite:// ENV/bin/python THIS_FILE FOLDER
    python scripts/postgresql.py ENV/bin/python THIS_FILE FOLDER

It creates a database with all the modules with which the module works
together, lives through a week of a shop, and writes what is in the database
as a dump in SQL, and a description as JSON, into the folder.  The clock of the
week is fixed; the secret of the links and the identifiers are not.

The translations of the other modules are left out, which halves the dump: an
update of the module does not touch them.
"""

import base64
import datetime as dt
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path

COMMIT = '5fa8432'
MODULE = 'marketing_automation'
EXTRAS = [
    'inbound_email', 'marketing_campaign', 'marketing_email', 'sale',
    'sale_opportunity', 'web_shortener']
LANGUAGES = ['fr', 'de']
NAME = 'flat'
START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.timezone.utc)
BROWSER = {'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) '
    'Gecko/20100101 Firefox/140.0'}

TABLES = [f'marketing_automation_{name}' for name in [
        'activity', 'activity_attachment', 'audience', 'audience_rule',
        'consent', 'counter', 'hit', 'layout', 'link', 'record',
        'record_activity', 'scenario', 'secret', 'sms_incoming', 'sms_stop',
        'suppression', 'tally', 'todo']] + [
    'party_party-unsubscribed-marketing_automation_scenario']
PEOPLE = [
    ("Ann", 'en', 'ann@example.com', '+1 202-555-0101'),
    ("Benoît", 'fr', 'benoit@example.com', None),
    ("Käthe", 'de', 'kaethe@example.com', '+1 202-555-0103'),
    ("Dora", 'de', 'dora@example.com', None),
    ("Émile", 'fr', 'emile@example.org', None),
    ("Fay", 'en', None, '+1 202-555-0106'),
    ("Gil", 'fr', 'gil@example.com', None),
    ("Hans", 'de', 'hans@example.com', None),
    ]
TEMPLATE = """\
<p>{hello} ${{record.rec_name}}</p>
<p><a href="https://shop.example.com/lamps">{shop}</a></p>
<p><a href="unsubscribe">{bye}</a>
<a href="unsubscribe|https://shop.example.com/bye">{bye} 2</a></p>
"""
WORDS = {
    'en': ("Welcome", {
            'hello': "Hello", 'shop': "Shop", 'bye': "Unsubscribe"}),
    'fr': ("Bienvenue", {
            'hello': "Bonjour", 'shop': "Boutique", 'bye': "Se désabonner"}),
    'de': ("Willkommen", {
            'hello': "Hallo", 'shop': "Laden", 'bye': "Abmelden"}),
    }
SENDERS = {
    'en': "The Shop\n1 Main Street",
    'fr': "La boutique\n1 grand-rue",
    'de': "Der Laden\nHauptstraße 1",
    }


# The database


def create(folder):
    "Create the database with the modules and the languages"
    uri = os.environ['TRYTOND_DATABASE_URI']
    if uri.startswith('sqlite'):
        (folder / f'{NAME}.sqlite').touch()
    else:
        subprocess.run([
                'createdb', '-T', 'template0',
                f'--maintenance-db={uri}postgres', NAME], check=True)
    password = folder / 'password'
    password.write_text('flat-flat-1')
    subprocess.run([
            Path(sys.executable).parent / 'trytond-admin',
            '-c', folder / 'trytond.conf', '-d', NAME,
            '--email', 'admin@example.com', '-u', MODULE, *EXTRAS,
            '-l', *LANGUAGES, '--activate-dependencies',
            ], check=True, stdin=subprocess.DEVNULL, env={
            **os.environ, 'TRYTONPASSFILE': str(password)})


def shrink(connection):
    "Remove what an update of the module does not touch"
    connection.execute(
        "DELETE FROM ir_translation "
        "WHERE lang <> 'en' AND module <> 'marketing_automation'")
    connection.execute("DELETE FROM ir_session")
    connection.commit()


def describe(connection):
    "Return how many rows there are"
    counts = {}
    for table in TABLES:
        cursor = connection.execute(f'SELECT count(*) FROM "{table}"')
        counts[table], = cursor.fetchone()
    cursor = connection.execute(
        "SELECT state, count(*) FROM marketing_automation_record_activity "
        "GROUP BY state ORDER BY state")
    return {'counts': counts, 'states': dict(cursor.fetchall())}


def dump(folder):
    "Return the kind of the database, its description and its dump"
    uri = os.environ['TRYTOND_DATABASE_URI']
    if uri.startswith('sqlite'):
        with closing(sqlite3.connect(folder / f'{NAME}.sqlite')) as connection:
            shrink(connection)
            content = '\n'.join(connection.iterdump()) + '\n'
            return 'sqlite', describe(connection), content
    import psycopg
    with closing(psycopg.connect(uri + NAME)) as connection:
        shrink(connection)
        description = describe(connection)
    return 'pg', description, subprocess.run([
            'pg_dump', '--no-owner', '--no-privileges', '-d', uri + NAME,
            ], check=True, text=True, stdout=subprocess.PIPE).stdout


def write(path, content):
    "Write the compressed content, the same for the same content"
    with open(path, 'wb') as file:
        with gzip.GzipFile(
                filename='', mode='wb', compresslevel=9, fileobj=file,
                mtime=0) as compressed:
            compressed.write(content.encode())


# The week


def translated(config, record, **values):
    "Write the values by language"
    for language in LANGUAGES:
        with config.set_context(language=language):
            other = type(record)(record.id)
            for name, value in values.items():
                setattr(other, name, value[language])
            other.save()


def create_people(Model):
    Category = Model.get('party.category')
    Lang = Model.get('ir.lang')
    Party = Model.get('party.party')
    languages = {lang.code: lang for lang in Lang.find([])}
    customer = Category(name="Customer")
    customer.save()
    parties = {}
    for name, language, email, mobile in PEOPLE:
        party = Party(name=name, lang=languages[language])
        party.categories.append(Category(customer.id))
        if email:
            party.contact_mechanisms.new(type='email', value=email)
        if mobile:
            party.contact_mechanisms.new(type='mobile', value=mobile)
        party.save()
        parties[name] = party
    dora = parties["Dora"]
    dora.marketing_refused = True
    dora.save()
    return customer, parties


def mail_activity(config, Model, scenario, **values):
    Activity = Model.get('marketing.automation.activity')
    activity = Activity(parent=scenario, action='send_email', **values)
    activity.name, words = WORDS['en']
    activity.email_title = f"{activity.name} ${{record.rec_name}}"
    activity.email_template = TEMPLATE.format(**words)
    activity.save()
    translated(
        config, activity,
        name={code: name for code, (name, _) in WORDS.items()},
        email_title={
            code: f"{name} ${{record.rec_name}}"
            for code, (name, _) in WORDS.items()},
        email_template={
            code: TEMPLATE.format(**words)
            for code, (_, words) in WORDS.items()})
    return activity


def draw_welcome(config, Model, customer):
    "Draw the tree of the mails, the SMS and the to-do for an audience"
    Activity = Model.get('marketing.automation.activity')
    Audience = Model.get('marketing.automation.audience')
    Layout = Model.get('marketing.automation.layout')
    Scenario = Model.get('marketing.automation.scenario')
    User = Model.get('res.user')
    layout, = Layout.find([])
    layout.sender = SENDERS['en']
    layout.save()
    translated(config, layout, sender=SENDERS, name={
            'fr': "Usuel", 'de': "Üblich"})
    audience = Audience(name="Customers", model='party.party')
    rule = audience.rules.new()
    rule.field = 'categories'
    rule.record = customer
    audience.save()
    translated(config, audience, name={'fr': "Clients", 'de': "Kunden"})
    scenario = Scenario(
        name="Welcome", model='party.party', audience=audience,
        unsubscribable=True, layout=layout)
    scenario.save()
    translated(
        config, scenario,
        name={'fr': "Bienvenue", 'de': "Begrüßung"})
    mail = mail_activity(config, Model, scenario)
    attachment = mail.attachments.new()
    attachment.name, attachment.data = 'terms.txt', b"Be kind."
    mail.save()
    for on, delay, values in [
            ('email_opened', 1, {
                'action': 'send_sms', 'sms_text': (
                    "Hello ${record.name}: https://shop.example.com/coupon")}),
            ('email_clicked', 0, {
                'action': 'todo', 'todo_subject': "Call ${record.name}",
                'todo_user': User(1), 'todo_days': 2}),
            ('email_clicked_not', 3, {}),
            ('email_bounced', 0, {}),
            ('email_unsubscribed', 0, {}),
            ]:
        child = Activity(name=on, parent=mail, **values)
        child.on = on
        child.delay = dt.timedelta(days=delay)
        child.save()
    return scenario


def draw_others(config, Model, parties):
    "Draw a scenario for each other target, one that is not run and one ended"
    Activity = Model.get('marketing.automation.activity')
    Email = Model.get('marketing.email')
    List = Model.get('marketing.email.list')
    Scenario = Model.get('marketing.automation.scenario')
    news = List(name="News")
    news.save()
    for address in ['reader@example.com', 'kaethe@example.com']:
        Email(email=address, list_=news).save()
    scenarios = {}
    for name, model, values in [
            ("Orders", 'sale.sale', {}),
            ("News", 'marketing.email', {'tracking': 'anonymously'}),
            ("Offers", 'sale.opportunity', {}),
            ("Draft", 'party.party', {}),
            ("Stopped", 'party.party', {}),
            ]:
        scenario = Scenario(name=name, model=model, domain='[]', **values)
        scenario.save()
        translated(config, scenario, name={
                'fr': f"{name} (fr)", 'de': f"{name} (de)"})
        mail_activity(config, Model, scenario) if name in {"News"} else (
            Activity(
                name=name, parent=scenario,
                delay=dt.timedelta(days=9)).save())
        scenarios[name] = scenario
    prospects = Scenario(
        name="Prospects", model='party.party',
        domain='[["name", "in", ["Ann", "Hans"]]]')
    prospects.save()
    Activity(
        name="Offer", parent=prospects, action='opportunity',
        opportunity_operation='create',
        opportunity_description="Offer for ${record.name}",
        opportunity_amount=Decimal(1000), opportunity_probability=0.8,
        opportunity_state='opportunity').save()
    scenarios["Prospects"] = prospects
    for name in ["Orders", "News", "Offers", "Stopped", "Prospects"]:
        scenarios[name].click('run')


def create_sales(Model, parties):
    Sale = Model.get('sale.sale')
    for reference, name in [("A1", "Ann"), ("A2", "Ann"), ("H1", "Hans")]:
        Sale(party=parties[name], reference=reference).save()


def customise(Model):
    "Add to a form like an administrator"
    View = Model.get('ir.ui.view')
    parent, = View.find([
            ('model', '=', 'marketing.automation.scenario'),
            ('type', '=', 'form'), ('inherit', '=', None)])
    View(
        model=parent.model, inherit=parent, data=(
            '<data><xpath expr="//field[@name=\'name\']" position="after">'
            '<newline/><label id="house_rule" string="Ask the boss."/>'
            '</xpath></data>')).save()


def live(folder):
    "Live through the week and return the links in the mails"
    # Only once there is a database
    import time_machine
    from proteus import Model
    from proteus.config import set_trytond

    from trytond.modules.company.tests.tools import create_company
    from trytond.modules.marketing_automation.tests import bounces, sms
    from trytond.modules.marketing_automation.tests.tools import (
        BASE, links, post_inbound, process, start_server, trigger, visit)
    config = set_trytond(NAME)

    def run():
        trigger()
        process()

    with time_machine.travel(START) as clock:
        smtp = start_server(marketing__bounce_email='bounce@example.com')
        provider = sms.start_provider()
        create_company()
        customer, parties = create_people(Model)
        scenario = draw_welcome(config, Model, customer)
        create_sales(Model, parties)
        scenario.click('run')
        draw_others(config, Model, parties)
        customise(Model)
        Inbox = Model.get('inbound.email.inbox')
        inbox = Inbox(name="Marketing")
        inbox.rules.new(action=(
                'marketing.automation.record.activity|from_inbound_email'))
        inbox.click('new_identifier')
        run()
        mails = {m.rcpt_tos[0]: m for m in smtp.messages}
        urls = {address: links(m.message) for address, m in mails.items()}

        clock.shift(dt.timedelta(hours=2))
        post_inbound(inbox, bounces.status(mails['emile@example.org']))
        for address in ['ann@example.com', 'kaethe@example.com']:
            visit(urls[address][1], headers=BROWSER)
        clock.shift(dt.timedelta(minutes=1))
        visit(urls['ann@example.com'][0]["Shop"], headers=BROWSER)
        visit(urls['reader@example.com'][0]["Shop"], headers=BROWSER)
        visit(urls['gil@example.com'][0]["Se désabonner"], 'POST', data={
                'unsubscribe': 'yes', 'choice': 'scenario',
                'reason': 'too_many', 'comment': "Trop d’e-mails"})
        visit(urls['hans@example.com'][0]["Abmelden"], 'POST', data={
                'unsubscribe': 'yes', 'choice': 'pause'})
        run()
        clock.shift(dt.timedelta(days=2))
        run()
        assert provider.messages
        database = base64.urlsafe_b64encode(NAME.encode()).decode().rstrip('=')
        visit(f'{BASE}/m/{database}/sms/{sms.TOKEN}', 'POST', json={
                'from': '12025550103', 'text': " stop. "})
        ToDo = Model.get('marketing.automation.todo')
        for todo in ToDo.find([('subject', '=', "Call Ann")]):
            todo.click('do')
        stopped, = Model.get('marketing.automation.scenario').find([
                ('name', '=', "Stopped")])
        stopped.click('stop')
        clock.shift(dt.timedelta(days=2))
        run()
        return {
            address: {
                'open': pixel.removeprefix(BASE).split('/', 3)[3],
                **{text: url.removeprefix(BASE).split('/', 3)[3]
                    for text, url in texts.items()},
                } for address, (texts, pixel) in urls.items()}


def main():
    output = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix='flat-') as folder:
        folder = Path(folder)
        (folder / 'trytond.conf').write_text(
            '[database]\n'
            f'uri = {os.environ["TRYTOND_DATABASE_URI"]}\n'
            f'path = {folder}\n')
        os.environ['TRYTOND_CONFIG'] = str(folder / 'trytond.conf')
        os.environ['TRYTOND_DATABASE__PATH'] = str(folder)
        os.environ['DB_NAME'] = NAME
        create(folder)
        links = live(folder)
        kind, description, content = dump(folder)
    from trytond import __version__
    stem = f'{NAME}-{".".join(__version__.split(".")[:2])}'
    write(output / f'{stem}.{kind}.sql.gz', content)
    (output / f'{stem}.{kind}.json').write_text(
        json.dumps({
                'commit': COMMIT,
                'modules': [MODULE, *EXTRAS],
                'languages': LANGUAGES,
                'links': links,
                **description,
                }, indent=1, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main()
