# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Tracking: public links, clicks and opens.

Start reading at ``hit.Hit.add`` and, for what becomes of it, at
``reaction.RecordActivityReaction.apply_hits``.

- ``url.py``: the public URLs and what their tokens say
- ``url_token.py``: a token: numbers, encrypted and authenticated
- ``secret.py``: the keys of the tokens
- ``link.py``: ``Link``: the targets of the clicks
- ``shortened_url.py``: the links of former releases
- ``hit.py``: ``Hit``: requests: added, judged, applied
- ``user_agent.py``: what is kept of who makes a request
- ``bot_rule.py``: human or machine: the rules in their order
- ``reaction.py``: hits become events
- ``link_click.py``: the event that a certain link is clicked
- ``privacy.py``: who is tracked, and how much
- ``anonymous.py``: opens and clicks without a recipient
- ``counter.py``: what is counted, once
- ``retention.py``: what is removed after its time
- ``record_activity.py``: what this room adds to record activities

It may import ``common``, ``template``, ``scenario``, ``record``, ``audience``
and ``execution``.  It never renders a template nor sends anything, and a
request costs it one statement.

To add a rule for bots: a function in ``bot_rule.py``, its place in
``bot_rule.RULES`` and its reason in the field ``reason`` of ``Hit``.
"""
