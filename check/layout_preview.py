# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Preview beside the HTML of a layout.
"""

import html

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool

from ..common.error import error_text
from ..common.transaction import is_database, is_transient
from ..mixin import TargetReferenceMixin
from .preview import Both, Preview, Sample
from .preview_form import newest, page_of

_WRITTEN = ['name', 'html', 'sender', 'unsubscribe']


class LayoutPreview(TargetReferenceMixin):
    "Preview on the form of a layout"
    __slots__ = ()

    preview_record = fields.Function(
        fields.Reference(
            "Preview for", selection='get_preview_models',
            help="The record for which the preview is shown."),
        'get_preview_record', setter='set_preview')
    preview_name = fields.Function(
        fields.Char("Preview Name"), 'on_change_with_preview_name')
    preview_html = fields.Function(
        fields.Binary("Preview", filename='preview_name'),
        'on_change_with_preview_html')

    @fields.depends(methods=['get_models'])
    def get_preview_models(self):
        return [(None, ""), *self.get_models()]

    @classmethod
    def default_preview_record(cls):
        if party := newest(Pool().get('party.party'), []):
            return str(party)

    def get_preview_record(self, name):
        return self.default_preview_record()

    @classmethod
    def set_preview(cls, layouts, name, value):
        "The choice is not kept"

    def on_change_with_preview_name(self, name=None):
        return 'preview.html'

    @fields.depends(*_WRITTEN, 'preview_record')
    def on_change_with_preview_html(self, name=None):
        if self.html:
            return page_of(self._preview()).encode('utf-8')

    @fields.depends(*_WRITTEN, 'preview_record')
    def _preview(self):
        Activity = Pool().get('marketing.automation.activity')
        record = getattr(self, 'preview_record', None)
        if (not record or isinstance(record, str)
                or not Activity._may_preview(record)):
            return Preview(failure=gettext(
                    'marketing_automation.msg_layout_no_record'))
        layout = self.__class__(
            **{n: getattr(self, n, None) for n in _WRITTEN})
        layout.rec_name = layout.name or ''
        activity = Activity(
            action='send_email', email_title='',
            email_template=_sample_text(), layout=layout)
        activity.rec_name = layout.rec_name
        try:
            layout._check_html()
            sample = Sample(activity, record)
            sample.render(Both(record))
            return sample.preview()
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
            return Preview(failure=error_text(exception))


def _sample_text():
    "Return the HTML of a sample text inside the layout"
    title, text, link = (
        html.escape(gettext(f'marketing_automation.msg_layout_sample_{part}'))
        for part in ['title', 'text', 'link'])
    return (
        f'<h1>{title}</h1><p>{text}</p>'
        f'<p><a class="button" href="https://www.example.com/">{link}</a></p>')
