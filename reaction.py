# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Apply what the recipients did, always many at once.
"""

from collections import defaultdict

from sql import Literal, Null, Values
from sql.conditionals import Coalesce

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .tools import forget

_SLICE = 500


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    email_opened_raw = fields.Boolean(
        "E-Mail Opened (Raw)", readonly=True,
        help="Checked when the e-mail was opened by anyone, also by a "
        "machine.")
    email_clicked_raw = fields.Boolean(
        "E-Mail Clicked (Raw)", readonly=True,
        help="Checked when the e-mail was clicked by anyone, also by a "
        "machine.")

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        # Migration from the module of the Tryton project: only the opposite
        # cancelled, without telling it
        pool = Pool()
        activity = pool.get('marketing.automation.activity').__table__()
        table = cls.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.reason], ['opposite'],
                where=(table.state == 'cancelled')
                & (table.reason == Null)
                & table.activity.in_(activity.select(
                        activity.id, where=activity.event != Null))))

    @classmethod
    def react(cls, record_activities=None):
        """
        Apply the hits on the public URLs that have not been yet.

        It serves all hits, whatever it is called with.  The queue calls it
        with some, then what became due by it is queued.
        """
        Hit = Pool().get('marketing.automation.hit')
        while rows := Hit.pending(limit=_SLICE):
            cls.apply_hits(rows)
        if record_activities is not None:
            cls.queue_due()

    @classmethod
    def apply_hits(cls, rows):
        "Judge the rows of hits and apply those of humans"
        Hit = Pool().get('marketing.automation.hit')
        cls._note_raw(rows)
        cls.apply_events([
                (r.record_activity, cls._hit_events()[r.kind], r.at)
                for r in Hit.settle(rows) if r.kind in cls._hit_events()])

    @classmethod
    def _note_raw(cls, rows):
        "Note what happened, whoever it was"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        ids = defaultdict(set)
        for row in rows:
            if event := cls._hit_events().get(row.kind):
                for name in {event} | cls._implied_events().get(event, set()):
                    ids[name].add(row.record_activity)
        for name in sorted(ids):
            raw = getattr(table, f'{name}_raw')
            cursor.execute(*table.update(
                    [raw], [True],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, sorted(ids[name]))
                    & (Coalesce(raw, Literal(False)) == Literal(False))))

    @classmethod
    def delivered(cls, ids):
        "Return a dictionary of the time of the delivery by id"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.ended_at,
                where=fields.SQL_OPERATORS['in'](table.id, sorted(ids))
                & (table.state == 'done')
                & (table.ended_at != Null)))
        return dict(cursor.fetchall())

    @classmethod
    def _hit_events(cls):
        "Return a dictionary of the event by the kind of hit"
        return {
            'open': 'email_opened',
            'click': 'email_clicked',
            }

    @classmethod
    def _implied_events(cls):
        "Return a dictionary of the set of events that each event implies"
        return {
            'email_clicked': {'email_opened'},
            }

    @classmethod
    def apply_events(cls, events):
        """
        Apply the events: tuples of the record activity's id, the name of the
        event and the time.

        The first time an event happens it dates the children that wait for
        it and cancels those that wait for the opposite; later it has no
        effect.
        """
        first = {}
        for id_, event, at in events:
            for name in {event} | cls._implied_events().get(event, set()):
                key = (name, id_)
                first[key] = min(at, first.get(key, at))
        for event in sorted({e for e, _ in first}):
            times = {id_: at for (e, id_), at in first.items() if e == event}
            for sub_ids in grouped_slice(sorted(times), _SLICE):
                cls._apply_event(event, {i: times[i] for i in sub_ids})

    @classmethod
    def _apply_event(cls, event, times):
        "Apply the event to the ids of the dictionary of times"
        Activity = Pool().get('marketing.automation.activity')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        happened = getattr(table, event)
        cursor.execute(*table.select(
                table.id, table.record, table.activity,
                where=in_(table.id, list(times))
                & in_(table.state, ['sending', 'done'])
                # The rows of before the event existed have no value
                & (Coalesce(happened, Literal(False)) == Literal(False))))
        rows = [
            (id_, record, activity, times[id_].replace(microsecond=0))
            for id_, record, activity in cursor.fetchall()]
        if not rows:
            return
        values = Values([[id_, at] for id_, _, _, at in rows])
        cursor.execute(*table.update(
                [happened, getattr(table, f'{event}_at')],
                [True, values.column2],
                from_=[values],
                where=table.id == values.column1))
        dated, cancelled = [], []
        children = {
            a.id: [c for c in a.active_children if c.event == event]
            for a in Activity.browse({row[2] for row in rows})}
        for _, record, activity, at in rows:
            for child in children[activity]:
                if child.negative:
                    cancelled.append([record, child.id, at])
                else:
                    dated.append([record, child.id, child.planned_at(at)])
        cls._date(dated)
        cls._cancel(cancelled)
        forget(cls)

    @classmethod
    def _date(cls, rows):
        "Date what waits for the rows of record, activity and date"
        table = cls.__table__()
        if rows:
            values = Values(rows)
            Transaction().connection.cursor().execute(*table.update(
                    [table.at], [values.column3],
                    from_=[values],
                    where=cls._waits_for(table, values)
                    & (table.at == Null)))

    @classmethod
    def _cancel(cls, rows):
        "Cancel what waits for the rows of record, activity and time"
        table = cls.__table__()
        if rows:
            values = Values(rows)
            Transaction().connection.cursor().execute(*table.update(
                    [table.state, table.reason, table.ended_at],
                    ['cancelled', 'opposite', values.column3],
                    from_=[values],
                    where=cls._waits_for(table, values)))

    @classmethod
    def _waits_for(cls, table, values):
        return (
            (table.record == values.column1)
            & (table.activity == values.column2)
            & (table.state == 'waiting'))
