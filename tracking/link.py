# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Links: the targets of clicks, one for each activity and URL.
"""

import functools
import hashlib
import re
import urllib.parse

from sql import Conflict
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp
from werkzeug.urls import iri_to_uri

from trytond.cache import MemoryCache
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..common.sql import SLICE, values_table

_SEPARATOR = '\0'


# What stands for a value in a URL
_PLACE = '\N{HORIZONTAL ELLIPSIS}'


@functools.lru_cache(maxsize=1024)
def _web_url(url):
    "Return the URL as a browser needs it, None if it can not be followed"
    try:
        url = iri_to_uri(url)
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return None
    if parts.scheme in {'http', 'https'} and parts.hostname:
        return url
    return None


class Link(ModelSQL, ModelView):
    "Target of the clicks in the mails of an activity"
    __name__ = 'marketing.automation.link'
    _rec_name = 'url'

    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", readonly=True,
        ondelete='SET NULL')
    url = fields.Text("URL", required=True, readonly=True)
    digest = fields.Char("Digest", required=True, readonly=True)
    clicks = fields.Integer(
        "Clicks", readonly=True,
        help="How many times humans followed the link.")
    clicks_raw = fields.Integer(
        "Clicks (Raw)", readonly=True,
        help="How many times the link was followed, also by machines.")

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

        Instead of the URL it may be a tuple of the texts around the values
        that are different for each recipient: they have one link in common.

        The number of queries does not depend on the number of pairs (up to
        some hundreds).
        """
        keys, urls = {}, {}
        for activity, url in pairs:
            if isinstance(url, tuple):
                parts = [cls._clean(part) for part in url]
            else:
                parts = [cls._clean(url)]
            # No URL contains the separator
            digest = hashlib.sha256(
                _SEPARATOR.join(parts).encode('utf-8')).hexdigest()
            key = keys[activity, url] = (activity, digest)
            urls[key] = _PLACE.join(parts)
        ids = cls._find(urls)
        if missing := sorted(urls.keys() - ids.keys()):
            cls._insert([(*key, urls[key]) for key in missing])
            ids.update(cls._find(missing))
        return {pair: ids[key] for pair, key in keys.items()}

    @classmethod
    def target(cls, id, values=None):
        """
        Return the URL to which a click on the link goes or None.

        :param values: those of the recipient if it is the link of a pattern.
        """
        RecordActivity = Pool().get('marketing.automation.record.activity')
        url = cls._target_cache.get(id)
        if url is None:
            if not (links := cls.search([('id', '=', id)])):
                return None
            link, = links
            url = cls._target_cache.set(id, link.url)
        if values:
            first, *parts = url.split(_PLACE)
            if len(parts) != len(values):
                return None
            url = first + ''.join(v + p for v, p in zip(values, parts))
        if hasattr(RecordActivity, 'add_utm_parameters'):
            try:
                # The record activity of the click may be deleted, but the
                # parameters depend only on the activity.
                url = RecordActivity(
                    activity=cls(id).activity).add_utm_parameters(url)
            except ValueError:
                return None
        return _web_url(url)

    @classmethod
    def count_clicks(cls, raw, human):
        """
        Add the clicks, dictionaries of numbers by the id of the link.

        They are kept here as the hits are not kept for ever.
        """
        if not (ids := raw.keys() | human.keys()):
            return
        table = cls.__table__()
        values = values_table(
            [[id, raw.get(id, 0), human.get(id, 0)] for id in sorted(ids)],
            ['INTEGER'] * 3)
        Transaction().connection.cursor().execute(*table.update(
                [table.clicks_raw, table.clicks],
                [Coalesce(table.clicks_raw, 0) + values.column2,
                    Coalesce(table.clicks, 0) + values.column3],
                from_=[values],
                where=table.id == values.column1))

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
        for sub_keys in grouped_slice(list(keys), SLICE):
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
        for sub_rows in grouped_slice(rows, SLICE):
            cursor.execute(*table.insert(
                    [table.create_uid, table.create_date,
                        table.activity, table.digest, table.url],
                    [[transaction.user, CurrentTimestamp(), *row]
                        for row in sub_rows],
                    on_conflict=Conflict(
                        table,
                        indexed_columns=[table.activity, table.digest])))
