# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.tools import resolve

PACKAGE = 'trytond.modules.marketing_automation'
# The documented names, and where each is defined or how it is called now
NAMES = {
    'exceptions.BlueprintError': 'exceptions.ScenarioTemplateError',
    'exceptions.CourierError': 'exceptions.TransportError',
    'gateway.SMS': 'sms.gateway.SMS',
    'gateway.SMSPostponed': 'sms.gateway.SMSPostponed',
    'gateway.SMSRefused': 'sms.gateway.SMSRefused',
    'mixin.TargetMixin': 'mixin.TargetReferenceMixin',
    'outcome.CourierAway': 'outcome.TransportUnavailable',
    'outcome.Parcel': 'outcome.OutgoingMessage',
    'outcome.Undone': 'outcome.RollbackNeeded',
    'preview.Preview': 'check.preview.Preview',
    'template.Markup': 'template.engine.Markup',
    'template.Offer': 'template.value.Offer',
    'template.Text': 'template.engine.Text',
    }


class NamesTestCase(unittest.TestCase):
    "Test the names that other modules import"

    def test_names(self):
        "Test the documented name and the one of now are the same"
        for documented, defined in NAMES.items():
            with self.subTest(name=documented):
                self.assertIs(
                    resolve(f'{PACKAGE}.{documented}'),
                    resolve(f'{PACKAGE}.{defined}'))
