# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Warnings about a message that could be sent.
"""

import re

import lxml.html

from trytond.i18n import gettext

# From this size on Gmail shows only the beginning
MAX_SIZE = 102 * 1024
# What mail programs show of a subject
MAX_SUBJECT = 70
# How many of a kind are named
_COUNT = 3
_LENGTH = 60
_EXPRESSION = re.compile(r'\$(?:\{|%7b)', re.IGNORECASE)


class ActivityWarning:
    "Warnings about the message of an activity"
    __slots__ = ()

    def preview_warnings(self, preview):
        """
        Return the list of the texts of the warnings about the preview, which
        do not prevent it from being sent.
        """
        if not preview:
            return []
        if preview.failure:
            return [preview.failure]
        if self.action != 'send_email':
            return []
        return [
            gettext(f'marketing_automation.msg_warn_{name}', **words)
            for name, words in self._mail_warnings(preview)]

    def _mail_warnings(self, preview):
        "Yield the name of each warning and the variables of its message"
        yield from _subject(preview.subject)
        if not re.search(r'\w', _visible(preview.text)):
            yield 'no_text', {}
        if not preview.unsubscribes:
            yield 'no_unsubscribe', {}
        if (layout := self.used_layout) and layout.lacks_sender:
            yield 'no_sender', {'layout': layout.rec_name}
        yield from _links(preview.html)
        if preview.size > MAX_SIZE:
            yield 'size', {
                'size': round(preview.size / 1024),
                'max': MAX_SIZE // 1024,
                }


def _subject(subject):
    if not subject.strip():
        yield 'no_subject', {}
    elif len(subject) > MAX_SUBJECT:
        yield 'long_subject', {'length': len(subject), 'max': MAX_SUBJECT}


def _visible(text):
    "Return the text without the URLs"
    return re.sub(r'\]\(<?[^)>]*>?\)', ']', text)


def _links(html):
    root = lxml.html.document_fromstring(html)
    insecure, nowhere = [], []
    for link in root.iter('a'):
        href = link.get('href')
        if href is None:
            continue
        href = href.strip()
        if href.lower().startswith('http://'):
            insecure.append(href)
        elif not href or _EXPRESSION.search(href) or (
                ':' not in href and not href.startswith('#')):
            nowhere.append(
                ' '.join(link.text_content().split()) or href or '?')
    no_alt = []
    for image in root.iter('img'):
        src = image.get('src') or ''
        if src.lower().startswith('http://'):
            insecure.append(src)
        if image.get('alt') is None:
            no_alt.append(src.rpartition('/')[-1] or src or '?')
    for name, found in [
            ('insecure', insecure), ('nowhere', nowhere), ('no_alt', no_alt)]:
        if found:
            yield name, {'names': _names(found)}


def _names(names):
    names = list(dict.fromkeys(n[:_LENGTH] for n in names))
    more = ['…'] if len(names) > _COUNT else []
    return ', '.join([*names[:_COUNT], *more])
