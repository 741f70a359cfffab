# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import unittest
from contextlib import ExitStack, contextmanager

from lxml import html as lxml_html
from proteus import Model
from proteus import config as proteus_config
from werkzeug.test import Client

import trytond.config as config
from trytond import __version__
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.tests.tools import set_user
from trytond.transaction import Transaction
from trytond.wsgi import app

from .mail.smtp import SMTPServer

BASE = 'https://marketing.example.com'

WELCOME = """<!DOCTYPE html>
<html xmlns:py="http://genshi.edgewall.org/">
    <body>
        <p>Hello ${record.name}</p>
        <p><a href="https://shop.example.com/">Shop</a></p>
        <p><a href="unsubscribe">Unsubscribe</a></p>
    </body>
</html>
"""


# The modules with which the module works together
EXTRAS = [
    'inbound_email', 'marketing_campaign', 'marketing_email', 'sale',
    'sale_opportunity', 'web_shortener']


def activate_all():
    """
    Activate the module with all the extra modules in a new database.

    An activation takes as long as many tests, so all share this one.
    """
    drop_db()
    activate_module(['marketing_automation', *EXTRAS])


@contextmanager
def configured(**options):
    "Set options of the configuration, `section__name=value`, for a while"
    sections = {o.split('__')[0] for o in options}
    former = {
        section: {o: config.get(section, o) for o in config.options(section)}
        for section in sections if config.has_section(section)}
    for section in sections - former.keys():
        config.add_section(section)
    for option, value in options.items():
        config.set(*option.split('__'), str(value))
    try:
        yield
    finally:
        for section in sections:
            config.remove_section(section)
            if section in former:
                config.add_section(section)
                for option, value in former[section].items():
                    config.set(section, option, value)
        config._cache_clear()


def start_server(test_case=None, **options):
    """
    Start a SMTP server, configure it as the one of Tryton and return it.

    It ends with the test case, or when the next one starts.
    """
    global _running
    # A scenario has no clean-up of its own, so the one before ends here
    _running.close()
    with ExitStack() as stack:
        server = stack.enter_context(SMTPServer())
        stack.enter_context(configured(**{
                    'email__uri': server.uri,
                    'email__from': 'erp@example.com',
                    'marketing__email_from': 'marketing@example.com',
                    'marketing__automation_base': BASE,
                    # The people of the tests act in no time
                    'marketing__quarantine': 0,
                    'marketing__machine_seconds': 0,
                    **options}))
        _running = stack.pop_all()
    if test_case:
        test_case.addCleanup(_running.close)
    else:
        unittest.addModuleCleanup(_running.close)
    return server


_running = ExitStack()


def get_cron(method, config=None):
    "Return the cron of the method"
    Cron = Model.get('ir.cron', config=config)
    cron, = Cron.find([('method', '=', method)])
    return cron


def trigger(config=None):
    "Let the records enter the running scenarios"
    _run('marketing.automation.scenario|trigger', config)


def process(config=None):
    "Execute what is due"
    _run('marketing.automation.record.activity|process', config)


def _run(method, config):
    "Run the cron as an administrator, whoever works"
    config = config or proteus_config.get_config()
    user = config.user
    if user != 1:
        set_user(1, config=config)
    try:
        get_cron(method, config).click('run_once')
    finally:
        if user != 1:
            set_user(user, config=config)


def create_marketer(config=None):
    "Return a user who is only in the group of marketing"
    User = Model.get('res.user', config=config)
    Group = Model.get('res.group', config=config)
    marketer = User(name="Marketer", login='marketer')
    marketer.email = 'marketer@example.com'
    marketer.groups.extend(Group.find([('name', '=', "Marketing")]))
    marketer.save()
    return marketer


def as_marketer(test_case):
    """
    Become a user who is only in the group of marketing until the end of the
    test and return the context manager that checks what this user may access.
    """
    pool = Pool()
    User = pool.get('res.user')
    ModelData = pool.get('ir.model.data')
    user, = User.create([{
                'name': "Marketer",
                'login': 'marketer',
                'groups': [('add', [ModelData.get_id(
                                'marketing', 'group_marketing')])],
                }])
    transaction = Transaction()
    context = transaction.set_context(_check_access=True)
    transaction.user = user.id
    test_case.addCleanup(setattr, transaction, 'user', 1)
    return context


def visit(url, method='GET', **kwargs):
    "Request the URL like a browser does and return the response"
    assert url.startswith(BASE), url
    return Client(app).open(url[len(BASE):], method=method, **kwargs)


def states(scenario_name=None, config=None):
    "Return the sorted activities, targets, states and reasons"
    RecordActivity = Model.get(
        'marketing.automation.record.activity', config=config)
    return sorted(
        (r.activity.name, r.record.rec_name, r.state, r.reason or '')
        for r in RecordActivity.find([
                ('activity.scenario.name', 'like', scenario_name or '%'),
                ]))


def links(message):
    "Return the URL by text of the links of a mail and the one of its pixel"
    html = message.get_body(['html']).get_content()
    root = lxml_html.fromstring(html)
    urls = {
        ' '.join(a.text_content().split()): a.get('href')
        for a in root.iter('a')}
    pixels = [i.get('src') for i in root.iter('img')]
    return urls, pixels[-1] if pixels else None


def inbox_path(inbox):
    "Return the path to which the messages for the inbox are posted"
    # Since 8.2 the one of before redirects and forgets the parameters
    route = '' if __version__.startswith('8.0.') else 'r/'
    return f'/{DB_NAME}/{route}inbound_email/inbox/{inbox.identifier}'


def post_inbound(inbox, data, type_='raw'):
    "Post the message to the inbox of the module inbound_email"
    response = Client(app).post(
        f'{inbox_path(inbox)}?type={type_}',
        data=data, content_type='application/octet-stream')
    assert response.status_code == 204, response
