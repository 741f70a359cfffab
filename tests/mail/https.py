# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
A real HTTPS server on this machine, with a certificate of its own.
"""

import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple


class Received(NamedTuple):
    path: str
    headers: dict
    content: bytes


class HTTPSServer:
    """
    Answers each request with the next of the answers, the last one again and
    again: tuples of the status, the headers and the content, or a number of
    seconds to say nothing before the connection is closed.
    """

    def __init__(self, *answers, name='localhost'):
        self.answers = list(answers) or [(204, {}, b'')]
        self.received = []
        self.name = name

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory()
        directory = Path(self._directory.name)
        self.certificate = str(directory / 'certificate.pem')
        key = str(directory / 'key.pem')
        subprocess.run([
                'openssl', 'req', '-x509', '-newkey', 'ec',
                '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-keyout', key, '-out', self.certificate, '-days', '2',
                '-subj', f'/CN={self.name}',
                '-addext', f'subjectAltName=DNS:{self.name}'],
            check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._stop = threading.Event()
        self._server = ThreadingHTTPServer(
            ('127.0.0.1', 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True,
            do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *args):
        self._stop.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._directory.cleanup()

    @property
    def port(self):
        return self._server.server_port

    @property
    def host(self):
        return f'localhost:{self.port}'

    @property
    def url(self):
        return f'https://{self.host}/hook?a=b'

    def _handler(server):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers['Content-Length'])
                server.received.append(Received(
                        self.path, dict(self.headers.items()),
                        self.rfile.read(length)))
                answer = server.answers[0]
                if len(server.answers) > 1:
                    del server.answers[0]
                if not isinstance(answer, tuple):
                    server._stop.wait(answer)
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *args):
                pass
        return Handler
