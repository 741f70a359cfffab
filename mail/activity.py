# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that sends an e-mail.
"""

import functools
from collections import defaultdict

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.report import Report
from trytond.transaction import Transaction, active_records

from ..common.transaction import is_database, transient
from ..exceptions import ActivityError, SenderError, TemplateError
from ..mixin import Readers
from ..outcome import Outcome, Parcel, failed, skipped
from ..template.engine import (
    SAFE_DATETIME, Markup, TemplateSyntaxError, Text, limited)
from ..template.view import View, unknown_fields
from ..tracking import url as tracking
from . import headers, mjml
from . import return_path as verp
from .mail_merge import Stencil, letter
from .message import Page, Shortener, address_of, compose, one_line
from .smtp import AddressError, Session, envelope_address

# The same source is rendered for many recipients
_markup = functools.lru_cache(maxsize=256)(Markup)
_text = functools.lru_cache(maxsize=256)(Text)
# The stencils by shape of a template; they keep it as the shape needs it
_stencils = functools.lru_cache(maxsize=32)(lambda template: {})
_MAX_STENCILS = 20


def sender():
    "Return the address that the server is configured to send from"
    return config.get(
        'marketing', 'email_from', default=config.get('email', 'from'))


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

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
                ('email_title', _text), ('email_template', _markup)]:
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

    # Execution

    def courier_send_email(self):
        "Return the context manager of what sends the parcels"
        return Session()

    def execute_send_email(self, record_activities):
        """
        Return a dictionary of the parcel with the message, or of the reason
        why there is none, for each record activity.
        """
        targets = {r.id: r.record.record for r in record_activities}
        Target = next(iter(targets.values())).__class__
        languages = Target.marketing_languages(list(targets.values()))
        recipients = self.email_recipients(record_activities)
        outcomes, by_language = {}, defaultdict(list)
        for record_activity in record_activities:
            recipient = recipients[record_activity.id]
            if isinstance(recipient, Outcome):
                outcomes[record_activity.id] = recipient
            else:
                target = targets[record_activity.id]
                by_language[languages[target.id]].append(record_activity)
        drafts = []
        for language, group in by_language.items():
            drafts.extend(self._drafts(Draft, language, group))
        links = Pool().get('marketing.automation.link').ids({
                (self.id, url) for d in drafts for url in d.urls})
        for draft in drafts:
            outcomes[draft.id] = draft.finish(recipients[draft.id], links)
        return outcomes

    def email_recipients(self, record_activities):
        """
        Return a dictionary of the address to which the mail goes, or of the
        outcome if it goes nowhere, for each record activity.
        """
        targets = {r.id: r.record.record for r in record_activities}
        Target = next(iter(targets.values())).__class__
        mechanisms = Target.marketing_emails(list(targets.values()))
        recipients = {}
        for id_, target in targets.items():
            if mechanism := mechanisms[target.id]:
                recipients[id_] = mechanism.value
            else:
                recipients[id_] = skipped(
                    'no_address' if target.marketing_party else 'no_party')
        return recipients

    def return_path(self, record_activity):
        "Return the address that gets what can not be delivered"
        return verp.return_path(record_activity.id) or address_of(
            sender() or self.email_from)

    def _drafts(self, Draft, language, record_activities):
        "Return the drafts of the class rendered in the language"
        Target = record_activities[0].record.record.__class__
        context = {'language': language} if language else {}
        # The instances keep the context of where they come from: those of the
        # record activities are in another language and show also what has
        # been deactivated
        with Transaction().set_context(**context), active_records():
            activity = self.__class__(self.id)
            targets = Target.browse(
                [r.record.record.id for r in record_activities])
            Target.marketing_fill(targets)
            readers = Readers()
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

    def tracked_urls(self, record_activity):
        """
        Return the function of the link (id) that makes the URL of a click, and
        the URL of the pixel; None for what is not tracked.
        """
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

    def log_send_email(self, parcels):
        "Log the parcels, a dictionary by record activity, which were sent"
        pool = Pool()
        Email = pool.get('ir.email')
        RecordActivity = pool.get('marketing.automation.record.activity')
        # Some may be deleted meanwhile
        Email.log_marketing([
                (self.id, record, resource, parcels[id_])
                for id_, record, resource in RecordActivity.targets(
                    list(parcels))])


class Draft:
    """
    A mail on its way from the template to the parcel.

    All drafts of a batch are rendered before the links of all are known.
    """

    def __init__(self, activity, record_activity, target):
        self.activity = activity
        self.record_activity = record_activity
        self.target = target
        # The field that raised and what
        self.failure = None
        self.short = Shortener()
        self.title = ''
        self.page = None
        # Instead of the page, and the words that fill it
        self.stencil = self.words = None
        self.click_url, self.pixel_url = self._tracked_urls()

    def _tracked_urls(self):
        return self.activity.tracked_urls(self.record_activity)

    @property
    def id(self):
        return self.record_activity.id

    @property
    def urls(self):
        if self.stencil:
            return self.stencil.links(self.words)
        return self.page.urls if self.page else set()

    def render(self, access):
        field = 'email_title'
        try:
            context = self.activity.email_context(View(self.target, access))
            context['short'] = self.short
            self.title = _text(self.activity.email_title).render(context)
            field = 'email_template'
            template = _markup(self.activity.email_source())
            if not self._find_stencil(template, context):
                self.page = self._page(template, context)
        except Exception as exception:
            if transient(exception) or is_database(exception):
                # Nothing more can be read in this transaction
                raise
            self.failure = field, exception

    def _page(self, template, context):
        html = template.render(context)
        if template.is_mjml:
            html = mjml.to_html(html)
        return Page(html, self.short)

    def _find_stencil(self, template, context):
        "Return if there is a stencil for the result of the template"
        if (template.is_mjml or self.short.urls
                or not (self.click_url and self.pixel_url)):
            return False
        traced = template.shape(context)
        if not traced or self.short.urls:
            # The page is rendered from the start
            self.short.clear()
            return False
        shape, self.words, outline = traced
        stencils = _stencils(template)
        if shape not in stencils:
            if len(stencils) >= _MAX_STENCILS:
                return False
            stencils[shape] = Stencil.cut(
                outline, self.words, self._page(template, context))
        self.stencil = stencils[shape]
        return bool(self.stencil)

    def finish(self, address, links):
        "Return the parcel, or why there is none"
        if self.failure:
            return failed('template_error', self.activity.template_failure(
                    *self.failure, self.target))
        try:
            address = envelope_address(address)
        except AddressError:
            return failed('address_invalid', one_line(address))
        record = self.record_activity.record

        def click(url, values=None):
            if not self.click_url:
                return url
            link = links[self.activity.id, url]
            if values:
                return self.click_url(link, values)
            return self.click_url(link)

        def unsubscribe(url):
            return tracking.unsubscribe_url(
                record.id, links[self.activity.id, url] if url else None)

        title = one_line(self.short.replace(self.title, click))
        message_id = (
            self.record_activity.message_id
            or headers.message_id(tracking.base()))
        from_ = self.activity.email_from or sender()
        party = self.target.marketing_party
        try:
            values = [
                sender() or from_, from_, party.rec_name if party else '',
                address, title]
            headers_ = {
                'Message-ID': message_id,
                **self.activity.email_headers(self.record_activity),
                }
            if self.stencil:
                html, text = self.stencil.fill(
                    self.words, click, unsubscribe, self.pixel_url,
                    personal=True)
                if address.isascii():
                    message = letter(*values, text, html, headers_)
                else:
                    # Only the server says if it can be sent (RFC 6531)
                    message = compose(*values, html, headers_)
            else:
                self.page.rewrite(click, unsubscribe)
                if self.pixel_url:
                    self.page.add_pixel(self.pixel_url)
                html = self.short.replace(self.page.html(), click)
                message = compose(*values, html, headers_)
        except Exception as exception:
            if transient(exception) or is_database(exception):
                raise
            return failed('message_invalid', repr(exception))
        return Parcel(
            recipient=address,
            content=message,
            message_id=message_id,
            sender=self.activity.return_path(self.record_activity),
            subject=title,
            to=getattr(message, 'to', None))


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
