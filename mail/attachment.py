# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The files that go with the e-mails of an activity.
"""

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields, sequence_ordered
from trytond.pyson import Eval

from ..common.text import one_line
from ..exceptions import AttachmentError
from . import mime_attachment

_DEFAULT_SIZE = 2_000_000


def max_size():
    "Return the bytes that the files of an activity may have together"
    return config.getint(
        'marketing', 'attachment_size', default=_DEFAULT_SIZE)


class Attachment(sequence_ordered(), ModelSQL, ModelView):
    "A file that goes with the e-mails of an activity"
    __name__ = 'marketing.automation.activity.attachment'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", required=True,
        ondelete='CASCADE')
    name = fields.Char(
        "File Name", required=True,
        help="The name that the recipient sees.")
    data = fields.Binary("File", filename='name', required=True)
    size = fields.Function(fields.Integer("Size"), 'on_change_with_size')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('activity')

    @fields.depends('data')
    def on_change_with_size(self, name=None):
        # The client may have only loaded the size
        return (
            self.data if isinstance(self.data, int) else len(self.data or b''))

    @classmethod
    def validate_fields(cls, attachments, field_names):
        super().validate_fields(attachments, field_names)
        cls.check_size(attachments, field_names)

    @classmethod
    def check_size(cls, attachments, field_names=None):
        "Ensure that mail servers accept the files of each activity"
        if field_names and not (field_names & {'data', 'activity'}):
            return
        for activity in {a.activity for a in attachments}:
            size = sum(len(a.data or b'') for a in activity.attachments)
            if size > max_size():
                raise AttachmentError(gettext(
                        'marketing_automation.msg_attachment_size',
                        activity=activity.rec_name,
                        size=_kilobytes(size),
                        max=_kilobytes(max_size())))


class ActivityAttachment:
    "Attachments of the e-mail of an activity"
    __slots__ = ()

    attachments = fields.One2Many(
        'marketing.automation.activity.attachment', 'activity', "Attachments",
        states={
            'invisible': Eval('action') != 'send_email',
            },
        help="The files that go with the e-mail.")

    def execute_send_email(self, record_activities):
        outcomes = super().execute_send_email(record_activities)
        parts = self.email_enclosure()
        if not parts:
            return outcomes
        return {
            # All share the same bytes, they are put together one by one
            id_: outcome._replace(enclosure=parts)
            if hasattr(outcome, 'enclosure') else outcome
            for id_, outcome in outcomes.items()}

    def email_enclosure(self):
        "Return the attachments as they are in each e-mail, or None"
        return mime_attachment.parts([
                (one_line(a.name), bytes(a.data))
                for a in self.attachments if a.data])


def _kilobytes(size):
    return -(-size // 1000)
