# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Outcomes and messages: the vocabulary between the execution and the actions.

An action returns an :class:`Outcome` for each record activity that it got, or
an :class:`OutgoingMessage` for what can only be handed over once the intention
to do so is durable (a mail to an SMTP server).  A message is turned into an
outcome by the transport of the action after the commit.
"""

import datetime as dt
from typing import Any, NamedTuple, Optional

__all__ = [
    'CourierAway', 'Outcome', 'OutgoingMessage', 'Parcel', 'RollbackNeeded',
    'TransportUnavailable', 'Undone', 'cancelled', 'done', 'expired', 'failed',
    'postponed', 'skipped', 'until']


class TransportUnavailable(Exception):
    """
    The transport of an action is out of reach.

    Nothing of the message was handed over, it waits for better times.
    """


class RollbackNeeded(Exception):
    """
    The changes of an action in the database must be rolled back.

    An action raises it because of one record of many that it has changed
    together.  The batch is divided until that record is alone, which gets the
    outcome; the others are executed without it.
    """

    def __init__(self, outcome):
        super().__init__(outcome)
        self.outcome = outcome


class Outcome(NamedTuple):
    """
    The state a record activity goes to.

    :param state: one of ``done``, ``skipped``, ``cancelled``, ``expired``,
        ``failed`` and ``waiting`` (to be tried again).
    :param reason: a value of the selection ``reason`` of the record activity,
        required unless the state is ``done``.
    :param detail: the words of the other side (server, template engine...),
        shown as they are.
    :param delay: for ``waiting``, the least time before the next try; None
        lets the execution choose by the number of attempts.
    :param at: for ``waiting``, when it is due again; nothing was tried, so
        it counts for no attempt.
    :param reference: for ``done``, how the other side names it.
    """
    state: str
    reason: Optional[str] = None
    detail: Optional[str] = None
    delay: Optional[dt.timedelta] = None
    at: Optional[dt.datetime] = None
    reference: Optional[str] = None


class OutgoingMessage(NamedTuple):
    """
    A message that waits for its hand-over by the transport.

    :param recipient: the one address it goes to.
    :param content: what the transport understands, for a mail the
        :class:`email.message.EmailMessage`.
    :param message_id: the identifier it has from the first try on.
    :param sender: the address that gets what can not be delivered.
    :param subject: the title it has in the log.
    :param to: the recipient as the log shows it.
    :param enclosure: what goes with the content; the same object for all that
        have the same.
    """
    recipient: str
    content: Any
    message_id: str
    sender: Optional[str] = None
    subject: Optional[str] = None
    to: Optional[str] = None
    enclosure: Any = None


def done(reference=None):
    return Outcome('done', reference=reference)


def skipped(reason, detail=None):
    return Outcome('skipped', reason, detail)


def cancelled(reason, detail=None):
    return Outcome('cancelled', reason, detail)


def expired(reason='expired'):
    return Outcome('expired', reason)


def failed(reason, detail=None):
    return Outcome('failed', reason, detail)


def postponed(reason, detail=None, delay=None):
    return Outcome('waiting', reason, detail, delay)


def until(at, reason):
    "Let it wait for the time, without a try"
    return Outcome('waiting', reason, at=at)


# The names that were documented before
Parcel = OutgoingMessage
CourierAway = TransportUnavailable
Undone = RollbackNeeded
