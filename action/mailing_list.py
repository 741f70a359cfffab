# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that adds to a mailing list, or removes from it.
"""

from contextlib import nullcontext
from email.utils import formatdate

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools.email_ import normalize_email, set_from_header
from trytond.transaction import Transaction, inactive_records

from ..common.address import AddressError, address_of, envelope_address, sender
from ..common.text import one_line
from ..exceptions import ActivityError
from ..mail import headers
from ..mail.smtp import Session
from ..outcome import Outcome, OutgoingMessage, done, failed, skipped
from ..tracking import url


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    _states = {
        'invisible': Eval('action') != 'mailing_list',
        }
    _states_required = {
        **_states,
        'required': Eval('action') == 'mailing_list',
        }

    mailing_list_operation = fields.Selection([
            (None, ""),
            ('add', "Add"),
            ('remove', "Remove"),
            ], "Operation", sort=False, states=_states_required)
    mailing_list = fields.Many2One(
        'marketing.email.list', "Mailing List", ondelete='RESTRICT',
        states=_states_required,
        help="The list to which the e-mail address is added or from which it "
        "is removed.")
    mailing_list_confirm = fields.Boolean(
        "Ask for Confirmation",
        states={
            'invisible': (
                _states['invisible']
                | (Eval('mailing_list_operation') != 'add')),
            },
        help="Check to send an e-mail with a link that confirms the "
        "subscription.\n"
        "Without, the recipients must have agreed before.")

    del _states, _states_required

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('mailing_list', "Mailing List"))

    @classmethod
    def default_mailing_list_confirm(cls):
        return True

    @property
    def _asks_for_confirmation(self):
        return (
            self.action == 'mailing_list'
            and self.mailing_list_operation == 'add'
            and self.mailing_list_confirm)

    def check_ready(self):
        super().check_ready()
        if self._asks_for_confirmation:
            if not config.get('marketing', 'email_subscribe_url'):
                raise ActivityError(gettext(
                        'marketing_automation.msg_mailing_list_no_url',
                        activity=self.rec_name))
            if not sender():
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_no_from',
                        activity=self.rec_name))

    # Execution

    def courier_mailing_list(self):
        "Return the context manager of what sends the confirmations"
        if self._asks_for_confirmation:
            return Session()
        return nullcontext(self)

    def log_mailing_list(self, messages):
        self.log_send_email(messages)

    def execute_mailing_list(self, record_activities):
        """
        Return a dictionary of the outcome, or of the message that asks for
        confirmation, for each record activity.
        """
        targets = [r.record.record for r in record_activities]
        mechanisms = targets[0].__class__.marketing_emails(targets)
        outcomes, addresses = {}, {}
        for record_activity, target in zip(record_activities, targets):
            address = _normal(mechanisms[target.id])
            if isinstance(address, Outcome):
                outcomes[record_activity.id] = address
            elif not address:
                outcomes[record_activity.id] = skipped(
                    'no_address' if target.marketing_party else 'no_party')
            else:
                addresses[record_activity] = address
        subscribers = self._subscribers(addresses.values())
        with Transaction().set_context(marketing_consent={'how': 'system'}):
            if self.mailing_list_operation == 'remove':
                outcomes.update(self._remove(addresses, subscribers))
            else:
                outcomes.update(self._add_addresses(addresses, subscribers))
        return outcomes

    def _subscribers(self, addresses):
        "Return a dictionary of the subscriber by address"
        Email = Pool().get('marketing.email')
        with inactive_records():
            return {
                e.email: e for e in Email.search([
                        ('list_', '=', self.mailing_list.id),
                        ('email', 'in', sorted(set(addresses))),
                        ], order=[])}

    def _remove(self, addresses, subscribers):
        Email = Pool().get('marketing.email')
        active = [e for e in subscribers.values() if e.active]
        if active:
            Email.write(active, {
                    'active': False,
                    'removed_by_scenario': True,
                    })
        return {r.id: done() for r in addresses}

    def _add_addresses(self, addresses, subscribers):
        Email = Pool().get('marketing.email')
        outcomes, new, back, asked = {}, [], [], {}
        for record_activity, address in addresses.items():
            subscriber = subscribers.get(address)
            outcome = done()
            if subscriber and subscriber.active:
                pass
            elif subscriber and subscriber.removed_by_scenario:
                # It had agreed to the list, and has not left it
                back.append(subscriber)
            elif address in asked or (
                    # It was asked before, and the e-mail may be lost
                    subscriber and not record_activity.message_id):
                outcome = skipped('list_inactive')
            elif self.mailing_list_confirm:
                asked[address] = record_activity
                continue
            elif address not in new:
                new.append(address)
            outcomes[record_activity.id] = outcome
        if back:
            Email.write(list(set(back)), {'active': True})
        Email.create([{
                    'email': address,
                    'list_': self.mailing_list.id,
                    'active': not self.mailing_list_confirm,
                    } for address in [*new, *asked]
                if address not in subscribers])
        subscribers = self._subscribers(asked)
        for address, record_activity in asked.items():
            outcomes[record_activity.id] = self._confirmation(
                record_activity, subscribers[address])
        return outcomes

    def _confirmation(self, record_activity, subscriber):
        "Return the message that asks to confirm the subscription"
        message, title = subscriber.get_email_subscribe()
        message_id = (
            record_activity.message_id
            or headers.message_id(url.base()))
        set_from_header(message, sender(), sender())
        message['To'] = subscriber.email
        message['Subject'] = title = one_line(title)
        message['Date'] = formatdate()
        message['Message-ID'] = message_id
        # https://www.rfc-editor.org/rfc/rfc3834#section-5
        message['Auto-Submitted'] = 'auto-generated'
        return OutgoingMessage(
            recipient=subscriber.email,
            content=message,
            message_id=message_id,
            sender=address_of(sender()),
            subject=title)


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def _throttled_actions(cls):
        return super()._throttled_actions() | {'mailing_list'}


def _normal(mechanism):
    "Return the address as the mailing lists have it, or the outcome"
    if not mechanism or not mechanism.value:
        return
    try:
        return normalize_email(envelope_address(mechanism.value)).lower()
    except (AddressError, ValueError):
        return failed('address_invalid', one_line(mechanism.value))
