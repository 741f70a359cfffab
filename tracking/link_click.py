# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Event *a certain link clicked*.
"""

import functools
import re

from lxml import etree
from lxml.html import HTMLParser, document_fromstring
from sql import Conflict, Literal
from sql.functions import CurrentTimestamp

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, inactive_records

from ..common.sql import SLICE, values_table
from ..exceptions import ActivityError

__all__ = ['links_of', 'pattern']

LINK_CLICKED = 'email_link_clicked'
# What Genshi replaces
_EXPRESSION = re.compile(r'\$\$|\$\{[^}]*\}|\$[A-Za-z_][\w.]*')


@functools.lru_cache(maxsize=256)
def links_of(template):
    """
    Return the list of the URL and the text of the links of the source of a
    template, in their order; both as they are written.
    """
    try:
        root = document_fromstring(
            template.encode('utf-8'), parser=HTMLParser(encoding='utf-8'))
    except etree.ParserError:
        # There is no element
        return []
    links = []
    for element in root.iter(etree.Element):
        href = (element.get('href') or '').strip()
        if (element.tag not in {'base', 'link'}
                and href.lower().startswith(('http://', 'https://', '$'))):
            links.append((href, _text(element)))
    return links


def _text(element):
    texts = [element.text_content()]
    texts.extend(e.get('alt') or '' for e in element.iter())
    return ' '.join(' '.join(texts).split())


@functools.lru_cache(maxsize=1024)
def pattern(href):
    """
    Return the compiled pattern of the URLs that the one of a template can
    become and how many of its characters are fixed.
    """
    parts, fixed, end = [], 0, 0
    for match in _EXPRESSION.finditer(href):
        literal = href[end:match.start()]
        end = match.end()
        if match[0] == '$$':
            literal += '$'
        parts.append(re.escape(literal))
        fixed += len(literal)
        if match[0] != '$$':
            parts.append('.*')
    parts.append(re.escape(href[end:]))
    return re.compile(''.join(parts), re.DOTALL), fixed + len(href) - end


class Activity(metaclass=PoolMeta):
    "Event of an activity about a certain link of its parent"
    __name__ = 'marketing.automation.activity'

    event_link = fields.Char(
        "Link",
        states={
            'invisible': Eval('event') != LINK_CLICKED,
            'required': Eval('event') == LINK_CLICKED,
            },
        help="The link of the parent's e-mail: its URL as it is in the "
        "template, or its text.")

    @classmethod
    def _parent_action_events(cls):
        events = super()._parent_action_events()
        events.setdefault('send_email', []).append(LINK_CLICKED)
        return events

    @classmethod
    def _event_names(cls):
        return {
            **super()._event_names(),
            LINK_CLICKED: (
                gettext('marketing_automation.msg_email_link_clicked'),
                gettext('marketing_automation.msg_email_link_clicked_not')),
            }

    @classmethod
    def _tracked_events(cls):
        "Return the set of the events that tell who did something"
        return {LINK_CLICKED}

    @fields.depends('parent')
    def autocomplete_event_link(self):
        found = {}
        if isinstance(self.parent, self.__class__):
            for links in self.parent._email_links():
                for link in links:
                    found.update(dict.fromkeys(filter(None, link)))
        return list(found)

    # Validation

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_event_link(activities, field_names)

    @classmethod
    def check_event_link(cls, activities, field_names=None):
        "Ensure that the mails of the parent have the link"
        if field_names and not (field_names & {
                    'parent', 'event', 'event_link', 'email_template'}):
            return
        activities = set(activities)
        if not field_names or 'email_template' in field_names:
            activities.update(cls.search([
                        ('parent', 'in', [str(a) for a in activities]),
                        ('event', '=', LINK_CLICKED),
                        ]))
        for activity in activities:
            if (activity.event == LINK_CLICKED
                    and isinstance(activity.parent, cls)
                    and not activity._event_hrefs()):
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_event_link',
                        activity=activity.rec_name,
                        link=activity.event_link or '',
                        parent=activity.parent.rec_name))

    # The links of the templates

    def _email_links(self):
        "Return the list of the links of the mail in each language"
        Language = Pool().get('ir.lang')
        templates = {}
        with inactive_records():
            codes = [l.code for l in Language.search(
                    [('translatable', '=', True)])]
        for code in [Transaction().language, *codes]:
            with Transaction().set_context(language=code):
                if source := self.__class__(self.id).email_source():
                    templates[source] = links_of(source)
        return list(templates.values())

    def _event_hrefs(self):
        """
        Return the set of the URLs, as they are in the templates, of the link
        that is waited for.

        It has the same place in all languages if they have as many links.
        """
        wanted = ' '.join((self.event_link or '').split())
        languages = self.parent._email_links()
        hrefs, places = set(), set()
        for links in languages:
            for i, (href, text) in enumerate(links):
                if wanted and wanted in {href, text}:
                    hrefs.add(href)
                    places.add((len(links), i))
        for links in languages:
            hrefs.update(
                links[i][0] for length, i in places if length == len(links))
        return hrefs

    def _matches_link(self, url):
        "Return if the URL of a mail of the parent is the link waited for"
        best = 0
        found = set()
        for links in self.parent._email_links():
            for href, _ in links:
                regex, fixed = pattern(href)
                # The URL may be the one of a link that is less variable
                if fixed >= best and regex.fullmatch(url):
                    if fixed > best:
                        best, found = fixed, set()
                    found.add(href)
        return bool(found & self._event_hrefs())

    def waits_for(self, event, subject=None):
        Link = Pool().get('marketing.automation.link')
        waits = super().waits_for(event, subject)
        if waits and event == LINK_CLICKED:
            return any(
                self._matches_link(l.url)
                for l in Link.search([('id', '=', subject)]))
        return waits

    @property
    def event_links(self):
        "The ids of the links of which the activity waits for a click"
        Link = Pool().get('marketing.automation.link')
        return [
            l.id for l in Link.search([('activity', '=', self.parent.id)])
            if self._matches_link(l.url)]

    @property
    def opposites(self):
        opposites = super().opposites
        if self.event == LINK_CLICKED:
            hrefs = self._event_hrefs()
            return [o for o in opposites if o._event_hrefs() & hrefs]
        return opposites


class RecordActivityLinkClick:
    "Clicks on certain links as events"
    __slots__ = ()

    @classmethod
    def _events_of_hit(cls, row):
        events = super()._events_of_hit(row)
        if row.kind == 'click' and row.link:
            events.append(
                (row.record_activity, LINK_CLICKED, row.at, row.link))
        return events

    @classmethod
    def _implied_events(cls):
        events = super()._implied_events()
        events.setdefault(LINK_CLICKED, set()).add('email_clicked')
        return events

    @classmethod
    def _happen(cls, event, times):
        if event != LINK_CLICKED:
            return super()._happen(event, times)
        Click = Pool().get('marketing.automation.link.click')
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.record, table.activity,
                where=fields.SQL_OPERATORS['in'](
                    table.id, sorted({id_ for id_, _ in times}))
                & table.state.in_(['sending', 'done'])))
        rows = {id_: row for id_, *row in cursor}
        new = Click.add({k: at for k, at in times.items() if k[0] in rows})
        return [(*rows[id_], link, at) for (id_, link), at in new.items()]

    @classmethod
    def event_times(cls, activity, records):
        if activity.event != LINK_CLICKED:
            return super().event_times(activity, records)
        Click = Pool().get('marketing.automation.link.click')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        click = Click.__table__()
        in_ = fields.SQL_OPERATORS['in']
        links = activity.event_links
        if not links:
            return {}
        cursor.execute(*table.join(
                click, condition=click.record_activity == table.id
                ).select(
                    table.record, click.at,
                    where=(table.activity == activity.parent.id)
                    & in_(table.record, list(records))
                    & table.state.in_(['sending', 'done'])
                    & in_(click.link, links),
                    order_by=[click.at.desc]))
        return dict(cursor.fetchall())


class Click(ModelSQL):
    """
    First click of a human on each link of a mail.

    The hits contain more but are not kept for ever.
    """
    __name__ = 'marketing.automation.link.click'

    record_activity = fields.Many2One(
        'marketing.automation.record.activity', "Record Activity",
        required=True, readonly=True, ondelete='CASCADE')
    link = fields.Many2One(
        'marketing.automation.link', "Link", required=True, readonly=True,
        ondelete='CASCADE')
    at = fields.DateTime("At", required=True, readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('record_activity_link_unique',
                Unique(t, t.record_activity, t.link),
                'marketing_automation.msg_link_click_unique'),
            ]
        cls._sql_indexes.add(
            Index(t, (t.link, Index.Equality(cardinality='high'))))

    @classmethod
    def add(cls, times):
        """
        Add the clicks, a dictionary of the time by the ids of the record
        activity and the link, and return those which are the first.
        """
        Link = Pool().get('marketing.automation.link')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        # The hits survive what they are about
        links = {l.id for l in Link.search(
                [('id', 'in', sorted({link for _, link in times}))],
                order=[])}
        new = {}
        for keys in grouped_slice(sorted(times), SLICE):
            keys = {k for k in keys if k[1] in links}
            if not keys:
                continue
            cursor.execute(*table.select(
                    table.record_activity, table.link,
                    where=in_(
                        table.record_activity, sorted({k[0] for k in keys}))))
            keys -= set(cursor.fetchall())
            if not keys:
                continue
            new.update({k: times[k].replace(microsecond=0) for k in keys})
            clicks = values_table(
                [[*k, new[k]] for k in sorted(keys)],
                ['INTEGER', 'INTEGER', 'TIMESTAMP'])
            cursor.execute(*table.insert(
                    [table.record_activity, table.link, table.at,
                        table.create_uid, table.create_date],
                    clicks.select(
                        clicks.column1, clicks.column2, clicks.column3,
                        Literal(0), CurrentTimestamp(),
                        # SQLite would take ON for the one of a join
                        where=Literal(True)),
                    on_conflict=Conflict(
                        table, indexed_columns=[
                            table.record_activity, table.link])))
        return new
