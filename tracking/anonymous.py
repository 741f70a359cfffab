# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Anonymous counts: opens and clicks of mails without the recipient.
"""

import datetime as dt
import hashlib
import secrets
import time
from collections import Counter

from sql import Literal, Null

from trytond.model import Index, ModelSQL, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.sql import SLICE, to_date
from . import bot_rule
from .user_agent import agent_family

_COUNTS = [
    'email_opened', 'email_clicked', 'email_opened_raw', 'email_clicked_raw']


def _kind(name):
    "Return the kind of the counter"
    return f'tally,{name},'


class _Recent:
    """
    Requests of the last minute, known by a digest that nobody else can
    compute.

    It is the memory of this process: nothing of it is stored.
    """
    _seconds = 60
    _size = 10_000

    def __init__(self):
        self._key = secrets.token_bytes(32)
        self._times = {}

    def is_new(self, *request):
        now = time.monotonic()
        digest = hashlib.blake2b(
            repr(request).encode(), key=self._key, digest_size=16).digest()
        if now - self._times.get(digest, -self._seconds) < self._seconds:
            return False
        if len(self._times) >= self._size:
            self._times = {
                d: t for d, t in self._times.items()
                if now - t < self._seconds}
            if len(self._times) >= self._size:
                self._times.clear()
        self._times[digest] = now
        return True


class Tally(ModelSQL):
    """
    Number of opens and clicks of the mails of an activity on a day.

    A request adds a row, which is folded later into the one of the day.
    """
    __name__ = 'marketing.automation.tally'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", required=True,
        readonly=True, ondelete='CASCADE')
    link = fields.Integer("Link Number", readonly=True)
    at = fields.DateTime(
        "At", required=True, readonly=True,
        help="The start of the day.")
    folded = fields.Boolean("Folded", readonly=True)
    email_opened = fields.Integer("E-Mails Opened", readonly=True)
    email_clicked = fields.Integer("E-Mails Clicked", readonly=True)
    email_opened_raw = fields.Integer("E-Mails Opened (Raw)", readonly=True)
    email_clicked_raw = fields.Integer("E-Mails Clicked (Raw)", readonly=True)

    _recent = _Recent()
    _counted_subject = 'activity'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.activity, Index.Equality(cardinality='normal')),
                    (t.at, Index.Range())),
                Index(t, (t.id, Index.Range()), where=~t.folded),
                })

    @classmethod
    def add(cls, kind, activity, link=None, user_agent=None, address=None):
        """
        Count an open or a click of a mail of the activity (id), unless the
        same has just been counted.
        """
        transaction = Transaction()
        if not cls._recent.is_new(
                transaction.database.name, kind, activity, link,
                user_agent, address):
            return
        Activity = Pool().get('marketing.automation.activity')
        activities = Activity.__table__()
        table = cls.__table__()
        now = dt.datetime.now()
        human, _ = bot_rule.classify(
            bot_rule.Case(kind, now, agent_family(user_agent)))
        event = {'open': 'email_opened', 'click': 'email_clicked'}[kind]
        values = {
            'link': link,
            'at': dt.datetime.combine(now, dt.time.min),
            'folded': False,
            **dict.fromkeys(_COUNTS, 0),
            event: int(human == bot_rule.HUMAN),
            f'{event}_raw': 1,
            'create_uid': 0,
            }
        transaction.connection.cursor().execute(*table.insert(
                [table.activity, *[getattr(table, n) for n in values]],
                activities.select(
                    activities.id, *map(Literal, values.values()),
                    where=activities.id == activity)))

    @classmethod
    def fold(cls):
        "Fold the new rows into those of their day, and count the links"
        pool = Pool()
        Counters = pool.get('marketing.automation.counter')
        Link = pool.get('marketing.automation.link')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        names = ['activity', 'link', 'at', *_COUNTS]
        while True:
            cursor.execute(*table.select(
                    table.id, *[getattr(table, n) for n in names],
                    where=~table.folded,
                    order_by=[table.id], limit=SLICE))
            rows = cursor.fetchall()
            if not rows:
                break
            totals, clicks, raw = {}, Counter(), Counter()
            numbers = Counter()
            for _, activity, link, at, *counts in rows:
                for name, count in zip(_COUNTS, counts):
                    numbers[activity, to_date(at), _kind(name)] += count
                total = totals.setdefault((activity, link, at), Counter())
                total.update(dict(zip(_COUNTS, counts)))
                if link:
                    clicks[link] += counts[_COUNTS.index('email_clicked')]
                    raw[link] += counts[_COUNTS.index('email_clicked_raw')]
            for (activity, link, at), total in totals.items():
                cls._fold_day(activity, link, at, total)
            Link.count_clicks(raw, clicks)
            Counters.add('activity', numbers)
            for sub_rows in grouped_slice(rows, SLICE):
                cursor.execute(*table.delete(
                        where=fields.SQL_OPERATORS['in'](
                            table.id, [r[0] for r in sub_rows])))

    @classmethod
    def _fold_day(cls, activity, link, at, total):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        same_link = (
            table.link == Null if link is None else table.link == link)
        columns = [getattr(table, n) for n in _COUNTS]
        counts = [total[n] for n in _COUNTS]
        cursor.execute(*table.update(
                columns, [c + n for c, n in zip(columns, counts)],
                where=(table.activity == activity)
                & same_link
                & (table.at == at)
                & table.folded))
        if not cursor.rowcount:
            cursor.execute(*table.insert(
                    [table.activity, table.link, table.at, table.folded,
                        table.create_uid, *columns],
                    [[activity, link, at, True, 0, *counts]]))

    # Figures

    @classmethod
    def live(cls):
        "Return the list of the queries of what is not folded yet"
        queries = []
        for name in _COUNTS:
            table = cls.__table__()
            number = getattr(table, name)
            queries.append(table.select(
                    table.activity.as_('subject'), table.at.as_('at'),
                    Literal(_kind(name)).as_('kind'), number.as_('number'),
                    where=~table.folded & (number > 0)))
        return queries

    @classmethod
    def all_counted(cls):
        "Return the number of what has been folded by subject, day and kind"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        names = ['activity', 'at', *_COUNTS]
        cursor.execute(*table.select(
                *[getattr(table, n) for n in names], where=table.folded))
        numbers = Counter()
        for activity, at, *counts in cursor:
            for name, count in zip(_COUNTS, counts):
                numbers[activity, to_date(at), _kind(name)] += count
        return numbers


class RecordActivityAnonymous:
    "Reaction on the anonymous counts"
    __slots__ = ()

    @classmethod
    def _react_tallies(cls):
        Pool().get('marketing.automation.tally').fold()
