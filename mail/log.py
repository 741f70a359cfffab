# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The messages that were sent, shown from the log or rendered again.

The log of the e-mails keeps no body.  Where the configuration says so the
message is kept on its row of the log, otherwise it is rendered again.
"""


from collections import defaultdict

import lxml.html

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONEncoder
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)
from trytond.wizard import Button, StateAction, StateView, Wizard

from ..exceptions import ScenarioError
from ..mixin import TargetReferenceMixin
from ..tracking import url


class Sent(Wizard):
    __name__ = 'marketing.automation.sent'

    start_state = 'show'
    show = StateView(
        'marketing.automation.sent.show',
        'marketing_automation.sent_show_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_show(self, fields):
        # The row of a report has the one it is about
        record_activity = getattr(self.record, 'record_activity', self.record)
        target = record_activity.record.target
        if not target:
            raise ScenarioError(gettext(
                    'marketing_automation.msg_why_no_target',
                    record=record_activity.record.rec_name))
        with inactive_records():
            # It raises for whom may not read it
            target.__class__.read([target.id], ['rec_name'])
        values = {
            'activity': record_activity.activity.id,
            'record': str(target),
            'at': record_activity.ended_at or record_activity.at,
            'html_name': 'message.html',
            }
        if message := self._message(record_activity):
            return {**values, **_parts(message), 'how': 'kept'}
        preview = record_activity.activity.preview(target)
        if not preview:
            raise ScenarioError(gettext(
                    'marketing_automation.msg_sent_nothing',
                    activity=record_activity.activity.rec_name))
        return {
            **values,
            'how': 'again' if record_activity.state == 'done' else 'not_sent',
            'subject': preview.failure or preview.subject,
            'html': preview.html.encode(),
            'text': preview.text,
            }

    @without_check_access
    def _message(self, record_activity):
        Email = Pool().get('ir.email')
        if record_activity.message_id:
            for logged in Email.search([
                        ('marketing_automation_record', '=',
                            record_activity.record.id),
                        ('message_id', '=', record_activity.message_id),
                        ], limit=1):
                return logged.marketing_message()


def _parts(message):
    "Return the values of the view"
    html = message.get_body(['html'])
    text = message.get_body(['plain'])
    return {
        'subject': str(message['Subject']),
        'html': _harmless(html.get_content()).encode() if html else None,
        'text': text.get_content() if text else None,
        }


def _harmless(html):
    "Return the HTML without what would count as a visit of the recipient"
    base = url.base()
    root = lxml.html.document_fromstring(html)
    for image in list(root.iter('img')):
        if base and image.get('src', '').startswith(f'{base}/m/'):
            image.drop_tree()
    for link in root.iter('a'):
        if base and link.get('href', '').startswith(f'{base}/m/'):
            link.set('href', '#')
    return lxml.html.tostring(root, encoding='unicode')


class SentShow(TargetReferenceMixin, ModelView):
    __name__ = 'marketing.automation.sent.show'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True)
    record = fields.Reference(
        "Record", selection='get_models', readonly=True)
    at = fields.DateTime("At", readonly=True)
    how = fields.Selection([
            ('kept', "As it was sent"),
            ('again', "Rendered again: the texts or the record may have "
                "changed since it was sent"),
            ('not_sent', "As it would be sent now"),
            ], "Content", readonly=True, sort=False)
    subject = fields.Char("Subject", readonly=True)
    html = fields.Binary("Message", filename='html_name', readonly=True)
    html_name = fields.Char("File Name", readonly=True)
    text = fields.Text(
        "Text", readonly=True,
        states={
            'invisible': ~Eval('text'),
            })


class OpenEmails(Wizard):
    """
    Open the e-mails that were sent for the selected records.

    E-mails can only be searched by their resource and only by who may read
    it, so their resources are fixed in the domain of the action.
    """
    __name__ = 'marketing.automation.open_emails'

    _limit = 1000

    start_state = 'open_'
    open_ = StateAction('marketing_automation.act_emails')

    def do_open_(self, action):
        encoder = PYSONEncoder()
        emails = self._emails()
        action['pyson_domain'] = encoder.encode([
                ('resource', 'in', self._readable(emails)),
                ('id', 'in', [e.id for e in emails]),
                ])
        action['name'] += ' (%s)' % ', '.join(
            r.rec_name for r in self.records[:5])
        return action, {}

    def _emails(self):
        "Return the last e-mails"
        Email = Pool().get('ir.email')
        field = {
            'marketing.automation.scenario':
            'marketing_automation_activity.scenario',
            'marketing.automation.activity': 'marketing_automation_activity',
            'marketing.automation.record': 'marketing_automation_record',
            }.get(self.model.__name__)
        ids = [r.id for r in self.records]
        if field:
            domain = [(field, 'in', ids)]
        else:
            domain = ['OR'] + [[
                    ('marketing_automation_activity', '=', r.activity.id),
                    ('marketing_automation_record', '=', r.record.id),
                    ] for r in self.records]
        with without_check_access(), Transaction().set_context(
                active_test=False):
            return list(Email.search(
                    domain, order=[('id', 'DESC')], limit=self._limit))

    def _readable(self, emails):
        "Return those of the resources of the e-mails that the user may read"
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        ids = defaultdict(set)
        with without_check_access():
            for email in emails:
                if email.resource:
                    ids[email.resource.__class__.__name__].add(
                        email.resource.id)
        access = ModelAccess.get_access(list(ids))
        resources = []
        for model, ids in ids.items():
            if access[model]['read']:
                with Transaction().set_context(active_test=False):
                    resources.extend(map(str, pool.get(model).search(
                                [('id', 'in', list(ids))])))
        return resources
