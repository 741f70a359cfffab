# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Timeline: all that happened to a record, and what is to come.
"""

from sql import Cast, Literal, Null, Union
from sql.conditionals import Coalesce
from sql.functions import DateTrunc

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If, PYSONEncoder
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import StateAction, Wizard

# How many rows of a timeline one row of another table can make
_BASE = 64
# In this order at the same time
_ENTERED, _STEP, _HIT, _CONSENT, _EVENT, _ENDED = 1, 2, 3, 4, 5, 63


class Story(ModelSQL, ModelView):
    "Line of the timeline of a record or party"
    __name__ = 'marketing.automation.story'

    at = fields.DateTime(
        "At", readonly=True,
        help="Empty for what waits for its event.")
    rank = fields.Integer(
        "Rank", readonly=True, help="The order at the same time.")
    kind = fields.Selection([
            ('entered', "Entered"),
            ('step', "Step"),
            ('event', "Event"),
            ('hit', "Hit"),
            ('consent', "Consent"),
            ('ended', "Ended"),
            ], "Kind", readonly=True, sort=False)
    record = fields.Many2One(
        'marketing.automation.record', "Record", readonly=True)
    party = fields.Many2One(
        'party.party', "Party", readonly=True,
        help="Whose consent has changed.")
    record_activity = fields.Many2One(
        'marketing.automation.record.activity', "Record Activity",
        readonly=True)
    event = fields.Char("Event", readonly=True)
    hit = fields.Many2One('marketing.automation.hit', "Hit", readonly=True)
    consent = fields.Many2One(
        'marketing.automation.consent', "Consent", readonly=True)
    scenario = fields.Function(
        fields.Many2One('marketing.automation.scenario', "Scenario"),
        'get_scenario')
    subject = fields.Function(fields.Char("What"), 'get_subject')
    result = fields.Function(fields.Char("Result"), 'get_result')
    state = fields.Function(fields.Char("State"), 'get_state')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('at', 'ASC NULLS LAST'),
            ('rank', 'ASC'),
            ('id', 'ASC'),
            ]
        cls._buttons.update({
                'show': {
                    'invisible': ~Eval('record_activity'),
                    'depends': ['record_activity'],
                    },
                })

    @classmethod
    def table_query(cls):
        return Union(*cls._queries(), all_=True)

    @classmethod
    def _queries(cls):
        "Return the list of the queries of the rows"
        pool = Pool()
        RecordActivity = pool.get('marketing.automation.record.activity')

        def table(name):
            return pool.get(name).__table__()

        record = table('marketing.automation.record')
        ended = table('marketing.automation.record')
        step = table('marketing.automation.record.activity')
        hit = table('marketing.automation.hit')
        other = table('marketing.automation.hit')
        hit_step = table('marketing.automation.record.activity')
        consent = table('marketing.automation.consent')
        queries = [
            cls._row(record, _ENTERED, 'entered', record.create_date,
                record=record.id),
            cls._row(ended, _ENDED, 'ended', ended.ended_at,
                where=ended.end_reason != Null, record=ended.id),
            cls._row(step, _STEP, 'step', Coalesce(step.ended_at, step.at),
                record=step.record, record_activity=step.id),
            cls._row(hit, _HIT, 'hit', hit.at,
                from_=hit.join(
                    hit_step, condition=hit.record_activity == hit_step.id),
                record=hit_step.record, record_activity=hit_step.id,
                hit=hit.id),
            cls._row(other, _HIT, 'hit', other.at,
                where=(other.record != Null) & (other.record_activity == Null),
                record=other.record, hit=other.id),
            cls._row(consent, _CONSENT, 'consent', consent.at,
                record=consent.record, party=consent.party,
                consent=consent.id),
            ]
        for number, event in enumerate(cls._events(), _EVENT):
            row = RecordActivity.__table__()
            queries.append(cls._row(
                    row, number, 'event', getattr(row, f'{event}_at'),
                    where=getattr(row, event) == Literal(True),
                    record=row.record, record_activity=row.id,
                    event=Literal(event)))
        return queries

    @classmethod
    def _events(cls):
        "Return the names of the events with a time of their own"
        pool = Pool()
        Activity = pool.get('marketing.automation.activity')
        RecordActivity = pool.get('marketing.automation.record.activity')
        return [
            e for e in sorted(Activity._event_names())
            if e in RecordActivity._fields
            and f'{e}_at' in RecordActivity._fields]

    @classmethod
    def _row(cls, table, number, kind, at, from_=None, where=None, **columns):
        "Return the query of the rows made of the table"
        def column(name):
            if name in columns:
                return columns[name].as_(name)
            type_ = cls._fields[name].sql_type().base
            return Cast(Null, type_).as_(name)

        return (from_ or table).select(
            (Cast(table.id, 'BIGINT') * _BASE + number).as_('id'),
            # Some have fractions of a second
            cls.at.sql_cast(DateTrunc('second', at)).as_('at'),
            Literal(number).as_('rank'),
            Literal(kind).as_('kind'),
            *map(column, [
                    'record', 'party', 'record_activity', 'event', 'hit',
                    'consent']),
            where=where)

    # Texts

    def get_rec_name(self, name):
        return self.subject or f'({self.id})'

    def get_scenario(self, name):
        if self.record:
            return self.record.scenario.id
        if self.consent and self.consent.scenario:
            return self.consent.scenario.id

    def get_subject(self, name):
        if self.record_activity:
            return self.record_activity.activity.rec_name
        if self.consent:
            return self.consent.scope_string
        if self.record:
            return self.record.rec_name

    def get_state(self, name):
        if self.kind == 'step':
            return self.record_activity.state
        return self.kind

    def get_result(self, name):
        return getattr(self, f'_result_{self.kind}')()

    def _result_entered(self):
        return gettext('marketing_automation.msg_story_entered')

    def _result_ended(self):
        return self.record.end_reason_string

    def _result_step(self):
        return ': '.join(filter(None, [
                    self.record_activity.state_string,
                    self.record_activity.reason_string]))

    def _result_event(self):
        Activity = Pool().get('marketing.automation.activity')
        return Activity._event_names()[self.event][0]

    def _result_hit(self):
        verdict = self.hit.verdict_string
        return ' '.join(filter(None, [
                    self.hit.kind_string, self.hit.link_name,
                    f'({verdict})' if verdict else None]))

    def _result_consent(self):
        return self.consent.change_string

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'failed', 'danger',
                    If(Eval('state').in_(['waiting', 'sending']), 'warning',
                        If(Eval('state').in_([
                                    'skipped', 'cancelled', 'expired']),
                            'muted', '')))),
            ]

    @classmethod
    @ModelView.button_action('marketing_automation.wizard_sent')
    def show(cls, stories):
        pass


class OpenStory(Wizard):
    "Wizard that opens the timelines of records, or of all records of parties"
    __name__ = 'marketing.automation.story.open'

    start_state = 'open_'
    open_ = StateAction('marketing_automation.act_story')

    def do_open_(self, action):
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        model = Transaction().context.get('active_model')
        ids = [r.id for r in self.records]
        if model == 'marketing.automation.record':
            domain = [('record', 'in', ids)]
        elif model == 'party.party':
            with without_check_access():
                records = [r.id for r in Record.search([
                            ('id', 'in', sorted(Record.find_by_parties(ids))),
                            ('test', '=', False),
                            ], order=[])]
            domain = ['OR', ('record', 'in', records), ('party', 'in', ids)]
        else:
            domain = [
                ('record.record', 'in', [f'{model},{id_}' for id_ in ids]),
                ('record.test', '=', False),
                ]
        action['pyson_domain'] = PYSONEncoder().encode(domain)
        names = ', '.join(r.rec_name for r in self.records[:5])
        action['name'] += f' ({names})'
        return action, {}
