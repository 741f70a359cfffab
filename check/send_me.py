# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Sample e-mail to the user who writes it.
"""

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..common.address import AddressError, address_of, envelope_address, sender
from ..common.text import one_line
from ..exceptions import SendMeError
from ..mail import headers
from ..mail.message import compose
from ..outcome import OutgoingMessage, TransportUnavailable
from ..tracking import url


class ActivitySendMe:
    "Sample of the e-mail of an activity"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'send_me': {
                    'invisible': Eval('action') != 'send_email',
                    'depends': ['action'],
                    },
                })

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_activity_send_me')
    def send_me(cls, activities):
        pass

    def send_sample(self, target, language, user):
        """
        Send the user the e-mail as the target would get it, and return the
        address.

        The links lead to their targets and nothing is counted or stored.

        :raises SendMeError: if it can not be sent.
        """
        preview = self._form_preview_of(target, language)
        try:
            address = envelope_address(user.email)
        except AddressError as exception:
            raise SendMeError(gettext(
                    'marketing_automation.msg_send_me_address',
                    user=user.rec_name)) from exception
        with Transaction().set_context(
                language=language or Transaction().language):
            from_ = self.__class__(self.id).email_from or sender()
        if not from_:
            raise SendMeError(gettext(
                    'marketing_automation.msg_activity_no_from',
                    activity=self.rec_name))
        subject = gettext(
            'marketing_automation.msg_send_me_subject',
            subject=preview.subject)
        message_id = headers.message_id(
            url.base() or 'http://localhost')
        self._hand_over(OutgoingMessage(
                recipient=address,
                content=compose(
                    sender() or from_, from_, user.name, address,
                    one_line(subject), preview.html, {
                        'Message-ID': message_id,
                        'Auto-Submitted': 'auto-generated',
                        }),
                message_id=message_id,
                sender=address_of(sender() or from_),
                subject=subject,
                enclosure=self.email_enclosure()))
        return address

    def _form_preview_of(self, target, language):
        "Return the preview or raise its failure"
        if not self._may_preview(target):
            raise SendMeError(gettext(
                    'marketing_automation.msg_preview_record'))
        preview = self.preview(target, language)
        if not preview or preview.failure:
            raise SendMeError(preview.failure if preview else gettext(
                    'marketing_automation.msg_send_me_no_email',
                    activity=self.rec_name))
        return preview

    def _hand_over(self, message):
        try:
            with self.courier_send_email() as transport:
                outcome = transport.send(message)
        except TransportUnavailable as exception:
            error = str(exception)
        else:
            if outcome.state == 'done':
                return
            error = outcome.detail or outcome.reason
        raise SendMeError(gettext(
                'marketing_automation.msg_send_me_failed',
                address=message.recipient,
                error=error))


class SendMe(Wizard):
    "Wizard that sends the user a sample e-mail"
    __name__ = 'marketing.automation.activity.send_me'

    start = StateView(
        'marketing.automation.activity.send_me.start',
        'marketing_automation.send_me_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Send", 'send', 'tryton-email', default=True),
            ])
    send = StateTransition()
    sent = StateView(
        'marketing.automation.activity.send_me.start',
        'marketing_automation.send_me_sent_view_form', [
            Button("OK", 'end', 'tryton-ok', default=True),
            ])

    def default_start(self, fields):
        record = self.record._default_preview_record()
        return {
            'model': self.record.root.model,
            'record': str(record) if record else None,
            'address': self._recipient.email,
            }

    def transition_send(self):
        self.record.send_sample(
            self.start.record, self.start.language or None, self._recipient)
        return 'sent'

    def default_sent(self, fields):
        return {'address': self._recipient.email}

    @property
    def _recipient(self):
        return Pool().get('res.user')(Transaction().user)


class SendMeStart(ModelView):
    "Record, language and address of the sample e-mail"
    __name__ = 'marketing.automation.activity.send_me.start'

    model = fields.Char("Model", readonly=True)
    record = fields.Reference(
        "As for", selection='get_models', required=True,
        help="The record for which the e-mail is made.")
    language = fields.Selection(
        'get_languages', "In",
        help="Leave empty for the language of the recipient.")
    address = fields.Char(
        "To", readonly=True,
        help="Your own address, from your preferences.")

    @fields.depends('model')
    def get_models(self):
        Scenario = Pool().get('marketing.automation.scenario')
        return [
            (model, name) for model, name in Scenario.get_models()
            if model == self.model]

    @classmethod
    def get_languages(cls):
        Activity = Pool().get('marketing.automation.activity')
        return Activity.get_preview_languages()
