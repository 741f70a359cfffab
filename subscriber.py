# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Subscribers of the mailing lists as targets, also those who are no party.
"""

from typing import NamedTuple

from sql import Literal, Null
from sql.aggregate import Min
from sql.conditionals import Coalesce
from sql.functions import Lower
from sql.operators import Concat

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, inactive_records

from .mixin import MarketingAutomationMixin


class Address(NamedTuple):
    "Address of a subscriber, in place of a contact mechanism"
    value: str


class Email(MarketingAutomationMixin, metaclass=PoolMeta):
    __name__ = 'marketing.email'

    removed_by_scenario = fields.Boolean(
        "Removed by Scenario", readonly=True,
        states={
            'invisible': ~Eval('removed_by_scenario'),
            },
        help="Checked if a scenario has removed the address, so that it can "
        "be added again.")

    @classmethod
    def default_removed_by_scenario(cls):
        return False

    # The target

    @classmethod
    def marketing_party_required(cls):
        return False

    @classmethod
    def _party_query(cls, where=None):
        """
        Return the query of the id and the party of each subscriber.

        It is the party of the web user or else one that has the address, so
        that what this party has refused counts.
        """
        pool = Pool()
        table = cls.__table__()
        user = pool.get('web.user').__table__()
        mechanism = pool.get('party.contact_mechanism').__table__()
        return table.join(
            user, 'LEFT', condition=(user.email == table.email)
            & (user.active == Literal(True))
            ).join(
                mechanism, 'LEFT',
                condition=(Lower(mechanism.value) == table.email)
                & (mechanism.type == 'email')
                & (mechanism.active == Literal(True))
                ).select(
                    table.id,
                    Coalesce(Min(user.party), Min(mechanism.party)
                        ).as_('party'),
                    where=where(table) if where else Literal(True),
                    group_by=[table.id])

    @classmethod
    def get_marketing_party(cls, emails, name):
        cursor = Transaction().connection.cursor()
        ids = [e.id for e in emails]
        cursor.execute(*cls._party_query(
                lambda table: fields.SQL_OPERATORS['in'](table.id, ids)))
        return dict(cursor.fetchall())

    @classmethod
    def search_marketing_party(cls, name, clause):
        Party = Pool().get('party.party')
        nested = clause[0][len(name) + 1:]
        _, operator, value, *_ = clause
        if not nested and isinstance(value, str):
            nested = 'rec_name'
        parties = cls._party_query()
        if nested:
            with inactive_records():
                where = parties.party.in_(Party.search(
                        [(nested, operator, value)], order=[], query=True))
        elif operator.endswith('in') and not isinstance(
                value, (list, tuple, set)):
            where = parties.party.in_(value)
            if operator == 'not in':
                where = ~where
        else:
            where = fields.SQL_OPERATORS[operator](parties.party, value)
        if not nested and (
                operator == 'not in' or operator == '!=' and value):
            where |= parties.party == Null
        return [('id', 'in', parties.select(parties.id, where=where))]

    @classmethod
    def marketing_leaves_inactive(cls):
        return True

    @classmethod
    def marketing_refusal_domain(cls, scenario):
        "The address has not been unsubscribed as the one of another list"
        Record = Pool().get('marketing.automation.record')
        record = Record.__table__()
        refused = cls.__table__()
        table = cls.__table__()
        addresses = record.join(
            refused,
            condition=record.record == Concat(f'{cls.__name__},', refused.id)
            ).select(
                refused.email,
                where=(record.scenario == scenario.id)
                & (record.end_reason == 'unsubscribed')
                & (record.test == Literal(False)))
        return [
            ('id', 'not in', table.select(
                    table.id, where=table.email.in_(addresses))),
            ]

    @classmethod
    def marketing_address_domain(cls, suppressed=False):
        if not suppressed:
            return []
        Party = Pool().get('party.party')
        table = cls.__table__()
        return [
            ('id', 'in', table.select(
                    table.id,
                    where=Lower(table.email).in_(
                        Party.marketing_suppressed_query()))),
            ]

    @classmethod
    def marketing_emails(cls, emails):
        "Return the address that was subscribed, whatever the party has"
        return {e.id: Address(e.email) for e in emails}

    @classmethod
    def marketing_languages(cls, emails):
        languages = super().marketing_languages(emails)
        return {
            e.id: languages[e.id] or e.list_.language.code for e in emails}

    # What the subscribers do

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'write' and 'active' in values:
            values.setdefault('removed_by_scenario', False)
        return values

    @classmethod
    def unsubscribe(cls, tokens):
        result = super().unsubscribe(tokens)
        with inactive_records():
            removed = list(cls.search([
                        ('email_token', 'in', tokens),
                        ('removed_by_scenario', '=', True),
                        ]))
        if removed:
            # Who says no is not added again
            cls.write(removed, {'removed_by_scenario': False})
        return result or bool(removed)
