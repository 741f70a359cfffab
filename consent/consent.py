# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Consent: log of what the parties stopped and resumed.
"""

import datetime as dt

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from ..common.orm import clear_cache
from ..common.sql import SLICE, cached_query

__all__ = ['COMMENT', 'pause_days']

# How long a recipient can undo what he did
_UNDO = dt.timedelta(days=1)
# How many entries a recipient can make meanwhile
_UNDO_ENTRIES = 20
COMMENT = 500

SCOPES = [
    ('scenario', "Scenario"),
    ('all', "All Marketing"),
    ('pause', "Pause"),
    ('tracking', "Tracking"),
    ]
REASONS = [
    (None, ""),
    ('too_many', "Too many e-mails"),
    ('irrelevant', "Not interesting"),
    ('unasked', "Never asked for"),
    ('other', "Another reason"),
    ]
# What a user may claim about how a change was made
_CLAIMS = {'import', 'merge'}


def pause_days():
    return max(config.getint('marketing', 'pause_days', default=30), 1)


class Consent(ModelSQL, ModelView):
    """
    Entry of the log of consent.

    Entries are only added: what undoes one is another one.
    """
    __name__ = 'marketing.automation.consent'

    party = fields.Many2One(
        'party.party', "Party", required=True, readonly=True,
        ondelete='CASCADE')
    at = fields.Timestamp("At", required=True, readonly=True)
    change = fields.Selection([
            ('stopped', "Stopped"),
            ('resumed', "Resumed"),
            ], "Change", required=True, readonly=True, sort=False)
    change_string = change.translated('change')
    scope = fields.Selection(
        SCOPES, "Scope", required=True, readonly=True, sort=False,
        help="What was stopped or resumed.")
    scope_string = scope.translated('scope')
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True,
        ondelete='SET NULL',
        states={
            'invisible': Eval('scope') != 'scenario',
            })
    until = fields.DateTime(
        "Until", readonly=True,
        states={
            'invisible': ~Eval('until'),
            })
    how = fields.Selection([
            ('link', "Link in an e-mail"),
            ('one-click', "Button of the mail program"),
            ('marketer', "User"),
            ('import', "Import"),
            ('merge', "Merge of parties"),
            ('system', "System"),
            ], "How", required=True, readonly=True, sort=False)
    user = fields.Function(
        fields.Char(
            "User",
            states={
                'invisible': ~Eval('how').in_(['marketer', 'import', 'merge']),
                }),
        'get_user')
    reason = fields.Selection(
        REASONS, "Reason", readonly=True, sort=False,
        help="Why, in the words of the recipient.")
    comment = fields.Text("Comment", readonly=True)
    record = fields.Many2One(
        'marketing.automation.record', "Record", readonly=True,
        ondelete='SET NULL',
        help="The record for which the e-mail was sent.")
    undoes = fields.Many2One(
        'marketing.automation.consent', "Undoes", readonly=True,
        ondelete='SET NULL',
        help="The entry that the recipient has undone.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.party, Index.Equality(cardinality='high')),
                    (t.at, Index.Range(order='DESC'))),
                Index(t, (t.record, Index.Equality(cardinality='high'))),
                Index(t, (t.undoes, Index.Equality(cardinality='high'))),
                })
        cls._order = [('at', 'DESC'), ('id', 'DESC')]

    def get_user(self, name):
        return self.create_uid.rec_name if self.create_uid else None

    def get_rec_name(self, name):
        scenario = self.scenario.rec_name if self.scenario else None
        return ' - '.join(filter(None, [
                    self.change_string, self.scope_string, scenario]))

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        super().check_modification(
            mode, records, values=values, external=external)
        if external and mode != 'create':
            raise AccessError(gettext(
                    'marketing_automation.msg_consent_append_only'))

    # Add

    @classmethod
    @without_check_access
    def log(cls, changes):
        """
        Add an entry for each of the changes, dictionaries of the party, the
        change, the scope and its other fields.

        How it was made comes from the key `marketing_consent` of the context,
        a dictionary of values.
        """
        if changes:
            details = cls._details()
            now = dt.datetime.now()
            cls._insert([{**c, **details, 'at': now} for c in changes])

    @classmethod
    def _insert(cls, rows):
        "Insert the rows, all with the same keys"
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        names = *rows[0], 'create_uid', 'create_date'
        values = {
            'create_uid': transaction.user, 'create_date': dt.datetime.now()}
        for sub_rows in grouped_slice(rows, SLICE):
            cursor.execute(*cls._insertion(names, rows=[
                        [{**r, **values}[n] for n in names]
                        for r in sub_rows]))
        clear_cache(cls)

    @cached_query
    def _insertion(cls, names, rows):
        table = cls.__table__()
        return table.insert([getattr(table, n) for n in names], rows)

    @classmethod
    def _details(cls):
        transaction = Transaction()
        details = transaction.context.get('marketing_consent') or {}
        if transaction.user == 0:
            return {'how': 'system', **details}
        # Users choose the context of their requests
        how = details.get('how')
        return {'how': how if how in _CLAIMS else 'marketer'}

    # Recipients

    @classmethod
    def stop(cls, record, scope, how, reason=None, comment=None):
        """
        Stop the scope for the recipient of the record.

        It may be called any number of times, also for what has been deleted.

        :param record: the id of the record.
        :param scope: `scenario`, `all` or `pause`, with mailing lists also
            `list`.
        :param how: `link` or `one-click`.
        :return: if there is the record.
        """
        Record = Pool().get('marketing.automation.record')
        if not (subject := Record.subject(record)):
            return False
        with Transaction().set_context(marketing_consent={
                    'how': how,
                    'record': record,
                    **cls._words(reason, comment),
                    }):
            if cls._is_recipient(subject):
                cls._stop(subject, scope)
                cls._stopped(subject, scope)
            else:
                # It concerns only the one who got the mail
                Record.end([subject.record], 'unsubscribed', blocked=True)
        return True

    @classmethod
    def _is_recipient(cls, subject):
        """
        Return if who got the mail of the record is the party it is about, and
        so may speak for the subject.
        """
        return True

    @classmethod
    def _stop(cls, subject, scope):
        "Stop the scope for the subject of a record"
        Record = Pool().get('marketing.automation.record')
        if subject.party:
            getattr(cls, f'_stop_{scope}')(subject)
        else:
            Record.end([subject.record], 'unsubscribed', blocked=True)

    @classmethod
    def _stopped(cls, subject, scope):
        "Do what follows once the scope is stopped for the subject"

    @classmethod
    def _words(cls, reason, comment):
        """
        Return the values of the reason and of the comment, as far as they can
        be stored.
        """
        return {
            'reason': reason if reason in dict(REASONS) else None,
            'comment': ' '.join((comment or '').split())[:COMMENT] or None,
            }

    @classmethod
    def _stop_scenario(cls, subject):
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Unsubscribed = pool.get(
            'party.party-unsubscribed-marketing.automation.scenario')
        if Unsubscribed.add(subject.party, subject.scenario):
            cls.log([{
                        'party': subject.party,
                        'change': 'stopped',
                        'scope': 'scenario',
                        'scenario': subject.scenario,
                        }])
        Record.end(
            Record.find_by_subject(subject), 'unsubscribed', blocked=True)

    @classmethod
    def _stop_all(cls, subject):
        pool = Pool()
        Party = pool.get('party.party')
        Record = pool.get('marketing.automation.record')
        party = Party(subject.party)
        if not party.marketing_refused:
            Party.write([party], {'marketing_refused': True})
        else:
            Record.end_parties([party.id], 'no_marketing')

    @classmethod
    def _stop_pause(cls, subject):
        Party = Pool().get('party.party')
        party = Party(subject.party)
        until = dt.datetime.now().replace(microsecond=0) + dt.timedelta(
            days=pause_days())
        paused_until = party.marketing_paused_until
        # The same again is no change
        if not paused_until or paused_until < until - _UNDO:
            Party.write([party], {'marketing_paused_until': until})

    @classmethod
    def last(cls, record):
        """
        Return the number and the entry of the last change that the recipient
        of the record (id) can undo, or None.
        """
        entries = cls._entries(record)
        for number, entry in reversed(list(enumerate(entries, 1))):
            if entry._is_undoable and not entry._is_undone:
                return number, entry

    @classmethod
    def undo(cls, record, number):
        """
        Undo the entry of the number that the recipient of the record (id)
        made, and return it, or None if that is not possible.

        It may be called any number of times.
        """
        entries = cls._entries(record)
        if not 1 <= number <= len(entries):
            return
        entry = entries[number - 1]
        if entry._is_undone:
            return entry
        recent = [e for e in entries if e.at > dt.datetime.now() - _UNDO]
        if not entry._is_undoable or len(recent) > _UNDO_ENTRIES:
            return
        with Transaction().set_context(marketing_consent={
                    'how': 'link',
                    'record': record,
                    'undoes': entry.id,
                    }):
            getattr(entry, f'_undo_{entry.scope}')()
        return entry

    @classmethod
    def _entries(cls, record):
        return list(cls.search(
                [('record', '=', record)], order=[('id', 'ASC')]))

    @property
    def _is_undoable(self):
        return (
            self.change == 'stopped'
            # Undoing the second of two pauses restores the first
            and not self.undoes
            and self.scope in {'scenario', 'all', 'pause'}
            and self.at > dt.datetime.now() - _UNDO)

    @property
    def _is_undone(self):
        return bool(self.__class__.search(
                [('undoes', '=', self.id)], limit=1, order=[]))

    def _undo_scenario(self):
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        Unsubscribed = pool.get(
            'party.party-unsubscribed-marketing.automation.scenario')
        if not self.scenario:
            return
        Unsubscribed.delete(list(Unsubscribed.search([
                        ('party', '=', self.party.id),
                        ('scenario', '=', self.scenario.id),
                        ])))
        Record.revive(
            self.party.id, 'unsubscribed', self.at, self.scenario.id)

    def _undo_all(self):
        pool = Pool()
        Party = pool.get('party.party')
        Record = pool.get('marketing.automation.record')
        Party.write([self.party], {'marketing_refused': False})
        Record.revive(self.party.id, 'no_marketing', self.at)

    def _undo_pause(self):
        Party = Pool().get('party.party')
        Party.write([self.party], {
                'marketing_paused_until': self._former_pause})

    @property
    def _former_pause(self):
        "The end of the pause before the entry, None if there was none"
        for former in self.__class__.search([
                    ('party', '=', self.party.id),
                    ('scope', '=', 'pause'),
                    ('id', '<', self.id),
                    ], order=[('id', 'DESC')], limit=1):
            if former.until and former.until > dt.datetime.now():
                return former.until
