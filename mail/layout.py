# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Layouts: the page around the texts of the e-mails.
"""

import functools

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import file_open
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..exceptions import LayoutError
from ..template.engine import Markup, TemplateSyntaxError
from . import layout_source

# The same text is put into the same layout for many recipients
_insert = functools.lru_cache(maxsize=256)(
    lambda layout, content, words: layout_source.insert(
        layout, content, dict(words)))
_SAMPLE = '<p>x</p>'


class Layout(DeactivableMixin, ModelSQL, ModelView):
    "The page around the texts of e-mails"
    __name__ = 'marketing.automation.layout'

    name = fields.Char("Name", required=True, translate=True)
    html = fields.Text(
        "HTML", required=True, translate=True, strip=False,
        help="The whole page, in HTML or MJML, as a Genshi template.\n"
        "The text of the activity comes to the place of ${content}.\n"
        "There can also be ${sender}, ${unsubscribe} and ${language}.")
    sender = fields.Text(
        "Sender Identity", translate=True,
        help="Who sends, usually the name and the postal address.\n"
        "It comes to the place of ${sender}.")
    unsubscribe = fields.Char(
        "Unsubscribe", translate=True,
        help="The words of the link to unsubscribe, at the place of "
        "${unsubscribe}.\n"
        "Leave empty for the usual ones in the language of the recipient.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('name', 'ASC'), ('id', 'ASC')]

    @classmethod
    def default_html(cls):
        with file_open(
                'marketing_automation/mail/layout.html',
                encoding='utf-8') as file:
            return file.read()

    # Validation

    @classmethod
    def validate_fields(cls, layouts, field_names):
        super().validate_fields(layouts, field_names)
        cls.check_html(layouts, field_names)

    @classmethod
    def check_html(cls, layouts, field_names=None):
        "Ensure that the layout can be compiled and shows the content once"
        if field_names and 'html' not in field_names:
            return
        for layout in layouts:
            layout._check_html()

    def _check_html(self):
        try:
            layout_source.check(self.html)
            Markup(self.insert(_SAMPLE).source)
        except layout_source.LayoutSourceError as exception:
            raise LayoutError(gettext(
                    'marketing_automation.msg_layout_content',
                    layout=self.rec_name)) from exception
        except TemplateSyntaxError as exception:
            raise LayoutError(gettext(
                    'marketing_automation.msg_layout_html',
                    layout=self.rec_name,
                    line=exception.line or 1,
                    error=exception.message)) from exception

    @classmethod
    def on_modification(cls, mode, layouts, field_names=None):
        super().on_modification(mode, layouts, field_names=field_names)
        if mode == 'write' and 'html' in field_names:
            cls._check_activities(layouts)

    @classmethod
    def _check_activities(cls, layouts):
        "Ensure that what is written fits into the layouts"
        Activity = Pool().get('marketing.automation.activity')
        with without_check_access(), inactive_records():
            Activity.check_email_templates(Activity.search([
                        ('action', '=', 'send_email'),
                        ['OR',
                            ('layout', 'in', [l.id for l in layouts]),
                            [
                                ('layout', '=', None),
                                ('scenario.layout', 'in',
                                    [l.id for l in layouts]),
                                ],
                            ],
                        ]), {'email_template'})

    # Use

    def insert(self, content):
        "Return the :class:`LayoutSource` of the content in the layout"
        unsubscribe = self.unsubscribe or gettext(
            'marketing_automation.msg_layout_unsubscribe')
        return _insert(self.html, content, (
                ('sender', self.sender),
                ('unsubscribe', unsubscribe),
                ('language', Transaction().language),
                ))

    @property
    def lacks_sender(self):
        "Whether the place of the sender is empty"
        return not (self.sender or '').strip() and layout_source.uses(
            self.html, 'sender')


class Scenario(metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'

    layout = fields.Many2One(
        'marketing.automation.layout', "E-Mail Layout", ondelete='RESTRICT',
        help="What is around the texts of the e-mails, but of those that are "
        "whole pages.")

    @classmethod
    def default_layout(cls):
        pool = Pool()
        Layout = pool.get('marketing.automation.layout')
        ModelData = pool.get('ir.model.data')
        try:
            id_ = ModelData.get_id('marketing_automation', 'layout_standard')
        except KeyError:
            return None
        with without_check_access():
            for layout in Layout.search([('id', '=', id_)]):
                return layout.id

    @classmethod
    def validate_fields(cls, scenarios, field_names):
        super().validate_fields(scenarios, field_names)
        cls.check_layout(scenarios, field_names)

    @classmethod
    def check_layout(cls, scenarios, field_names=None):
        "Ensure that what is written fits into the layout"
        Activity = Pool().get('marketing.automation.activity')
        if field_names and 'layout' not in field_names:
            return
        with inactive_records():
            Activity.check_email_templates(Activity.search([
                        ('scenario', 'in', [s.id for s in scenarios]),
                        ('action', '=', 'send_email'),
                        ]), {'email_template'})


class ActivityLayout:
    "Layout of the e-mail of an activity"
    __slots__ = ()

    layout = fields.Many2One(
        'marketing.automation.layout', "Layout", ondelete='RESTRICT',
        states={
            'invisible': Eval('action') != 'send_email',
            },
        help="What is around the text, unless it is a whole page.\n"
        "Leave empty to use the one of the scenario.")

    @classmethod
    def check_email_templates(cls, activities, field_names=None):
        if field_names and 'layout' in field_names:
            field_names = {*field_names, 'email_template'}
        super().check_email_templates(activities, field_names)

    @property
    def used_layout(self):
        "The layout of the e-mail, None if it is a whole page or has none"
        source = self.email_template
        if (self.action != 'send_email'
                or not source or layout_source.is_whole(source)):
            return None
        layout = getattr(self, 'layout', None)
        if not layout and (scenario := self.root):
            layout = scenario.layout
        return layout

    def _layout_source(self):
        if layout := self.used_layout:
            return layout.insert(self.email_template)

    def email_source(self):
        if source := self._layout_source():
            return source.source
        return super().email_source()

    def _template_place(self, field, line):
        if field == 'email_template' and (source := self._layout_source()):
            inside, line = source.place(line)
            if not inside:
                return self.used_layout.rec_name, line
        return super()._template_place(field, line)
