# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Show the messages that were sent.

The log of the e-mails keeps no body.  Where the configuration says so the
message is kept on its row of the log, otherwise it is rendered again.
"""

import email
import email.policy
import zlib

import lxml.html
from sql import Values

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)
from trytond.wizard import Button, StateView, Wizard

from ..exceptions import ScenarioError
from ..mixin import TargetMixin
from ..tracking import url as tracking


def keeps_content():
    return config.getboolean('marketing', 'keep_content', default=False)


class Email(metaclass=PoolMeta):
    __name__ = 'ir.email'

    marketing_automation_content = fields.Binary(
        "Content", readonly=True,
        help="The compressed message as it was sent.")

    @classmethod
    def _log_marketing(cls, emails):
        super()._log_marketing(emails)
        if not keeps_content():
            return
        table = cls.__table__()
        cast = cls.marketing_automation_content.sql_format
        values = Values([
                [record, parcel.message_id,
                    cast(zlib.compress(bytes(parcel.content)))]
                for _, record, _, parcel in emails])
        Transaction().connection.cursor().execute(*table.update(
                [table.marketing_automation_content], [values.column3],
                from_=[values],
                where=(table.marketing_automation_record == values.column1)
                & (table.message_id == values.column2)))

    def marketing_message(self):
        "Return the message that was kept, None if it was not"
        if content := self.marketing_automation_content:
            return email.message_from_bytes(
                zlib.decompress(content), policy=email.policy.default)


class Sent(Wizard):
    __name__ = 'marketing.automation.sent'

    start_state = 'show'
    show = StateView(
        'marketing.automation.sent.show',
        'marketing_automation.sent_show_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_show(self, fields):
        record_activity = self.record
        if record_activity.__name__ == 'marketing.automation.story':
            record_activity = record_activity.record_activity
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
    base = tracking.base()
    root = lxml.html.document_fromstring(html)
    for image in list(root.iter('img')):
        if base and image.get('src', '').startswith(f'{base}/m/'):
            image.drop_tree()
    for link in root.iter('a'):
        if base and link.get('href', '').startswith(f'{base}/m/'):
            link.set('href', '#')
    return lxml.html.tostring(root, encoding='unicode')


class SentShow(TargetMixin, ModelView):
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
