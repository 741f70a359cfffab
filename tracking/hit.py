# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What happens on the public URLs"

import datetime as dt
import time
from collections import Counter, defaultdict
from typing import NamedTuple, Optional

from sql import Literal, Null
from sql.aggregate import Count, Max
from sql.conditionals import Coalesce

import trytond.config as config
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, inactive_records

from ..common.orm import clear_cache
from ..common.sql import cached_query, in_keys, scalar_subquery, values_table
from . import bot_rule
from .retention import HitRetention
from .user_agent import address_part, agent_family

_SLICE = 500
# How long a hit waits for the end of a delivery to be judged
_PATIENCE = dt.timedelta(days=1)
# How often the same hit is kept
_GAP = dt.timedelta(seconds=3)
_WINDOW = dt.timedelta(minutes=1)
_WINDOW_COUNT = 5


def _option(name, default):
    value = config.get('marketing', name)
    return max(float(value), 0) if value else default


def quarantine():
    """
    Return how long a hit is kept back: the ones that follow are needed to
    judge it.
    """
    return dt.timedelta(seconds=_option('quarantine', 10))


def limits():
    "Return the limits of the rules"
    return bot_rule.Limits(
        seconds=_option('machine_seconds', 2),
        links=_option('machine_links', 3),
        burst=_option('machine_burst', 5))


class Row(NamedTuple):
    "A hit without its record"
    id: int
    kind: str
    record_activity: int
    link: Optional[int]
    at: dt.datetime
    agent: Optional[str]
    # The one before, if it is classified again
    verdict: Optional[str]


class Hit(
        HitRetention,
        ModelSQL,
        ModelView):
    """
    A request of a public URL, kept as it was.

    The rows refer to the others by plain numbers: they survive their
    deletion, and to add one locks no other table.
    """
    __name__ = 'marketing.automation.hit'

    kind = fields.Selection([
            ('open', "Open"),
            ('click', "Click"),
            ('unsubscribe', "Unsubscribe"),
            ], "Kind", required=True, readonly=True)
    kind_string = kind.translated('kind')
    at = fields.Timestamp("At", required=True, readonly=True)
    record_activity = fields.Integer(
        "Record Activity Number", readonly=True)
    record_activity_name = fields.Function(
        fields.Char("Record Activity"), 'get_names')
    record = fields.Integer("Record Number", readonly=True)
    record_name = fields.Function(fields.Char("Record"), 'get_names')
    link = fields.Integer("Link Number", readonly=True)
    link_name = fields.Function(fields.Char("URL"), 'get_names')
    agent = fields.Char("Program", readonly=True,
        help="The family of the program that made the request.")
    address = fields.Char("Address", readonly=True,
        help="Where the request came from, as far as the configuration "
        "allows to keep it.")
    applied = fields.Boolean("Applied", readonly=True,
        help="Checked when the hit has been judged and has had the effect "
        "that its verdict allows.")
    verdict = fields.Selection([
            (None, ""),
            ('human', "Human"),
            ('machine', "Machine"),
            ('unreliable', "Unreliable"),
            ], "Verdict", readonly=True, sort=False,
        help="Who made the request. Only those of humans have an effect.")
    verdict_string = verdict.translated('verdict')
    reason = fields.Selection([
            (None, ""),
            ('agent', "The program is known as a machine"),
            ('prefetch', "Loaded by the mail service in advance"),
            ('speed', "Too soon after the delivery"),
            ('burst', "Several links at once"),
            ('privacy_proxy', "Privacy proxy, whether opened or not"),
            ('image_proxy', "Image proxy of the mail service"),
            ], "Reason", readonly=True, sort=False,
        help="The rule that made the verdict.")

    # When the last queued reaction starts, by database
    _reactions = {}
    _reaction_delay = dt.timedelta(seconds=5)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('at', 'DESC'), ('id', 'DESC')]
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.record_activity, Index.Equality()),
                    (t.at, Index.Range())),
                Index(
                    t,
                    (t.record, Index.Equality()),
                    (t.at, Index.Range()),
                    where=t.record != Null),
                Index(
                    t,
                    (t.link, Index.Range()),
                    where=t.link != Null),
                Index(t, (t.id, Index.Range()), where=~t.applied),
                })
        cls._buttons.update(judge={})

    @classmethod
    def default_applied(cls):
        return False

    def get_rec_name(self, name):
        return f'{self.kind_string} ({self.id})'

    @classmethod
    def get_names(cls, hits, names):
        pool = Pool()
        models = {
            'record_activity': 'marketing.automation.record.activity',
            'record': 'marketing.automation.record',
            'link': 'marketing.automation.link',
            }
        result = {}
        for name in names:
            field = name[:-len('_name')]
            ids = {getattr(h, field) for h in hits} - {None}
            found = cls._rec_names(pool.get(models[field]), ids)
            result[name] = {}
            for hit in hits:
                id = getattr(hit, field)
                result[name][hit.id] = (
                    found.get(id, f'({id})') if id else None)
        return result

    @classmethod
    def _rec_names(cls, Model, ids):
        "Return the names of those that still exist by id"
        names = {}
        for sub_ids in grouped_slice(sorted(ids), _SLICE):
            with inactive_records():
                records = Model.search(
                    [('id', 'in', list(sub_ids))], order=[])
                names.update({r.id: r.rec_name for r in records})
        return names

    # Add

    @classmethod
    def add(cls, kind, record_activity=None, record=None, link=None,
            user_agent=None, address=None):
        """
        Add a hit with one statement, unless the same has just been added or
        too often in the last minute.
        """
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        now = dt.datetime.now()
        reacts = kind in cls._reaction_kinds()
        cursor.execute(*cls._insertion(
                kind=kind,
                record_activity=record_activity,
                record=record,
                link=link,
                agent=agent_family(user_agent),
                at=now,
                address=address_part(
                    address, config.get('marketing', 'keep_address')),
                # Nothing is left to be done for the others
                applied=not reacts,
                create_uid=transaction.user,
                create_date=now,
                gap=now - _GAP,
                window=now - _WINDOW))
        if reacts and cursor.rowcount:
            cls.schedule(record_activity)

    @cached_query
    def _insertion(cls, gap, window, **values):
        "Return the INSERT of the values if they are worth another row"
        table, same = cls.__table__(), cls.__table__()
        where = same.at > window
        for name in ['kind', 'record_activity', 'record', 'agent']:
            where &= getattr(same, name) == values[name]
        # Not by the index of the links: many may have just clicked the same
        where &= Coalesce(same.link, 0) == Coalesce(values['link'], 0)
        recent = same.select(
            Count(Literal(1)).as_('number'), Max(same.at).as_('last'),
            where=where)
        return table.insert(
            [getattr(table, n) for n in values],
            # A person may follow soon after a machine that pretends to be
            # the same program, so there is only a short time without.
            recent.select(
                *map(Literal, values.values()),
                where=(recent.number < _WINDOW_COUNT)
                & ((recent.last == Null) | (recent.last <= gap))))

    @classmethod
    def _reaction_kinds(cls):
        "Return the set of the kinds that move a record on"
        return {'open', 'click'}

    @classmethod
    def schedule(cls, record_activity):
        """
        Queue the reaction on the pending hits if there are workers.

        One task every few seconds serves all the hits; those that miss it
        are served by the next one or by the cron.
        """
        if not config.getboolean('queue', 'worker', default=False):
            return
        RecordActivity = Pool().get('marketing.automation.record.activity')
        database_name = Transaction().database.name
        now = time.monotonic()
        if now < cls._reactions.get(database_name, now):
            return
        record_activities = RecordActivity.search([
                ('id', '=', record_activity),
                ])
        if record_activities:
            delay = cls._reaction_delay
            cls._reactions[database_name] = now + delay.total_seconds()
            # Also the last hit that waits for this task leaves quarantine
            with Transaction().set_context(
                    queue_scheduled_at=delay + quarantine()):
                RecordActivity.__queue__.react(record_activities)

    # Judge

    @classmethod
    def pending(cls, limit=None):
        """
        Return the rows to which nothing has reacted yet, oldest first.

        Those in quarantine are left out, and those of mails whose delivery is
        not over: it is needed to judge them.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        now = dt.datetime.now()
        table = cls.__table__()
        record_activity = RecordActivity.__table__()
        state = Coalesce(scalar_subquery(
                record_activity, record_activity.state,
                record_activity.id == table.record_activity), '')
        return cls._rows(
            table, ~table.applied
            & (table.at <= now - quarantine())
            & (~state.in_(['waiting', 'sending'])
                | (table.at < now - _PATIENCE)),
            limit)

    @classmethod
    def _rows(cls, table, where, limit=None):
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.kind, table.record_activity, table.link,
                table.at, table.agent, table.verdict,
                where=where, order_by=[table.id], limit=limit))
        return [Row(*row) for row in cursor]

    @classmethod
    @ModelView.button
    def judge(cls, hits):
        """
        Judge again the hits that have not been found human.

        Those that are now have their effect.  What a human did stays: its
        effect can not be undone.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        table = cls.__table__()
        for sub_hits in grouped_slice(hits, _SLICE):
            rows = cls._rows(table, (
                    table.applied
                    & fields.SQL_OPERATORS['in'](
                        table.id, [h.id for h in sub_hits])
                    & table.kind.in_(sorted(cls._reaction_kinds()))
                    & (Coalesce(table.verdict, '') != bot_rule.HUMAN)))
            RecordActivity.apply_hits(rows)
        clear_cache(cls)

    @classmethod
    def _rules(cls):
        "Return the list of the rules that judge, the first one wins"
        return list(bot_rule.RULES)

    @classmethod
    def apply_classification(cls, rows):
        """
        Judge the rows and return those of humans.

        The number of queries does not depend on the number of rows (up to
        some hundreds).
        """
        if not rows:
            return []
        limits_, rules = limits(), cls._rules()
        verdicts = {
            row.id: bot_rule.classify(case, limits_, rules)
            for row, case in zip(rows, cls._cases(rows, limits_))}
        table = cls.__table__()
        values = values_table(
            [[id, *verdicts[id]] for id in sorted(verdicts)],
            ['INTEGER', 'VARCHAR', 'VARCHAR'])
        Transaction().connection.cursor().execute(*table.update(
                [table.verdict, table.reason, table.applied],
                [values.column2, values.column3, True],
                from_=[values],
                where=in_keys(table.id, values.column1, sorted(verdicts))))
        humans = [r for r in rows if verdicts[r.id][0] == bot_rule.HUMAN]
        cls._count_clicks(rows, humans)
        return humans

    @classmethod
    def _cases(cls, rows, limits):
        "Yield the case of each row"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        mails = {r.record_activity for r in rows}
        delivered = RecordActivity.delivered(mails)
        links = {}
        for events in cls._events(rows, mails, limits.burst).values():
            links.update(bot_rule.count_links(events, limits.burst))
        for row in rows:
            yield bot_rule.Case(
                row.kind, row.at, row.agent,
                delivered_at=delivered.get(row.record_activity),
                links=links.get(row.id, 0))

    @classmethod
    def _events(cls, rows, mails, seconds):
        "Return the lists of the events around the rows by mail"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        margin = dt.timedelta(seconds=seconds)
        times = [r.at for r in rows]
        cursor.execute(*table.select(
                table.record_activity, table.id, table.at, table.link,
                where=fields.SQL_OPERATORS['in'](
                    table.record_activity, sorted(mails))
                & table.kind.in_(sorted(cls._reaction_kinds()))
                & (table.at >= min(times) - margin)
                & (table.at <= max(times) + margin)))
        events = defaultdict(list)
        for mail, *event in cursor:
            events[mail].append(bot_rule.Event(*event))
        return events

    @classmethod
    def _count_clicks(cls, rows, humans):
        Link = Pool().get('marketing.automation.link')
        # What was judged before has been counted
        Link.count_clicks(
            Counter(r.link for r in rows if r.link and not r.verdict),
            Counter(r.link for r in humans if r.link))
