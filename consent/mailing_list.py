# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Consent of subscribed addresses.
"""

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import inactive_records


class Consent(metaclass=PoolMeta):
    __name__ = 'marketing.automation.consent'

    mailing_list = fields.Many2One(
        'marketing.email.list', "Mailing List", readonly=True,
        ondelete='SET NULL',
        states={
            'invisible': Eval('scope') != 'list',
            })

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.scope.selection.append(('list', "Mailing List"))

    def get_rec_name(self, name):
        rec_name = super().get_rec_name(name)
        if self.mailing_list:
            rec_name += f' - {self.mailing_list.rec_name}'
        return rec_name

    @classmethod
    def _stop(cls, subject, scope):
        pool = Pool()
        Email = pool.get('marketing.email')
        Record = pool.get('marketing.automation.record')
        if subject.model == 'marketing.email':
            with inactive_records():
                email = Email(subject.target)
            if scope == 'list':
                return cls._stop_list(email)
            if not subject.party:
                Record.end(
                    Record.find_by_address(email.email, subject.scenario),
                    'unsubscribed', blocked=True)
        if scope != 'list':
            super()._stop(subject, scope)

    @classmethod
    def _stop_list(cls, email):
        pool = Pool()
        Email = pool.get('marketing.email')
        Record = pool.get('marketing.automation.record')
        Email.write([email], {'active': False})
        Record.end(
            [r.id for r in Record.search([('record', '=', str(email))])],
            'unsubscribed', blocked=True)


class Email(metaclass=PoolMeta):
    __name__ = 'marketing.email'

    @classmethod
    def on_modification(cls, mode, emails, field_names=None):
        super().on_modification(mode, emails, field_names=field_names)
        if mode == 'create':
            cls._log_subscription([e for e in emails if e.active])

    @classmethod
    def on_write(cls, emails, values):
        callbacks = super().on_write(emails, values)
        if 'active' in values:
            changed = [
                e.id for e in emails
                if bool(e.active) != bool(values['active'])]
            callbacks.append(
                lambda: cls._log_subscription(cls.browse(changed)))
        return callbacks

    @classmethod
    def _log_subscription(cls, emails):
        "Keep the proof of what the parties have subscribed and left"
        Consent = Pool().get('marketing.automation.consent')
        Consent.log([{
                    'party': email.marketing_party.id,
                    'change': 'resumed' if email.active else 'stopped',
                    'scope': 'list',
                    'mailing_list': email.list_.id,
                    } for email in emails if email.marketing_party])


class Record(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'

    @classmethod
    def find_by_address(cls, address, scenario):
        "Return the ids of the records of the subscribed address"
        Email = Pool().get('marketing.email')
        with inactive_records():
            emails = Email.search([('email', '=', address)], order=[])
        return [r.id for r in cls.search([
                    ('scenario', '=', scenario),
                    ('record', 'in', [str(e) for e in emails]),
                    ], order=[])]


class Unsubscribe(metaclass=PoolMeta):
    __name__ = 'marketing.automation.unsubscribe'

    @classmethod
    def _choices(cls, record):
        choices = super()._choices(record)
        if cls._mailing_list(record):
            choices.insert(1, 'list')
        return choices

    @classmethod
    def _mailing_list(cls, record):
        target = record.target if record else None
        if target and target.__name__ == 'marketing.email':
            return target.list_

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        mailing_list = cls._mailing_list(context['record'])
        context['mailing_list'] = (
            mailing_list.rec_name if mailing_list else None)
        return context
