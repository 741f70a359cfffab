# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
A real SMTP server that does as it is told, for tests and the demo.

It can also be run as a process of its own which stores each message it accepts
as a file::

    python -m trytond.modules.marketing_automation.tests.mail.smtp \\
        --port 2525 --out messages
"""

import argparse
import asyncio
import email
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
from collections import Counter, defaultdict
from email.policy import default as default_policy
from typing import NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult

__all__ = ['Accepted', 'SMTPServer']

# Actions besides a reply
DROP = 'drop'
RESET = 'reset'

# The stages of a conversation.
# At 'dot' the whole content was received but the message is not accepted, at
# 'accepted' it is but not yet answered.
STAGES = [
    'connect', 'ehlo', 'mail', 'rcpt', 'data', 'dot', 'accepted',
    'rset', 'quit']


class Accepted(NamedTuple):
    "A message that the server took"
    mail_from: str
    rcpt_tos: list
    content: bytes
    options: list
    connection: int

    @property
    def message(self):
        return email.message_from_bytes(self.content, policy=default_policy)

    @property
    def text(self):
        "The plain part"
        part = self.message.get_body(['plain'])
        return part.get_content().replace('\r\n', '\n')

    @property
    def message_id(self):
        return str(self.message['Message-ID'])


class _Rule:

    def __init__(self, stage, action, pattern, times, after):
        assert stage in STAGES, stage
        self.stage = stage
        self.action = action
        self.pattern = re.compile(pattern)
        self.times = times
        self.after = after

    def match(self, stage, text):
        if (self.stage != stage
                or self.times == 0
                or not self.pattern.search(text)):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times:
            self.times -= 1
        return True


class Hold:
    "Where a conversation stays until it may go on"

    def __init__(self):
        self.reached = threading.Event()
        self.over = threading.Event()


class SMTPServer:
    """
    A server on a free port of the loopback interface.

    All methods may be called from any thread and while it is running.
    """

    def __init__(
            self, port=0, smtputf8=True, eight_bit=True, size=None,
            login=None, on_accept=None):
        self.host = '127.0.0.1'
        self.port = port
        self.smtputf8 = smtputf8
        self.eight_bit = eight_bit
        self.size = size
        self.login = login
        self.on_accept = on_accept
        self.messages = []
        # The number of times each command arrived
        self.commands = Counter()
        self._rules = []
        self._lock = threading.RLock()
        self._loop = None

    @property
    def uri(self):
        return f'smtp://{self.host}:{self.port}'

    @property
    def connections(self):
        return self.commands['connect']

    @property
    def by_message_id(self):
        "The number of times each Message-ID was accepted"
        with self._lock:
            return Counter(m.message_id for m in self.messages)

    @property
    def by_recipient(self):
        "The number of messages accepted for each recipient"
        with self._lock:
            return Counter(r for m in self.messages for r in m.rcpt_tos)

    # The script

    def on(self, stage, action, pattern='', times=None, after=0):
        """
        Do the action at the stage: a reply like '550 No', DROP, RESET, a
        number of seconds to stall or a hold.

        The pattern is searched in the argument of the command, for 'data' and
        later stages in the recipient. The action happens as many times as
        given (None for always) but not for the first ones that match.
        """
        with self._lock:
            self._rules.append(_Rule(stage, action, pattern, times, after))

    def refuse_mail(self, pattern='', code=550, text='sender refused'):
        self.on('mail', f'{code} {text}', pattern)

    def refuse_rcpt(self, pattern='', code=550, text='no such user'):
        self.on('rcpt', f'{code} {text}', pattern)

    def refuse_data(self, pattern='', code=554, text='content refused'):
        self.on('dot', f'{code} {text}', pattern)

    def busy(self, pattern='', code=451, times=None, text='try again later'):
        self.on('rcpt', f'{code} {text}', pattern, times)

    def drop_at(self, stage, times=1, after=0, pattern=''):
        self.on(stage, DROP, pattern, times, after)

    def drop_after(self, count):
        "Cut the connection instead of the message after that many"
        self.on('mail', DROP, times=1, after=count)

    def stall(self, seconds, stage='rcpt', times=1):
        self.on(stage, seconds, times=times)

    def hold(self, stage):
        "Stall the next conversation until the returned hold is over"
        hold = Hold()
        self.on(stage, hold, times=1)
        return hold

    def obey(self):
        "Forget the script"
        with self._lock:
            self._rules.clear()

    def _action(self, stage, text):
        with self._lock:
            self.commands[stage] += 1
            for rule in self._rules:
                if rule.match(stage, text):
                    return rule.action

    def _accept(self, accepted):
        with self._lock:
            if self.on_accept:
                self.on_accept(accepted)
            self.messages.append(accepted)

    # The life

    def __enter__(self):
        self.restart()
        return self

    def __exit__(self, *args):
        self.die()

    def restart(self):
        "Listen, on the same port as before"
        assert not self._loop
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._protocols = set()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, listener, ready), daemon=True)
        self._thread.start()
        ready.wait()

    def die(self):
        "Cut all connections and listen no more"
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = None

    def _run(self, loop, listener, ready):
        asyncio.set_event_loop(loop)
        # A stalled conversation that is cut is no error
        loop.set_exception_handler(lambda *args: None)
        server = loop.run_until_complete(
            loop.create_server(self._protocol, sock=listener))
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            server.close()
            for protocol in list(self._protocols):
                protocol.cut()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(
                asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    def _protocol(self):
        parameters = {}
        if self.login:
            parameters['authenticator'] = self._authenticate
            parameters['auth_require_tls'] = False
        return _Protocol(
            self, _Handler(self), loop=self._loop, hostname='mail.test',
            enable_SMTPUTF8=self.smtputf8,
            data_size_limit=self.size, **parameters)

    def _authenticate(self, server, session, envelope, mechanism, data):
        login = data.login.decode(), data.password.decode()
        return AuthResult(success=login == self.login, handled=False)


class _Handler:

    def __init__(self, server):
        self.server = server

    async def handle_EHLO(
            self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [r for r in responses
            if self.server.eight_bit or '8BITMIME' not in r]

    async def handle_DATA(self, server, session, envelope):
        recipient = ', '.join(envelope.rcpt_tos)
        reply = await server.act('dot', recipient)
        if reply:
            return reply
        self.server._accept(Accepted(
                envelope.mail_from, list(envelope.rcpt_tos),
                envelope.content, list(envelope.mail_options),
                server.connection))
        return await server.act('accepted', recipient) or '250 OK taken'


class _Protocol(SMTP):

    def __init__(self, server, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.server = server
        # Each EHLO increases those of the class
        self.command_size_limits = defaultdict(lambda: 1024)

    def connection_made(self, transport):
        self.server._protocols.add(self)
        super().connection_made(transport)

    def connection_lost(self, error):
        self.server._protocols.discard(self)
        super().connection_lost(error)

    def cut(self, reset=False):
        transport = self.transport
        if not transport:
            return
        if reset:
            transport.get_extra_info('socket').setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        transport.abort()

    async def act(self, stage, text=''):
        "Do what the script says and return the reply, if any"
        action = self.server._action(stage, text)
        if action in {DROP, RESET}:
            self.cut(reset=action == RESET)
            # until it is noticed
            await asyncio.sleep(3600)
        elif isinstance(action, (int, float)):
            await asyncio.sleep(action)
        elif isinstance(action, Hold):
            action.reached.set()
            while not action.over.is_set():
                await asyncio.sleep(.01)
        elif action:
            if action.startswith('421'):
                await self.push(action)
                self.transport.close()
                await asyncio.sleep(3600)
            return action

    async def _handle_client(self):
        self.connection = self.server.connections
        try:
            reply = await self.act('connect')
            if reply:
                await self.push(reply)
            else:
                await super()._handle_client()
        except (asyncio.CancelledError, ConnectionError):
            pass

    async def _step(self, stage, arg, method):
        text = arg or ''
        if stage == 'data':
            text = ', '.join(self.envelope.rcpt_tos)
        if reply := await self.act(stage, text):
            await self.push(reply)
        else:
            await method(arg)

    async def smtp_EHLO(self, arg):
        await self._step('ehlo', arg, super().smtp_EHLO)

    async def smtp_HELO(self, arg):
        await self._step('ehlo', arg, super().smtp_HELO)

    async def smtp_MAIL(self, arg):
        await self._step('mail', arg, super().smtp_MAIL)

    async def smtp_RCPT(self, arg):
        await self._step('rcpt', arg, super().smtp_RCPT)

    async def smtp_DATA(self, arg):
        await self._step('data', arg, super().smtp_DATA)

    async def smtp_RSET(self, arg):
        await self._step('rset', arg, super().smtp_RSET)

    async def smtp_QUIT(self, arg):
        await self._step('quit', arg, super().smtp_QUIT)


def _store(folder):
    def store(accepted):
        name = f'{time.time_ns()}-{os.getpid()}'
        path = os.path.join(folder, name)
        with open(path, 'wb') as file:
            file.write(f'X-Envelope-From: {accepted.mail_from}\r\n'.encode())
            for recipient in accepted.rcpt_tos:
                file.write(f'X-Envelope-To: {recipient}\r\n'.encode())
            file.write(accepted.content)
        # Under its name, the file is complete
        os.rename(path, path + '.eml')
    return store


def main():
    parser = argparse.ArgumentParser(description="Accept mails for tests")
    parser.add_argument('--port', type=int, default=2525)
    parser.add_argument('--out', metavar='DIR', required=True)
    parser.add_argument(
        '--delay', type=float, metavar='SECONDS',
        help="stall before each message is accepted")
    parser.add_argument(
        '--refuse', metavar='PATTERN', help="recipients to refuse")
    parser.add_argument(
        '--busy', metavar='PATTERN',
        help="put off the first of these recipients")
    options = parser.parse_args()

    os.makedirs(options.out, exist_ok=True)
    server = SMTPServer(port=options.port, on_accept=_store(options.out))
    if options.delay:
        server.stall(options.delay, 'dot', times=None)
    if options.refuse:
        server.refuse_rcpt(options.refuse)
    if options.busy:
        server.busy(options.busy, times=1)
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
    with server:
        print(server.uri, flush=True)
        threading.Event().wait()


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        pass
