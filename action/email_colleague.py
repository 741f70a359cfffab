# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that sends a mail to a colleague.
"""

from collections import defaultdict
from typing import NamedTuple

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import (
    active_records, check_access, without_check_access)

from ..common import field_path
from ..common.access import Refused, actors, is_offered
from ..common.address import AddressError, address_of, envelope_address, sender
from ..common.text import one_line
from ..common.transaction import is_database, is_transient
from ..exceptions import ActivityError
from ..mail import headers
from ..mail.draft import Draft
from ..mail.message import compose
from ..mail.smtp import Session
from ..outcome import OutgoingMessage, failed, skipped
from ..tracking import url

_PARTY = 'marketing_party'
_RELATIONS = {'res.user', 'company.employee', 'party.party'}


class Recipient(NamedTuple):
    address: str
    name: str
    language: str


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    _states = {
        'invisible': Eval('action') != 'email_colleague',
        }

    colleague = fields.Selection(
        'get_colleagues', "Colleague",
        states={
            **_states,
            'required': (
                (Eval('action') == 'email_colleague')
                & ~Eval('colleague_user')),
            },
        help="The field of the record that leads to the colleague.")
    colleague_user = fields.Many2One(
        'res.user', "User", ondelete='RESTRICT',
        states={
            **_states,
            'required': (
                (Eval('action') == 'email_colleague')
                & ~Eval('colleague')),
            },
        help="Who gets the e-mail if the field does not lead to anybody.")
    colleague_reply = fields.Boolean(
        "Reply to Party", states=_states,
        help="If checked, the colleague replies to the party of the record.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(
            ('email_colleague', "Send E-Mail to Colleague"))
        is_other = Eval('action') != 'email_colleague'
        for name in ['email_from', 'email_title', 'email_template']:
            states = getattr(cls, name).states
            states['invisible'] &= is_other
            if 'required' in states:
                states['required'] |= ~is_other

    @fields.depends('action', 'colleague', 'parent')
    def get_colleagues(self):
        selection = [(None, "")]
        scenario = self.root if self.parent else None
        if self.action != 'email_colleague' or not scenario:
            if self.colleague:
                selection.append((self.colleague, self.colleague))
            return selection
        Target = Pool().get(scenario.model)
        Party = Pool().get('party.party')
        selection += [
            (n, d['string']) for n, d in _definitions(Target).items()]
        if Target is not Party:
            label = Target.__names__(_PARTY)['field']
            selection += [
                (f'{_PARTY}.{n}', f"{label} / {d['string']}")
                for n, d in _definitions(Party).items()]
        return selection

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_colleague(activities, field_names)

    @classmethod
    def check_colleague(cls, activities, field_names=None):
        "Ensure that who saves and the virtual reader may read the path"
        if field_names and not (
                field_names & {'parent', 'action', 'colleague'}):
            return
        for activity in activities:
            if activity.action != 'email_colleague' or (
                    not activity.colleague):
                continue
            Target = Pool().get(activity.root.model)
            try:
                with check_access():
                    for access in actors(Target):
                        _check_path(Target, activity.colleague, access)
            except Refused as exception:
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_colleague',
                        activity=activity.rec_name,
                        field=activity.colleague,
                        error=str(exception))) from exception

    def check_ready(self):
        super().check_ready()
        if self.action == 'email_colleague':
            self.check_sender()

    # Execution

    def courier_email_colleague(self):
        return Session()

    def log_email_colleague(self, messages):
        self.log_send_email(messages)

    def execute_email_colleague(self, record_activities):
        """
        Return a dictionary of the message, or of the outcome if there is none,
        for each record activity.
        """
        recipients = self._colleagues(record_activities)
        replies = {}
        if self.colleague_reply:
            targets = [r.record.record for r in record_activities]
            replies = targets[0].__class__.marketing_emails(targets)
        outcomes, groups = {}, defaultdict(list)
        for record_activity in record_activities:
            recipient = recipients[record_activity.id]
            if isinstance(recipient, Recipient):
                groups[recipient.language].append(record_activity)
            else:
                outcomes[record_activity.id] = skipped(recipient)
        for language, group in groups.items():
            for mail in self._drafts(ColleagueMail, language, group):
                outcomes[mail.id] = mail.finish(
                    recipients[mail.id], replies.get(mail.target.id))
        return outcomes

    # The recipients

    @without_check_access
    def _colleagues(self, record_activities):
        "Return the recipient, or the reason of its lack, by record activity"
        targets = {r.id: r.record.record for r in record_activities}
        values = {}
        if self.colleague:
            values = field_path.follow(list(targets.values()), self.colleague)
        found = {
            id_: values.get(target.id) or self.colleague_user
            for id_, target in targets.items()}
        parties = self._internal_parties(found.values())
        strangers = self._strangers(
            {v for v in found.values() if isinstance(v, str)})
        Party = Pool().get('party.party')
        with active_records():
            records = Party.browse(sorted(set(parties.values())))
        mechanisms = Party.marketing_emails(records)
        languages = Party.marketing_languages(records)
        recipients = {}
        for id_, value in found.items():
            recipient = None
            if isinstance(value, str):
                recipient = Recipient(value.strip(), '', None)
                if value in strangers:
                    recipient = 'no_colleague'
            elif value:
                recipient = self._recipient(
                    value, parties.get(value), mechanisms, languages)
            recipients[id_] = recipient or 'no_colleague'
        return recipients

    @classmethod
    def _recipient(cls, value, party, mechanisms, languages):
        if not getattr(value, 'active', True):
            return
        language = address = None
        mechanism = mechanisms.get(party)
        if party:
            address = mechanism.value if mechanism else None
            language = languages.get(party)
        if value.__name__ == 'res.user':
            address = value.email or address
            if value.language:
                language = value.language.code
        if address:
            return Recipient(address, value.rec_name, language)

    @classmethod
    def _internal_parties(cls, values):
        "Return the party (id) of those of the values who are employees"
        parties, candidates = {}, {}
        for value in values:
            if not value or isinstance(value, str):
                continue
            if value.__name__ == 'company.employee':
                parties[value] = value.party.id
            elif value.__name__ == 'party.party':
                candidates[value.id] = value
            elif getattr(value, 'employee', None):
                parties[value] = value.employee.party.id
        for id_ in cls._employees(list(candidates)):
            parties[candidates[id_]] = id_
        return parties

    @classmethod
    def _employees(cls, parties):
        "Return the set of those of the parties (ids) that are employees"
        try:
            Employee = Pool().get('company.employee')
        except KeyError:
            return set()
        return {e.party.id for e in Employee.search(
                [('party', 'in', parties)], order=[])}

    @classmethod
    def _strangers(cls, addresses):
        """
        Return those of the addresses that belong to parties who are no
        employees: what they get depends on their consent.
        """
        ContactMechanism = Pool().get('party.contact_mechanism')
        variants = {v for a in addresses for v in [a.strip(), a.lower()]}
        if not variants:
            return set()
        mechanisms = ContactMechanism.search([
                ('type', '=', 'email'),
                ['OR',
                    ('value', 'in', list(variants)),
                    ('value_compact', 'in', list(variants))],
                ], order=[])
        employees = cls._employees(list({m.party.id for m in mechanisms}))
        known = {
            v.strip().lower() for m in mechanisms
            if m.party.id not in employees
            for v in [m.value, m.value_compact] if v}
        return {a for a in addresses if a.strip().lower() in known}


class RecordActivity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record.activity'

    @classmethod
    def _throttled_actions(cls):
        return super()._throttled_actions() | {'email_colleague'}

    @classmethod
    def _retryable_reasons(cls):
        return super()._retryable_reasons() | {'no_colleague'}


class ColleagueMail(Draft):
    "A mail to a colleague, in which nothing is tracked"

    def _tracked_urls(self):
        return None, None

    def finish(self, recipient, reply):
        """
        Return the message to the recipient, or the outcome if there is none.

        :param reply: the contact mechanism to which the colleague replies.
        """
        if self.failure:
            return failed('template_error', self.activity.template_failure(
                    *self.failure, self.target))
        try:
            address = envelope_address(recipient.address)
        except AddressError:
            return failed('address_invalid', one_line(recipient.address))
        message_id = (
            self.record_activity.message_id
            or headers.message_id(url.base()))
        from_ = self.activity.email_from or sender()
        title = one_line(self.short.replace(self.title, str))
        try:
            message = compose(
                sender() or from_, from_, recipient.name, address, title,
                self.short.replace(self.page.html(), str),
                self._headers(message_id, reply))
        except Exception as exception:
            if is_transient(exception) or is_database(exception):
                raise
            return failed('message_invalid', repr(exception))
        return OutgoingMessage(
            recipient=address, content=message, message_id=message_id,
            sender=address_of(sender() or from_), subject=title)

    @staticmethod
    def _headers(message_id, reply):
        values = {
            'Message-ID': message_id,
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'OOF, AutoReply',
            }
        if reply:
            try:
                values['Reply-To'] = envelope_address(reply.value)
            except AddressError:
                # The colleague has to look for another one
                pass
        return values


def _leads(name, field):
    "Return if the field leads to somebody or is an address"
    if not is_offered(name, field) or name in {_PARTY, 'write_uid'}:
        return False
    if field._type == 'many2one':
        return field.model_name in _RELATIONS
    return field._type == 'char' and 'email' in name


def _definitions(Model):
    names = [n for n, f in Model._fields.items() if _leads(n, f)]
    if Model.__name__ == 'party.party':
        # This is the party itself
        names = [n for n in names if n != 'email']
    return Model.fields_get(names) if names else {}


def _check_path(Target, path, access):
    "Raise if the path leads to nobody or may not be read"
    *party, name = path.split('.')
    Model = Target
    if party:
        if party != [_PARTY]:
            raise Refused(f'"{path}" is no field')
        access.check_field(Target, _PARTY)
        Model = Pool().get('party.party')
    field = Model._fields.get(name)
    if not field or not _leads(name, field):
        raise Refused(f'"{path}" is no field')
    access.check_field(Model, name)
