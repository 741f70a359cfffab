# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Target models: the party, the reader, the language and the addresses."

from collections import defaultdict

from trytond.model import Model, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from .common.access import Access
from .common.domain import check_fields

__all__ = [
    'CompanyTargetMixin', 'MarketingAutomationMixin', 'TargetMixin',
    'TargetReferenceMixin']


class MarketingAutomationMixin(Model):
    """
    Make the records of a model possible targets of a scenario.

    A model has to define where its party comes from with
    :meth:`get_marketing_party` and :meth:`search_marketing_party`.
    """
    __slots__ = ()

    marketing_party = fields.Function(
        fields.Many2One('party.party', "Marketing Party"),
        'get_marketing_party', searcher='search_marketing_party')
    marketing_reach = fields.Function(
        fields.Char("Reach of a Scenario"),
        'get_marketing_reach', searcher='search_marketing_reach')

    @classmethod
    def get_marketing_party(cls, records, name):
        "Return a dictionary of the party id of each record"
        raise NotImplementedError

    @classmethod
    def search_marketing_party(cls, name, clause):
        "Return the domain that finds the records by their party"
        raise NotImplementedError

    @classmethod
    def get_marketing_reach(cls, records, name):
        # It is only searched
        return dict.fromkeys(map(int, records))

    @classmethod
    def search_marketing_reach(cls, name, clause):
        "Return the domain of what is counted as a part of the reach"
        Record = Pool().get('marketing.automation.record')
        return [('id', 'in', Record.reach_query(cls, clause[2]))]

    @classmethod
    def marketing_access_groups(cls):
        """
        Return the set of the XML ids (``module.id``) of the groups whose
        rights the virtual reader has.

        The virtual reader stands for all recipients: what it may not read
        appears neither in a mail nor in a condition.
        """
        return {'marketing.group_marketing'}

    @property
    def marketing_access_context(self):
        """
        The context with which the record is read on behalf of its recipient.

        Records that return equal contexts are read together.
        """
        return {
            '_check_access': True,
            '_groups': self._marketing_groups(),
            }

    @classmethod
    def _marketing_groups(cls):
        ModelData = Pool().get('ir.model.data')
        return tuple(sorted(
                ModelData.get_id(*xml_id.split('.', 1))
                for xml_id in cls.marketing_access_groups()))

    @classmethod
    def marketing_check_domain(cls, domain):
        """
        Raise an error if the domain uses what the virtual reader may not read.
        """
        access = Access.virtual(cls)
        with access.reader():
            check_fields(cls, domain)

    @classmethod
    def marketing_reads_all(cls, names):
        """
        Return if the virtual reader may read the fields of each record.
        """
        if (cls.marketing_access_context
                is not MarketingAutomationMixin.marketing_access_context):
            # It depends on the record
            return False
        access = Access.virtual(cls)
        return access.reads_all(cls, names)

    @classmethod
    def marketing_party_required(cls):
        """
        Return if the records without party stay out of the scenarios.
        """
        return True

    @classmethod
    def marketing_leaves_inactive(cls):
        """
        Return if the records are deactivated by who unsubscribes.

        What follows the unsubscription is executed for them nevertheless.
        """
        return False

    @classmethod
    def marketing_of_parties(cls, parties):
        "Return the list of the ids of the records of the parties (ids)"
        return [r.id for r in cls.search(
                [('marketing_party', 'in', list(parties))], order=[])]

    @classmethod
    def marketing_refusal_domain(cls, scenario):
        """
        Return the domain of the records whose recipient has not refused the
        scenario, besides by the party.
        """
        return []

    @classmethod
    def marketing_address_domain(cls, suppressed=False):
        """
        Return the domain of the records with an e-mail address or, if
        suppressed is true, of those whose address is suppressed.

        It agrees with :meth:`marketing_emails`.
        """
        Party = Pool().get('party.party')
        return [
            ('marketing_party', 'in', Party.marketing_email_query(suppressed)),
            ]

    @classmethod
    def marketing_fill(cls, records):
        "Let the records know their party, which is read at once for all"
        Party = Pool().get('party.party')
        ids = cls.get_marketing_party(records, 'marketing_party')
        known = [r for r in records if ids.get(r.id) is not None]
        parties = Party.browse([ids[r.id] for r in known])
        for record, party in zip(known, parties):
            record.marketing_party = party

    @classmethod
    def marketing_languages(cls, records):
        "Return a dictionary of the language code (or None) of each record"
        return cls._marketing_from_parties(records, 'marketing_languages')

    @classmethod
    def marketing_emails(cls, records):
        """
        Return a dictionary of the contact mechanism (or None) to which an
        e-mail for each record goes.
        """
        return cls._marketing_from_parties(records, 'marketing_emails')

    @classmethod
    def marketing_mobiles(cls, records):
        """
        Return a dictionary of the contact mechanism (or None) to which a SMS
        for each record goes.
        """
        return cls._marketing_from_parties(records, 'marketing_mobiles')

    @classmethod
    def _marketing_from_parties(cls, records, method):
        Party = Pool().get('party.party')
        parties = {r.id: r.marketing_party for r in records}
        values = getattr(Party, method)(Party.browse(
                {p.id for p in parties.values() if p}))
        return {
            id_: values.get(party.id) if party else None
            for id_, party in parties.items()}


class CompanyTargetMixin(MarketingAutomationMixin):
    "Make the records of a model with a company possible targets"
    __slots__ = ()

    @classmethod
    def marketing_languages(cls, records):
        # A party may speak another language with each company
        by_company = defaultdict(list)
        for record in records:
            by_company[record.company.id].append(record)
        languages = {}
        for company, company_records in by_company.items():
            with Transaction().set_context(company=company):
                languages.update(super().marketing_languages(company_records))
        return languages

    @property
    def marketing_access_context(self):
        context = super().marketing_access_context
        context['company'] = self.company.id
        context['_companies'] = (self.company.id,)
        return context


class TargetReferenceMixin:
    "Give the models of the references to a target"
    __slots__ = ()

    # Tryton hides a reference from who may not read all of its models, unless
    # they depend on the record
    @fields.depends('id')
    def get_models(self):
        Scenario = Pool().get('marketing.automation.scenario')
        return Scenario.get_models()


# The name of before
TargetMixin = TargetReferenceMixin
