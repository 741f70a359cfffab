# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What the parts of a mail cost with the usual libraries, and nothing else.
"""

import hashlib
import hmac
import smtplib
import time
from base64 import urlsafe_b64encode
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from urllib.parse import urlsplit

import psycopg


class Record:
    id = 12345
    name = "Party 12345"


def measure(function, count=300):
    "Return the CPU in ms of one call"
    function()
    started = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - started) / count * 1000


def floors(template, sink_uri, database_uri):
    "Return the CPU in ms of each part"
    import html2text
    from genshi.template import MarkupTemplate

    compiled = MarkupTemplate(template)

    def render():
        return compiled.generate(record=Record).render('html')

    html = render()
    text = html2text.html2text(html)

    def sign():
        for i in range(10):
            digest = hmac.digest(b'key', b'%d' % i, hashlib.sha256)
            urlsafe_b64encode(digest[:12])

    def email_message():
        message = EmailMessage()
        message['From'] = message['To'] = 'a@example.com'
        message['Subject'] = 'Hello'
        message.set_content(text)
        message.add_alternative(html, subtype='html')
        return message.as_bytes(policy=SMTP)

    def mime_text():
        message = MIMEMultipart('alternative')
        message['From'] = message['To'] = 'a@example.com'
        message['Subject'] = 'Hello'
        message.attach(MIMEText(text))
        message.attach(MIMEText(html, 'html'))
        return message.as_bytes()

    uri = urlsplit(sink_uri)
    data = mime_text()
    with smtplib.SMTP(uri.hostname, uri.port) as server:
        smtp = measure(lambda: server.sendmail(
                'a@example.com', ['b@example.com'], data))
    return {
        "parse a template with Genshi": measure(
            lambda: MarkupTemplate(template), 50),
        "Genshi, parsed once": measure(render),
        "10 links signed": measure(sign),
        "text part with html2text": measure(
            lambda: html2text.html2text(html), 50),
        "MIME with EmailMessage": measure(email_message),
        "MIME with MIMEText": measure(mime_text),
        "SMTP": smtp,
        "transaction with an UPDATE": _transaction(database_uri),
        "insert a row with two unique and two foreign keys": _insert(
            database_uri),
        }


def _transaction(uri, count=1000):
    from measure import cpu_of
    with psycopg.connect(uri) as connection:
        connection.execute(
            "CREATE TABLE benchmark_floor AS "
            "SELECT id, 'sending' AS state FROM generate_series(1, 1000) id")
        connection.execute("CREATE UNIQUE INDEX ON benchmark_floor (id)")
        connection.commit()
        pid = connection.info.backend_pid

        def update(id_=[0]):
            id_[0] = id_[0] % 1000 + 1
            connection.execute(
                "UPDATE benchmark_floor SET state = 'done' WHERE id = %s",
                id_)
            connection.commit()
        started = cpu_of(pid)
        python = measure(update, count)
        database = (cpu_of(pid) - started) / count * 1000
        connection.execute("DROP TABLE benchmark_floor")
        connection.commit()
    return python + database


def _insert(uri, count=100_000):
    "Return the CPU in ms of the database for each row of one statement"
    from measure import cpu_of
    with psycopg.connect(uri) as connection:
        connection.execute(
            "CREATE TABLE benchmark_parent AS "
            "SELECT id FROM generate_series(1, %s) id", [count])
        connection.execute("ALTER TABLE benchmark_parent ADD UNIQUE (id)")
        connection.execute(
            "CREATE TABLE benchmark_child (id serial PRIMARY KEY, "
            "a integer REFERENCES benchmark_parent (id), "
            "b integer REFERENCES benchmark_parent (id), UNIQUE (a, b))")
        connection.commit()
        pid = connection.info.backend_pid
        started = cpu_of(pid)
        connection.execute(
            "INSERT INTO benchmark_child (a, b) "
            "SELECT 1, id FROM benchmark_parent")
        connection.commit()
        result = (cpu_of(pid) - started) / count * 1000
        connection.execute("DROP TABLE benchmark_child")
        connection.execute("DROP TABLE benchmark_parent")
        connection.commit()
    return result
