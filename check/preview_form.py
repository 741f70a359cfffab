# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Preview in the form of an activity while it is edited.
"""

import html
from urllib.parse import quote, urlencode

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.url import http_host

from ..common.access import actors
from ..common.error import error_text
from ..common.transaction import is_database, is_transient
from ..template.insertable import offers
from .preview import Preview

_ACTIONS = ['send_email', 'send_sms']
_WRITTEN = {
    'action', 'email_from', 'email_title', 'email_template', 'sms_text',
    'layout', 'parent', 'name', 'preview_record', 'preview_language'}


class ActivityPreviewForm:
    "Preview on the form of an activity"
    __slots__ = ()

    _states = {
        'invisible': ~Eval('action').in_(_ACTIONS),
        }
    _states_mail = {
        'invisible': Eval('action') != 'send_email',
        }

    preview_record = fields.Function(
        fields.Reference(
            "Preview for", selection='get_preview_models', states=_states,
            help="The record for which the preview is shown."),
        'get_preview_record', setter='set_preview')
    preview_language = fields.Function(
        fields.Selection(
            'get_preview_languages', "In", states=_states,
            help="The language of the preview.\n"
            "Leave empty for the one of the recipient."),
        'get_preview_language', setter='set_preview')
    preview_subject = fields.Function(
        fields.Char("Subject", states=_states_mail),
        'on_change_with_preview_subject')
    preview_name = fields.Function(
        fields.Char("Preview Name"), 'on_change_with_preview_name')
    preview_html = fields.Function(
        fields.Binary("Preview", filename='preview_name', states=_states_mail),
        'on_change_with_preview_html')
    preview_text = fields.Function(
        fields.Text("Preview of Text", states=_states),
        'on_change_with_preview_text')
    preview_url = fields.Function(
        fields.Char(
            "Preview in Browser",
            states={
                'invisible': (
                    (Eval('action') != 'send_email') | ~Eval('preview_url')),
                },
            help="The preview of what is saved."),
        'on_change_with_preview_url')
    warnings = fields.Function(
        fields.Text(
            "Warnings",
            states={
                'invisible': ~Eval('warnings'),
                },
            help="What should be corrected before it is sent."),
        'on_change_with_warnings')
    record_fields = fields.Function(
        fields.Text(
            "Fields to Insert", states=_states,
            help="What can be copied into the texts."),
        'on_change_with_record_fields')

    del _states, _states_mail

    # Fields

    @fields.depends('parent')
    def get_preview_models(self):
        Scenario = Pool().get('marketing.automation.scenario')
        scenario = self.root
        return [(None, "")] + [
            (model, name) for model, name in Scenario.get_models()
            if not scenario or model == scenario.model]

    @classmethod
    def get_preview_languages(cls):
        Lang = Pool().get('ir.lang')
        with without_check_access():
            return [(None, "")] + [
                (lang.code, lang.name) for lang in Lang.search(
                    [('translatable', '=', True)])]

    def get_preview_language(self, name):
        return None

    @classmethod
    def set_preview(cls, activities, name, value):
        "The choice is not kept"

    def get_preview_record(self, name):
        record = self._default_preview_record()
        return str(record) if record else None

    @fields.depends('action', 'parent')
    def on_change_action(self):
        if on_change := getattr(super(), 'on_change_action', None):
            on_change()
        if self.action in _ACTIONS and not getattr(
                self, 'preview_record', None):
            self.preview_record = self._default_preview_record()

    @fields.depends('action', 'parent')
    def _default_preview_record(self):
        "Return a record that matches and that the user may read, or None"
        scenario = self.root
        if self.action not in _ACTIONS or not scenario:
            return
        try:
            return newest(
                Pool().get(scenario.model), scenario.decode_domain(), [])
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise

    # The preview

    @fields.depends(*_WRITTEN, methods=['_written'])
    def _form_preview(self):
        "Return the preview of the values in the form, None if there is none"
        record = getattr(self, 'preview_record', None)
        if self.action not in _ACTIONS or not self._has_text():
            return
        if not self.root or not record or isinstance(record, str):
            return Preview(failure=gettext(
                    'marketing_automation.msg_preview_no_record'))
        if (record.__name__ != self.root.model
                or not self._may_preview(record)):
            return Preview(failure=gettext(
                    'marketing_automation.msg_preview_record'))
        try:
            return self.preview(
                record, getattr(self, 'preview_language', None) or None)
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
            return Preview(
                failure=error_text(exception))

    @fields.depends('action', 'email_title', 'email_template', 'sms_text')
    def _has_text(self):
        if self.action == 'send_sms':
            return bool(self.sms_text)
        return bool(self.email_title or self.email_template)

    @classmethod
    def _may_preview(cls, record):
        return bool(newest(record.__class__, [('id', '=', record.id)]))

    @fields.depends(methods=['_form_preview'])
    def on_change_with_preview_subject(self, name=None):
        preview = self._form_preview()
        return preview.subject if preview else None

    def on_change_with_preview_name(self, name=None):
        return 'preview.html'

    @fields.depends(methods=['_form_preview'])
    def on_change_with_preview_html(self, name=None):
        preview = self._form_preview()
        if preview and self.action == 'send_email':
            return page_of(preview).encode('utf-8')

    @fields.depends(methods=['_form_preview'])
    def on_change_with_preview_text(self, name=None):
        preview = self._form_preview()
        return (preview.failure or preview.text) if preview else None

    @fields.depends(methods=['_form_preview'])
    def on_change_with_warnings(self, name=None):
        if preview := self._form_preview():
            return '\n'.join(
                f'⚠ {warning}'
                for warning in self.preview_warnings(preview)) or None

    @fields.depends('id', 'preview_record', 'preview_language')
    def on_change_with_preview_url(self, name=None):
        if (self.id or -1) < 0:
            return
        query = {}
        record = getattr(self, 'preview_record', None)
        if record:
            query['record'] = str(record)
        if language := getattr(self, 'preview_language', None):
            query['language'] = language
        database = quote(Transaction().database.name)
        return (f'{http_host()}/{database}/marketing_automation/preview/'
            f'{self.id}?{urlencode(query)}')

    @fields.depends('action', 'parent')
    def on_change_with_record_fields(self, name=None):
        scenario = self.root
        if self.action not in _ACTIONS or not scenario:
            return
        Model = Pool().get(scenario.model)
        return '\n'.join(
            f'{label}\n    {expression}'
            for label, expression in offers(Model, actors(Model)))

    @classmethod
    def preview_page(cls, id, record=None, language=None):
        """
        Return the HTML of the preview of the saved activity, None if the user
        may not read it.

        :param record: the record as a reference, by default one that matches.
        :param language: the code of the language.
        """
        with check_access():
            activities = cls.search([('id', '=', id)])
        for activity in activities:
            activity = cls(activity.id)
            if record:
                activity.preview_record = _reference(
                    record, activity.root.model)
            activity.preview_language = language
            preview = activity._form_preview()
            if preview:
                return page_of(preview)


def newest(Model, *domains):
    """
    Return the newest record that the first of the domains finds and that the
    user may read, None if there is none.
    """
    ModelAccess = Pool().get('ir.model.access')
    with check_access():
        if not ModelAccess.check(
                Model.__name__, 'read', raise_exception=False):
            return
        for domain in domains:
            for record in Model.search(
                    domain, limit=1, order=[('id', 'DESC')]):
                return record


def _reference(value, model):
    "Return the record of the model, None if it is none"
    name, _, id_ = value.partition(',')
    if name == model and id_.isdecimal():
        return Pool().get(model)(int(id_))


def page_of(preview):
    "Return the HTML of the preview, or of its failure"
    if not preview.failure:
        return preview.html
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"/></head>'
        '<body style="margin: 2em; font: 16px/1.5 sans-serif">'
        '<p style="color: #a11; white-space: pre-wrap">'
        f'{html.escape(preview.failure)}</p></body></html>\n')
