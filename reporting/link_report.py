# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Report of links: clicks and people by day.

It is counted when the hits are classified, as these are not kept for ever.
"""

from collections import Counter

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction
from trytond.wizard import StateAction

from ..common.sql import to_date
from .kind import is_kind
from .report import Reporting
from .state_report import between

_COUNTS = {
    'clicks_raw': 'click_raw',
    'clicks': 'click',
    'people': 'person',
    }


class CounterLinkReport:
    "Counters whose subject is a link"
    __slots__ = ()

    link = fields.Many2One(
        'marketing.automation.link', "Link", readonly=True,
        ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.link, Index.Range()),
                (t.level, Index.Range()),
                (t.date, Index.Range())))

    @classmethod
    def subjects(cls):
        return super().subjects() + ['link']


class Link(metaclass=PoolMeta):
    __name__ = 'marketing.automation.link'

    people = fields.Function(
        fields.Integer(
            "People",
            help="How many recipients followed the link, each counted once."),
        'get_people')

    @classmethod
    def get_people(cls, links, names):
        LinkReport = Pool().get('marketing.automation.reporting.link')
        return LinkReport.figures([l.id for l in links], names)

    @classmethod
    def count_days(cls, numbers):
        """
        Count the clicks, a dictionary of numbers by the id of the link, the
        day and the name of the count.
        """
        pool = Pool()
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        ids = sorted({link for link, *_ in numbers})
        if not ids:
            return
        # What is clicked may have been deleted
        cursor.execute(*table.select(
                table.id,
                where=fields.SQL_OPERATORS['in'](table.id, ids)))
        ids = {id_ for id_, in cursor}
        pool.get('marketing.automation.counter').add('link', {
                (link, day, f'{_COUNTS[name]},'): number
                for (link, day, name), number in numbers.items()
                if link in ids})


class Hit(metaclass=PoolMeta):
    __name__ = 'marketing.automation.hit'

    @classmethod
    def _count_clicks(cls, rows, humans):
        super()._count_clicks(rows, humans)
        numbers = Counter()
        for row in rows:
            # What was classified before has been counted
            if row.link and not row.verdict:
                numbers[row.link, row.at.date(), 'clicks_raw'] += 1
        people = {}
        for row in humans:
            if row.link:
                numbers[row.link, row.at.date(), 'clicks'] += 1
                key = (row.record_activity, row.link)
                people[key] = min(row.at, people.get(key, row.at))
        for key in cls._known_people(people, {r.id for r in rows}):
            people.pop(key, None)
        for (_, link), at in people.items():
            numbers[link, at.date(), 'people'] += 1
        Pool().get('marketing.automation.link').count_days(numbers)

    @classmethod
    def _known_people(cls, people, new):
        """
        Return the list of the record activities and the links that were
        clicked before.

        :param new: the hits (ids) that do not count.
        """
        if not people:
            return []
        in_ = fields.SQL_OPERATORS['in']
        cursor = Transaction().connection.cursor()
        ids = sorted({record_activity for record_activity, _ in people})
        hit = cls.__table__()
        cursor.execute(*hit.select(
                hit.record_activity, hit.link,
                where=in_(hit.record_activity, ids)
                & (hit.verdict == 'human')
                & ~in_(hit.id, sorted(new))))
        known = cursor.fetchall()
        # The clicks are kept longer than the hits
        click = Pool().get('marketing.automation.link.click').__table__()
        cursor.execute(*click.select(
                click.record_activity, click.link,
                where=in_(click.record_activity, ids)))
        return known + cursor.fetchall()


class Tally(metaclass=PoolMeta):
    __name__ = 'marketing.automation.tally'

    @classmethod
    def _fold_day(cls, activity, link, at, total):
        super()._fold_day(activity, link, at, total)
        if link:
            day = to_date(at)
            Pool().get('marketing.automation.link').count_days({
                    (link, day, 'clicks_raw'): total['email_clicked_raw'],
                    (link, day, 'clicks'): total['email_clicked'],
                    })


class LinkReport(Reporting):
    "Clicks and people of a link per period"
    __name__ = 'marketing.automation.reporting.link'
    _subject = 'link'
    _counts = list(_COUNTS)

    link = fields.Many2One(
        'marketing.automation.link', "Link", readonly=True)
    url = fields.Function(
        fields.Text("URL"), 'get_link', searcher='search_link')
    activity = fields.Function(
        fields.Many2One('marketing.automation.activity', "Activity"),
        'get_link', searcher='search_link')
    scenario = fields.Function(
        fields.Many2One('marketing.automation.scenario', "Scenario"),
        'get_scenario', searcher='search_scenario')
    clicks_raw = fields.Integer(
        "All Clicks", readonly=True,
        help="How many times the link was followed during the period, also "
        "by machines.")
    clicks = fields.Integer(
        "Clicks", readonly=True,
        help="How many times humans followed the link during the period.")
    people = fields.Integer(
        "People", readonly=True,
        help="How many recipients followed the link for the first time during "
        "the period.")

    @classmethod
    def _condition(cls, name):
        return is_kind(_COUNTS[name])

    @classmethod
    def _live(cls):
        # The others are counted as soon as they are classified
        return []

    @classmethod
    def get_link(cls, lines, names):
        result = {}
        for name in names:
            values = {l.id: getattr(l.link, name) for l in lines}
            if name == 'activity':
                values = {i: a.id if a else None for i, a in values.items()}
            result[name] = values
        return result

    @classmethod
    def search_link(cls, name, clause):
        return [('link.' + clause[0], *clause[1:])]

    def get_scenario(self, name):
        activity = self.link.activity
        if activity and activity.scenario:
            return activity.scenario.id

    @classmethod
    def search_scenario(cls, name, clause):
        return [('link.activity.' + clause[0], *clause[1:])]

    def origins(self):
        "Return the model and the domain of what is counted"
        return 'marketing.automation.hit', [
            ('link', '=', self.link.id),
            *between(self.date, 'at'),
            ]


class OriginsLinkReport:
    "Hits as origins of the figures of links"
    __slots__ = ()

    hits = StateAction('marketing_automation.act_reporting_hit')

    def transition_start(self):
        model, _ = self.record.origins()
        if model == 'marketing.automation.hit':
            return 'hits'
        return super().transition_start()

    def do_hits(self, action):
        return self._open(action)
