# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The public URLs of a mail and what happens on them"

import base64
import encodings.idna
import functools
import hashlib
import re
import urllib.parse

from sql import Conflict, Values
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp
from werkzeug.urls import iri_to_uri

import trytond.config as config
from trytond.cache import MemoryCache
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .url_token import seal, seal_text, unseal, unseal_text

__all__ = [
    'BOUNCE',
    'OPEN', 'CLICK', 'UNSUBSCRIBE', 'ANONYMOUS_OPEN', 'ANONYMOUS_CLICK',
    'PERSONAL_CLICK', 'ANONYMOUS_PERSONAL_CLICK', 'decode_personal',
    'decode', 'encode', 'base', 'open_url', 'click_url', 'unsubscribe_url',
    'anonymous_open_url', 'anonymous_click_url',
    'SMS_CLICK', 'ANONYMOUS_SMS_CLICK', 'sms_base', 'sms_url',
    'anonymous_sms_url']

OPEN, CLICK, UNSUBSCRIBE = 'o', 'c', 'u'
# Those that tell of which activity but not of which recipient
ANONYMOUS_OPEN, ANONYMOUS_CLICK = 'p', 'a'
# The links that contain values of the recipient
PERSONAL_CLICK, ANONYMOUS_PERSONAL_CLICK = 'l', 'w'
# The links of SMS, as short as possible
SMS_CLICK, ANONYMOUS_SMS_CLICK = 's', 't'

# The address to which a mail returns
BOUNCE = 'b'

_NUMBERS = {
    BOUNCE: {1},
    OPEN: {1},
    CLICK: {2},
    UNSUBSCRIBE: {1, 2},
    ANONYMOUS_OPEN: {1},
    ANONYMOUS_CLICK: {2},
    SMS_CLICK: {2},
    ANONYMOUS_SMS_CLICK: {2},
    }

_SLICE = 500
# What stands for a value in a URL
_PLACE = '\N{HORIZONTAL ELLIPSIS}'
_SEPARATOR = '\0'


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
    if numbers is None or len(numbers) not in _NUMBERS[kind]:
        return None
    id, link = (*numbers, None)[:2]
    return id, link


def decode_personal(kind, token):
    """
    Return the id, the link and the list of the values of the token, or None if
    the token has not been made by this database for the kind.
    """
    Secret = Pool().get('marketing.automation.secret')
    content = unseal_text(Secret.keys(), kind, token, 2)
    if content is None:
        return None
    (id, link), text = content
    return id, link, text.split(_SEPARATOR)


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


def sms_base():
    "Return the start of the URLs in SMS, which may be a shorter one"
    if url := config.get('marketing', 'sms_base'):
        return url.rstrip('/')
    return base()


def _url(kind, id, link=None, base=base):
    prefix = _prefix(base(), Transaction().database.name)
    return f'{prefix}/{kind}/{encode(kind, id, link)}'


@functools.lru_cache(maxsize=1024)
def _web_url(url):
    "Return the URL as a browser needs it or None if it can not be followed"
    try:
        url = iri_to_uri(url)
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return None
    if parts.scheme in {'http', 'https'} and parts.hostname:
        return url
    return None


def _personal_url(kind, id, link, values):
    Secret = Pool().get('marketing.automation.secret')
    prefix = _prefix(base(), Transaction().database.name)
    number, key = Secret.current()
    token = seal_text(
        number, key, kind, [id, link], _SEPARATOR.join(values))
    return f'{prefix}/{kind}/{token}'


def open_url(record_activity):
    return _url(OPEN, record_activity)


def click_url(record_activity, link, values=None):
    """
    Return the URL of a click.

    :param values: what the link of a pattern contains, see `Link.ids`.
    """
    if values:
        return _personal_url(PERSONAL_CLICK, record_activity, link, values)
    return _url(CLICK, record_activity, link)


def anonymous_open_url(activity):
    return _url(ANONYMOUS_OPEN, activity)


def anonymous_click_url(activity, link, values=None):
    if values:
        return _personal_url(ANONYMOUS_PERSONAL_CLICK, activity, link, values)
    return _url(ANONYMOUS_CLICK, activity, link)


def unsubscribe_url(record, link=None):
    """
    Return the URL to unsubscribe the record.

    :param link: the id of the link that is followed afterwards.
    """
    return _url(UNSUBSCRIBE, record, link)


def sms_url(record_activity, link):
    return _url(SMS_CLICK, record_activity, link, base=sms_base)


def anonymous_sms_url(activity, link):
    return _url(ANONYMOUS_SMS_CLICK, activity, link, base=sms_base)


class Link(ModelSQL, ModelView):
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
        values = Values([
                [id, raw.get(id, 0), human.get(id, 0)] for id in sorted(ids)])
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
