# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The layers of the module: what is above what, and what is out of bounds.
"""

# From the ground up: a file imports only from its room and those before.
# A new room has to find its place here.
LAYERS = [
    ['exceptions', 'outcome'],
    ['common'],
    ['template'],
    ['mixin'],
    ['marketing', 'party', 'sale', 'opportunity', 'subscriber', 'ir'],
    ['scenario'],
    ['scenario.exchange'],
    ['record'],
    ['audience'],
    ['execution'],
    ['tracking'],
    ['consent'],
    ['mail'],
    ['mail.inbound'],
    ['sms'],
    ['action'],
    ['reporting'],
    ['check'],
    ['routes', 'gateway', 'preview'],
    ['__init__'],
    ]
_RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# The files at the root, besides the one of the packaging
FRONT = {
    '__init__', 'marketing', 'party', 'sale', 'opportunity', 'subscriber',
    'ir', 'mixin', 'outcome', 'exceptions', 'routes',
    # The documented names of what is further in
    'gateway', 'preview',
    }
# What all may name
DATA_MODEL = {
    'marketing.automation.scenario', 'marketing.automation.activity',
    'marketing.automation.record', 'marketing.automation.record.activity',
    'party.party'}

_outside = {'genshi', 'smtplib', 'trytond.sendmail', 'trytond.wsgi'}
# What a room never touches, and what a file does not either
NEVER = {
    'common': {'genshi', 'smtplib'},
    'template': {'smtplib', 'sql', 'trytond.model'},
    'marketing': _outside,
    'scenario': _outside,
    'record': _outside,
    'execution': _outside,
    'consent.record': _outside,
    'reporting': _outside,
    'tracking': {'genshi', 'smtplib'},
    'mail': {'genshi', 'sql'},
    'sms': {'genshi', 'smtplib', 'sql'},
    'routes': {'genshi', 'smtplib', 'sql'},
    'scenario.svg': {'sql', 'trytond'},
    'tracking.bot_rule': {'sql', 'trytond.model'},
    'tracking.url_token': {'sql', 'trytond.model'},
    'mail.activity': {'smtplib', 'socket'},
    'mail.inbound.message': {'trytond'},
    'mail.layout': {'smtplib'},
    'mail.layout_source': {'smtplib', 'trytond.model'},
    'mail.mail_merge': {'smtplib', 'trytond.model'},
    'mail.message': {'smtplib', 'trytond.model'},
    'mail.smtp': {'trytond.model'},
    'sms.activity': {'socket'},
    'sms.gateway': {'trytond.model'},
    'sms.segment': {'trytond.model'},
    }
del _outside
# Those that do it nevertheless, and why
NEVERTHELESS = {
    ('template.conversion', 'trytond.model'):
        "a result becomes the value of a field by the type of the field",
    ('template.view', 'trytond.model'):
        "a record is read by the types of its fields",
    ('execution.alert', 'trytond.sendmail'):
        "the responsible is told by an e-mail, which is no message of a "
        "scenario",
    ('mail.inbound.bounce', 'sql'):
        "what a bounce is about is found by one statement",
    ('mail.inbound.event', 'sql'):
        "events are noted for many record activities by one statement",
    ('sms.incoming', 'sql'):
        "whom an answer comes from is found by one statement",
    ('sms.stop', 'sql'):
        "the targets are searched by their numbers as they are compared",
    ('sms.record_activity', 'sql'):
        "events are noted for many record activities by one statement",
    }
# Those which need neither a database nor the modules
PURE = {
    'common.text', 'scenario.svg', 'tracking.bot_rule', 'tracking.url_token',
    'mail.message', 'mail.smtp', 'sms.segment'}

MAX_LINES = 500
MAX_LINES_ROUTE = 25
MAX_FILES = 20
# The classes of the rooms for all models and for those with the most
MAX_REGISTRATIONS = 160
MAX_CLASSES = {
    'marketing.automation.activity': 20,
    'marketing.automation.record.activity': 13,
    }


def rank(name):
    "Return the number of the layer of the file, None if it has none"
    while name and name not in _RANKS:
        name = name.rpartition('.')[0]
    return _RANKS.get(name)


def is_below(name, used):
    "Return if what is used is not above the file"
    return None not in {rank(name), rank(used)} and rank(used) <= rank(name)
