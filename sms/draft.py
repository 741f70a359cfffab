# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The SMS of a record activity between its template and its message."

import re
import secrets

import trytond.config as config
from trytond.i18n import gettext

from ..common.transaction import is_database, is_transient
from ..outcome import OutgoingMessage, failed
from . import gateway
from .segment import measure

_URL = re.compile(r'\bhttps?://[^\s<>"]+', re.IGNORECASE)

# What follows an URL in a sentence
_TAIL = '.,;:!?\'’”»…'

_BRACKETS = {')': '(', ']': '[', '}': '{'}


def max_segments():
    return max(config.getint('marketing', 'sms_segments', default=6), 1)


def find_urls(text):
    "Yield the start, the end and the URL of each in the text"
    for match in _URL.finditer(text):
        url = match.group()
        while url:
            last = url[-1]
            if last in _TAIL or (
                    last in _BRACKETS
                    and url.count(last) > url.count(_BRACKETS[last])):
                url = url[:-1]
            else:
                break
        if not url.endswith('/') or len(url) > len('https://'):
            yield match.start(), match.start() + len(url), url


def replace_urls(text, function):
    "Return the text with the result of the function for each URL"
    chunks, end = [], 0
    for start, stop, url in find_urls(text):
        chunks += [text[end:start], function(url)]
        end = stop
    return ''.join(chunks) + text[end:]


class Draft:
    """
    The SMS of a record activity, first rendered and then finished.

    All drafts of a batch are rendered before the links of all are known.
    """

    def __init__(self, activity, record_activity, target):
        self.activity = activity
        self.record_activity = record_activity
        self.target = target
        self.failure = None
        self.text = ''
        self.click_url = activity.sms_click_url(record_activity)

    @property
    def id(self):
        return self.record_activity.id

    @property
    def urls(self):
        if not self.click_url:
            return set()
        return {url for _, _, url in find_urls(self.text)}

    def render(self, access):
        try:
            self.text = self.activity._sms_render(self.target, access)
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                # Nothing more can be read in this transaction
                raise
            self.failure = exception

    def finish(self, number, links):
        "Return the message, or the outcome if there is none"
        if self.failure:
            return failed('template_error', self.activity.template_failure(
                    'sms_text', self.failure, self.target))
        text = self.text
        if self.click_url:
            text = replace_urls(text, lambda url: self.click_url(
                    links[self.activity.id, url]))
        if not text:
            return failed('sms_empty')
        size = measure(text)
        if size.segments > max_segments():
            return failed('sms_too_long', gettext(
                    'marketing_automation.msg_sms_too_long',
                    segments=size.segments, max=max_segments()))
        return OutgoingMessage(
            recipient=number,
            content=gateway.SMS(
                text,
                self.activity.sms_from
                or config.get('marketing', 'sms_from') or None,
                size.segments),
            message_id=(
                self.record_activity.message_id or secrets.token_hex(16)))
