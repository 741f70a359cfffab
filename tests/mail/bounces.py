# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What the others answer to a mail, made from the mail as it was accepted.
"""

from email.message import EmailMessage

__all__ = ['complaint', 'odd_bounce', 'out_of_office', 'reply', 'status']

_REPORT = """\
Return-Path: <>
Date: Sat, 02 Mar 2030 10:00:00 +0000
From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
To: {mail_from}
Subject: {subject}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type={type_};
\tboundary="=_report"

--=_report
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

--=_report
{report}
--=_report
Content-Type: {original_type}

{original}
--=_report--
"""


def _fill(template, **values):
    return template.format(**values).replace('\n', '\r\n').encode('utf-8')


def _original(mail):
    return mail.content.decode('utf-8', 'replace').replace('\r\n', '\n')


def _headers(mail):
    return _original(mail).partition('\n\n')[0] + '\n'


def status(
        mail, code='5.1.1', action='failed', mail_from=None,
        words="550 5.1.1 User unknown", headers_only=False):
    "Return the delivery status notification (RFC 3464) about the mail"
    recipient, = mail.rcpt_tos
    report = f"""\
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Queue-ID: 4Fz1Xk
Arrival-Date: Sat, 02 Mar 2030 09:59:00 +0000

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {code}
Diagnostic-Code: smtp; {words}
"""
    return _fill(
        _REPORT, subject="Undelivered Mail Returned to Sender",
        type_='delivery-status', report=report,
        mail_from=mail.mail_from if mail_from is None else mail_from,
        original_type=(
            'text/rfc822-headers' if headers_only else 'message/rfc822'),
        original=_headers(mail) if headers_only else _original(mail))


def complaint(mail, type_='abuse', mail_from=None):
    "Return the feedback report (RFC 5965) about the mail"
    report = f"""\
Content-Type: message/feedback-report

Feedback-Type: {type_}
User-Agent: ExampleFBL/1.0
Version: 1
Original-Mail-From: <{mail.mail_from if mail_from is None else mail_from}>
"""
    return _fill(
        _REPORT, subject="FW: complaint", type_='feedback-report',
        report=report, mail_from='fbl@example.com',
        original_type='message/rfc822', original=_original(mail))


def odd_bounce(mail, mail_from=None):
    "Return the bounce as qmail writes it"
    recipient, = mail.rcpt_tos
    return _fill("""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org
To: {mail_from}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{recipient}>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 No such user
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

{original}
""", recipient=recipient, original=_original(mail),
        mail_from=mail.mail_from if mail_from is None else mail_from)


def reply(mail, **headers):
    "Return what a person answers"
    recipient, = mail.rcpt_tos
    message = EmailMessage()
    message['From'] = recipient
    message['To'] = mail.message['From']
    message['Subject'] = f"Re: {mail.message['Subject']}"
    message['In-Reply-To'] = mail.message_id
    message['References'] = mail.message_id
    for name, value in headers.items():
        name = name.replace('_', '-')
        del message[name]
        message[name] = value
    message.set_content("Thank you!\n")
    return message.as_bytes()


def out_of_office(mail):
    "Return what a program answers (RFC 3834)"
    return reply(
        mail, Subject="Out of office", Auto_Submitted='auto-replied',
        To=mail.mail_from)
