# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Sales as targets, and the date of the last sale of a party."

from sql.aggregate import Max

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .common.sql import SLICE, to_date
from .mixin import CompanyTargetMixin


class Sale(CompanyTargetMixin, metaclass=PoolMeta):
    __name__ = 'sale.sale'

    @classmethod
    def get_marketing_party(cls, sales, name):
        return {s.id: s.party.id if s.party else None for s in sales}

    @classmethod
    def search_marketing_party(cls, name, clause):
        return [('party' + clause[0][len(name):], *clause[1:])]

    @classmethod
    def marketing_access_groups(cls):
        return super().marketing_access_groups() | {'sale.group_sale'}


# The states in which a sale has been agreed upon
_BOUGHT = ['confirmed', 'processing', 'done']


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    last_sale_date = fields.Function(
        fields.Date(
            "Last Sale Date",
            help="When the party bought last."),
        'get_last_sale_date', searcher='search_last_sale_date')

    @classmethod
    def _last_sale_dates(cls):
        "Return the SQL query of the parties and the dates of their last sales"
        sale = Pool().get('sale.sale').__table__()
        return sale.select(
            sale.party.as_('party'),
            Max(sale.sale_date).as_('date'),
            where=sale.state.in_(_BOUGHT),
            group_by=[sale.party])

    @classmethod
    def get_last_sale_date(cls, parties, name):
        result = dict.fromkeys(map(int, parties))
        cursor = Transaction().connection.cursor()
        for ids in grouped_slice(list(result), SLICE):
            query = cls._last_sale_dates()
            query.where &= fields.SQL_OPERATORS['in'](
                query.from_[0].party, list(ids))
            cursor.execute(*query)
            result.update((party, to_date(date)) for party, date in cursor)
        return result

    @classmethod
    def search_last_sale_date(cls, name, clause):
        Sale = Pool().get('sale.sale')
        _, operator, value = clause
        party = cls.__table__()
        dates = cls._last_sale_dates()
        if isinstance(value, (list, tuple, set)):
            value = [Sale.sale_date.sql_format(v) for v in value]
        elif value is not None:
            value = Sale.sale_date.sql_format(value)
        query = party.join(
            dates, 'LEFT', condition=dates.party == party.id).select(
            party.id,
            where=fields.SQL_OPERATORS[operator](dates.date, value))
        return [('id', 'in', query)]
