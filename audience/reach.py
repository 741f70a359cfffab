# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Reach of a scenario: how many records would enter now.

The figures are those of the cron that lets enter: as it does, and with what it
may read.
"""

from contextlib import contextmanager

from sql import Literal, Null
from sql.aggregate import Count, Sum
from sql.conditionals import Case, Coalesce

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, PYSONEncoder
from trytond.transaction import Transaction, check_access, without_check_access

from ..common.domain import NOBODY, checked
from ..common.transaction import is_transient, savepoint
from ..record import key

__all__ = ['PARTS']

PARTS = [
    'matching', 'address', 'suppressed', 'refused', 'inside', 'entering',
    'mailed']
_DEPENDS = ['model', 'domain', 'goal', 'unicity']


def _integer(string, help):
    return fields.Function(fields.Integer(string, help=help), 'get_reach')


class ScenarioReach:
    "Reach of a scenario on its form"
    __slots__ = ()

    reach_matching = _integer(
        "Match",
        "The number of records that match the domain now.")
    reach_address = _integer(
        "Have an E-Mail Address",
        "The number of matching records with an e-mail address.")
    reach_suppressed = _integer(
        "Are Suppressed",
        "The number of matching records to whose e-mail address nothing is "
        "sent.")
    reach_refused = _integer(
        "Have Refused",
        "The number of matching records that stay out: their party has "
        "unsubscribed, wants no marketing or is missing.")
    reach_inside = _integer(
        "Are Already In",
        "The number of matching records that have entered before.")
    reach_entering = _integer(
        "Would Enter Now",
        "The number of records that enter when the scenario runs.")
    reach_mailed = _integer(
        "Would Get E-Mails",
        "The number of those which would enter now and have an e-mail "
        "address that is not suppressed.")
    reach_everybody = fields.Function(
        fields.Boolean(
            "Everybody",
            help="Checked if the domain chooses nobody in particular."),
        'get_reach')
    reach_summary = fields.Function(
        fields.Char(
            "Reaches",
            help="How many enter when the scenario runs."),
        'get_reach')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        for part in PARTS:
            count = Eval(f'reach_{part}', 0)
            cls._buttons[f'open_{part}'] = {
                'invisible': ~Bool(count),
                'readonly': ~Eval('id') | (Eval('id', -1) < 0),
                'depends': ['id', f'reach_{part}'],
                }

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/form//image[@name="tryton-warning"]', 'states', {
                    'invisible': ~(
                        Eval('reach_everybody', False)
                        | (Eval('domain') == NOBODY)),
                    }),
            ]

    # Live

    @fields.depends(methods=['_show_reach'])
    def on_change_model(self):
        self._show_reach()

    @fields.depends(methods=['_show_reach'])
    def on_change_domain(self):
        self._show_reach()

    @fields.depends(methods=['_show_reach'])
    def on_change_goal(self):
        self._show_reach()

    @fields.depends(methods=['_show_reach'])
    def on_change_unicity(self):
        self._show_reach()

    @fields.depends(*_DEPENDS)
    def _show_reach(self):
        for name, value in self.reach_values().items():
            setattr(self, name, value)

    @classmethod
    def get_reach(cls, scenarios, names):
        values = {s.id: s.reach_values() for s in scenarios}
        return {
            name: {id_: value[name] for id_, value in values.items()}
            for name in names}

    def reach_values(self):
        """
        Return the values of the fields by name, None for the numbers that can
        not be computed.
        """
        values = dict.fromkeys(
            [f'reach_{p}' for p in PARTS]
            + ['reach_everybody', 'reach_summary'])
        values['reach_everybody'] = False
        try:
            with savepoint():
                numbers = self.reach()
        except Exception as exception:
            if is_transient(exception):
                raise
            # The validation raises the error, or the problem of the scenario
            # shows it
            return values
        values.update((f'reach_{p}', n) for p, n in numbers.items())
        values['reach_everybody'] = self.is_for_everybody()
        values['reach_summary'] = self._reach_summary(numbers)
        return values

    def is_for_everybody(self):
        "Return if the domain chooses nobody in particular"
        return not any(
            c not in {'AND', 'OR'} if isinstance(c, str) else c
            for c in self.decode_domain())

    def _reach_summary(self, numbers):
        lang = Pool().get('ir.lang').get()
        words = {
            n: lang.format_number(numbers[n])
            for n in ['entering', 'matching', 'mailed']}
        if self.domain == NOBODY:
            kind = 'nobody'
        else:
            kind = 'everybody' if self.is_for_everybody() else 'audience'
        return gettext(
            f'marketing_automation.msg_scenario_reach_{kind}', **words)

    def reach(self):
        """
        Return a dictionary of the numbers of records, at the present time:

        - ``matching``: match the domain, of which
        - ``address``: have an e-mail address,
        - ``suppressed``: have one to which nothing is sent,
        - ``refused``: stay out because of their party,
        - ``inside``: are or were in the scenario,
        - ``entering``: enter with the next cron,
        - ``mailed``: enter, and have an address that is not suppressed.

        It takes the same number of queries however many there are.

        :raises ValueError: if the domain or the goal can not be searched.
        :raises trytond.model.exceptions.AccessError: if the user may not read
            what they use.
        """
        Record = Pool().get('marketing.automation.record')
        self._check_reach()
        with _as_cron():
            return Record.count_reach(self)

    def _check_reach(self):
        "Ensure that the numbers reveal nothing that the user may not read"
        Target = Pool().get(self.model)
        for domain in [self.decode_domain(), self.decode_goal()]:
            if domain:
                Target.marketing_check_domain(checked(Target, domain))

    # Open

    def reach_domain(self, part):
        "Return the domain of the records of a part of the reach"
        return [('marketing_reach', '=', f'{self.id},{part}')]

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_matching(cls, scenarios):
        return cls._open_reach(scenarios, 'matching')

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_address(cls, scenarios):
        return cls._open_reach(scenarios, 'address')

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_suppressed(cls, scenarios):
        return cls._open_reach(scenarios, 'suppressed')

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_refused(cls, scenarios):
        return cls._open_reach(scenarios, 'refused')

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_inside(cls, scenarios):
        return cls._open_reach(scenarios, 'inside')

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_entering(cls, scenarios):
        return cls._open_reach(scenarios, 'entering')

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_mailed(cls, scenarios):
        return cls._open_reach(scenarios, 'mailed')

    @classmethod
    def _open_reach(cls, scenarios, part):
        "Return the values of the action that opens the records of a part"
        for scenario in scenarios:
            return {
                'res_model': scenario.model,
                'pyson_domain': PYSONEncoder().encode(
                    scenario.reach_domain(part)),
                'name': cls.__names__(f'reach_{part}')['field'],
                }


@contextmanager
def _as_cron():
    "Search as the cron which lets enter, whoever the user is"
    transaction = Transaction()
    with transaction.set_user(0), transaction.reset_context(), \
            without_check_access():
        yield


class Record(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'

    @classmethod
    def count_reach(cls, scenario):
        "Return a dictionary of the number of targets of each part"
        target = Pool().get(scenario.model).__table__()
        key.prepare()
        clauses = cls._reach_clauses(scenario, target)
        matching = clauses.pop('matching')
        cursor = Transaction().connection.cursor()
        cursor.execute(*target.select(
                Count(Literal(1)),
                *[Coalesce(Sum(Case((c, 1), else_=0)), 0)
                    for c in clauses.values()],
                where=matching))
        numbers = dict(zip(['matching', *clauses], cursor.fetchone()))
        if scenario.unicity and cls._has_sql_key(scenario):
            for part in ['entering', 'mailed']:
                numbers[part] = cls._count_keys(
                    scenario, target, matching & clauses[part])
        return numbers

    @classmethod
    def _count_keys(cls, scenario, target, where):
        "Return how many of the targets enter, of each value only one"
        expression = cls._key(scenario, target)
        cursor = Transaction().connection.cursor()
        cursor.execute(*target.select(
                Count(expression, distinct=True)
                + Coalesce(Sum(Case((expression == Null, 1), else_=0)), 0),
                where=where))
        number, = cursor.fetchone()
        return number

    @classmethod
    def _reach_clauses(cls, scenario, target):
        "Return a dictionary of the SQL clause of the targets of each part"
        Target = Pool().get(scenario.model)

        def found(domain):
            return target.id.in_(cls._enter_query(scenario, domain))

        values = {}
        if scenario.unicity and not cls._has_sql_key(scenario):
            # What has to be read is compared only when it enters
            values['keys'] = {}
        address = found(Target.marketing_address_domain())
        suppressed = found(Target.marketing_address_domain(suppressed=True))
        accepted = found(cls._refusal_domain(scenario))
        entering = accepted & cls._enter_where(scenario, target, **values)
        return {
            'matching': found(scenario.decode_domain()),
            'address': address,
            'suppressed': suppressed,
            'refused': ~accepted,
            'inside': cls._has_entered(scenario, target),
            'entering': entering,
            'mailed': entering & address & ~suppressed,
            }

    @classmethod
    def reach_query(cls, Target, value):
        """
        Return the SQL query of the ids of the targets of a part.

        :param value: the text of the id of the scenario and the part.
        """
        Scenario = Pool().get('marketing.automation.scenario')
        id_, _, part = (value or '').partition(',')
        target = Target.__table__()
        where = Literal(False)
        if part in PARTS and id_.isdecimal():
            with check_access():
                scenarios = Scenario.search([
                        ('id', '=', int(id_)),
                        ('model', '=', Target.__name__),
                        ])
            for scenario in scenarios:
                scenario._check_reach()
                with _as_cron():
                    key.prepare()
                    clauses = cls._reach_clauses(scenario, target)
                    where = clauses['matching'] & clauses[part]
        return target.select(target.id, where=where)
