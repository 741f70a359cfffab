# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Check: what can be tried and asked before and while a scenario runs.

Start reading at ``preflight.Preflight``.

- ``preview.py``: ``Preview``: what a record would get
- ``preview_form.py``: the preview in the form of an activity
- ``layout_preview.py``: the preview in the form of a layout
- ``warning.py``: what is wrong with a message that could be sent
- ``send_me.py``: an e-mail to the user who writes it
- ``visual_editor.py``: sources that the visual editor would damage
- ``preflight.py``: all that a scenario would send, before it runs
- ``trial.py``: records that walk through a scenario by hand
- ``trial_wizard.py``: the wizard that launches a test
- ``explain.py``: why something happens to a record, or why not
- ``explain_wizard.py``: the wizard that asks so
- ``activity.py``: what this room adds to activities
- ``layout.py``: what it adds to layouts
- ``record.py``: what it adds to records
- ``record_activity.py``: what it adds to record activities
- ``scenario.py``: what it adds to scenarios

It may import ``common``, ``template``, ``scenario``, ``record``,
``audience``, ``execution``, ``tracking``, ``consent``, ``mail``, ``sms``,
``action`` and ``reporting``; no other room imports it.  It never repeats a
rule: it asks the one that is executed.

To warn of something: ``warning.ActivityWarning``.
"""
