# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Unicity: only one of the targets with the same value enters a scenario.

The value is kept on the record as its key, which is unique per scenario in
the database: also processes that work at the same time agree.
"""

from sql import Literal, Null
from sql.aggregate import Min

from trytond.model import Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction, check_access

from ..common.domain import check_fields
from ..common.error import raise_as
from ..common.sql import SLICE, exists_by_index, opaque_id, values_table
from ..exceptions import UnicityError
from . import key

# How many fields are proposed
_PROPOSED = 50


class ScenarioUnicity:
    "Field of which each value enters a scenario only once"
    __slots__ = ()

    unicity = fields.Char(
        "Unicity",
        help="The field, like code or party.email, of which each value enters "
        "only once.\n"
        "Upper and lower case are the same, and empty values do not count.")

    @fields.depends('model', 'unicity')
    def autocomplete_unicity(self):
        if not self.model:
            return []
        Model = Pool().get(self.model)
        typed = (self.unicity or '').lower()
        return [
            path for path in key.paths(Model)
            if typed in path.lower()][:_PROPOSED]

    @classmethod
    def validate_fields(cls, scenarios, field_names):
        super().validate_fields(scenarios, field_names)
        cls.check_unicity(scenarios, field_names)

    @classmethod
    def check_unicity(cls, scenarios, field_names=None):
        "Ensure that the field can be compared, and read by who saves it"
        if field_names and not (field_names & {'model', 'unicity'}):
            return
        for scenario in scenarios:
            if not scenario.unicity:
                continue
            with raise_as(
                    UnicityError, 'msg_scenario_unicity_invalid',
                    scenario=scenario.rec_name, unicity=scenario.unicity):
                scenario._check_unicity()

    def _check_unicity(self):
        Model = Pool().get(self.model)
        with check_access():
            check_fields(Model, [(self.unicity, '=', None)])
        key.check(Model, self.unicity)

    @classmethod
    def on_modification(cls, mode, scenarios, field_names=None):
        super().on_modification(mode, scenarios, field_names=field_names)
        if mode == 'write' and 'unicity' in field_names:
            Record = Pool().get('marketing.automation.record')
            for scenario in scenarios:
                Record.set_keys(scenario)


class RecordUnicity:
    "Key of a record that is unique in its scenario"
    __slots__ = ()

    unicity = fields.Char(
        "Unicity", readonly=True, strip=False,
        help="What is unique in the scenario.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('scenario_unicity_unique', Unique(t, t.scenario, t.unicity),
                'marketing_automation.msg_record_scenario_unicity_unique'),
            ]

    @classmethod
    def copy(cls, records, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('unicity')
        return super().copy(records, default=default)

    # Enter

    @classmethod
    def _insert(cls, scenario, domain, **values):
        if not scenario.unicity or values.get('test'):
            return super()._insert(scenario, domain, **values)
        key.prepare()
        if cls._has_sql_key(scenario):
            return super()._insert(scenario, domain, **values)
        return cls._insert_read(scenario, domain, values)

    @classmethod
    def _insert_read(cls, scenario, domain, values):
        "Insert the records whose values have to be read to be compared"
        Target = Pool().get(scenario.model)
        target = Target.__table__()
        cursor = Transaction().connection.cursor()
        count, last_id = 0, 0
        # What SQL does not know can not be compared before it is read
        values = {**values, 'keys': {}}
        while True:
            cursor.execute(*target.select(
                    target.id,
                    where=cls._enter_where(scenario, target, **values)
                    & target.id.in_(cls._enter_query(
                            scenario, [domain, ('id', '>', last_id)])),
                    order_by=[target.id.asc], limit=SLICE))
            ids = [id_ for id_, in cursor]
            if not ids:
                return count
            count += super()._insert(
                scenario, [domain, ('id', 'in', ids)],
                **{**values, 'keys': key.read(Target, ids, scenario.unicity)})
            last_id = ids[-1]

    @classmethod
    def _enter_from(cls, scenario, domain):
        if not scenario.unicity:
            return super()._enter_from(scenario, domain)
        # The key is made of the other columns
        target = Pool().get(scenario.model).__table__()
        return target, target.id.in_(cls._enter_query(scenario, domain))

    @classmethod
    def _has_sql_key(cls, scenario):
        Target = Pool().get(scenario.model)
        return key.expression(
            Target, Target.__table__(), scenario.unicity) is not None

    @classmethod
    def _key(cls, scenario, target, keys=None):
        """
        Return the SQL expression of the key of the target.

        :param keys: the dictionary of the keys by id if they have been read.
        """
        if keys is None:
            return key.expression(
                Pool().get(scenario.model), target, scenario.unicity)
        elif not keys:
            return Null
        values = values_table(list(keys.items()), ['INTEGER', 'VARCHAR'])
        return values.select(
            values.column2, where=values.column1 == target.id)

    @classmethod
    def _enter_columns(cls, scenario, target, **values):
        columns = super()._enter_columns(scenario, target, **values)
        if scenario.unicity and not values.get('test'):
            columns['unicity'] = cls._key(
                scenario, target, values.get('keys'))
        return columns

    @classmethod
    def _enter_where(cls, scenario, target, **values):
        where = super()._enter_where(scenario, target, **values)
        if (scenario.unicity and not values.get('test')
                and values.get('keys') != {}):
            where &= ~cls._is_taken(scenario, cls._key(
                    scenario, target, values.get('keys')))
        return where

    @classmethod
    def _is_taken(cls, scenario, expression):
        "Return the SQL clause whether the key has entered"
        taken = cls.__table__()
        return exists_by_index(
            taken,
            (taken.scenario == opaque_id(scenario.id))
            & (taken.unicity == expression))

    @classmethod
    def taken(cls, scenario, ids):
        "Return the targets (ids) whose value has entered"
        if not scenario.unicity:
            return set()
        Target = Pool().get(scenario.model)
        target = Target.__table__()
        keys = None
        key.prepare()
        if not cls._has_sql_key(scenario):
            keys = key.read(Target, ids, scenario.unicity)
        cursor = Transaction().connection.cursor()
        cursor.execute(*target.select(
                target.id,
                where=fields.SQL_OPERATORS['in'](target.id, list(ids))
                & cls._is_taken(scenario, cls._key(scenario, target, keys))))
        return {id_ for id_, in cursor}

    # Another field

    @classmethod
    def set_keys(cls, scenario):
        """
        Compute the keys of the records of the scenario again.

        If several have the same value, the first that entered has the key.
        """
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.update(
                [table.unicity], [Null],
                where=(table.scenario == scenario.id)
                & (table.unicity != Null)))
        if not scenario.unicity:
            return
        key.prepare()
        if cls._has_sql_key(scenario):
            cls._set_keys(scenario)
            return
        last_id = 0
        reference = cls.record.sql_id(table.record, cls)
        while True:
            cursor.execute(*table.select(
                    table.id, reference,
                    where=(table.scenario == scenario.id)
                    & (table.test == Literal(False))
                    & (table.id > last_id),
                    order_by=[table.id.asc], limit=SLICE))
            rows = cursor.fetchall()
            if not rows:
                return
            cls._set_keys(scenario, key.read(
                    Pool().get(scenario.model), [t for _, t in rows],
                    scenario.unicity))
            last_id = rows[-1][0]

    @classmethod
    def _set_keys(cls, scenario, keys=None):
        if keys == {}:
            return
        Target = Pool().get(scenario.model)
        table, record = cls.__table__(), cls.__table__()
        target = Target.__table__()
        where = (
            (record.scenario == scenario.id)
            & (record.test == Literal(False)))
        if keys is not None:
            where &= fields.SQL_OPERATORS['in'](target.id, list(keys))
        valued = record.join(target, condition=(
                target.id == cls.record.sql_id(record.record, cls))
            ).select(
                record.id.as_('id'),
                cls._key(scenario, target, keys).as_('value'),
                where=where)
        first = valued.select(
            Min(valued.id).as_('id'), valued.value.as_('value'),
            where=(valued.value != Null)
            & ~cls._is_taken(scenario, valued.value),
            group_by=[valued.value])
        Transaction().connection.cursor().execute(*table.update(
                [table.unicity], [first.value],
                from_=[first],
                where=table.id == first.id))
