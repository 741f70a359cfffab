# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Common: functions that know no model of the module.

Start reading at ``transaction.run_with_retry``: whatever the module writes
has to survive the conflict with another transaction.

- ``access.py``: what a user, an action or the virtual reader may do
- ``address.py``: e-mail addresses as they go into the envelope
- ``domain.py``: domains of users: decoded, checked, in words
- ``error.py``: an exception as text for users and as place for the log
- ``field_path.py``: fields that are reached by a path of relations
- ``orm.py``: instances of many ids, and the cache of what SQL has changed
- ``sql.py``: statements that are composed once, and what ``sql`` lacks
- ``text.py``: a text on one line
- ``transaction.py``: transient errors, retry, savepoint, autocommit

``sql.py`` says without JOIN what others join: just after many rows were
written the statistics of PostgreSQL are wrong, and ``exists_by_index``,
``scalar_subquery`` and ``in_keys`` keep it at the index.

It imports nothing of the module, and never touches a template, a model of the
module or a connection to another server.
"""
