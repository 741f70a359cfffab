# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Record activity: one step of one record.
"""

import datetime as dt

from sql import Conflict, Literal, Null, Select
from sql.functions import CurrentTimestamp

from trytond.model import (
    Index, ModelSQL, ModelView, Unique, dualmethod, fields)
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from ..common.sql import cached_query
from .reason import REASONS


class RecordActivity(ModelSQL, ModelView):
    "Step of a record: an activity with its state and date"
    __name__ = 'marketing.automation.record.activity'

    record = fields.Many2One(
        'marketing.automation.record', "Record", required=True, readonly=True,
        ondelete='CASCADE')
    activity = fields.Many2One(
        'marketing.automation.activity', "Activity", required=True,
        readonly=True, ondelete='CASCADE')
    activity_action = fields.Function(
        fields.Selection('get_activity_actions', "Activity Action"),
        'on_change_with_activity_action')
    at = fields.DateTime(
        "At", readonly=True,
        help="When the activity is due. Empty as long as its event has not "
        "happened.")
    email_opened = fields.Boolean("E-Mail Opened", readonly=True)
    email_opened_at = fields.DateTime("E-Mail Opened at", readonly=True)
    email_clicked = fields.Boolean("E-Mail Clicked", readonly=True)
    email_clicked_at = fields.DateTime("E-Mail Clicked at", readonly=True)
    state = fields.Selection([
            ('waiting', "Waiting"),
            ('sending', "Sending"),
            ('done', "Done"),
            ('skipped', "Skipped"),
            ('cancelled', "Cancelled"),
            ('expired', "Expired"),
            ('failed', "Failed"),
            ], "State", required=True, readonly=True, sort=False)
    state_string = state.translated('state')
    reason = fields.Selection(
        REASONS, "Reason", readonly=True, sort=False,
        help="Why it ended without being done, or waits again.")
    reason_string = reason.translated('reason')
    detail = fields.Text(
        "Detail", readonly=True, states={'invisible': ~Eval('detail')},
        help="What the other side said.")
    ended_at = fields.DateTime(
        "Ended at", readonly=True,
        help="When it was done, or ended otherwise.")
    attempts = fields.Integer(
        "Attempts", readonly=True,
        help="How many times it was tried without success.")
    message_id = fields.Char("Message-ID", readonly=True, strip=False)
    claim = fields.Integer(
        "Claim", readonly=True,
        help="The batch that works on it.")
    claimed_at = fields.DateTime("Claimed at", readonly=True)
    test = fields.Boolean(
        "Test", readonly=True,
        help="If checked, it belongs to a test of the scenario and counts in "
        "no figure.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('activity_record_unique', Unique(t, t.activity, t.record),
                'marketing_automation.msg_activity_record_unique'),
            ]
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.activity, Index.Equality(cardinality='normal')),
                    (t.at, Index.Range()),
                    (t.id, Index.Range()),
                    where=t.state == 'waiting'),
                Index(t, (t.claim, Index.Range()), where=t.claim != Null),
                Index(t, (t.record, Index.Range())),
                })
        cls._order = [('at', 'DESC NULLS FIRST'), ('id', 'DESC')]
        cls._buttons.update({
                'on_email_opened': cls._event_button(
                    'send_email', 'email_opened'),
                'on_email_clicked': cls._event_button(
                    'send_email', 'email_clicked'),
                'retry': {
                    'invisible': (
                        (Eval('state') != 'failed')
                        & ~((Eval('state') == 'skipped')
                            & Eval('reason').in_(
                                sorted(cls._retryable_reasons())))),
                    'depends': ['state', 'reason'],
                    },
                'cancel': {
                    'invisible': Eval('state') != 'waiting',
                    'depends': ['state'],
                    },
                })

    @staticmethod
    def _event_button(action, event):
        "Return the attributes of the button that applies the event"
        return {
            'invisible': (
                (Eval('state') != 'done')
                | (Eval('activity_action') != action)),
            'readonly': Eval(event, False),
            'depends': ['state', 'activity_action', event],
            }

    @classmethod
    def _retryable_reasons(cls):
        "Return the set of the reasons for which a skipped one can be retried"
        return {'no_party', 'no_address'}

    @classmethod
    def default_state(cls):
        return 'waiting'

    @classmethod
    def default_email_opened(cls):
        return False

    @classmethod
    def default_email_clicked(cls):
        return False

    @classmethod
    def default_attempts(cls):
        return 0

    @classmethod
    def default_test(cls):
        return False

    @classmethod
    def get_activity_actions(cls):
        Activity = Pool().get('marketing.automation.activity')
        return Activity.get_parent_actions()

    @fields.depends('activity')
    def on_change_with_activity_action(self, name=None):
        return self.activity.action if self.activity else None

    def get_rec_name(self, name):
        return f'{self.activity.rec_name} - {self.record.rec_name}'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(
                    Eval('state') == 'failed', 'danger',
                    If(Eval('state').in_(
                            ['skipped', 'cancelled', 'expired']),
                        'muted', ''))),
            ('/form//group[@id="email"]', 'states', {
                    'invisible': Eval('activity_action') != 'send_email',
                    }),
            ]

    @classmethod
    def plan(cls, activity, records, at):
        """
        Plan the activity for the records.

        A record that has it already is left as it is.

        :param records: a query with exactly one column, the id of the table
            of the records.
        :param at: when it is due, None if that is not known yet.
        """
        record, = records.columns
        cls._insert_planned(activity, {
                'record': record,
                'activity': Literal(activity.id),
                'test': record.table.test,
                'at': Literal(at),
                'state': Literal('waiting'),
                'expire_at': Literal(
                    activity.expires_at(at, dt.datetime.now())),
                }, records.from_, records.where)

    @classmethod
    def _insert_planned(cls, activity, columns, from_, where):
        """
        Insert what waits for the activity and return the number of rows.

        :param columns: a dictionary of the SQL expression by column; those
            that are alike for all new rows are added.
        :param from_: the tables of the expressions.
        :param where: the SQL clause of the rows of these tables.
        """
        table = cls.__table__()
        columns = {
            **columns,
            'email_opened': Literal(False),
            'email_clicked': Literal(False),
            'attempts': Literal(0),
            'create_uid': Literal(0),
            'create_date': CurrentTimestamp(),
            }
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.insert(
                [getattr(table, n) for n in columns],
                Select(list(columns.values()), from_=from_, where=where),
                on_conflict=Conflict(
                    table, indexed_columns=[table.activity, table.record])))
        return cursor.rowcount

    @classmethod
    def cancel_records(cls, records, reason, now):
        "Cancel for the reason what waits for the records (ids)"
        Transaction().connection.cursor().execute(*cls._cancellation(
                records=records, reason=reason, now=now,
                spared=cls._spared_activities(reason) or None))

    @cached_query
    def _cancellation(cls, records, reason, now, spared):
        table = cls.__table__()
        in_ = fields.SQL_OPERATORS['in']
        where = (table.state == 'waiting') & in_(table.record, records)
        if spared:
            where &= ~(in_(table.activity, spared) & (table.at != Null))
        return table.update(
            [table.state, table.reason, table.ended_at],
            ['cancelled', reason, now],
            where=where)

    @classmethod
    def _spared_activities(cls, reason=None):
        """
        Return the list of the activities (ids) whose record activities with a
        date outlive the end of the record for the reason, or for any.
        """
        return []

    @classmethod
    @ModelView.button
    def retry(cls, record_activities):
        "Retry what has failed or had no address"
        cls._change(
            [r for r in record_activities if r.is_retryable],
            ['failed', 'skipped', 'expired'], {
                'state': 'waiting',
                'at': dt.datetime.now().replace(microsecond=0),
                'reason': None,
                'detail': None,
                'ended_at': None,
                'attempts': 0,
                })

    @classmethod
    @ModelView.button
    def cancel(cls, record_activities):
        "Cancel what waits"
        cls._change(record_activities, ['waiting'], {
                'state': 'cancelled',
                'reason': 'cancelled',
                'ended_at': dt.datetime.now().replace(microsecond=0),
                })

    @dualmethod
    @ModelView.button
    def on_email_opened(cls, record_activities):
        "Apply the event *opened* to the record activities"
        cls.apply_event('email_opened', record_activities)

    @dualmethod
    @ModelView.button
    def on_email_clicked(cls, record_activities):
        "Apply the event *clicked* to the record activities"
        cls.apply_event('email_clicked', record_activities)

    @classmethod
    def apply_event(cls, event, record_activities):
        now = dt.datetime.now()
        cls.apply_events([(r.id, event, now) for r in record_activities])
