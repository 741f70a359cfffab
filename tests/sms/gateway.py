# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
A real HTTP server that takes SMS like a provider does, and the function that
hands them over.
"""

import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from trytond.modules.marketing_automation.sms.gateway import (
    SMSPostponed, SMSRefused)

from ..tools import BASE, configured

SMS_BASE = 'https://s.example.com'
TOKEN = 'a-token-that-nobody-can-guess'


class Provider:
    "Take SMS, or answer to a number with what is in replies"

    def __init__(self):
        self.messages = []
        # The status of the next answers by number
        self.replies = defaultdict(list)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                size = int(self.headers['Content-Length'])
                message = json.loads(self.rfile.read(size))
                status, body = provider.take(message)
                if status is None:
                    # The connection is lost without an answer
                    self.close_connection = True
                    return
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = 'http://127.0.0.1:%s/' % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, message):
        replies = self.replies[message['to']]
        status = replies.pop(0) if replies else 200
        if status == 200:
            message['id'] = f'SM{len(self.messages) + 1}'
            self.messages.append(message)
            return status, {'id': message['id']}
        return status, {'error': f"no {status}"}

    def to(self, number):
        "Return the texts that the number got"
        return [m['text'] for m in self.messages if m['to'] == number]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


provider = None
_running = ExitStack()


def send(text, to, from_, reference=None):
    "The function of the configuration"
    data = json.dumps({
            'text': text, 'to': to, 'from': from_, 'reference': reference})
    try:
        with urllib.request.urlopen(
                provider.url, data.encode(), timeout=10) as response:
            return json.load(response)['id']
    except urllib.error.HTTPError as error:
        with error:
            words = json.load(error)['error']
        if error.code < 500:
            raise SMSRefused(words) from None
        raise SMSPostponed(words) from None


def start_provider(test_case=None, **options):
    """
    Start a provider, configure its function and return it.

    It ends with the test case, or when the next one starts.
    """
    global provider, _running
    _running.close()
    with ExitStack() as stack:
        provider = Provider()
        stack.callback(provider.close)
        stack.enter_context(configured(**{
                    'marketing__sms': f'{__name__}.send',
                    'marketing__sms_base': SMS_BASE,
                    'marketing__sms_token': TOKEN,
                    'marketing__automation_base': BASE,
                    'marketing__quarantine': 0,
                    'marketing__machine_seconds': 0,
                    **options}))
        _running = stack.pop_all()
    if test_case:
        test_case.addCleanup(_running.close)
    return provider
