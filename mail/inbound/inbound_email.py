# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The bounces, complaints, replies and requests to unsubscribe that come in by
mail.
"""

import base64
import datetime as dt
import json
import logging
from email import message_from_bytes
from email.message import Message

from trytond import backend
from trytond.pool import Pool, PoolMeta
from trytond.transaction import TransactionError, without_check_access

from ...tracking import url
from .. import return_path
from .message import read

logger = logging.getLogger(__name__)

ACTION = 'marketing.automation.record.activity|from_inbound_email'


class Rule(metaclass=PoolMeta):
    __name__ = 'inbound.email.rule'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        action = (ACTION, "Marketing Automation")
        if action not in cls.action.selection:
            cls.action.selection.append(action)


class Email(metaclass=PoolMeta):
    __name__ = 'inbound.email'

    def as_dict(self):
        try:
            return super().as_dict()
        except (TransactionError, backend.DatabaseOperationalError):
            raise
        except Exception as exception:
            # What can not be parsed would be sent to us again and again
            if not any(r.action == ACTION for r in self.inbox.rules):
                raise
            logger.info(
                "inbound e-mail not parsed error=%s",
                exception.__class__.__name__)
            return {}

    def marketing_message(self):
        """
        Return the message, or its bytes or text, and the text with the
        addresses to which it came as the service knows them.
        """
        data = bytes(self.data or b'')
        if self.data_type == 'raw':
            return data, ''
        payload = json.loads(data)
        if self.data_type == 'mailchimp':
            message = payload.get('msg') or {}
            return (
                payload.get('raw_msg') or message.get('raw_msg'),
                message.get('email') or '')
        elif self.data_type == 'mailpace':
            return payload.get('raw'), ''
        elif self.data_type == 'sendgrid':
            raw = payload.get('email')
            if not raw:
                raw = '{}\n\n{}'.format(
                    payload.get('headers', '').rstrip(),
                    payload.get('text', ''))
            return raw, str(payload.get('envelope') or '')
        elif self.data_type == 'postmark':
            addresses = str(payload.get('OriginalRecipient') or '')
            return payload.get('RawEmail') or _postmark(payload), addresses
        return None, ''


def _postmark(payload):
    "Return the message of which Postmark has sent the parts"
    message = Message()
    for name in ['From', 'To', 'Cc', 'Subject']:
        if payload.get(name):
            message[name] = str(payload[name])
    for header in payload.get('Headers') or []:
        if header['Name'].lower() not in {
                'content-type', 'content-transfer-encoding', 'mime-version'}:
            message[header['Name']] = str(header['Value'])
    parts = [_part('text/plain', (payload.get('TextBody') or '').encode())]
    for attachment in payload.get('Attachments') or []:
        parts.append(_part(
                attachment['ContentType'],
                base64.b64decode(attachment['Content'])))
    type_ = 'multipart/mixed'
    for part in parts:
        if part.get_content_type() in {
                'message/delivery-status', 'message/feedback-report'}:
            type_ = 'multipart/report'
    message['Content-Type'] = type_
    message.set_payload(parts)
    return message


def _part(type_, content):
    type_ = ' '.join(type_.split())
    return message_from_bytes(
        f'Content-Type: {type_}\n\n'.encode('utf-8', 'replace') + content)


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    @without_check_access
    def from_inbound_email(cls, email_, rule=None):
        """
        Apply what the inbound e-mail says and return the record activity of
        the mail it is about, if any.

        What is unknown, forged or can not be read has no effect.
        """
        try:
            data, addresses = email_.marketing_message()
        except (AttributeError, LookupError, TypeError, ValueError):
            # It is not what the service sends
            return
        notice = read(data or b'', addresses)
        if not notice.kind:
            return
        now = dt.datetime.now()
        id_ = getattr(cls, f'_inbound_{notice.kind}')(notice, now)
        logger.info(
            "inbound e-mail kind=%s record_activity=%s", notice.kind, id_)
        return cls(id_) if id_ else None

    @classmethod
    def _inbound_mail(cls, notice):
        "Return the id of the record activity that the notice is about"
        id_ = return_path.find(notice.addresses)
        if id_ and cls.search([('id', '=', id_)], limit=1):
            return id_
        for id_ in cls.of_message_ids(notice.message_ids):
            return id_

    @classmethod
    def _inbound_bounce(cls, notice, now):
        if id_ := cls._inbound_mail(notice):
            cls.bounced(id_, notice.hard, now, notice.detail)
        return id_

    @classmethod
    def _inbound_complaint(cls, notice, now):
        if id_ := cls._inbound_mail(notice):
            cls.complained(id_, now, notice.detail)
        return id_

    @classmethod
    def _inbound_reply(cls, notice, now):
        # Programs answer to the address to which a mail returns
        for id_ in cls.of_message_ids(notice.message_ids):
            cls.apply_events([(id_, 'email_replied', now)])
            return id_

    @classmethod
    def _inbound_unsubscribe(cls, notice, now):
        Consent = Pool().get('marketing.automation.consent')
        ids = url.decode(url.UNSUBSCRIBE, notice.token)
        if ids:
            record, _ = ids
            Consent.stop(record, 'scenario', 'email')
