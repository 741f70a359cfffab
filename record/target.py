# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What the records are about, also for whom may not read it.

A field with the target itself is removed from the views of whom may not read
any one of its models, which would leave a marketer without the name.
"""

from trytond.i18n import gettext
from trytond.model import ModelView
from trytond.pool import PoolMeta
from trytond.pyson import PYSONEncoder

from ..exceptions import ScenarioError


class Record(metaclass=PoolMeta):
    __name__ = 'marketing.automation.record'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons['open_record'] = {}

    @classmethod
    @ModelView.button_action('marketing_automation.act_reach')
    def open_record(cls, records):
        for record in records:
            if not (target := record.target):
                raise ScenarioError(gettext(
                        'marketing_automation.msg_why_no_target',
                        record=record.rec_name))
            return {
                'name': record.rec_name,
                'res_model': target.__name__,
                'res_id': target.id,
                'pyson_domain': PYSONEncoder().encode(
                    [('id', '=', target.id)]),
                }
