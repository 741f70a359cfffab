# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario: what a marketer draws.

Start reading at ``activity.Activity``: its bases are the topics of an
activity.

- ``activity.py``: ``Activity``: parent, delay, condition and action
- ``event.py``: the event of its parent for which an activity waits
- ``condition.py``: a condition in PYSON, as domain where it can be one
- ``filter.py``: the domain of an activity and of its parents
- ``tree.py``: the whole tree as one list, and the wizards that add to it
- ``sentence.py``: when an activity is executed, in one sentence
- ``diagram.py``: the boxes and arrows of a scenario
- ``svg.py``: boxes and arrows as SVG
- ``scenario.py``: what this room adds to scenarios
- ``exchange/``: scenarios as files and as templates

It may import ``common`` and ``template``.  It never executes an activity,
renders a text nor opens a connection.

To add an event: see ``execution``.  A sentence for it is a line in
``sentence.ActivitySentence._sentence_events`` and its messages.
"""
