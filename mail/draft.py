# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The e-mail of a record activity between its template and its message."

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

# The mail merges of a template by outline: it is kept, as an outline knows
# its parts by their ids
_mail_merges = functools.lru_cache(maxsize=32)(lambda template: {})

_MAX_MAIL_MERGES = 20


class Draft:
    """
    The e-mail of a record activity, first rendered and then finished.

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
        self.mail_merge = self.words = None
        self.click_url, self.pixel_url = self._tracked_urls()

    def _tracked_urls(self):
        return self.activity.tracked_urls(self.record_activity)

    @property
    def id(self):
        return self.record_activity.id

    @property
    def urls(self):
        if self.mail_merge:
            return self.mail_merge.links(self.words)
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
            if not self._find_mail_merge(template, context):
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

    def _find_mail_merge(self, template, context):
        "Return if there is a mail merge for the result of the template"
        if (template.is_mjml or self.short.urls
                or not (self.click_url and self.pixel_url)):
            return False
        traced = template.outline(context)
        if not traced or self.short.urls:
            # The page is rendered from the start
            self.short.clear()
            return False
        outline, self.words, render = traced
        mail_merges = _mail_merges(template)
        if outline not in mail_merges:
            if len(mail_merges) >= _MAX_MAIL_MERGES:
                return False
            mail_merges[outline] = MailMerge.make(
                render, self.words, self._page(template, context))
        self.mail_merge = mail_merges[outline]
        return bool(self.mail_merge)

    def finish(self, address, links):
        "Return the message, or the outcome if there is none"
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
            if self.mail_merge:
                html, text = self.mail_merge.fill(
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
