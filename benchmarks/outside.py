# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The others: a mail server that takes all, and a client of the public URLs.

Each is a process of its own, whose CPU is not counted.
"""

import http.client
import multiprocessing
import socket
import threading
import time
from contextlib import contextmanager

HOST = '127.0.0.1'
BROWSER = (
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')

_fork = multiprocessing.get_context('fork')


class Sink:
    "The numbers of the mail server"

    def __init__(self, port, count, first, connections):
        self.uri = f'smtp://{HOST}:{port}'
        self._connections = connections
        self._count = count
        self._first = first

    @property
    def count(self):
        return self._count.value

    @property
    def connections(self):
        return self._connections.value

    @property
    def first(self):
        "When the first mail since the reset was accepted"
        return self._first.value

    def reset(self):
        self._count.value, self._first.value = 0, 0


@contextmanager
def sink():
    "Run a mail server"
    listener = socket.create_server((HOST, 0))
    count, first = _fork.Value('q', 0), _fork.Value('d', 0)
    connections = _fork.Value('q', 0)
    process = _fork.Process(
        target=_accept, args=(listener, count, first, connections),
        daemon=True)
    process.start()
    try:
        yield Sink(
            listener.getsockname()[1], count, first, connections)
    finally:
        process.terminate()
        process.join()
        listener.close()


def _accept(listener, count, first, connections):
    while True:
        connection, _ = listener.accept()
        connections.value += 1
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(
            target=_converse, args=(connection, count, first),
            daemon=True).start()


def _converse(connection, count, first):
    def say(text):
        connection.sendall(text + b'\r\n')

    with connection, connection.makefile('rb') as lines:
        say(b'220 sink')
        for line in lines:
            command = line[:4].upper()
            if command == b'EHLO':
                say(b'250-sink\r\n250-SIZE 10000000\r\n250 8BITMIME')
            elif command == b'DATA':
                say(b'354 go on')
                for line in lines:
                    if line == b'.\r\n':
                        break
                with count.get_lock():
                    count.value += 1
                    first.value = first.value or time.time()
                say(b'250 taken')
            elif command == b'QUIT':
                say(b'221 bye')
                return
            else:
                say(b'250 ok')


def free_port():
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


def answers(port):
    try:
        socket.create_connection((HOST, port)).close()
    except OSError:
        return False
    return True


def request(port, paths, body=None):
    "Request all paths, with a POST of the body if there is one"
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(
        target=_request, args=(port, paths, body, sender), daemon=True)
    process.start()
    statuses = receiver.recv()
    process.join()
    return statuses


def _request(port, paths, body, sender):
    statuses = {}
    headers = {'User-Agent': BROWSER}
    if body:
        headers['Content-Type'] = 'application/x-www-form-urlencoded'
    connection = http.client.HTTPConnection(HOST, port)
    for path in paths:
        connection.request('POST' if body else 'GET', path, body, headers)
        response = connection.getresponse()
        response.read()
        statuses[response.status] = statuses.get(response.status, 0) + 1
    connection.close()
    sender.send(statuses)
