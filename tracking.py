# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The public URLs of a mail and what happens on them"

import base64
import datetime as dt
import encodings.idna
import functools
import hashlib
import re
import secrets
import time
import urllib.parse

from sql import Conflict, Literal, Select
from sql.functions import CurrentTimestamp
from sql.operators import Exists
from werkzeug.urls import iri_to_uri

import trytond.config as config
from trytond.cache import MemoryCache
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .agent import agent_family
from .seal import seal, unseal

__all__ = [
    'OPEN', 'CLICK', 'UNSUBSCRIBE', 'decode', 'encode',
    'base', 'open_url', 'click_url', 'unsubscribe_url']

OPEN, CLICK, UNSUBSCRIBE = 'o', 'c', 'u'

_SLICE = 500


# Tokens


def encode(kind, id, link=None):
    "Return the token of the kind for the id and the link"
    Secret = Pool().get('marketing.automation.secret')
    number, key = Secret.current()
    return seal(number, key, kind, [id] if link is None else [id, link])


def decode(kind, token):
    """
    Return the id and the link (or None) of the token, or None if the token
    has not been made by this database for the kind.
    """
    Secret = Pool().get('marketing.automation.secret')
    numbers = unseal(Secret.keys(), kind, token)
    sizes = {OPEN: {1}, CLICK: {2}, UNSUBSCRIBE: {1, 2}}[kind]
    if numbers is None or len(numbers) not in sizes:
        return None
    id, link = (*numbers, None)[:2]
    return id, link


# URLs


def base():
    """
    Return the start of all public URLs or None if none is configured.

    It depends neither on the request nor on the name of the machine as the
    URL must work from the mailbox of the recipient.
    """
    if url := config.get('marketing', 'automation_base'):
        return url.rstrip('/')
    hostname = config.get('web', 'hostname')
    if not hostname:
        return None
    hostname = '.'.join(
        encodings.idna.ToASCII(part).decode('ascii') if part else ''
        for part in hostname.split('.'))
    secure = (
        config.get('ssl', 'certificate') or config.get('ssl', 'privatekey'))
    return urllib.parse.urljoin(
        f"http{'s' if secure else ''}://{hostname}",
        config.get('web', 'root_path', default='/')).rstrip('/')


@functools.lru_cache(maxsize=128)
def _prefix(base, database_name):
    if not base:
        raise ValueError("neither automation_base nor hostname is configured")
    name = base64.urlsafe_b64encode(database_name.encode('utf-8'))
    return f"{base}/m/{name.decode('ascii').rstrip('=')}"


def _url(kind, id, link=None):
    prefix = _prefix(base(), Transaction().database.name)
    return f'{prefix}/{kind}/{encode(kind, id, link)}'


def open_url(record_activity):
    return _url(OPEN, record_activity)


def click_url(record_activity, link):
    return _url(CLICK, record_activity, link)


def unsubscribe_url(record, link=None):
    """
    Return the URL to unsubscribe the record.

    :param link: the id of the link that is followed afterwards.
    """
    return _url(UNSUBSCRIBE, record, link)


class Secret(ModelSQL):
    __name__ = 'marketing.automation.secret'

    number = fields.Integer("Number", required=True, readonly=True)
    key = fields.Char("Key", required=True, readonly=True)
    valid_until = fields.Timestamp("Valid Until", readonly=True)

    _keys_cache = MemoryCache('marketing.automation.secret', context=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # Even an administrator has no use for the keys
        cls.__rpc__.clear()
        t = cls.__table__()
        cls._sql_constraints += [
            ('number_unique', Unique(t, t.number),
                'marketing_automation.msg_secret_number_unique'),
            ]

    @classmethod
    def __register__(cls, module_name):
        super().__register__(module_name)
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(table.id, limit=1))
        if not cursor.fetchone():
            cursor.execute(*table.insert(
                    [table.create_uid, table.create_date,
                        table.number, table.key],
                    [[0, CurrentTimestamp(), 0, cls._new_key()]]))

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        cls._keys_cache.clear()

    @classmethod
    def rotate(cls, valid_for):
        """
        Make a new key.

        The links signed with the former keys work for the time delta (or as
        long as it was decided before if this is shorter).
        """
        now = dt.datetime.now()
        limit = now + valid_for
        with without_check_access():
            cls.delete(cls.search([('valid_until', '<=', now)]))
            former = list(cls.search([], order=[('id', 'DESC')]))
            used = {s.number for s in former}
            start = former[0].number + 1 if former else 0
            number = next(
                n % 256 for n in range(start, start + 256)
                if n % 256 not in used)
            cls.write(
                [s for s in former
                    if not s.valid_until or s.valid_until > limit],
                {'valid_until': limit})
            cls.create([{'number': number, 'key': cls._new_key()}])

    @classmethod
    def current(cls):
        "Return the number and the key that sign"
        for number, key, valid_until in cls._rows():
            if valid_until is None:
                return number, key
        raise LookupError("no current secret")

    @classmethod
    def keys(cls):
        "Return a dictionary of the keys that are valid by number"
        now = dt.datetime.now()
        return {
            number: key for number, key, valid_until in cls._rows()
            if valid_until is None or valid_until > now}

    @classmethod
    def _new_key(cls):
        return secrets.token_hex(32)

    @classmethod
    def _rows(cls):
        rows = cls._keys_cache.get('rows')
        if rows is None:
            with without_check_access():
                rows = cls._keys_cache.set('rows', [
                        (s.number, s.key, s.valid_until)
                        for s in cls.search([], order=[('id', 'DESC')])])
        return rows


class Link(ModelSQL, ModelView):
    __name__ = 'marketing.automation.link'
    _rec_name = 'url'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True,
        ondelete='SET NULL')
    url = fields.Text("URL", required=True, readonly=True)
    digest = fields.Char("Digest", required=True, readonly=True)

    _target_cache = MemoryCache(
        'marketing.automation.link.target', context=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('activity_digest_unique', Unique(t, t.activity, t.digest),
                'marketing_automation.msg_link_activity_url_unique'),
            ]

    @classmethod
    def ids(cls, pairs):
        """
        Return a dictionary of the link id for each pair of activity id and
        URL; those that do not exist yet are created.

        The number of queries does not depend on the number of pairs (up to
        some hundreds).
        """
        keys, urls = {}, {}
        for activity, url in pairs:
            clean = cls._clean(url)
            digest = hashlib.sha256(clean.encode('utf-8')).hexdigest()
            key = keys[activity, url] = (activity, digest)
            urls[key] = clean
        ids = cls._find(urls)
        if missing := sorted(urls.keys() - ids.keys()):
            cls._insert([(*key, urls[key]) for key in missing])
            ids.update(cls._find(missing))
        return {pair: ids[key] for pair, key in keys.items()}

    @classmethod
    def target(cls, id):
        "Return the URL to which a click on the link goes or None"
        RecordActivity = Pool().get('marketing.automation.record.activity')
        url = cls._target_cache.get(id)
        if url is None:
            if not (links := cls.search([('id', '=', id)])):
                return None
            link, = links
            url = cls._target_cache.set(id, link.url)
        try:
            if hasattr(RecordActivity, 'add_utm_parameters'):
                # The record activity of the click may be deleted, but the
                # parameters depend only on the activity.
                url = RecordActivity(
                    activity=cls(id).activity).add_utm_parameters(url)
            url = iri_to_uri(url)
            parts = urllib.parse.urlsplit(url)
        except ValueError:
            return None
        if parts.scheme in {'http', 'https'} and parts.hostname:
            return url

    @classmethod
    def _clean(cls, url):
        # Like the browsers do
        return re.sub(r'[\x00-\x1f\x7f]', '', url).strip()

    @classmethod
    def _find(cls, keys):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        found = {}
        for sub_keys in grouped_slice(list(keys), _SLICE):
            sub_keys = set(sub_keys)
            activities, digests = map(set, zip(*sub_keys))
            cursor.execute(*table.select(
                    table.id, table.activity, table.digest,
                    where=in_(table.activity, list(activities))
                    & in_(table.digest, list(digests))))
            found.update(
                ((activity, digest), id)
                for id, activity, digest in cursor
                if (activity, digest) in sub_keys)
        return found

    @classmethod
    def _insert(cls, rows):
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        for sub_rows in grouped_slice(rows, _SLICE):
            cursor.execute(*table.insert(
                    [table.create_uid, table.create_date,
                        table.activity, table.digest, table.url],
                    [[transaction.user, CurrentTimestamp(), *row]
                        for row in sub_rows],
                    on_conflict=Conflict(
                        table,
                        indexed_columns=[table.activity, table.digest])))


class Hit(ModelSQL, ModelView):
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
    at = fields.Timestamp("At", required=True, readonly=True)
    record_activity = fields.Integer("Record Activity", readonly=True)
    record = fields.Integer("Record", readonly=True)
    link = fields.Integer("Link", readonly=True)
    agent = fields.Char("Agent", readonly=True,
        help="The family of the program that made the request.")
    applied = fields.Boolean("Applied", readonly=True,
        help="Checked when the hit has had its effect on the record.")
    verdict = fields.Selection([
            (None, ""),
            ('human', "Human"),
            ('machine', "Machine"),
            ], "Verdict", readonly=True, sort=False)
    reason = fields.Char("Reason", readonly=True,
        help="The rule that made the verdict.")

    # When the last queued reaction starts, by database
    _reactions = {}
    _reaction_delay = dt.timedelta(seconds=5)
    _window = dt.timedelta(minutes=1)

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
                    (t.at, Index.Range())),
                Index(t, (t.id, Index.Range()), where=~t.applied),
                })

    @classmethod
    def default_applied(cls):
        return False

    @classmethod
    def add(cls, kind, record_activity=None, record=None, link=None,
            user_agent=None):
        """
        Add a hit with one statement, unless there is already the same of the
        last minute.
        """
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table, same = cls.__table__(), cls.__table__()
        now = dt.datetime.now()
        values = {
            'kind': kind,
            'record_activity': record_activity,
            'record': record,
            'link': link,
            'agent': agent_family(user_agent),
            }
        where = same.at > now - cls._window
        for name, value in values.items():
            where &= getattr(same, name) == value
        values.update({
                'at': now,
                # Nothing is left to be done for the others
                'applied': kind not in cls._reaction_kinds(),
                'create_uid': transaction.user,
                'create_date': now,
                })
        cursor.execute(*table.insert(
                [getattr(table, n) for n in values],
                Select(
                    list(map(Literal, values.values())),
                    where=~Exists(same.select(Literal(1), where=where)))))
        if cursor.rowcount and kind in cls._reaction_kinds():
            cls.schedule(record_activity)

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
            with Transaction().set_context(queue_scheduled_at=delay):
                RecordActivity.__queue__.react(record_activities)

    @classmethod
    def pending(cls, limit=None):
        """
        Return a list of tuples of the id, kind, record activity, link, time
        and agent of the hits to which nothing has reacted yet, oldest first.
        """
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.id, table.kind, table.record_activity, table.link,
                table.at, table.agent,
                where=~table.applied,
                order_by=[table.id],
                limit=limit))
        return list(cursor)

    @classmethod
    def mark_applied(cls, ids):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        for sub_ids in grouped_slice(list(ids), _SLICE):
            cursor.execute(*table.update(
                    [table.applied], [True],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, list(sub_ids))))
