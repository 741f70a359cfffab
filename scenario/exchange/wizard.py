# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Wizards Export and Import of scenarios.
"""

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from ...exceptions import ExchangeError, ExchangeMissingError
from .format import file_name


class ExportResult(ModelView):
    __name__ = 'marketing.automation.scenario.export.result'

    file = fields.Binary("File", readonly=True, filename='name')
    name = fields.Char("Name", readonly=True)


class Export(Wizard):
    __name__ = 'marketing.automation.scenario.export'
    start_state = 'result'

    result = StateView(
        'marketing.automation.scenario.export.result',
        'marketing_automation.scenario_export_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_result(self, fields):
        if len(self.records) != 1:
            raise ExchangeError(gettext(
                    'marketing_automation.msg_exchange_one'))
        scenario, = self.records
        return {
            'file': scenario.export_json().encode(),
            'name': file_name(scenario.rec_name) + '.json',
            }


class ImportStart(ModelView):
    __name__ = 'marketing.automation.scenario.import.start'

    file = fields.Binary(
        "File", required=True,
        help="The file of an exported scenario.")
    scenario = fields.Many2One(
        'marketing.automation.scenario', "Scenario", readonly=True)


class ImportMissing(ModelView):
    __name__ = 'marketing.automation.scenario.import.missing'

    records = fields.One2Many(
        'marketing.automation.scenario.import.missing.record', None,
        "Records",
        help="What the scenario needs but is not found by its name.")


class ImportMissingRecord(ModelView):
    __name__ = 'marketing.automation.scenario.import.missing.record'

    model = fields.Char("Model", readonly=True)
    name = fields.Char("Name", readonly=True)
    record = fields.Reference(
        "Record", 'get_records', required=True,
        help="The record to take instead.")

    @fields.depends('model')
    def get_records(self):
        if not self.model:
            return []
        Model = Pool().get(self.model)
        return [(self.model, Model.__names__()['model'])]


class Import(Wizard):
    __name__ = 'marketing.automation.scenario.import'

    start = StateView(
        'marketing.automation.scenario.import.start',
        'marketing_automation.scenario_import_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Import", 'import_', 'tryton-ok', default=True),
            ])
    import_ = StateTransition()
    missing = StateView(
        'marketing.automation.scenario.import.missing',
        'marketing_automation.scenario_import_missing_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Import", 'import_', 'tryton-ok', default=True),
            ])
    open_ = StateAction('marketing_automation.act_scenario_form')

    def transition_import_(self):
        Scenario = Pool().get('marketing.automation.scenario')
        chosen = {
            (row.model, row.name): row.record.id
            for row in getattr(self.missing, 'records', None) or []}
        try:
            self.start.scenario = Scenario.import_json(
                self.start.file, chosen)
        except ExchangeMissingError as error:
            self.missing.records = [
                {'model': model, 'name': name}
                for model, name in error.missing]
            return 'missing'
        return 'open_'

    def default_missing(self, fields):
        return {
            'records': [
                {'model': row.model, 'name': row.name}
                for row in self.missing.records],
            }

    def do_open_(self, action):
        # The form opens first
        action['views'].reverse()
        return action, {'res_id': self.start.scenario.id}
