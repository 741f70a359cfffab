# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Bounces and complaints: their effects on record activities and addresses.

They are called by :mod:`mail.inbound.inbound_email`, or by any other source.
"""

from sql import Null
from sql.conditionals import Coalesce

from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ...common.orm import clear_cache
from ...consent.suppression import normalize, soft_limit

_DETAIL = 250


class RecordActivityBounce:
    "Address and bounce of the e-mail of a record activity"
    __slots__ = ()

    email_address = fields.Char(
        "E-Mail Address", readonly=True,
        states={
            'invisible': Eval('activity_action') != 'send_email',
            },
        help="The address to which the e-mail was sent.")
    email_bounce = fields.Selection([
            (None, ""),
            ('hard', "Hard"),
            ('soft', "Soft"),
            ], "Bounce", readonly=True, sort=False,
        states={
            'invisible': ~Eval('email_bounce'),
            },
        help="Hard: the address does not exist. Soft: the e-mail could not "
        "be delivered for another reason.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t, (t.email_address, Index.Equality(cardinality='high')),
                    where=t.email_bounce != Null),
                Index(
                    t, (t.message_id, Index.Equality(cardinality='high')),
                    where=t.message_id != Null),
                })

    @classmethod
    def _retryable_reasons(cls):
        return super()._retryable_reasons() | {'suppressed'}

    # Sending

    @classmethod
    def _sending_values(cls, message):
        return {
            **super()._sending_values(message),
            'email_address': (
                normalize(message.recipient) if '@' in message.recipient
                else None),
            }

    @classmethod
    def _stored_mail(cls, outcomes, now, handed_over):
        if handed_over:
            refused = {
                id_: o.detail for id_, o in outcomes.items()
                if o.reason == 'mailbox_unknown'}
            cls._update(list(refused), {'email_bounce': 'hard'})
            cls.refused(list(refused), 'email_bounced', now)
            for id_, detail in refused.items():
                cls._suppress(id_, 'hard_bounce', now, detail)

    # What comes back

    @classmethod
    def bounced(cls, id_, hard, at, detail=None):
        """
        Apply that the mail of the record activity (id) could not be
        delivered: hard if the address does not exist.

        It may be called any number of times.
        """
        Suppression = Pool().get('marketing.automation.suppression')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        at = at.replace(microsecond=0)
        former = ['hard'] if hard else ['hard', 'soft']
        cursor.execute(*table.update(
                [table.email_bounce, table.detail],
                ['hard' if hard else 'soft', (detail or '')[:_DETAIL] or None],
                where=(table.id == id_)
                & table.state.in_(['sending', 'done'])
                & ~Coalesce(table.email_bounce, '').in_(former)))
        if not cursor.rowcount:
            return
        clear_cache(cls)
        cls.apply_events([(id_, 'email_bounced', at)])
        if hard:
            cls._suppress(id_, 'hard_bounce', at, detail)
            return
        limit, _ = soft_limit()
        address = cls._address_of(id_)
        if limit > 0 and address and (
                Suppression.count_soft(address, at) >= limit):
            cls._suppress(id_, 'soft_bounces', at, detail)

    @classmethod
    def complained(cls, id_, at, detail=None):
        """
        Apply that the recipient complained about the mail of the record
        activity (id).

        Nothing is sent to the address any more, and the record has ended.
        It may be called any number of times.
        """
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Suppression = pool.get('marketing.automation.suppression')
        with inactive_records(), without_check_access():
            known = Suppression.search([
                    ('record_activity', '=', id_),
                    ('reason', '=', 'complaint'),
                    ], limit=1)
            found = cls.search([
                    ('id', '=', id_),
                    ('state', 'in', ['sending', 'done']),
                    ])
        if known or not found:
            # A user may have undone it
            return
        cls._suppress(id_, 'complaint', at, detail)
        Record.end([found[0].record.id], 'complained', blocked=True)

    @classmethod
    def _suppress(cls, id_, reason, at, detail):
        Suppression = Pool().get('marketing.automation.suppression')
        if address := cls._address_of(id_):
            Suppression.suppress(
                address, reason, at, id_, (detail or '')[:_DETAIL] or None)

    @classmethod
    def _address_of(cls, id_):
        "Return the address to which the mail was sent"
        with inactive_records():
            record_activity = cls(id_)
            if address := record_activity.email_address:
                return address
            # It was sent by a former release
            target = record_activity.record.target
            if target and target.marketing_party:
                mechanism = target.marketing_emails([target])[target.id]
                return mechanism.value if mechanism else None

    @classmethod
    def of_message_ids(cls, message_ids):
        """
        Return the ids of the sent mails which have one of the Message-IDs, in
        their order.
        """
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        if not message_ids:
            return []
        cursor.execute(*table.select(
                table.message_id, table.id,
                where=fields.SQL_OPERATORS['in'](
                    table.message_id, list(message_ids))
                & table.state.in_(['sending', 'done'])))
        ids = dict(cursor.fetchall())
        return [ids[m] for m in message_ids if m in ids]
