# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that sends a SMS.
"""

import functools
import re

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access, without_check_access

from ..common.access import Access
from ..common.text import one_line
from ..common.transaction import is_database, is_transient
from ..exceptions import ActivityError, SenderError
from ..mail.page import Shortener
from ..outcome import failed, skipped
from ..template import field_text
from ..template.engine import compile_text
from ..template.view import View
from ..tracking import url as tracking
from . import gateway
from .draft import Draft, replace_urls
from .segment import measure

# What networks accept as the name of a sender, or its number
_SENDER = re.compile(
    r'(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 &_.+-]{0,10}|\+?[0-9]{3,15}')
# A record activity and a link like those of a big database
_SAMPLE = 10_000_000, 10_000


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    _states = {
        'invisible': Eval('action') != 'send_sms',
        }

    sms_from = fields.Char(
        "SMS Sender", states=_states,
        help="The name (at most 11 letters and digits) or the number that "
        "sends.\n"
        "Leave empty to use the value defined in the configuration file.")
    sms_text = fields.Text(
        "SMS Text", translate=True,
        states={
            **_states,
            'required': Eval('action') == 'send_sms',
            },
        help="It is a Genshi text template with 'record'.")
    sms_size = fields.Function(
        fields.Char(
            "Size", states=_states,
            help="How long the text is, with its links as short as they are "
            "sent, and how many messages it takes."),
        'on_change_with_sms_size')

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('send_sms', "Send SMS"))

    @classmethod
    def _parent_action_events(cls):
        events = super()._parent_action_events()
        events.setdefault('send_sms', []).extend(
            ['sms_clicked', 'sms_bounced'])
        return events

    @classmethod
    def _recipient_actions(cls):
        return super()._recipient_actions() | {'send_sms'}

    @classmethod
    def _event_names(cls):
        return {
            **super()._event_names(),
            'sms_clicked': (
                gettext('marketing_automation.msg_sms_clicked'),
                gettext('marketing_automation.msg_sms_clicked_not')),
            'sms_bounced': (
                gettext('marketing_automation.msg_sms_bounced'),
                gettext('marketing_automation.msg_sms_bounced_not')),
            }

    @classmethod
    def _tracked_events(cls):
        return super()._tracked_events() | {'sms_clicked'}

    # The size

    @fields.depends('action', 'sms_text', 'parent', methods=['_sms_sample'])
    def on_change_with_sms_size(self, name=None):
        if self.action != 'send_sms' or not self.sms_text:
            return
        text, sample = self._sms_sample()
        size = measure(replace_urls(text, _sample_url))
        return gettext(
            'marketing_automation.msg_sms_size',
            units=size.units,
            segments=size.segments,
            encoding=gettext(f'marketing_automation.msg_sms_{size.encoding}'),
            sample=sample or gettext('marketing_automation.msg_sms_no_sample'))

    @fields.depends('sms_text', 'parent')
    def _sms_sample(self):
        """
        Return the text for a record that the user may read, and its name; the
        template and None if there is none.
        """
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        scenario = self.root
        try:
            if scenario:
                Model = pool.get(scenario.model)
                with check_access():
                    ModelAccess.check(Model.__name__, 'read')
                    access = Access.user()
                    for record in Model.search([], limit=1, order=[]):
                        return (
                            self._sms_render(record, access), record.rec_name)
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
        return self.sms_text, None

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_sms_from(activities, field_names)
        cls.check_sms_text(activities, field_names)

    @classmethod
    def check_sms_from(cls, activities, field_names=None):
        "Ensure that networks accept the sender"
        if field_names and 'sms_from' not in field_names:
            return
        for activity in activities:
            if activity.sms_from and not _SENDER.fullmatch(activity.sms_from):
                raise SenderError(gettext(
                        'marketing_automation.msg_activity_sms_from',
                        activity=activity.rec_name,
                        sender=activity.sms_from))

    @classmethod
    def check_sms_text(cls, activities, field_names=None):
        "Ensure that the text can be compiled"
        field_text.check(activities, ['sms_text'], field_names)

    def check_ready(self):
        super().check_ready()
        if self.action != 'send_sms':
            return
        if not gateway.is_configured():
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_no_sms',
                    activity=self.rec_name))
        try:
            gateway.function()
        except ValueError as exception:
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_sms_function',
                    activity=self.rec_name,
                    error=str(exception))) from exception
        if not tracking.sms_base():
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_no_base',
                    activity=self.rec_name))

    # Execution

    def courier_send_sms(self):
        "Return the context manager of the transport"
        return gateway.Gateway()

    def execute_send_sms(self, record_activities):
        """
        Return a dictionary of the message with the SMS, or of the outcome if
        there is none, for each record activity.
        """
        numbers, outcomes = self.sms_recipients(record_activities)
        return outcomes | self._messages(Draft, record_activities, numbers)

    def sms_recipients(self, record_activities):
        """
        Return a dictionary of the number to which the SMS goes, and one of the
        outcome if it goes nowhere, by record activity.
        """
        targets = {r.id: r.record.record for r in record_activities}
        Target = next(iter(targets.values())).__class__
        outcomes, numbers = {}, {}
        mobiles = Target.marketing_mobiles(list(targets.values()))
        for id_, target in targets.items():
            if not target.marketing_party:
                outcomes[id_] = skipped('no_party')
            elif not (mobile := mobiles[target.id]):
                outcomes[id_] = skipped('no_mobile')
            else:
                text = mobile.value_compact or mobile.value
                try:
                    numbers[id_] = gateway.e164(text)
                except gateway.NumberError:
                    outcomes[id_] = failed(
                        'number_invalid', one_line(text, gateway.LENGTH))
        Stop = Pool().get('marketing.automation.sms.stop')
        refused = Stop.refused(set(numbers.values()))
        for id_ in [i for i, n in numbers.items() if n in refused]:
            del numbers[id_]
            outcomes[id_] = skipped('sms_stopped')
        return numbers, outcomes

    def _sms_render(self, record, access):
        "Return the text for the record, with the URLs as they are"
        short = Shortener()
        context = self.email_context(View(record, access))
        context['short'] = short
        text = compile_text(self.sms_text).render(context)
        text = short.replace(text, str)
        return '\n'.join(l.rstrip() for l in text.splitlines()).strip()

    def sms_click_url(self, record_activity):
        """
        Return the function of the link (id) that makes the URL of a click,
        None if the links are not tracked.
        """
        how = self.how_tracked(record_activity)
        if how == 'none':
            return
        elif how == 'anonymously':
            return functools.partial(tracking.anonymous_sms_url, self.id)
        return functools.partial(tracking.sms_url, record_activity.id)


def _sample_url(url):
    "Return an URL as long as the one that is sent"
    if not tracking.sms_base():
        return url
    with without_check_access(), Transaction().set_user(0):
        return tracking.sms_url(*_SAMPLE)
