# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that posts to a webhook.

The messages follow the specification of Standard Webhooks 1.0.0.
"""

import datetime as dt
import json
import uuid

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import active_records

from ..common.access import Refused, VirtualReaders, actors, is_offered
from ..common.error import error_text
from ..common.transaction import is_database, is_transient
from ..exceptions import ActivityError
from ..outcome import OutgoingMessage, failed
from ..template.conversion import plain
from ..template.view import View, _read
from .webhook_client import ConfigurationError, Transport, check_url, secrets


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    _states = {
        'invisible': Eval('action') != 'webhook',
        }

    webhook_url = fields.Char(
        "URL", strip=True,
        states={
            **_states,
            'required': Eval('action') == 'webhook',
            },
        help="Where the message is posted: https, on a host that the "
        "configuration of the server allows.")
    webhook_fields = fields.MultiSelection(
        'get_webhook_fields', "Fields", states=_states,
        help="The fields of the record that the message contains.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('webhook', "Call Webhook"))

    @fields.depends('action', 'webhook_fields', 'parent')
    def get_webhook_fields(self):
        scenario = self.root if self.parent else None
        if self.action != 'webhook' or not scenario:
            return [(n, n) for n in self.webhook_fields or []]
        Model = Pool().get(scenario.model)
        names = [n for n, f in Model._fields.items() if is_offered(n, f)]
        return [
            (n, d['string']) for n, d in Model.fields_get(names).items()]

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_webhook(activities, field_names)

    @classmethod
    def check_webhook(cls, activities, field_names=None):
        "Ensure that the URL is allowed and the fields may be read"
        if field_names and not (field_names & {
                    'parent', 'action', 'webhook_url', 'webhook_fields'}):
            return
        for activity in activities:
            if activity.action != 'webhook':
                continue
            try:
                check_url(activity.webhook_url or '')
            except ValueError as exception:
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_webhook_url',
                        activity=activity.rec_name,
                        url=activity.webhook_url,
                        error=str(exception))) from exception
            activity._check_webhook_fields()

    def _check_webhook_fields(self):
        Model = Pool().get(self.root.model)
        accesses = actors(Model)
        for name in self.webhook_fields or []:
            try:
                field = Model._fields.get(name)
                if not field or not is_offered(name, field):
                    raise Refused(f'"{name}"')
                for access in accesses:
                    access.check_field(Model, name)
            except Refused as exception:
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_webhook_field',
                        activity=self.rec_name,
                        field=name,
                        error=str(exception))) from exception

    def check_ready(self):
        super().check_ready()
        if self.action == 'webhook':
            try:
                secrets()
            except ConfigurationError as exception:
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_webhook_secret',
                        activity=self.rec_name,
                        error=str(exception))) from exception

    # Execution

    def courier_webhook(self):
        return Transport()

    def execute_webhook(self, record_activities):
        "Return a dictionary of the message, or the outcome without one"
        try:
            check_url(self.webhook_url or '')
        except ValueError as exception:
            # It was allowed when it was saved
            return {
                r.id: failed('not_allowed', str(exception))
                for r in record_activities}
        with active_records():
            Target = record_activities[0].record.record.__class__
            targets = Target.browse(
                [r.record.record.id for r in record_activities])
        readers = VirtualReaders()
        now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
        outcomes = {}
        for record_activity, target in zip(record_activities, targets):
            message_id = (
                record_activity.message_id or f'msg_{uuid.uuid4().hex}')
            try:
                content = self._webhook_message(
                    record_activity.record, target, readers.access(target))
            except Exception as exception:
                if is_transient(exception) or is_database(exception):
                    raise
                outcomes[record_activity.id] = failed(
                    'message_invalid',
                    error_text(exception))
                continue
            content['id'] = message_id
            content['timestamp'] = now.isoformat()
            outcomes[record_activity.id] = OutgoingMessage(
                recipient=self.webhook_url,
                content=json.dumps(
                    content, ensure_ascii=False, sort_keys=True).encode(),
                message_id=message_id)
        return outcomes

    def _webhook_message(self, record, target, access):
        """
        Return what is told about the target.

        A module that tells more extends it.
        """
        view = View(target, access)
        return {
            'type': 'marketing.activity',
            'data': {
                'scenario': {
                    'id': self.scenario.id, 'name': self.scenario.rec_name},
                'activity': {'id': self.id, 'name': self.rec_name},
                'record': {
                    'uuid': record.uuid,
                    'model': target.__name__,
                    'id': target.id,
                    'test': bool(record.test),
                    'fields': {
                        n: _json(_read(view, n))
                        for n in self.webhook_fields or []},
                    },
                },
            }


def _json(value):
    if isinstance(value, View):
        return {'id': int(value), 'name': str(value)}
    if isinstance(value, tuple):
        return [_json(v) for v in value]
    return plain(value)
