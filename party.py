# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.model import ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

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
        values = Language.search([
                ('party', 'in', list(codes)),
                ('lang', '!=', None),
                ])

        def rank(value):
            # The crons have no company: what a party speaks with any company
            # is better than nothing
            value_company = getattr(value, 'company', None)
            if not value_company:
                return 1, -value.id
            return 2 if value_company.id == company else 0, -value.id

        for value in sorted(values, key=rank):
            codes[value.party.id] = value.lang.code
        return codes

    @classmethod
    def marketing_emails(cls, parties):
        ContactMechanism = Pool().get('party.contact_mechanism')

        emails = dict.fromkeys(map(int, parties))
        for mechanism in ContactMechanism.search([
                    ('party', 'in', list(emails)),
                    ('type', '=', 'email'),
                    ],
                order=[
                    ('party', 'ASC'),
                    ('sequence', 'ASC NULLS FIRST'),
                    ('id', 'ASC'),
                    ]):
            if not emails[mechanism.party.id]:
                emails[mechanism.party.id] = mechanism
        return emails


class PartyUnsubscribedScenario(ModelSQL):
    __name__ = 'party.party-unsubscribed-marketing.automation.scenario'

    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='CASCADE')
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", required=True,
        ondelete='CASCADE')

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
