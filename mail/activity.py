# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that sends an e-mail.
"""

import functools
from collections import defaultdict

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.report import Report
from trytond.transaction import Transaction

from ..common.address import AddressError, address_of, envelope_address, sender
from ..exceptions import (
    ActivityError, SenderError, TemplateError, TrackingError)
from ..outcome import Outcome, skipped
from ..template.engine import (
    SAFE_DATETIME, Markup, TemplateSyntaxError, compile_markup, compile_text,
    limited)
from ..template.field_text import in_language
from ..template.view import View, unknown_fields
from ..tracking import url as tracking
from . import headers, mjml, return_path
from .attachment import ActivityAttachment
from .draft import Draft
from .layout import ActivityLayout
from .smtp import Session


class ActivityEmail:
    "The fields, the checks and the execution of the action send_email"
    __slots__ = ()

    _states = {
        'invisible': Eval('action') != 'send_email',
        }
    _states_required = {
        **_states,
        'required': Eval('action') == 'send_email',
        }

    email_from = fields.Char(
        "From", translate=True, states=_states,
        help="Leave empty to use the value defined in the configuration "
        "file.")
    email_title = fields.Char(
        "E-Mail Title", translate=True, states=_states_required,
        help="The subject of the e-mail.\n"
        "It is a Genshi text template with 'record'.")
    email_template = fields.Text(
        "E-Mail Template", translate=True, states=_states_required,
        help="The HTML, or MJML, of the e-mail.\n"
        "It is a Genshi template with 'record'.")

    del _states, _states_required

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('send_email', "Send E-Mail"))

    @classmethod
    def _parent_action_events(cls):
        events = super()._parent_action_events()
        events.setdefault('send_email', []).extend(
            ['email_opened', 'email_clicked'])
        return events

    @classmethod
    def _recipient_actions(cls):
        return super()._recipient_actions() | {'send_email'}

    @classmethod
    def _event_names(cls):
        return {
            **super()._event_names(),
            'email_opened': (
                gettext('marketing_automation.msg_email_opened'),
                gettext('marketing_automation.msg_email_opened_not')),
            'email_clicked': (
                gettext('marketing_automation.msg_email_clicked'),
                gettext('marketing_automation.msg_email_clicked_not')),
            }

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_email_from(activities, field_names)
        cls.check_email_templates(activities, field_names)
        cls.check_tracking(activities, field_names)

    @classmethod
    def check_email_from(cls, activities, field_names=None):
        "Ensure that the mails come from one address"
        if field_names and 'email_from' not in field_names:
            return
        for activity in activities:
            if not activity.email_from:
                continue
            try:
                envelope_address(address_of(activity.email_from))
            except AddressError as exception:
                raise SenderError(gettext(
                        'marketing_automation.msg_activity_email_from',
                        activity=activity.rec_name,
                        address=activity.email_from)) from exception

    @classmethod
    def check_email_templates(cls, activities, field_names=None):
        "Ensure that the title and the template can be compiled"
        for name, compile_ in [
                ('email_title', compile_text),
                ('email_template', compile_markup)]:
            if field_names and name not in field_names:
                continue
            for activity in activities:
                source = getattr(activity, name)
                if not source:
                    continue
                try:
                    template = compile_(source)
                except TemplateSyntaxError as exception:
                    raise activity._template_error(
                        cls.__names__(name)['field'], exception.line,
                        exception) from exception
                try:
                    if name == 'email_template':
                        template = compile_(activity.email_source())
                    cls._check_template(
                        template, Pool().get(activity.root.model))
                except TemplateSyntaxError as exception:
                    raise activity._template_error(
                        *activity._template_place(name, exception.line),
                        exception) from exception

    def _template_error(self, field, line, exception):
        return TemplateError(gettext(
                'marketing_automation.msg_activity_template',
                activity=self.rec_name,
                field=field,
                line=line or 1,
                error=exception.message))

    def email_source(self):
        "Return the template of the whole e-mail"
        return self.email_template

    def _template_place(self, field, line):
        """
        Return where the line of what is rendered was written: the name of
        the field, and the line there.
        """
        return self.__names__(field)['field'], line

    @classmethod
    def _check_template(cls, template, Model):
        for path, line in unknown_fields(template.paths, Model):
            raise TemplateSyntaxError(gettext(
                    'marketing_automation.msg_field_unknown',
                    field=path, **Model.__names__()), line)
        if isinstance(template, Markup):
            if template.is_mjml and not mjml.is_available():
                raise TemplateSyntaxError(
                    gettext('marketing_automation.msg_mjml_missing'))
            for element, line in mjml.unknown_elements(
                    template.source, template.is_mjml):
                raise TemplateSyntaxError(gettext(
                        'marketing_automation.msg_mjml_element',
                        element=element), line)

    def check_ready(self):
        super().check_ready()
        if self.action == 'send_email':
            self.check_sender()

    def check_sender(self):
        "Raise an error if no e-mail can come from here"
        if not tracking.base():
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_no_base',
                    activity=self.rec_name))
        if not (self.email_from or sender()):
            raise ActivityError(gettext(
                    'marketing_automation.msg_activity_no_from',
                    activity=self.rec_name))

    @classmethod
    def _tracked_events(cls):
        return super()._tracked_events() | {'email_opened', 'email_clicked'}

    @classmethod
    def check_tracking(cls, activities, field_names=None):
        "Ensure that the event is known for each recipient"
        if field_names and not (field_names & {'parent', 'event'}):
            return
        for activity in activities:
            if activity.event not in cls._tracked_events():
                continue
            scenario = activity.root
            if scenario.tracking != 'individually':
                raise TrackingError(gettext(
                        'marketing_automation.msg_activity_event_tracking',
                        activity=activity.rec_name,
                        event=cls._event_names()[activity.event][0],
                        scenario=scenario.rec_name))

    # Execution

    def courier_send_email(self):
        "Return the context manager of the transport"
        return Session()

    def execute_send_email(self, record_activities):
        """
        Return a dictionary of the message, or of the outcome if there is none,
        for each record activity.
        """
        recipients = self.email_recipients(record_activities)
        outcomes = {
            id_: r for id_, r in recipients.items() if isinstance(r, Outcome)}
        return outcomes | self._messages(Draft, record_activities, {
                id_: r for id_, r in recipients.items()
                if id_ not in outcomes})

    def _messages(self, Draft, record_activities, recipients):
        """
        Return a dictionary of the message, or of the outcome if there is none,
        for each of the record activities that has a recipient.

        :param Draft: the class of the drafts.
        :param recipients: a dictionary of the recipient by record activity.
        """
        targets = [r.record.record for r in record_activities]
        languages = targets[0].__class__.marketing_languages(targets)
        by_language = defaultdict(list)
        for record_activity, target in zip(record_activities, targets):
            if record_activity.id in recipients:
                by_language[languages[target.id]].append(record_activity)
        drafts = []
        for language, group in by_language.items():
            drafts.extend(self._drafts(Draft, language, group))
        links = Pool().get('marketing.automation.link').ids({
                (self.id, url) for d in drafts for url in d.urls})
        return {d.id: d.finish(recipients[d.id], links) for d in drafts}

    def email_recipients(self, record_activities):
        """
        Return a dictionary of the address to which the mail goes, or of the
        outcome if it goes nowhere, for each record activity.
        """
        Suppression = Pool().get('marketing.automation.suppression')
        targets = {r.id: r.record.record for r in record_activities}
        Target = next(iter(targets.values())).__class__
        mechanisms = Target.marketing_emails(list(targets.values()))
        suppressed = Suppression.reasons(
            {m.value for m in mechanisms.values() if m})
        recipients = {}
        for id_, target in targets.items():
            mechanism = mechanisms[target.id]
            if not mechanism:
                recipients[id_] = skipped(
                    'no_address' if target.marketing_party else 'no_party')
            elif mechanism.value in suppressed:
                recipients[id_] = skipped(
                    'suppressed', suppressed[mechanism.value].detail)
            else:
                recipients[id_] = mechanism.value
        return recipients

    def return_path(self, record_activity):
        "Return the address that gets what can not be delivered"
        return return_path.return_path(record_activity.id) or address_of(
            sender() or self.email_from)

    def _drafts(self, Draft, language, record_activities):
        "Return the drafts of the class rendered in the language"
        with in_language(self, language, record_activities) as (
                activity, targets, readers):
            targets[0].__class__.marketing_fill(targets)
            drafts = []
            for record_activity, target in zip(record_activities, targets):
                record_activity.record.record = target
                draft = Draft(activity, record_activity, target)
                draft.render(readers.access(target))
                drafts.append(draft)
        return drafts

    def template_failure(self, field, exception, target):
        "Return the words of an error for who wrote the template of the field"
        name, line = self._template_place(
            field, getattr(exception, 'line', None))
        return gettext(
            'marketing_automation.msg_template_failed',
            field=name,
            activity=self.rec_name,
            record=target.rec_name,
            line=line if line and line > 0 else '?',
            expression=getattr(exception, 'expression', None) or '',
            error=getattr(exception, 'message', None) or repr(exception))

    def email_context(self, record):
        """
        Return the variables of the title and the template.

        :param record: the read-only view of the target.
        """
        return {
            'record': record,
            'format_date': _plain(Report.format_date),
            'format_datetime': _plain(Report.format_datetime),
            'format_timedelta': _plain(Report.format_timedelta),
            'format_currency': _plain(Report.format_currency),
            'format_number': _plain(Report.format_number),
            'datetime': SAFE_DATETIME,
            }

    def how_tracked(self, record_activity):
        "Return how the mail of the record activity is tracked"
        target = record_activity.record.record
        if not isinstance(target, ModelSQL) or target.id < 0:
            # It has been deleted
            return self.scenario.tracking
        party = target.marketing_party
        if party and party.marketing_do_not_track:
            return 'none'
        return self.scenario.tracking

    def tracked_urls(self, record_activity):
        """
        Return the function of the link (id) that makes the URL of a click, and
        the URL of the pixel; None for what is not tracked.
        """
        how = self.how_tracked(record_activity)
        if how == 'none':
            return None, None
        elif how == 'anonymously':
            return (
                functools.partial(tracking.anonymous_click_url, self.id),
                tracking.anonymous_open_url(self.id))
        return (
            functools.partial(tracking.click_url, record_activity.id),
            tracking.open_url(record_activity.id))

    def email_headers(self, record_activity):
        "Return a dictionary of the headers besides those of each message"
        return {
            **headers.bulk(
                tracking.base(), Transaction().database.name,
                self.scenario.id, self.id),
            **headers.list_unsubscribe(
                tracking.unsubscribe_url(record_activity.record.id),
                config.get('marketing', 'unsubscribe_email'),
                one_click=self.scenario.unsubscribable),
            }

    def log_send_email(self, messages):
        "Log the messages, a dictionary by record activity, which were sent"
        pool = Pool()
        Email = pool.get('ir.email')
        RecordActivity = pool.get('marketing.automation.record.activity')
        # Some may be deleted meanwhile
        Email.log_marketing([
                (self.id, record, resource, messages[id_])
                for id_, record, resource in RecordActivity.targets(
                    list(messages))])


class Activity(
        ActivityAttachment, ActivityLayout, ActivityEmail,
        metaclass=PoolMeta):
    "Activity that sends an e-mail, with its layout and its attachments"
    __name__ = 'marketing.automation.activity'


@functools.lru_cache(maxsize=64)
def _plain(function):
    "Make the function of the reports usable with views, and harmless"
    function = limited(function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(
            *map(_record, args), **{k: _record(v) for k, v in kwargs.items()})
    return wrapper


def _record(value):
    return value._record if isinstance(value, View) else value
