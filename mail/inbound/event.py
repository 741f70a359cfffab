# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The events replied, bounced and unsubscribed of an e-mail.

Their source, whatever it is, calls `RecordActivity.apply_events`.
"""

import datetime as dt

from sql import Null
from sql.operators import Concat

from trytond.i18n import gettext
from trytond.model import ModelView, dualmethod, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, inactive_records

from ...common.orm import clear_cache
from ...common.sql import cached_query, exists_by_index, values_table
from ...exceptions import ActivityError

REPLIED = 'email_replied'
BOUNCED = 'email_bounced'
UNSUBSCRIBED = 'email_unsubscribed'
# The reasons which end a record because of what its recipient said
_LEAVING = {'unsubscribed', 'no_marketing', 'complained'}


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    @classmethod
    def _parent_action_events(cls):
        events = super()._parent_action_events()
        events.setdefault('send_email', []).extend(
            [REPLIED, BOUNCED, UNSUBSCRIBED])
        return events

    @classmethod
    def _event_names(cls):
        return {
            **super()._event_names(),
            REPLIED: (
                gettext('marketing_automation.msg_email_replied'),
                gettext('marketing_automation.msg_email_replied_not')),
            BOUNCED: (
                gettext('marketing_automation.msg_email_bounced'), None),
            UNSUBSCRIBED: (
                gettext('marketing_automation.msg_email_unsubscribed'), None),
            }

    @property
    def _follows_unsubscribed(self):
        "Whether it comes after an unsubscription, even from afar"
        activity = self
        while isinstance(activity, self.__class__):
            if activity.event == UNSUBSCRIBED:
                return True
            activity = activity.parent
        return False

    def survives(self, reason):
        return super().survives(reason) or (
            reason in _LEAVING
            and self.action not in self._recipient_actions()
            and self._follows_unsubscribed)

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_unsubscribed(activities, field_names)

    @classmethod
    def check_unsubscribed(cls, activities, field_names=None):
        "Ensure that nothing is said to who has unsubscribed"
        if field_names and not (field_names & {'parent', 'event', 'action'}):
            return
        for activity in activities:
            if (activity.action in cls._recipient_actions()
                    and activity._follows_unsubscribed):
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_unsubscribed',
                        activity=activity.rec_name))


class RecordActivityEvent:
    "Reply, bounce and unsubscription of the e-mail of a record activity"
    __slots__ = ()

    email_replied = fields.Boolean("E-Mail Replied", readonly=True)
    email_replied_at = fields.DateTime("E-Mail Replied at", readonly=True)
    email_bounced = fields.Boolean("E-Mail Bounced", readonly=True)
    email_bounced_at = fields.DateTime("E-Mail Bounced at", readonly=True)
    email_unsubscribed = fields.Boolean(
        "E-Mail Unsubscribed", readonly=True,
        help="Checked when the recipient unsubscribed by the e-mail.")
    email_unsubscribed_at = fields.DateTime(
        "E-Mail Unsubscribed at", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        for event in [REPLIED, BOUNCED]:
            cls._buttons[f'on_{event}'] = cls._event_button(
                'send_email', event)

    @dualmethod
    @ModelView.button
    def on_email_replied(cls, record_activities):
        "Apply that the recipients replied to the mails"
        cls.apply_event(REPLIED, record_activities)

    @dualmethod
    @ModelView.button
    def on_email_bounced(cls, record_activities):
        "Apply that the mails could not be delivered"
        cls.apply_event(BOUNCED, record_activities)

    @classmethod
    def _implied_events(cls):
        events = super()._implied_events()
        events.setdefault(REPLIED, set()).add('email_opened')
        return events

    @classmethod
    def _resolving_events(cls):
        return {
            **super()._resolving_events(),
            BOUNCED: 'bounced',
            }

    # Unsubscribe

    @classmethod
    def unsubscribed(cls, record, at):
        """
        Apply that the recipient of the record (id) unsubscribed.

        It is an event of the last mail that the record got.
        """
        cursor = Transaction().connection.cursor()
        cursor.execute(*cls._last_mail(record=record))
        for id_, is_followed in cursor.fetchall():
            if is_followed:
                cls.apply_events([(id_, UNSUBSCRIBED, at)])
            else:
                cls._happen(UNSUBSCRIBED, {(id_,): at})
                clear_cache(cls)

    @cached_query
    def _last_mail(cls, record):
        "Return the query of the id and whether something follows the event"
        Activity = Pool().get('marketing.automation.activity')
        table, activity = cls.__table__(), Activity.__table__()
        child = Activity.__table__()
        return table.join(
            activity, condition=table.activity == activity.id).select(
            table.id,
            exists_by_index(
                child,
                (child.parent == Concat(f'{Activity.__name__},', activity.id))
                & (child.event == UNSUBSCRIBED)),
            where=(table.record == record)
            & (activity.action == 'send_email')
            & table.state.in_(['sending', 'done']),
            order_by=[table.ended_at.desc.nulls_first, table.id.desc],
            limit=1)

    @classmethod
    def _wake(cls, event, rows, children):
        super()._wake(event, rows, children)
        # The end of the record has cancelled what waits for it
        woken = [
            [record, child.id] for record, activity, *_ in rows
            for child in children.get(activity, [])
            if event == UNSUBSCRIBED and child.event == UNSUBSCRIBED]
        if woken:
            table = cls.__table__()
            values = values_table(woken, ['INTEGER', 'INTEGER'])
            Transaction().connection.cursor().execute(*table.update(
                    [table.state, table.reason, table.ended_at],
                    ['waiting', Null, Null],
                    from_=[values],
                    where=(table.record == values.column1)
                    & (table.activity == values.column2)
                    & (table.state == 'cancelled')
                    & (table.at == Null)
                    & table.reason.in_(sorted(_LEAVING))))

    @classmethod
    def _spared_activities(cls, reason=None):
        Activity = Pool().get('marketing.automation.activity')
        spared = super()._spared_activities(reason)
        if reason is None or reason in _LEAVING:
            cursor = Transaction().connection.cursor()
            cursor.execute(*cls._unsubscribed_activities())
            with inactive_records():
                activities = Activity.browse([id_ for id_, in cursor])
                while activities:
                    spared.extend(
                        a.id for a in activities
                        if a.action not in Activity._recipient_actions())
                    activities = Activity.search([
                            ('parent', 'in', [str(a) for a in activities]),
                            ])
        return spared

    @cached_query
    def _unsubscribed_activities(cls):
        table = Pool().get('marketing.automation.activity').__table__()
        return table.select(table.id, where=table.event == UNSUBSCRIBED)


class Consent(metaclass=PoolMeta):
    __name__ = 'marketing.automation.consent'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        how = ('email', "E-Mail")
        if how not in cls.how.selection:
            cls.how.selection.append(how)

    @classmethod
    def _stopped(cls, subject, scope):
        RecordActivity = Pool().get('marketing.automation.record.activity')
        super()._stopped(subject, scope)
        if scope != 'pause':
            RecordActivity.unsubscribed(subject.record, dt.datetime.now())
