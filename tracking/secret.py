# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Secrets: the keys that sign the links.
"""

import datetime as dt
import secrets

from sql.functions import CurrentTimestamp

from trytond.cache import MemoryCache
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard


class Secret(ModelSQL):
    "Key of the tokens in the public URLs"
    __name__ = 'marketing.automation.secret'

    number = fields.Integer("Number", required=True, readonly=True)
    key = fields.Char("Key", required=True, readonly=True)
    valid_until = fields.Timestamp("Valid Until", readonly=True)

    _keys_cache = MemoryCache('marketing.automation.secret', context=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # Even an administrator has no use for the keys
        cls.__rpc__.clear()
        t = cls.__table__()
        cls._sql_constraints += [
            ('number_unique', Unique(t, t.number),
                'marketing_automation.msg_secret_number_unique'),
            ]

    @classmethod
    def __register__(cls, module_name):
        super().__register__(module_name)
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(table.id, limit=1))
        if not cursor.fetchone():
            cursor.execute(*table.insert(
                    [table.create_uid, table.create_date,
                        table.number, table.key],
                    [[0, CurrentTimestamp(), 0, cls._new_key()]]))

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        cls._keys_cache.clear()

    @classmethod
    def rotate(cls, valid_for):
        """
        Make a new key.

        The links signed with the former keys work for the time delta (or as
        long as it was decided before if this is shorter).
        """
        now = dt.datetime.now()
        limit = now + valid_for
        with without_check_access():
            cls.delete(cls.search([('valid_until', '<=', now)]))
            former = list(cls.search([], order=[('id', 'DESC')]))
            used = {s.number for s in former}
            start = former[0].number + 1 if former else 0
            number = next(
                n % 256 for n in range(start, start + 256)
                if n % 256 not in used)
            cls.write(
                [s for s in former
                    if not s.valid_until or s.valid_until > limit],
                {'valid_until': limit})
            cls.create([{'number': number, 'key': cls._new_key()}])

    @classmethod
    def current(cls):
        "Return the number and the key that sign"
        for number, key, valid_until in cls._rows():
            if valid_until is None:
                return number, key
        raise LookupError("no current secret")

    @classmethod
    def keys(cls):
        "Return a dictionary of the keys that are valid by number"
        now = dt.datetime.now()
        return {
            number: key for number, key, valid_until in cls._rows()
            if valid_until is None or valid_until > now}

    @classmethod
    def _new_key(cls):
        return secrets.token_hex(32)

    @classmethod
    def _rows(cls):
        rows = cls._keys_cache.get('rows')
        if rows is None:
            with without_check_access():
                rows = cls._keys_cache.set('rows', [
                        (s.number, s.key, s.valid_until)
                        for s in cls.search([], order=[('id', 'DESC')])])
        return rows


class RotateStart(ModelView):
    __name__ = 'marketing.automation.secret.rotate.start'

    days = fields.Integer(
        "Days", required=True,
        domain=[
            ('days', '>=', 0),
            ],
        help="How many days the links of the e-mails that have been sent "
        "still work.")

    @classmethod
    def default_days(cls):
        return 365


class Rotate(Wizard):
    __name__ = 'marketing.automation.secret.rotate'

    start = StateView(
        'marketing.automation.secret.rotate.start',
        'marketing_automation.secret_rotate_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Renew", 'rotate', 'tryton-ok', default=True),
            ])
    rotate = StateTransition()

    def transition_rotate(self):
        Secret = Pool().get('marketing.automation.secret')
        Secret.rotate(dt.timedelta(days=self.start.days))
        return 'end'
