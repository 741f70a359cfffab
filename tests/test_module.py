# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import functools
from unittest.mock import patch

from trytond import pool
from trytond.modules.party.tests import (
    PartyCheckEraseMixin, PartyCheckReplaceMixin)
from trytond.tests.test_tryton import ModuleTestCase

from .tools import EXTRAS


class MarketingAutomationTestCase(
        PartyCheckEraseMixin, PartyCheckReplaceMixin, ModuleTestCase):
    "Test Marketing Automation module"
    module = 'marketing_automation'
    extras = EXTRAS

    @classmethod
    def setUpClass(cls):
        # The tests ask for each model of all modules for each class of this
        # one, by its name
        patcher = patch.object(pool, 'resolve', functools.cache(pool.resolve))
        patcher.start()
        cls.addClassCleanup(patcher.stop)
        super().setUpClass()


del ModuleTestCase
