# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The action that calls a method or clicks a button of the record.
"""

from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import is_instance_method
from trytond.transaction import Transaction, active_records

from ..common import access
from ..common.transaction import is_transient
from ..exceptions import ActivityError
from ..outcome import RollbackNeeded, done, failed, skipped

# The code of all methods with the decorator, which leaves no other mark
_BUTTON_ACTION = ModelView.button_action('')(lambda: None).__code__


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    call = fields.Selection(
        'get_calls', "Call",
        states={
            'invisible': Eval('action') != 'call',
            'required': Eval('action') == 'call',
            },
        help="The method or the button of the record.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(('call', "Call"))

    @classmethod
    def _call_methods(cls):
        """
        Return a dictionary of the list of the name and the label of the
        methods that can be called, by name of the model.

        A method is called on the class with a list of records, as the system
        and in the context of their company.  What it raises undoes what it
        did: it may be called again with a part of the records, until the one
        that makes it raise is alone.  So it must do nothing that can not be
        rolled back.  Whoever draws scenarios can let it be called.
        """
        return {}

    @fields.depends('action', 'call', 'parent')
    def get_calls(self):
        selection = [(None, "")]
        scenario = self.root if self.parent else None
        if self.action != 'call' or not scenario:
            if self.call:
                selection.append((self.call, self.call))
            return selection
        for name, label in self._call_methods().get(scenario.model, []):
            selection.append((f'method,{name}', label))
        Button = Pool().get('ir.model.button')
        Target = Pool().get(scenario.model)
        for name in Target._buttons:
            if _is_button(Target, name) and access.may_click(Target, name):
                attributes = Button.get_view_attributes(Target.__name__, name)
                selection.append((
                        f'button,{name}', attributes.get('string') or name))
        return selection

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_call(activities, field_names)

    @classmethod
    def check_call(cls, activities, field_names=None):
        "Ensure that who saves may call it"
        if field_names and not (field_names & {'parent', 'action', 'call'}):
            return
        for activity in activities:
            if (activity.action == 'call'
                    and not activity._may_call(activity.root.model)):
                raise ActivityError(gettext(
                        'marketing_automation.msg_activity_call',
                        activity=activity.rec_name,
                        call=activity.call))

    def _may_call(self, model):
        kind, _, name = (self.call or '').partition(',')
        if kind == 'method':
            return name in dict(self._call_methods().get(model, []))
        Target = Pool().get(model)
        return (
            kind == 'button'
            and name in Target._buttons
            and _is_button(Target, name)
            and access.may_click(Target, name))

    def execute_call(self, record_activities):
        "Call it for the records of each company together"
        Target = record_activities[0].record.record.__class__
        if not self._may_call(Target.__name__):
            # It was allowed when it was saved
            return {r.id: failed('not_allowed') for r in record_activities}
        kind, _, name = self.call.partition(',')
        with active_records():
            targets = Target.browse(
                [r.record.record.id for r in record_activities])
        writable = access.writable_ids(targets)
        states = Target._buttons[name] if kind == 'button' else {}
        outcomes, groups = {}, defaultdict(set)
        for record_activity, target in zip(record_activities, targets):
            if target.id not in writable:
                outcome = failed('not_allowed')
            elif any(access.holds(target, states.get(s))
                    for s in ['invisible', 'readonly']):
                outcome = skipped('not_possible')
            else:
                company = target.marketing_access_context.get('company')
                groups[company].add(target.id)
                outcome = done()
            outcomes[record_activity.id] = outcome
        for company, ids in groups.items():
            self._call(getattr(Target, name), Target, sorted(ids), company)
        return outcomes

    @classmethod
    def _call(cls, method, Target, ids, company):
        context = {'company': company} if company else {}
        with Transaction().set_context(**context), active_records():
            try:
                method(Target.browse(ids))
            except Exception as exception:
                if is_transient(exception):
                    raise
                raise RollbackNeeded(failed(
                        'action_error',
                        getattr(exception, 'message', None)
                        or repr(exception))) from exception


def _is_button(Target, name):
    "Return if the button does something that is done without its user"
    Button = Pool().get('ir.model.button')
    method = getattr(Target, name, None)
    return (
        callable(method)
        # It only changes the form
        and not is_instance_method(Target, name)
        and not _opens_action(method)
        # It waits for the clicks of several users
        and not Button.get_rules(Target.__name__, name))


def _opens_action(method):
    "Return if the method is decorated by ModelView.button_action"
    while method is not None:
        if getattr(method, '__code__', None) is _BUTTON_ACTION:
            return True
        method = getattr(method, '__wrapped__', None)
    return False
