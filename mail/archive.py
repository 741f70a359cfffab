# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from collections import defaultdict

from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import StateAction, Wizard


class OpenEmails(Wizard):
    """
    Open the e-mails that were sent for the selected records.

    E-mails can only be searched by their resource and only by who may read
    it, so their resources are fixed in the domain of the action.
    """
    __name__ = 'marketing.automation.open_emails'

    _limit = 1000

    start_state = 'open_'
    open_ = StateAction('marketing_automation.act_emails')

    def do_open_(self, action):
        encoder = PYSONEncoder()
        emails = self._emails()
        action['pyson_domain'] = encoder.encode([
                ('resource', 'in', self._readable(emails)),
                ('id', 'in', [e.id for e in emails]),
                ])
        action['name'] += ' (%s)' % ', '.join(
            r.rec_name for r in self.records[:5])
        return action, {}

    def _emails(self):
        "Return the last e-mails"
        Email = Pool().get('ir.email')
        field = {
            'marketing.automation.scenario':
            'marketing_automation_activity.scenario',
            'marketing.automation.activity': 'marketing_automation_activity',
            'marketing.automation.record': 'marketing_automation_record',
            }.get(self.model.__name__)
        ids = [r.id for r in self.records]
        if field:
            domain = [(field, 'in', ids)]
        else:
            domain = ['OR'] + [[
                    ('marketing_automation_activity', '=', r.activity.id),
                    ('marketing_automation_record', '=', r.record.id),
                    ] for r in self.records]
        with without_check_access(), Transaction().set_context(
                active_test=False):
            return list(Email.search(
                    domain, order=[('id', 'DESC')], limit=self._limit))

    def _readable(self, emails):
        "Return those of the resources of the e-mails that the user may read"
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        ids = defaultdict(set)
        with without_check_access():
            for email in emails:
                if email.resource:
                    ids[email.resource.__class__.__name__].add(
                        email.resource.id)
        access = ModelAccess.get_access(list(ids))
        resources = []
        for model, ids in ids.items():
            if access[model]['read']:
                with Transaction().set_context(active_test=False):
                    resources.extend(map(str, pool.get(model).search(
                                [('id', 'in', list(ids))])))
        return resources
