# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The stage of the tests of the user interface.

It is the shop of the demo after some days of its campaigns, with the servers
that a marketer and the recipients meet, all on the loopback.
"""

import datetime as dt
import os
import shutil
import sys
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'demo'))

import client  # noqa: E402
import server  # noqa: E402

DIRECTORY = ROOT / '.cache' / 'ui'
PICTURES = DIRECTORY / 'pictures'
DATABASE = 'ui'
# Who is only in the group Marketing
LOGIN = 'camille'
ADDRESS = 'camille@lumen.example.com'
DAYS = 3
# The same is due at any time of the day: the reminders wait for half a day
AGO = dt.timedelta(days=DAYS, hours=-12)
LANGUAGES = ['fr']
# All that have views of the module
MODULES = [
    'inbound_email', 'marketing_campaign', 'marketing_email', 'sale',
    'sale_opportunity', 'web_shortener']

_stack = ExitStack()


class Stage:
    "What the tests need to know of the servers"

    def __init__(self, url, smtp):
        # The ids of the views that a client has asked for
        self.views = _watch_views()
        self.url = url
        self.smtp = smtp
        self.name = DATABASE
        self.login = LOGIN
        self.password = server.PASSWORD
        self.address = ADDRESS

    def run_crons(self):
        "Let enter and execute, as the crons do"
        import run
        from recipients import Mailboxes
        with redirect_stdout(None):
            run.Campaign(None, Mailboxes(self.smtp, [])).run_crons()

    def unsubscribe_link(self, name):
        "Return the link that the e-mails to the party contain"
        from trytond.modules.marketing_automation.tracking.url import (
            unsubscribe_url)
        with self.database() as pool:
            Record = pool.get('marketing.automation.record')
            record, = Record.search([
                    ('rec_name', '=', name),
                    ('scenario.name', '=', "Welcome to the newsletter"),
                    ])
            return unsubscribe_url(record.id)

    @contextmanager
    def database(self):
        "Yield the pool, to look at what the administrator may see"
        from trytond.pool import Pool
        from trytond.transaction import Transaction
        with Transaction().start(self.name, 1, readonly=True):
            yield Pool()


def _configure():
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    server.DIRECTORY = DIRECTORY / 'site'
    server.DATABASE = DATABASE
    # Each takes its time to be loaded
    server.LANGUAGES = LANGUAGES
    server.MODULES = MODULES
    return server.configure()


def build():
    "Build the stage and return it, the same one each time"
    if not hasattr(build, 'stage'):
        build.stage = _build()
    return build.stage


def _build():
    # Who writes tests does not want to wait for the same story each time
    kept = os.environ.get('KEEP') and DIRECTORY / 'kept'
    ports = _configure()
    if not client.install():
        raise RuntimeError("The web client can not be installed with npm.")
    if kept and kept.exists():
        for path in kept.iterdir():
            shutil.copy(path, server.DIRECTORY / path.name)
    else:
        for _ in server.create_database():
            pass
    from proteus.config import set_trytond
    set_trytond(
        f'sqlite:///{DATABASE}', config_file=os.environ['TRYTOND_CONFIG'])
    smtp = _stack.enter_context(server.smtp_server(ports['smtp']))
    smtp.refuse_rcpt('closed-mailbox', text='5.1.1 This mailbox is closed')
    http = server.serve_http(ports['http'])
    _stack.callback(http.shutdown)
    if not (kept and kept.exists()):
        _live(smtp)
        if kept:
            _keep(kept)
    return Stage(f"http://{server.HOST}:{ports['http']}", smtp)


def _watch_views():
    "Return the set of the ids of the views which are asked for from now on"
    from trytond.model import ModelView
    views, fields_view_get = set(), ModelView.fields_view_get.__func__

    @wraps(fields_view_get)
    def watched(cls, *args, **kwargs):
        view = fields_view_get(cls, *args, **kwargs)
        views.add(view['view_id'])
        return view
    ModelView.fields_view_get = classmethod(watched)
    return views


def _live(smtp):
    import run
    import time_machine
    from recipients import Mailboxes
    start = dt.datetime.now().astimezone() - AGO
    with time_machine.travel(start, tick=True) as clock, \
            redirect_stdout(None):
        people = run.prepare()
        campaign = run.Campaign(clock, Mailboxes(smtp, people))
        campaign.live(start, DAYS)
    _complete()


def _keep(kept):
    import sqlite3
    kept.mkdir()
    path = f'{DATABASE}.sqlite'
    with sqlite3.connect(server.DIRECTORY / path) as database:
        with sqlite3.connect(kept / path) as copy:
            database.backup(copy)


def _complete():
    "Give the marketer an address"
    from proteus import Model
    User = Model.get('res.user')
    user, = User.find([('login', '=', LOGIN)])
    user.email = ADDRESS
    user.save()


def strike():
    _stack.close()
