# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Erasure of a party: its marketing data, but not the numbers.
"""

import datetime as dt
import re
import urllib.parse

from sql import Literal
from sql.conditionals import Case, Coalesce
from sql.functions import Lower, Position
from sql.operators import Concat

from trytond.pool import Pool, PoolMeta
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)


class Erase(metaclass=PoolMeta):
    "Wizard Erase: records, hits, links and e-mails of the party"
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Record = pool.get('marketing.automation.record')
        Suppression = pool.get('marketing.automation.suppression')
        with without_check_access():
            records = sorted(Record.find_by_parties([party_id]))
        return super().to_erase(party_id) + [
            *self._erase_emails(party_id, records),
            *self._erase_hits(records),
            *self._erase_links(party_id),
            *self._erase_records(records),
            # The address remains: who does not want to be written to must not
            # be when it comes again
            (Suppression, [('record_activity.record', 'in', records)], True,
                ['detail', 'record_activity'], [None, None]),
            # The entries remain, of an unnamed party
            (Consent, [('party', '=', party_id)], True,
                ['comment', 'record'], [None, None]),
            ]

    def _erase_records(self, records):
        "Erase the targets of the records and end them"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        now = dt.datetime.now().replace(microsecond=0)

        def ended(column):
            return Case(
                (column.table.state.in_(['waiting', 'sending']), now),
                else_=column)

        def reason(column):
            return Case(
                (column.table.state.in_(['waiting', 'sending']), 'erased'),
                else_=column)

        def state(column):
            return Case(
                (column.in_(['waiting', 'sending']), 'cancelled'),
                else_=column)

        # The number of the record makes the reference unique
        def nobody(column):
            return Concat('party.party,-', column.table.id)

        return [
            (RecordActivity, [('record', 'in', records)], True,
                ['state', 'reason', 'ended_at', 'claim', 'claimed_at',
                    'detail', 'message_id', 'email_address'],
                [state, reason, ended, None, None, None, None, None]),
            (Record, [('id', 'in', records)], True,
                ['record', 'uuid', 'unicity', 'end_reason', 'ended_at'],
                [nobody, None, None,
                    lambda column: Coalesce(column, 'erased'),
                    lambda column: Coalesce(column, now)]),
            ]

    def _erase_hits(self, records):
        "Erase the address and the program of the hits"
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        RecordActivity = pool.get('marketing.automation.record.activity')
        with without_check_access():
            record_activities = [
                r.id for r in RecordActivity.search(
                    [('record', 'in', records)], order=[])]
        domain = ['OR',
            ('record', 'in', records),
            ('record_activity', 'in', record_activities),
            ]
        return [
            (Hit, domain, True,
                ['agent', 'address', 'record', 'record_activity', 'applied'],
                [None, None, None, None, True]),
            ]

    def _erase_links(self, party_id):
        "Erase the URLs that a template made with an address of the party"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Link = pool.get('marketing.automation.link')
        table = Link.__table__()
        cursor = Transaction().connection.cursor()
        with without_check_access(), inactive_records():
            addresses = {
                m.value.lower() for m in ContactMechanism.search([
                        ('party', '=', party_id),
                        ('type', '=', 'email'),
                        ], order=[]) if m.value}
        links = set()
        for address in addresses:
            where = Literal(False)
            for text in {
                    address,
                    address.replace('@', '%40'),
                    urllib.parse.quote(address, safe='').lower()}:
                where |= Position(text, Lower(table.url)) > 0
            cursor.execute(*table.select(table.id, table.url, where=where))
            # Not those of ann@ for n@
            exact = re.compile(
                r'(?<![\w.-])' + re.escape(address) + r'(?!\.?\w|-)')
            links.update(
                id_ for id_, url in cursor
                if exact.search(urllib.parse.unquote(url).lower()))
        if links:
            Link._target_cache.clear()

        # It is unique and could be compared with that of a known URL
        def digest(column):
            return Concat('erased-', column.table.id)

        return [
            (Link, [('id', 'in', sorted(links))], True,
                ['url', 'digest'], ['****', digest]),
            ]

    def _erase_emails(self, party_id, records):
        "Erase the sent e-mails"
        pool = Pool()
        Address = pool.get('ir.email.address')
        Email = pool.get('ir.email')
        Record = pool.get('marketing.automation.record')
        with without_check_access():
            resources = {
                str(r.record) for r in Record.browse(records)}
            resources.add(f'party.party,{party_id}')
            emails = [e.id for e in Email.search(['OR',
                        ('marketing_automation_record', 'in', records),
                        [
                            ('marketing_automation_activity', '!=', None),
                            ('resource', 'in', sorted(resources)),
                            ],
                        ], order=[])]
        return [
            (Address, [('email', 'in', emails)], False,
                ['address'], ['****']),
            (Email, [('id', 'in', emails)], False,
                ['recipients', 'recipients_secondary', 'recipients_hidden',
                    'subject', 'body', 'message_id',
                    'marketing_automation_content', 'resource'],
                [None] * 7 + [f'party.party,{party_id}']),
            ]
