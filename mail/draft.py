# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import functools

from ..common.address import AddressError, envelope_address, sender
from ..common.text import one_line
from ..common.transaction import is_database, is_transient
from ..outcome import OutgoingMessage, failed
from ..template.engine import compile_markup, compile_text
from ..template.view import View
from ..tracking import url as tracking
from . import headers, mjml
from .mail_merge import MailMerge
from .message import compose
from .page import Page, Shortener
from .serialized import serialize

# The stencils by shape of a template; they keep it as the shape needs it
_stencils = functools.lru_cache(maxsize=32)(lambda template: {})

_MAX_STENCILS = 20


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
            self.title = compile_text(
                self.activity.email_title).render(context)
            field = 'email_template'
            template = compile_markup(self.activity.email_source())
            if not self._find_stencil(template, context):
                self.page = self._page(template, context)
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
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
            stencils[shape] = MailMerge.cut(
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
                    message = serialize(*values, text, html, headers_)
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
            if is_transient(exception) or is_database(exception):
                raise
            return failed('message_invalid', repr(exception))
        return OutgoingMessage(
            recipient=address,
            content=message,
            message_id=message_id,
            sender=self.activity.return_path(self.record_activity),
            subject=title,
            to=getattr(message, 'to', None))
