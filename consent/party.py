# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Consent fields of a party; every change is logged and ends or revives the
records.
"""

import datetime as dt
from collections import defaultdict

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.orm import clear_cache
from ..common.sql import SLICE
from .suppression import PartySuppression

# The scope of each field of the party
_FIELDS = {
    'marketing_refused': 'all',
    'marketing_paused_until': 'pause',
    'marketing_do_not_track': 'tracking',
    }


class Party(
        PartySuppression,
        metaclass=PoolMeta):
    "Party: refusal, pause and tracking, and its suppressed addresses"
    __name__ = 'party.party'

    marketing_refused = fields.Boolean(
        "No Marketing",
        help="Check if the party wants no marketing at all: no scenario "
        "sends it anything.")
    marketing_refused_at = fields.DateTime(
        "No Marketing Since", readonly=True,
        states={
            'invisible': ~Eval('marketing_refused', False),
            })
    marketing_paused_until = fields.DateTime(
        "Marketing Paused Until",
        help="The scenarios wait until then with what they have for the "
        "party.")
    marketing_do_not_track = fields.Boolean(
        "Do Not Track",
        help="Check to send the party e-mails which do not tell if they are "
        "opened or clicked.")
    marketing_consents = fields.One2Many(
        'marketing.automation.consent', 'party', "Marketing Consent",
        readonly=True,
        help="What the party stopped and resumed.")

    @classmethod
    def default_marketing_refused(cls):
        return False

    @classmethod
    def default_marketing_do_not_track(cls):
        return False

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('marketing_refused', False)
        default.setdefault('marketing_refused_at')
        default.setdefault('marketing_paused_until')
        default.setdefault('marketing_do_not_track', False)
        default.setdefault('marketing_consents')
        return super().copy(parties, default=default)

    @classmethod
    def import_data(cls, *args, **kwargs):
        with Transaction().set_context(marketing_consent={'how': 'import'}):
            return super().import_data(*args, **kwargs)

    @classmethod
    def on_modification(cls, mode, parties, field_names=None):
        super().on_modification(mode, parties, field_names=field_names)
        if mode == 'create':
            nothing = dict.fromkeys(_FIELDS)
            cls._consent_changed({
                    p.id: nothing for p in parties
                    if any(getattr(p, n) for n in _FIELDS)})

    @classmethod
    def on_write(cls, parties, values):
        callbacks = super().on_write(parties, values)
        if names := values.keys() & _FIELDS.keys():
            former = {
                p.id: {n: getattr(p, n) for n in names}
                for p in cls.browse(list(map(int, parties)))}
            callbacks.append(lambda: cls._consent_changed(former))
        return callbacks

    @classmethod
    def _consent_changed(cls, former):
        """
        Log the changes and let them have their effect.

        :param former: a dictionary of the values by party (id) and name.
        """
        Consent = Pool().get('marketing.automation.consent')
        changes, parties = [], defaultdict(list)
        with inactive_records():
            for party in cls.browse(list(former)):
                for name, value in former[party.id].items():
                    new = getattr(party, name)
                    if (new or None) == (value or None):
                        continue
                    parties[name, new].append(party.id)
                    changes.append({
                            'party': party.id,
                            'change': 'stopped' if new else 'resumed',
                            'scope': _FIELDS[name],
                            'until': (
                                new if name == 'marketing_paused_until'
                                else None),
                            })
        Consent.log(changes)
        for (name, value), ids in parties.items():
            if method := getattr(cls, f'_set_{name}', None):
                method(ids, value)

    @classmethod
    def _set_marketing_refused(cls, ids, value):
        Record = Pool().get('marketing.automation.record')
        now = dt.datetime.now().replace(microsecond=0)
        with without_check_access(), inactive_records():
            cls.write(cls.browse(ids), {
                    'marketing_refused_at': now if value else None,
                    })
        if value:
            Record.end_parties(ids, 'no_marketing')

    @classmethod
    def _set_marketing_paused_until(cls, ids, value):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        RecordActivity.move_paused(ids, value)

    @classmethod
    def on_delete(cls, parties):
        Unsubscribed = Pool().get(
            'party.party-unsubscribed-marketing.automation.scenario')
        Unsubscribed.remove('party', parties)
        return super().on_delete(parties)


class Scenario(metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'

    @classmethod
    def on_delete(cls, scenarios):
        Unsubscribed = Pool().get(
            'party.party-unsubscribed-marketing.automation.scenario')
        Unsubscribed.remove('scenario', scenarios)
        return super().on_delete(scenarios)


class PartyUnsubscribedScenario(metaclass=PoolMeta):
    __name__ = 'party.party-unsubscribed-marketing.automation.scenario'

    @classmethod
    def on_modification(cls, mode, relations, field_names=None):
        super().on_modification(mode, relations, field_names=field_names)
        if mode == 'delete':
            cls._log_change('resumed', relations)
        else:
            if mode == 'create':
                cls._log_change('stopped', relations)
            cls._end_records(relations)

    @classmethod
    def _log_change(cls, change, relations):
        Consent = Pool().get('marketing.automation.consent')
        pairs = {(r.party.id, r.scenario.id) for r in relations}
        with without_check_access():
            # One of several is no change
            pairs -= {
                (r.party.id, r.scenario.id) for r in cls.search([
                        ('party', 'in', [p for p, _ in pairs]),
                        ('id', 'not in', [r.id for r in relations]),
                        ], order=[])}
        Consent.log([{
                    'party': party,
                    'change': change,
                    'scope': 'scenario',
                    'scenario': scenario,
                    } for party, scenario in sorted(pairs)])

    @classmethod
    def _end_records(cls, relations):
        Record = Pool().get('marketing.automation.record')
        parties = defaultdict(set)
        for relation in relations:
            parties[relation.scenario.id].add(relation.party.id)
        for scenario, ids in parties.items():
            Record.end_parties(ids, 'unsubscribed', [scenario])

    @classmethod
    def unite(cls, party):
        "Keep one relation of the party for each scenario after a merge"
        # The merge has been done by SQL
        clear_cache(cls)
        kept, others = {}, []
        for relation in cls.search(
                [('party', '=', party.id)], order=[('id', 'ASC')]):
            if kept.setdefault(relation.scenario.id, relation) != relation:
                others.append(relation)
        cls.delete(others)
        cls._end_records(kept.values())

    @classmethod
    def remove(cls, name, records):
        "Delete the relations of the records, which are about to be deleted"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        for sub_records in grouped_slice(list(records), SLICE):
            cursor.execute(*table.delete(
                    where=fields.SQL_OPERATORS['in'](
                        getattr(table, name), [r.id for r in sub_records])))


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('marketing.automation.consent', 'party'),
            ]

    def transition_replace(self):
        pool = Pool()
        Party = pool.get('party.party')
        Unsubscribed = pool.get(
            'party.party-unsubscribed-marketing.automation.scenario')
        source, destination = self.ask.source, self.ask.destination
        with without_check_access():
            former = {n: getattr(source, n) for n in _FIELDS}
            values = {
                n: v for n, v in former.items()
                if v and (not getattr(destination, n)
                    or getattr(destination, n) < v)}
        result = super().transition_replace()
        with without_check_access(), Transaction().set_context(
                marketing_consent={'how': 'merge'}):
            Unsubscribed.unite(destination)
            if values:
                Party.write([destination], values)
        return result
