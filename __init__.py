# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The map of the module: thirteen rooms and the front.

Each folder is a room with one subject.  The docstring of its ``__init__.py``
names its files and tells where to start reading.  From the ground up:

- ``common``: functions that know no model of the module
- ``template``: texts and expressions of users, made safe
- ``scenario``: what a marketer draws
- ``record``: who is in a scenario
- ``audience``: choices of records, used by scenarios
- ``execution``: what is due now
- ``tracking``: public links, clicks and opens
- ``consent``: who must not be written to
- ``mail``: the action that sends e-mails, and what comes back
- ``sms``: the action that sends SMS, and what comes back
- ``action``: the other actions
- ``reporting``: figures
- ``check``: what can be tried and asked before and while a scenario runs

Start reading at ``marketing.Scenario.enter``.

The files beside the rooms are the front, for other modules and the reader:

- ``exceptions.py``: the errors that users see
- ``outcome.py``: what an action returns
- ``mixin.py``: what makes a model a target
- ``marketing.py``: the scenario
- ``party.py``: parties as targets, and the scenarios they have left
- ``sale.py``: sales as targets, and when a party has bought
- ``opportunity.py``: sale opportunities as targets
- ``subscriber.py``: subscribers of mailing lists as targets
- ``ir.py``: the crons and the archive of e-mails
- ``gateway.py``, ``preview.py``: documented names of ``sms`` and ``check``
- ``routes.py``: the public URLs, each only leads into a room

A file imports only from its own room and from what is below; the files of the
front are, in this order, under everything (``exceptions``, ``outcome``),
above ``template`` (``mixin`` and the models) and on top (``gateway``,
``preview``, ``routes``).  Models meet in the pool.  What a room adds to a
model is one class, in the file of the room that is named by the model; its
bases are the slices of the other files, in their order.
"""

__all__ = ['routes']

from . import routes
