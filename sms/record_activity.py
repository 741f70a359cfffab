# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Record activity: the SMS that was sent, its clicks and its bounce.
"""

from sql import Null

from trytond.model import Index, ModelView, dualmethod, fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from .gateway import SMS
from .incoming import RecordActivityIncoming


class RecordActivity(
        RecordActivityIncoming,
        metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    _states = {
        'invisible': Eval('activity_action') != 'send_sms',
        }

    sms_number = fields.Char(
        "Mobile Number", readonly=True, states=_states,
        help="The number to which the SMS was sent.")
    sms_segments = fields.Integer(
        "SMS Segments", readonly=True, states=_states,
        help="How many messages the SMS took.")
    sms_id = fields.Char(
        "SMS Identifier", readonly=True, states=_states, strip=False,
        help="How the provider names the SMS.")
    sms_clicked = fields.Boolean(
        "SMS Clicked", readonly=True, states=_states)
    sms_clicked_at = fields.DateTime(
        "SMS Clicked at", readonly=True, states=_states)
    sms_clicked_raw = fields.Boolean(
        "SMS Clicked (Raw)", readonly=True, states=_states,
        help="Checked when the SMS was clicked by anyone, also by a machine.")
    sms_bounced = fields.Boolean(
        "SMS Bounced", readonly=True, states=_states,
        help="Checked when the provider has refused or not delivered the "
        "SMS.")
    sms_bounced_at = fields.DateTime(
        "SMS Bounced at", readonly=True, states=_states)

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.reason.selection.extend([r for r in [
                    ('no_mobile', "No mobile number"),
                    ('number_invalid', "Impossible mobile number"),
                    ('sms_stopped', "Mobile number wants no SMS"),
                    ('sms_empty', "Empty SMS"),
                    ('sms_too_long', "SMS too long"),
                    ('sms_refused', "Refused by the SMS provider"),
                    ('sms_bounced', "SMS bounced"),
                    ('sms_busy', "SMS provider can not take it now"),
                    # It may be the same list for several fields
                    ] if r not in cls.reason.selection])
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t, (t.sms_id, Index.Equality(cardinality='high')),
                    where=t.sms_id != Null),
                Index(
                    t, (t.sms_number, Index.Equality(cardinality='high')),
                    where=t.sms_number != Null),
                })
        cls._buttons.update({
                'on_sms_clicked': cls._event_button(
                    'send_sms', 'sms_clicked'),
                'on_sms_bounced': cls._event_button(
                    'send_sms', 'sms_bounced'),
                })

    @dualmethod
    @ModelView.button
    def on_sms_clicked(cls, record_activities):
        "Apply that the recipients clicked a link of the SMS"
        cls.apply_event('sms_clicked', record_activities)

    @dualmethod
    @ModelView.button
    def on_sms_bounced(cls, record_activities):
        "Apply that the SMS could not be delivered"
        cls.apply_event('sms_bounced', record_activities)

    @classmethod
    def _retryable_reasons(cls):
        return super()._retryable_reasons() | {'no_mobile', 'sms_stopped'}

    @classmethod
    def _hit_events(cls):
        return {
            **super()._hit_events(),
            'sms_click': 'sms_clicked',
            }

    @classmethod
    def _resolving_events(cls):
        return {
            **super()._resolving_events(),
            'sms_bounced': 'sms_bounced',
            }

    # Sending

    @classmethod
    def _sending_values(cls, message):
        values = super()._sending_values(message)
        if isinstance(message.content, SMS):
            values['sms_number'] = message.recipient
            values['sms_segments'] = message.content.segments
        return values

    @classmethod
    def _stored_sms(cls, outcomes, now, handed_over):
        if handed_over:
            for id_, outcome in outcomes.items():
                if outcome.reference:
                    cls._update([id_], {'sms_id': outcome.reference})
            cls.refused([
                    id_ for id_, o in outcomes.items()
                    if o.reason == 'sms_refused'], 'sms_bounced', now)
