# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Record: who is in a scenario.

A record is a target inside a scenario, a record activity is an activity for
it.  Start reading at ``enter.RecordEnter.enter``, for the states at
``record_activity.RecordActivity``.

- ``record.py``: ``Record``: fields, end, block, what comes next
- ``record_activity.py``: ``RecordActivity``: fields, states, plan, cancel
- ``reason.py``: ``REASONS``: why something has ended or waits again
- ``enter.py``: the statement that lets targets enter
- ``leave.py``: who has reached the goal or matches no longer
- ``unicity.py``: one record for each value
- ``key.py``: the value of ``unicity``, made comparable
- ``complete.py``: the state of a record, completed when nothing is to come
- ``add.py``: records that are added by hand
- ``scenario.py``: what this room adds to scenarios

It may import ``common``, ``template`` and ``scenario``.  It never decides
what is executed, renders a text nor opens a connection.

To change when a record is completed: ``complete.py``, for what calls it
after a step ``execution/completion.py``.
"""
