# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Consent: who must not be written to.

Start reading at ``consent.Consent.stop``: whatever a recipient stops goes
through it.

- ``consent.py``: ``Consent``: the log; stop, pause, undo
- ``party.py``: what a party refuses, and what follows when that changes
- ``record.py``: records that end or revive with the wishes of the party
- ``record_activity.py``: the gates refusal and pause
- ``suppression.py``: ``Suppression``: addresses that get nothing
- ``unsubscribe.py``: the page to unsubscribe, from ``unsubscribe.html``
- ``mailing_list.py``: the same for subscribers of mailing lists
- ``erase.py``: what is forgotten of an erased party

It may import ``common``, ``template``, ``scenario``, ``record``,
``audience``, ``execution`` and ``tracking``.  It never sends anything.

To change the text of the page: ``unsubscribe.html``, which is rendered by
``unsubscribe.py``.  To add a choice: ``unsubscribe.Unsubscribe._choices`` and
``_stop_<choice>`` of ``consent.py``.
"""
