# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Crowds: records that are only there to be many.

The first of a crowd is created as usual, the others are copies of its rows,
which costs a hundredth of it.
"""

import re
import uuid
from itertools import count, groupby

from sql import Table

from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

SLICE = 50


def _rows(table, column, id_):
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.select(where=getattr(table, column) == id_))
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def _insert(table, rows):
    "Insert the rows and return their ids, in the same order"
    transaction = Transaction()
    database, connection = transaction.database, transaction.connection
    cursor = connection.cursor()
    ids = []
    for some in grouped_slice(rows, SLICE):
        some = list(some)
        names = [n for n in some[0] if n != 'id']
        columns = [getattr(table, n) for n in names]
        values = [[row[n] for n in names] for row in some]
        # One more, as one alone is not a list
        new = database.nextid(
            connection, table._name, count=len(values) + 1)
        if new is None:
            query, _ = table.insert(columns, [values[0]])
            for value in values:
                cursor.execute(query, value)
                ids.append(database.lastid(cursor))
        else:
            ids += new[1:]
            cursor.execute(*table.insert(
                    [table.id, *columns],
                    [[i, *v] for i, v in zip(new[1:], values)]))
    # What has been read is read again, as after each creation
    transaction.counter += 1
    return ids


def copies(record, values):
    "Insert a copy of the row of the record with each of the values"
    table = record.__table__()
    row, = _rows(table, 'id', record.id)
    return _insert(table, [{**row, **v} for v in values])


def _copy_party(party, people, numbers):
    codes = [f'{party.code}-{next(numbers)}' for _ in people]
    ids = copies(party, [{
                'name': name,
                'code': code,
                'code_alnum': re.sub(r'[\W_]', '', code),
                'code_digit': int(re.sub(r'\D', '', code)[-18:]),
                } for (name, _), code in zip(people, codes)])
    table = Table('party_party_lang')
    for row in _rows(table, 'party', party.id):
        _insert(table, [{**row, 'party': id_} for id_ in ids])
    for mechanism in party.contact_mechanisms:
        addresses = []
        for id_, (_, address) in zip(ids, people):
            value = mechanism.format_value(value=address, type_='email')
            addresses.append({
                    'party': id_,
                    'value': value,
                    'value_compact': mechanism.format_value_compact(
                        value=value, type_='email'),
                    })
        copies(mechanism, addresses)
    return ids


def create_crowd(people, **values):
    """
    Create a party for each pair of a name and an e-mail address, or None, and
    return their list.
    """
    Party = Pool().get('party.party')
    numbers = count(1)
    firsts, ids = {}, []
    for has_address, group in groupby(people, lambda person: bool(person[1])):
        group = list(group)
        if has_address not in firsts:
            name, address = group.pop(0)
            firsts[has_address], = Party.create([{
                        'name': name,
                        'contact_mechanisms': [('create', [{
                                        'type': 'email', 'value': address,
                                        }])] if address else None,
                        **values,
                        }])
            ids.append(firsts[has_address].id)
        ids += _copy_party(firsts[has_address], group, numbers)
    return Party.browse(ids)


def enter_crowd(scenario, targets, **values):
    "Create a record in the scenario for each of the targets"
    Record = Pool().get('marketing.automation.record')
    first, *others = targets
    record, = Record.create([{
                'scenario': scenario.id, 'record': str(first), **values}])
    return Record.browse([record.id, *copies(record, [{
                    'record': str(target),
                    'uuid': uuid.uuid4().hex,
                    } for target in others])])


def plan_crowd(activity, records, **values):
    "Create a record activity of the activity for each of the records"
    RecordActivity = Pool().get('marketing.automation.record.activity')
    first, *others = records
    record_activity, = RecordActivity.create([{
                'record': first.id, 'activity': activity.id, **values}])
    return RecordActivity.browse([
            record_activity.id,
            *copies(record_activity, [{'record': r.id} for r in others])])
