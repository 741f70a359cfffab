# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Record: a target inside a scenario.
"""

import datetime as dt
import uuid

from sql import Literal, Null
from sql.conditionals import Case, Coalesce

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, dualmethod, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If, PYSONEncoder
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.orm import clear_cache
from ..common.sql import SLICE, cached_query
from ..exceptions import ScenarioError
from ..mixin import TargetReferenceMixin
from .add import RecordAdd
from .complete import RecordComplete
from .enter import RecordEnter
from .leave import RecordLeave
from .reason import REASONS
from .unicity import RecordUnicity

_COLUMNS = {'next_activity': 'activity', 'next_at': 'at'}


class Record(
        RecordAdd,
        RecordComplete,
        RecordUnicity,
        RecordLeave,
        RecordEnter,
        TargetReferenceMixin,
        ModelSQL,
        ModelView):
    """
    Record: a target inside a scenario.

    A slice is asked before those below it: records leave before
    others enter, and the key of unicity is added to the columns of the entry.
    """
    __name__ = 'marketing.automation.record'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", required=True,
        readonly=True, ondelete='RESTRICT')
    record = fields.Reference(
        "Record", selection='get_models', required=True, readonly=True)
    blocked = fields.Boolean(
        "Blocked", readonly=True,
        help="If checked, nothing more happens to the record.")
    end_reason = fields.Selection(
        REASONS, "End Reason", readonly=True, sort=False,
        help="Why nothing more happens to the record.")
    end_reason_string = end_reason.translated('end_reason')
    ended_at = fields.DateTime("Ended at", readonly=True)
    uuid = fields.Char("UUID", readonly=True, strip=False)
    test = fields.Boolean(
        "Test", readonly=True,
        help="If checked, it belongs to a test of the scenario and counts in "
        "no figure.")
    next_activity = fields.Function(
        fields.Many2One(
            'marketing.automation.activity', "Next Activity",
            states={'invisible': ~Eval('next_activity')},
            help="What is planned first; if nothing has a date, what waits "
            "for its event."),
        'get_next')
    next_at = fields.Function(
        fields.DateTime(
            "Next at", states={'invisible': ~Eval('next_activity')},
            help="When the next activity is due.\n"
            "Empty as long as its event has not happened."),
        'get_next')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('scenario_record_test_unique',
                Unique(t, t.scenario, t.record, t.test),
                'marketing_automation.msg_record_scenario_record_unique'),
            ('uuid_unique', Unique(t, t.uuid),
                'marketing_automation.msg_record_uuid_unique'),
            ]
        cls._order = [('id', 'DESC')]
        cls._buttons.update({
                'block': {
                    'invisible': (
                        Eval('blocked', False)
                        | ~Eval('end_reason').in_([None, 'completed'])),
                    'depends': ['blocked', 'end_reason'],
                    },
                'open_record': {},
                })

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        # Migration from the module of the Tryton project: without tests
        cls.__table_handler__(module).drop_constraint(
            'scenario_record_unique')

    @classmethod
    def default_blocked(cls):
        return False

    @classmethod
    def default_test(cls):
        return False

    def get_rec_name(self, name):
        if isinstance(self.record, ModelSQL) and self.record.id >= 0:
            return self.record.rec_name
        # It has been deleted or erased
        return f'({self.id})'

    @classmethod
    def search_rec_name(cls, name, clause):
        Scenario = Pool().get('marketing.automation.scenario')
        _, operator, value = clause
        return ['OR'] + [
            ('record.rec_name', operator, value, model)
            for model, _ in Scenario.get_models()]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(
                    Eval('blocked', False) | Eval('end_reason'),
                    'muted', '')),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('uuid'):
            values['uuid'] = uuid.uuid4().hex
        return values

    @classmethod
    def copy(cls, records, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('uuid')
        return super().copy(records, default=default)

    # End

    @dualmethod
    @ModelView.button
    def block(cls, records):
        "Block the records: nothing more happens to them"
        cls.end([r.id for r in records], 'blocked', blocked=True)

    @classmethod
    def end(cls, ids, reason, blocked=False):
        """
        End the records (ids) for the reason.

        What waits is cancelled; ending twice keeps the first reason.
        """
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')
        cursor = Transaction().connection.cursor()
        now = dt.datetime.now().replace(microsecond=0)
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            sub_ids = list(sub_ids)
            cursor.execute(*cls._ending(
                    blocked, ids=sub_ids, reason=reason, now=now))
            RecordActivity.cancel_records(sub_ids, reason, now)
        clear_cache(cls, RecordActivity)

    @cached_query
    def _ending(cls, blocked, ids, reason, now):
        table = cls.__table__()
        where = fields.SQL_OPERATORS['in'](table.id, ids)
        goes_on = (
            # What is completed may still be ended
            ((table.end_reason == Null) | (table.end_reason == 'completed'))
            # Those of the former module have no reason
            & (Coalesce(table.blocked, False) == Literal(False)))
        columns = [table.end_reason, table.ended_at]
        if not blocked:
            return table.update(columns, [reason, now], where=where & goes_on)
        values = [
            Case((goes_on, v), else_=c)
            for c, v in zip(columns, [reason, now])]
        return table.update(
            [*columns, table.blocked], [*values, True], where=where)

    @property
    def target(self):
        "The record that entered, None if it has been deleted"
        if isinstance(self.record, ModelSQL) and self.record.id >= 0:
            Target = self.record.__class__
            # A target that the user may not read exists nevertheless
            with without_check_access(), inactive_records():
                if Target.search([('id', '=', self.record.id)]):
                    return self.record

    @classmethod
    def from_uuid(cls, uuid):
        "Return the id of the record that old links name by its UUID"
        if uuid:
            for record in cls.search([('uuid', '=', uuid)], limit=1):
                return record.id

    @classmethod
    def get_next(cls, records, names):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        table = RecordActivity.__table__()
        cursor = Transaction().connection.cursor()
        result = {n: dict.fromkeys(map(int, records)) for n in names}
        for sub_records in grouped_slice(records, SLICE):
            # The first one is read last
            cursor.execute(*table.select(
                    table.record,
                    *[getattr(table, _COLUMNS[n]) for n in names],
                    where=fields.SQL_OPERATORS['in'](
                        table.record, [r.id for r in sub_records])
                    & table.state.in_(['waiting', 'sending']),
                    order_by=[table.at.desc.nulls_first, table.id.desc]))
            for record, *values in cursor:
                for name, value in zip(names, values):
                    result[name][record] = value
        return result

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_record(cls, records):
        for record in records:
            if not (target := record.target):
                raise ScenarioError(gettext(
                        'marketing_automation.msg_why_no_target',
                        record=record.rec_name))
            return {
                'name': record.rec_name,
                'res_model': target.__name__,
                'res_id': target.id,
                'pyson_domain': PYSONEncoder().encode(
                    [('id', '=', target.id)]),
                }
