# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Audience: choices of records, used by scenarios and activities.

Start reading at ``audience.Audience.get_domain``.

- ``audience.py``: ``Audience``: rules or a saved search as a domain
- ``rule.py``: ``AudienceRule``: a field, an operator and a value
- ``rule_field.py``: the fields and operators that a rule may use
- ``use.py``: audiences written into scenarios and activities
- ``reach.py``: how many a scenario would reach
- ``scenario.py``: what this room adds to scenarios

It may import ``common``, ``template``, ``scenario`` and ``record``.  It never
decides who enters: what counts is the domain that it has written.
"""
