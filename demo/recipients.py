# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The people who get the mails.

They only have what arrived in their mailbox, and act on it with the requests
that a mail program and a browser make.
"""

import re
import urllib.error
import urllib.parse
import urllib.request

import lxml.html

AGENTS = [
    'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 '
    'Thunderbird/128.5.0',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 '
    'Firefox/140.0',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) '
    'AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
    ]


class _NoRedirect(urllib.request.HTTPRedirectHandler):

    def redirect_request(self, *args):
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class Letter:
    "A mail as its recipient sees it"

    def __init__(self, accepted):
        self.message = accepted.message
        self.recipient, = accepted.rcpt_tos
        self.agent = AGENTS[sum(self.recipient.encode()) % len(AGENTS)]
        body = self.message.get_body(('html',))
        self.html = lxml.html.document_fromstring(body.get_content())
        self.links = self.html.xpath('//a/@href')

    def request(self, url, **data):
        request = urllib.request.Request(
            url, data=urllib.parse.urlencode(data).encode() if data else None,
            headers={
                'User-Agent': self.agent,
                'Accept-Language': self.message['Content-Language'] or 'en',
                })
        try:
            response = _opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            if response.status >= 400:
                raise RuntimeError(f"{response.status} for {url}")
            return response.status, response.headers, response.read()

    def open(self):
        "Load the images, as a mail program does"
        for url in self.html.xpath('//img/@src'):
            self.request(url)

    def click(self):
        "Follow the first link that leads somewhere"
        self.open()
        url = next(u for u in self.links if re.search('/c/[^/]+$', u))
        status, headers, _ = self.request(url)
        assert status == 302, status
        return headers['Location']

    def leave(self):
        "Ask for the page to unsubscribe, and press its button"
        self.open()
        url = next(u for u in self.links if re.search('/u/[^/]+$', u))
        _, _, content = self.request(url)
        form, = lxml.html.document_fromstring(content).forms
        button, = form.xpath('.//button')
        self.request(
            urllib.parse.urljoin(url, form.action or ''),
            **{button.get('name'): button.get('value')})

    def leave_at_once(self):
        "Press the button that the mail program shows (RFC 8058)"
        # Over HTTPS the mail announces it with List-Unsubscribe-Post
        url = re.search('<(http[^>]+)>', self.message['List-Unsubscribe'])[1]
        self.request(url, **{'List-Unsubscribe': 'One-Click'})


class Mailboxes:
    "What the recipients have got, and what they have looked at"

    def __init__(self, server, people):
        self.server = server
        self.people = {person.email: person for person in people}
        # What each still does with the next mails of a scenario
        self.habits = {}
        self.seen = 0

    def look(self):
        "Let the recipients act on what is new and yield what they do"
        messages = self.server.messages[self.seen:]
        self.seen += len(messages)
        for accepted in messages:
            letter = Letter(accepted)
            person = self.people[letter.recipient]
            habits = self.habits.setdefault(
                (person, letter.message['List-Id']), list(person.does))
            action = habits.pop(0) if habits else None
            if action:
                getattr(letter, action)()
                yield person, action
