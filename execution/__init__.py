# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Execution: what is due now.

A run takes one batch of one activity from *claimed* to *followed*::

    due -> claim -> decide (GATES) -> execute_<action> -> commit
        -> hand over -> store (STORED) -> follow

Start reading at ``run.Run.execute``.

- ``run.py``: ``Run``: one batch of one activity, from the claim to the end
- ``activity.py``: what this room adds to activities: ``execute``
- ``record_activity.py``: what it adds to record activities: ``DUE``,
  ``REACTIONS``, and the order of the slices below
- ``scenario.py``: what it adds to scenarios
- ``claim.py``: whether the process of a claim is alive
- ``batch.py``: a batch in SQL: claimed, stored (``STORED``), given back
- ``gates.py``: ``GATES``, the one order of the gates, and how they are asked
- ``gate_target.py``: the gates goal, match and filter
- ``plan.py``: the children of what is done
- ``event.py``: what follows from an event
- ``completion.py``: records that are completed after a step
- ``record_date.py``: activities at a date of the record
- ``expiry.py``: what is too late
- ``sending_window.py``: the days and hours of messages
- ``throttle.py``: how many e-mails in a time
- ``retry.py``: after which delay, and how often, something is tried again
- ``circuit_breaker.py``: scenarios of which too much fails
- ``alert.py``: the notification of the marketers
- ``replan.py``: a changed tree, applied to the records inside

It may import ``common``, ``template``, ``scenario``, ``record`` and
``audience``.  It never renders a text for a recipient nor opens a connection
to hand it over: that is for the action.

To add a gate: its name in ``gates.GATES``, ``_gate_<name>``, perhaps
``_pass_<name>``, a reason in ``record/reason.py`` and the messages
``msg_why_gate_<name>`` of ``message.xml``.

To add an event: in the room of its action, ``_parent_action_events`` and
``_event_names`` of the activity, and the boolean and the time ``<event>_at``
of the record activity; what notices it calls
``event.RecordActivityEvent.apply_events``.  Perhaps also a sentence
(``scenario/sentence.py``) and a figure (``reporting/report_activity.py``).
"""
