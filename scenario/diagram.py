# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Diagram of a scenario: a box for each activity, an arrow for its event.
"""

import zipfile
from io import BytesIO

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.report import Report
from trytond.transaction import Transaction, inactive_records

from . import svg
from .sentence import duration
from .svg import Box, Style

_COUNTS = ['waiting_count', 'done_count', 'failed_count']


class ScenarioDiagram:
    "Diagram of a scenario, on its form and as a file"
    __slots__ = ()

    diagram = fields.Function(
        fields.Binary("Diagram", filename='diagram_name'), 'get_diagram')
    diagram_name = fields.Function(
        fields.Char("Diagram Name"), 'get_diagram_name')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'print_diagram': {
                    'readonly': ~Eval('id') | (Eval('id', -1) < 0),
                    'depends': ['id'],
                    },
                })

    def get_diagram(self, name=None):
        # A form does not wait for another program
        return fields.Binary.cast(svg.svg(*self._drawing()))

    def print_svg(self):
        """
        Return the SVG (bytes) made by Graphviz or, without its program,
        the one of the form.
        """
        drawing = self._drawing()
        return svg.graphviz(*drawing) or svg.svg(*drawing)

    def _drawing(self):
        rtl = Transaction().context.get('language_direction') == 'rtl'
        return self.rec_name, self._boxes(), rtl

    def get_diagram_name(self, name=None):
        # The name may contain what is not allowed in one of a file
        return f'scenario-{self.id}.svg'

    def _boxes(self):
        counts = self.record_count
        boxes = [Box(
                0, None, [
                    gettext('marketing_automation.msg_diagram_start'),
                    gettext(
                        'marketing_automation.msg_diagram_records',
                        number=counts or 0)],
                [], Style('#d9ead3', 'ellipse'))]
        with inactive_records():
            return boxes + [s._box() for s in self.steps]

    @classmethod
    @ModelView.button_action('marketing_automation.report_scenario_diagram')
    def print_diagram(cls, scenarios):
        pass


class ActivityDiagram:
    "Box and arrow of an activity"
    __slots__ = ()

    @classmethod
    def _diagram_styles(cls):
        "Return a dictionary of the style of the box of each action"
        return {
            None: Style('#f3f3f3', 'ellipse'),
            'send_email': Style('#cfe2f3'),
            'send_sms': Style('#d0e0e3', 'rounded'),
            'email_colleague': Style('#d9d2e9'),
            'todo': Style('#fff2cc', 'folder'),
            'webhook': Style('#fce5cd', 'rounded'),
            }

    def _box(self):
        parent = self.parent
        styles = self._diagram_styles()
        return Box(
            self.id,
            parent.id if isinstance(parent, self.__class__) else 0,
            [self.name or '', self._diagram_action(), self._diagram_counts()],
            self._diagram_arrow(),
            styles.get(self.action, Style('#ead1dc', 'rounded')),
            muted=not self.active)

    def _diagram_action(self):
        actions = dict(self.get_parent_actions())
        return actions.get(self.action) or gettext(
            'marketing_automation.msg_diagram_wait')

    def _diagram_counts(self):
        return gettext(
            'marketing_automation.msg_diagram_counts',
            **{name: getattr(self, name) or 0 for name in _COUNTS})

    def _diagram_arrow(self):
        "Return the lines beside the arrow: the event and the delay"
        lines = []
        if self.date_field:
            lines.append(dict(self.get_date_fields()).get(
                    self.date_field) or self.date_field)
        elif self.event:
            name, negative_name = self._event_names()[self.event]
            lines.append(negative_name if self.negative else name)
        if self.delay:
            delay = duration(self.delay)
            if self.date_field and self.date_direction == 'before':
                delay = '\u2212' + delay
            lines.append(delay)
        return lines


class Diagram(Report):
    "Report of the diagrams of scenarios"
    __name__ = 'marketing.automation.scenario.diagram'

    @classmethod
    def execute(cls, ids, data):
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        Scenario = pool.get('marketing.automation.scenario')
        action, = ActionReport.search([
                ('report_name', '=', cls.__name__),
                ], limit=1)
        cls.check_access(action, action.model, ids)
        scenarios = Scenario.browse(ids)
        if len(scenarios) == 1:
            scenario, = scenarios
            return (
                'svg', fields.Binary.cast(scenario.print_svg()), False,
                f'{action.name}-{scenario.rec_name}')
        archive = BytesIO()
        with zipfile.ZipFile(archive, 'w') as zip_:
            for scenario in scenarios:
                zip_.writestr(scenario.diagram_name, scenario.print_svg())
        return (
            'zip', fields.Binary.cast(archive.getvalue()), False, action.name)
