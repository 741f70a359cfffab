# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Suppression: addresses to which no scenario sends.
"""

import datetime as dt

from sql import Literal, Null
from sql.aggregate import Count

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction, without_check_access

from ..common.address import AddressError, envelope_address
from ..exceptions import SuppressionError

__all__ = ['normalize', 'soft_limit']


def normalize(address):
    "Return the address as it is compared"
    try:
        return envelope_address(address.strip()).lower()
    except AddressError:
        return address.strip().lower()


def soft_limit():
    "Return how many soft bounces suppress an address, and in which time"
    return (
        config.getint('marketing', 'soft_bounces', default=3),
        dt.timedelta(days=config.getint(
                'marketing', 'soft_bounce_days', default=30)))


class Suppression(ModelSQL, ModelView):
    "Suppressed e-mail address"
    __name__ = 'marketing.automation.suppression'
    _rec_name = 'address'

    address = fields.Char(
        "E-Mail Address", required=True,
        help="No scenario sends e-mails to this address.")
    reason = fields.Selection([
            ('hard_bounce', "Does not exist"),
            ('soft_bounces', "Bounces repeatedly"),
            ('complaint', "Complaint"),
            ('manual', "By a user"),
            ], "Reason", required=True, readonly=True, sort=False)
    since = fields.DateTime("Since", required=True, readonly=True)
    detail = fields.Text(
        "Detail", readonly=True, help="What the other side said.")
    record_activity = fields.Many2One(
        'marketing.automation.record.activity', "Record Activity",
        readonly=True, ondelete='SET NULL',
        help="The e-mail that has bounced or about which the recipient has "
        "complained.")
    undone_at = fields.DateTime("Undone at", readonly=True)
    undone_by = fields.Many2One(
        'res.user', "Undone by", readonly=True, ondelete='SET NULL',
        states={
            'invisible': ~Eval('undone_at'),
            })

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.address, Index.Equality(cardinality='high'))),
                Index(
                    t,
                    (t.record_activity, Index.Equality(cardinality='high')),
                    where=t.record_activity != Null),
                })
        cls._order = [('since', 'DESC'), ('id', 'DESC')]
        cls._buttons.update(
            undo={
                'invisible': Bool(Eval('undone_at')),
                'depends': ['undone_at'],
                })

    @classmethod
    def default_reason(cls):
        return 'manual'

    @classmethod
    def default_since(cls):
        return dt.datetime.now().replace(microsecond=0)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Bool(Eval('undone_at')), 'muted', '')),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if values.get('address'):
            values['address'] = normalize(values['address'])
        return values

    @classmethod
    def copy(cls, suppressions, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('reason', 'manual')
        default.setdefault('since', cls.default_since())
        for name in ['detail', 'record_activity', 'undone_at', 'undone_by']:
            default.setdefault(name)
        return super().copy(suppressions, default=default)

    @classmethod
    def check_modification(
            cls, mode, suppressions, values=None, external=False):
        super().check_modification(
            mode, suppressions, values=values, external=external)
        if external and (mode != 'create' or any(
                    s.reason != 'manual' or s.undone_at or s.undone_by
                    or s.record_activity for s in suppressions)):
            raise AccessError(gettext(
                    'marketing_automation.msg_suppression_modify'))

    @classmethod
    def validate_fields(cls, suppressions, field_names):
        super().validate_fields(suppressions, field_names)
        cls.check_address(suppressions, field_names)

    @classmethod
    def check_address(cls, suppressions, field_names=None):
        "Ensure that the text typed by a user is an address"
        if field_names and 'address' not in field_names:
            return
        for suppression in suppressions:
            try:
                envelope_address(suppression.address)
            except AddressError as exception:
                if suppression.reason == 'manual':
                    raise SuppressionError(gettext(
                            'marketing_automation.msg_suppression_address',
                            address=suppression.address)) from exception

    @classmethod
    @ModelView.button
    def undo(cls, suppressions):
        "Undo the suppression of the addresses"
        addresses = {s.address for s in suppressions}
        cls.write(list(cls.search([
                        ('address', 'in', list(addresses)),
                        ('undone_at', '=', None),
                        ])), {
                'undone_at': dt.datetime.now().replace(microsecond=0),
                'undone_by': Transaction().user or None,
                })

    # Look up

    @classmethod
    @without_check_access
    def reasons(cls, addresses):
        """
        Return a dictionary of the suppressions by suppressed address, as it is
        given.
        """
        normal = {a: normalize(a) for a in addresses}
        found = {
            s.address: s for s in cls.search([
                    ('address', 'in', sorted(set(normal.values()))),
                    ('undone_at', '=', None),
                    ], order=[('since', 'ASC'), ('id', 'ASC')])
            } if normal else {}
        return {a: found[n] for a, n in normal.items() if n in found}

    @classmethod
    def addresses_query(cls):
        "Return the SQL query of the suppressed addresses"
        table = cls.__table__()
        return table.select(table.address, where=table.undone_at == Null)

    @classmethod
    @without_check_access
    def suppress(cls, address, reason, at, record_activity=None, detail=None):
        "Suppress the address unless it already is"
        if not cls.reasons([address]):
            cls.create([{
                        'address': address,
                        'reason': reason,
                        'since': at.replace(microsecond=0),
                        'record_activity': record_activity,
                        'detail': detail,
                        }])

    @classmethod
    def count_soft(cls, address, at):
        """
        Return how many of the mails to the address had a soft bounce lately
        and since a user has undone its last suppression.
        """
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        _, duration = soft_limit()
        since = at - duration
        with without_check_access():
            for last in cls.search([
                        ('address', '=', normalize(address)),
                        ('undone_at', '>', since),
                        ], order=[('undone_at', 'DESC')], limit=1):
                since = last.undone_at
        cursor = Transaction().connection.cursor()
        table = RecordActivity.__table__()
        cursor.execute(*table.select(
                Count(Literal(1)),
                where=(table.email_address == normalize(address))
                & (table.email_bounce == 'soft')
                & (table.email_bounced_at > since)))
        count, = cursor.fetchone()
        return count


class PartySuppression:
    "Suppressed addresses of a party"
    __slots__ = ()

    marketing_suppressions = fields.Function(
        fields.Many2Many(
            'marketing.automation.suppression', None, None,
            "Suppressed E-Mail Addresses",
            help="The addresses of the party to which no scenario sends."),
        'get_marketing_suppressions')

    @classmethod
    def marketing_suppressed_query(cls):
        return Pool().get(
            'marketing.automation.suppression').addresses_query()

    @classmethod
    def get_marketing_suppressions(cls, parties, name):
        Suppression = Pool().get('marketing.automation.suppression')
        addresses = {
            p.id: {
                m.value for m in p.contact_mechanisms
                if m.type == 'email' and m.value}
            for p in parties}
        found = Suppression.reasons(set().union(*addresses.values()))
        return {
            id_: sorted({found[a].id for a in values if a in found})
            for id_, values in addresses.items()}
