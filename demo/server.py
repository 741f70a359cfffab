# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The database and the servers of the demo, all on the loopback"

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / '.demo'
CLIENT = ROOT / '.cache' / 'sao'
DATABASE = 'demo'
PASSWORD = 'demo-demo-1'
HOST = '127.0.0.1'
LANGUAGES = ['fr', 'de']
MODULES = ['sale']

CONFIGURATION = '''\
[database]
uri = sqlite://
path = {directory}

[web]
hostname = {host}:{http}
root = {client}

[email]
uri = smtp://{host}:{smtp}
from = Maison Lumen <hello@lumen.example.com>

[marketing]
automation_base = http://{host}:{http}
# The people of the demo act in no time
quarantine = 0
machine_seconds = 0

[session]
timeout = 86400

[html]
src = /node_modules/tinymce/tinymce.min.js
'''


def free_port(preferred=0):
    for port in [preferred, 0]:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError:
                continue
            return sock.getsockname()[1]


def configure():
    """
    Write the configuration and return the ports.

    It must be done before trytond is imported.
    """
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir()
    ports = {'http': free_port(8000), 'smtp': free_port(2525)}
    path = DIRECTORY / 'trytond.conf'
    path.write_text(CONFIGURATION.format(
            directory=DIRECTORY, client=CLIENT, host=HOST, **ports))
    for name in list(os.environ):
        if name.startswith('TRYTOND_'):
            del os.environ[name]
    os.environ['TRYTOND_CONFIG'] = str(path)
    return ports


def create_database():
    "Create the database and yield the names of the modules as they come"
    # An SQLite database is not created otherwise
    (DIRECTORY / f'{DATABASE}.sqlite').touch()
    password = DIRECTORY / 'password'
    password.write_text(PASSWORD)
    process = subprocess.Popen([
            Path(sys.executable).parent / 'trytond-admin',
            '-d', DATABASE, '-vv', '--email', 'admin@example.com',
            '-u', 'ir', 'res', 'marketing_automation', *MODULES,
            '-l', *LANGUAGES, '--activate-dependencies',
            ], cwd=DIRECTORY, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, 'TRYTONPASSFILE': str(password)})
    lines, last = [], None
    for line in process.stdout:
        lines.append(line)
        match = re.search(r'INFO trytond\.modules (\w+) load ', line)
        if match and match[1] != last:
            last = match[1]
            yield last
    if process.wait():
        sys.exit(''.join(lines[-30:]))


def serve_http(port):
    "Start the HTTP server of trytond in a thread"
    from werkzeug.serving import WSGIRequestHandler, make_server

    from trytond.wsgi import app

    class Handler(WSGIRequestHandler):

        def log(self, *args):
            pass

    server = make_server(
        HOST, port, app, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def smtp_server(port):
    from trytond.modules.marketing_automation.tests.mail.smtp import SMTPServer
    return SMTPServer(port=port)
