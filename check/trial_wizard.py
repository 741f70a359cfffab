# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Wizard Test: records that walk through the scenario, and recipient of their
e-mails.
"""

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONEncoder
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from ..common.address import AddressError, envelope_address
from ..exceptions import TestError
from ..mixin import TargetReferenceMixin


class Test(Wizard):
    "Wizard that launches tests of a scenario"
    __name__ = 'marketing.automation.test'

    start = StateView(
        'marketing.automation.test.start',
        'marketing_automation.test_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Launch", 'launch', 'tryton-launch', default=True),
            ])
    launch = StateTransition()
    open_ = StateAction('marketing_automation.act_test_form')

    def default_start(self, fields):
        scenario = self.record
        Target = Pool().get(scenario.model)
        targets = Target.search(scenario.decode_domain(), limit=1)
        user = Pool().get('res.user')(Transaction().user)
        return {
            'scenario': scenario.id,
            'model': scenario.model,
            'records': [{'model': scenario.model, 'record': str(t)}
                for t in targets],
            'recipient': 'me' if user.email else 'address',
            }

    def transition_launch(self):
        Record = Pool().get('marketing.automation.record')
        scenario, targets = self.record, self._targets()
        scenario.__class__.check_ready([scenario])
        with without_check_access():
            former = Record.search([
                    ('scenario', '=', scenario.id),
                    ('test', '=', True),
                    ('record', 'in', [str(t) for t in targets]),
                    ])
            Record.delete_test(former)
            ids = Record.add(scenario, [t.id for t in targets], test=True)
            records = Record.browse(ids)
            Record.write(records, {
                    'test_recipient': self._recipient(),
                    'test_all': self.start.all_actions,
                    })
            entered = {r.record.id for r in records}
        for target in targets:
            if target.id not in entered:
                raise TestError(gettext(
                        'marketing_automation.msg_test_refused',
                        record=target.rec_name,
                        scenario=scenario.rec_name))
        return 'open_'

    def _targets(self):
        "Return the chosen records, as far as the user may read them"
        Target = Pool().get(self.record.model)
        ids = {
            r.record.id for r in self.start.records
            if isinstance(r.record, Target) and r.record.id >= 0}
        targets = Target.search([('id', 'in', list(ids))])
        if not targets:
            raise TestError(gettext(
                    'marketing_automation.msg_test_no_record'))
        return targets

    def _recipient(self):
        "Return the address that gets the mails, None for the recipient's"
        User = Pool().get('res.user')
        if self.start.recipient == 'own':
            return None
        if self.start.recipient == 'me':
            address = User(Transaction().user).email
            if not address:
                raise TestError(gettext(
                        'marketing_automation.msg_test_no_address'))
        else:
            address = self.start.address
        try:
            return envelope_address(address)
        except AddressError as exception:
            raise TestError(gettext(
                    'marketing_automation.msg_test_address',
                    address=address)) from exception

    def do_open_(self, action):
        Record = Pool().get('marketing.automation.record')
        ids = [r.id for r in Record.search([
                    ('scenario', '=', self.record.id),
                    ('test', '=', True),
                    ])]
        action['pyson_domain'] = PYSONEncoder().encode([
                ('id', 'in', ids)])
        return action, {'res_id': ids}


class TestStart(ModelView):
    __name__ = 'marketing.automation.test.start'

    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)
    model = fields.Char("Model", readonly=True)
    records = fields.One2Many(
        'marketing.automation.test.record', None, "Records", required=True,
        help="The records that walk through the scenario.")
    recipient = fields.Selection([
            ('me', "Me"),
            ('address', "An Address"),
            ('own', "The Recipients"),
            ], "E-mails to", required=True, sort=False)
    address = fields.Char(
        "Address",
        states={
            'required': Eval('recipient') == 'address',
            'invisible': Eval('recipient') != 'address',
            })
    all_actions = fields.Boolean(
        "All Actions",
        help="Check to execute also the actions which send no e-mail.\n"
        "Otherwise they are only shown as done.")

    @classmethod
    def default_recipient(cls):
        return 'me'

    @classmethod
    def default_all_actions(cls):
        return False


class TestRecord(TargetReferenceMixin, ModelView):
    __name__ = 'marketing.automation.test.record'

    model = fields.Char("Model", readonly=True)
    record = fields.Reference(
        "Record", selection='get_models', required=True)
