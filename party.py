# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Parties as targets, with the scenarios they have unsubscribed."

import datetime as dt

from sql import Literal, Select, Window
from sql.functions import Lower, RowNumber, Trim
from sql.operators import Exists

from trytond.model import ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, active_records

from .common.orm import browse, clear_cache
from .common.sql import cached_query
from .mixin import MarketingAutomationMixin


class Party(MarketingAutomationMixin, metaclass=PoolMeta):
    __name__ = 'party.party'

    marketing_scenario_unsubscribed = fields.Many2Many(
        'party.party-unsubscribed-marketing.automation.scenario',
        'party', 'scenario', "Unsubscribed Scenarios",
        help="The scenarios that the party does not want to get mails from.")

    @classmethod
    def get_marketing_party(cls, parties, name):
        return {p.id: p.id for p in parties}

    @classmethod
    def search_marketing_party(cls, name, clause):
        nested = clause[0][len(name) + 1:]
        if not nested:
            nested = 'rec_name' if isinstance(clause[2], str) else 'id'
        return [(nested, *clause[1:])]

    @classmethod
    def marketing_of_parties(cls, parties):
        return list(parties)

    @classmethod
    def marketing_fill(cls, parties):
        for party in parties:
            party.marketing_party = party

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('marketing_scenario_unsubscribed')
        return super().copy(parties, default=default)

    @classmethod
    def marketing_languages(cls, parties):
        pool = Pool()
        Language = pool.get('party.party.lang')
        company = Transaction().context.get('company')

        codes = dict.fromkeys(map(int, parties))
        cursor = Transaction().connection.cursor()
        table = Language.__table__()
        lang = pool.get('ir.lang').__table__()
        # Not as records: the instances cost with the square of their number
        cursor.execute(*table.join(
                lang, condition=table.lang == lang.id).select(
                table.id, table.party, lang.code,
                table.company if 'company' in Language._fields
                else Literal(None),
                where=fields.SQL_OPERATORS['in'](table.party, list(codes))))

        def rank(value):
            # The crons have no company: what a party speaks with any company
            # is better than nothing
            id_, _, _, value_company = value
            if not value_company:
                return 1, -id_
            return 2 if value_company == company else 0, -id_

        for _, party, code, _ in sorted(cursor, key=rank):
            codes[party] = code
        return codes

    @classmethod
    def marketing_emails(cls, parties):
        return cls._marketing_mechanisms(parties, 'email')

    @classmethod
    def marketing_mobiles(cls, parties):
        return cls._marketing_mechanisms(parties, 'mobile')

    @classmethod
    def _marketing_mechanisms(cls, parties, type):
        "Return a dictionary of the first contact mechanism of each party"
        ContactMechanism = Pool().get('party.contact_mechanism')

        cursor = Transaction().connection.cursor()
        table = ContactMechanism.__table__()
        result = dict.fromkeys(map(int, parties))
        cursor.execute(*table.select(
                table.party, table.id, table.value,
                where=table.id.in_(ContactMechanism.search([
                            ('party', 'in', list(result)),
                            ('type', '=', type),
                            ], order=[], query=True)),
                order_by=[
                    table.party.asc, table.sequence.asc.nulls_first,
                    table.id.asc]))
        first = {}
        for party, id_, value in cursor:
            first.setdefault(party, (id_, value))
        mechanisms = browse(ContactMechanism, [i for i, _ in first.values()])
        for (party, (_, value)), mechanism in zip(first.items(), mechanisms):
            # It has been read
            mechanism.value = value
            result[party] = mechanism
        return result

    @classmethod
    def marketing_email_query(cls, suppressed=False):
        """
        Return the SQL query of the ids of the parties with an e-mail address
        or of those to whose address, the first one, nothing is sent.
        """
        Mechanism = Pool().get('party.contact_mechanism')
        table = Mechanism.__table__()
        with active_records():
            emails = Mechanism.search(
                [('type', '=', 'email')], order=[], query=True)
        first = table.select(
            table.party.as_('party'),
            table.value.as_('value'),
            RowNumber(window=Window(
                    [table.party],
                    order_by=[
                        table.sequence.asc.nulls_first, table.id.asc],
                    )).as_('rank'),
            where=table.id.in_(emails))
        where = first.rank == 1
        if suppressed:
            where &= Lower(Trim(first.value)).in_(
                cls.marketing_suppressed_query())
        return first.select(first.party, where=where)

    @classmethod
    def marketing_suppressed_query(cls):
        """
        Return the SQL query of the addresses, in lower case, to which nothing
        is sent.
        """
        raise NotImplementedError


class PartyUnsubscribedScenario(ModelSQL):
    __name__ = 'party.party-unsubscribed-marketing.automation.scenario'

    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='CASCADE')
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", required=True,
        ondelete='CASCADE')

    @classmethod
    def add(cls, party, scenario):
        "Note that the party left the scenario, return if that is new"
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        cursor.execute(*cls._insertion(
                party=party, scenario=scenario,
                create_uid=transaction.user, create_date=dt.datetime.now()))
        clear_cache(cls, Pool().get('party.party'))
        return bool(cursor.rowcount)

    @cached_query
    def _insertion(cls, **values):
        table, same = cls.__table__(), cls.__table__()
        return table.insert(
            [getattr(table, n) for n in values],
            Select(list(map(Literal, values.values())), where=~Exists(
                    same.select(
                        Literal(1),
                        where=(same.party == values['party'])
                        & (same.scenario == values['scenario'])))))

    @classmethod
    def parties(cls, scenario, parties):
        "Return the ids of those of the parties which left the scenario"
        return {
            r.party.id for r in cls.search([
                    ('scenario', '=', scenario),
                    ('party', 'in', list(parties)),
                    ])}


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('party.party-unsubscribed-marketing.automation.scenario',
                'party'),
            ]
