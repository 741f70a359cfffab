# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Reporting: figures, each with one definition.

Start reading at ``report.Reporting``.

- ``report.py``: ``Reporting``: the figures of a subject by period
- ``report_scenario.py``: the figures of scenarios
- ``report_activity.py``: the figures of activities
- ``figures.py``: the same figures on forms and lists
- ``kind.py``: which kinds count for a figure
- ``period.py``: the dates of the reports
- ``counted.py``: as what a row was counted, when it is written
- ``counter.py``: what this room adds to the counters
- ``anonymous.py``: anonymous counts in the counters
- ``state_report.py``: traces and participants by state
- ``link_report.py``: clicks by link, day and person
- ``origins.py``: the records behind a figure
- ``funnel.py``: how many get to each step
- ``agenda.py``: what is due when, what failed and why
- ``timeline.py``: ``Story``: all that happened to a record
- ``activity.py``: what this room adds to activities
- ``record_activity.py``: what it adds to record activities
- ``scenario.py``: what it adds to scenarios

It may import ``common``, ``template``, ``scenario``, ``record``,
``audience``, ``execution``, ``tracking``, ``consent``, ``mail``, ``sms`` and
``action``.  It never changes what it reports: it writes nothing but its
counts.

To add a column: ``report_activity.py`` or ``report_scenario.py`` and its
views; on forms also ``figures.py``.
"""
