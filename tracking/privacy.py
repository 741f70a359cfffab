# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Tracking: individually, anonymously or not at all.
"""

from collections import defaultdict

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..common.sql import SLICE, scalar_subquery


class Scenario(metaclass=PoolMeta):
    __name__ = 'marketing.automation.scenario'

    tracking = fields.Selection([
            ('individually', "Individually"),
            ('anonymously', "Anonymously"),
            ('none', "Not at all"),
            ], "Tracking", required=True, sort=False,
        help="Individually: it is known who opened and clicked which e-mail, "
        "and activities can follow.\n"
        "Anonymously: it is only known how many times.\n"
        "Not at all: the e-mails have plain links and no pixel.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        # Migration from the module of the Tryton project: it had no choice
        table_h.add_column(
            'tracking', cls.tracking.sql_type().base,
            default=lambda: 'individually')
        super().__register__(module)

    @classmethod
    def default_tracking(cls):
        return 'individually'

    @classmethod
    def validate_fields(cls, scenarios, field_names):
        super().validate_fields(scenarios, field_names)
        cls.check_tracking(scenarios, field_names)

    @classmethod
    def check_tracking(cls, scenarios, field_names=None):
        "Ensure that no activity waits for what is not known"
        Activity = Pool().get('marketing.automation.activity')
        if field_names and 'tracking' not in field_names:
            return
        with inactive_records():
            Activity.check_tracking(Activity.search([
                        ('scenario', 'in', [
                                s.id for s in scenarios
                                if s.tracking != 'individually']),
                        ('event', '!=', None),
                        ]))


class RecordActivityPrivacy:
    "Hits of recipients who are not tracked any more"
    __slots__ = ()

    @classmethod
    def apply_hits(cls, rows):
        # The mails sent before still have tracked links
        return super().apply_hits(cls._drop_untracked(rows))

    @classmethod
    def _drop_untracked(cls, rows):
        """
        Delete the hits of recipients who are not tracked any more, return the
        others.
        """
        Hit = Pool().get('marketing.automation.hit')
        untracked = cls._untracked({r.record_activity for r in rows})
        dropped = [r.id for r in rows if r.record_activity in untracked]
        table = Hit.__table__()
        cursor = Transaction().connection.cursor()
        for sub_ids in grouped_slice(dropped, SLICE):
            cursor.execute(*table.delete(
                    where=fields.SQL_OPERATORS['in'](
                        table.id, list(sub_ids))))
        return [r for r in rows if r.record_activity not in untracked]

    @classmethod
    @without_check_access
    def _untracked(cls, ids):
        "Return those of the ids that are not tracked individually"
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Scenario = pool.get('marketing.automation.scenario')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        record = Record.__table__()
        scenario = Scenario.__table__()
        untracked, targets = set(), defaultdict(lambda: defaultdict(list))
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            is_record = record.id == table.record
            rows = table.select(
                table.id,
                scalar_subquery(
                    record, record.record, is_record).as_('target'),
                scalar_subquery(
                    record, record.scenario, is_record).as_('scenario'),
                where=fields.SQL_OPERATORS['in'](table.id, list(sub_ids)))
            cursor.execute(*rows.join(
                    scenario, condition=rows.scenario == scenario.id
                    ).select(
                    rows.id, rows.target, scenario.model, scenario.tracking))
            for id_, target, model, how in cursor:
                if how != 'individually':
                    untracked.add(id_)
                else:
                    number = int(target.partition(',')[2])
                    targets[model][number].append(id_)
        for model, by_target in targets.items():
            try:
                Target = pool.get(model)
            except KeyError:
                # The module of the model is not active any more
                continue
            for sub_targets in grouped_slice(sorted(by_target), SLICE):
                with inactive_records():
                    found = Target.search([
                            ('id', 'in', list(sub_targets)),
                            ('marketing_party.marketing_do_not_track', '=',
                                True),
                            ], order=[])
                for target in found:
                    untracked.update(by_target[target.id])
        return untracked
