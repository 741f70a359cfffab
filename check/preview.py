# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Preview of a message for a record; nothing is sent or stored.
"""

from typing import NamedTuple, Optional

from trytond.model import ModelStorage
from trytond.transaction import (
    Transaction, active_records, without_check_access)

from ..common.access import Access, VirtualReaders
from ..common.text import one_line
from ..common.transaction import is_database, is_transient
from ..mail.draft import Draft
from ..mail.page import Page, text_of
from ..tracking import url as tracking

# Where the links lead that can only be made for a mail that is sent
_NOWHERE = '#'
# Numbers like those of a big database
_RECORD_ACTIVITY, _LINK = 10_000_000, 10_000
# What is edited, and translated
_TEXTS = ('email_from', 'email_title', 'email_template', 'sms_text')


class Preview(NamedTuple):
    """
    Message as it would be for one record.

    :param failure: the words for who wrote the template if it can not be
        rendered; the others are then empty.
    :param unsubscribes: whether it has a link to unsubscribe.
    :param size: the bytes of the HTML as it is sent, with tracked links.
    """
    subject: str = ''
    html: str = ''
    text: str = ''
    failure: Optional[str] = None
    unsubscribes: bool = False
    size: int = 0


class Sample(Draft):
    "Draft that is only shown: its links lead to their targets"

    def __init__(self, activity, target):
        super().__init__(activity, None, target)
        self._unsubscribes = False

    def _tracked_urls(self):
        return None, None

    def _page(self, template, context):
        page = super()._page(template, context)
        # It is changed by what is done with it
        self.size = _size(page.html())
        return page

    def _end(self, url):
        self._unsubscribes = True
        return url or _NOWHERE

    def preview(self):
        if self.failure:
            return Preview(failure=self.activity.template_failure(
                    *self.failure, self.target))
        self.page.rewrite(str, self._end)
        html = self.short.replace(self.page.html(), str)
        return Preview(
            subject=one_line(self.short.replace(self.title, str)),
            html=html,
            text=text_of(html),
            unsubscribes=self._unsubscribes,
            size=self.size)


def _size(html):
    "Return the size of the HTML as it is sent"
    page = Page(html)
    if tracking.base():
        with without_check_access(), Transaction().set_user(0):
            click = tracking.click_url(_RECORD_ACTIVITY, _LINK)
            end = tracking.unsubscribe_url(_RECORD_ACTIVITY)
        page.rewrite(lambda url: click, lambda url: end)
        page.add_pixel(click)
    return len(page.html().encode('utf-8'))


class Both:
    "Access of both the virtual reader and the user"

    def __init__(self, target):
        self._accesses = [VirtualReaders().access(target), Access.user()]

    def check_field(self, Model, name):
        for access in self._accesses:
            access.check_field(Model, name)

    def check_record(self, record):
        for access in self._accesses:
            access.check_record(record)


class ActivityPreview:
    "Previews of the messages of an activity"
    __slots__ = ()

    def preview(self, target, language=None):
        """
        Return the :class:`Preview` of the message for the target, None if the
        action sends nothing.

        It shows nothing that the user may not read.  Each action defines it
        with a method `preview_<action>`.  The language (code) is by default
        the one of the target.
        """
        preview = getattr(self, f'preview_{self.action}', None)
        if preview:
            if language is None:
                language = target.marketing_languages([target])[target.id]
            return preview(target, language)

    def preview_send_email(self, target, language):
        return self._preview(target, language, self._preview_mail)

    def preview_send_sms(self, target, language):
        return self._preview(target, language, self._preview_sms)

    @staticmethod
    def _preview_mail(activity, target, access):
        sample = Sample(activity, target)
        sample.render(access)
        return sample.preview()

    @staticmethod
    def _preview_sms(activity, target, access):
        try:
            return Preview(text=activity._sms_render(target, access))
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
            return Preview(failure=activity.template_failure(
                    'sms_text', exception, target))

    def _preview(self, target, language, function):
        written = self._written()
        context = {'language': language} if language else {}
        with Transaction().set_context(**context), active_records():
            return function(
                self._with_written(written), target.__class__(target.id),
                Both(target))

    def _written(self):
        """
        Return a dictionary of the unsaved values: the one written, and the
        saved one in the language in which it is written.
        """
        values = self._values or {}
        saved = None
        if (self.id or -1) >= 0:
            saved = self.__class__(self.id)
        names = {*_TEXTS, 'layout', 'parent', 'action', 'name'}
        return {
            name: (getattr(self, name), getattr(saved, name, None))
            for name in names if name in values}

    def _with_written(self, written):
        "Return the activity in the current language, with the unsaved values"
        if (self.id or -1) < 0:
            activity = self.__class__()
            activity.rec_name = getattr(self, 'name', None) or ''
        else:
            activity = self.__class__(self.id)
        for name, (value, saved) in written.items():
            if (name in _TEXTS
                    and (activity.id or -1) >= 0
                    and getattr(activity, name) != saved):
                # It has a translation of its own
                continue
            if isinstance(value, ModelStorage):
                value = value.__class__(value.id)
            setattr(activity, name, value)
        return activity
