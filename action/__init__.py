# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Action: the other actions, each in the file of its name.

Start reading at ``block.Activity.execute_block``: a whole action in 26 lines.

- ``block.py``: end the record
- ``call.py``: call a method or click a button
- ``category.py``: add the party to a category or remove it
- ``email_colleague.py``: send an e-mail to a colleague
- ``mailing_list.py``: add to a mailing list or remove from it
- ``opportunity.py``: create or change an opportunity
- ``other_scenario.py``: enter or leave another scenario
- ``set_fields.py``: set fields of the record
- ``todo.py``: ``ToDo``: give a user something to do
- ``ir.py``: the rule of who sees which to-do
- ``webhook.py``: call a webhook
- ``webhook_client.py``: HTTPS to allowed addresses only

It may import ``common``, ``template``, ``scenario``, ``record``,
``audience``, ``execution``, ``tracking``, ``consent``, ``mail`` and ``sms``.
No action imports another one; none commits, and what can not be rolled back
it returns as an outgoing message.

To add an action: a file that is named by it, like ``block.py``, with a class
that extends the activity: its value in the selection ``action`` and
``execute_<action>``; register it in ``tryton.cfg``.
"""
