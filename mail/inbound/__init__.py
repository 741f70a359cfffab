# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Inbound: what comes back by mail.

Start reading at ``message.read``.

- ``message.py``: bounces, complaints, replies and requests in a message
- ``inbound_email.py``: messages of the module *Inbound Email*
- ``bounce.py``: e-mails that are returned or complained about
- ``event.py``: the events replied, bounced and unsubscribed
- ``record_activity.py``: what this room adds to record activities

It may import what ``mail`` may.  It never trusts a message: it only tells
about which e-mail it claims to be.
"""
