# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
SMS: the action that sends SMS, and what comes back.

Start reading at ``activity.Activity.execute_send_sms``.

- ``activity.py``: the action: fields, checks, recipients, execution
- ``draft.py``: one SMS from the template to the outgoing message
- ``gateway.py``: the function of the provider, and what it raises
- ``segment.py``: the segments of a text
- ``record_activity.py``: the events of SMS, and what is known of one
- ``incoming.py``: ``Incoming``: answers and delivery reports
- ``hit.py``: the kind of hit of a click in an SMS
- ``stop.py``: ``Stop``: numbers that get no SMS

It may import ``common``, ``template``, ``scenario``, ``record``,
``audience``, ``execution``, ``tracking``, ``consent`` and ``mail``.  It never
opens a connection: that is for the function of the configuration.

To add a provider: a function in the configuration, no change here; see
``gateway.py``.
"""
