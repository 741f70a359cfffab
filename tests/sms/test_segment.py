# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.modules.marketing_automation.sms.segment import GSM, UCS2, measure

BASIC = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"


class SegmentsTestCase(unittest.TestCase):
    "Test the size of SMS"

    def test_gsm(self):
        "Test the alphabet of 7 bits"
        for text, expected in [
                ('', (GSM, 0, 0)),
                ('a', (GSM, 1, 1)),
                (BASIC, (GSM, len(BASIC), 1)),
                ('a' * 160, (GSM, 160, 1)),
                ('a' * 161, (GSM, 161, 2)),
                ('a' * 306, (GSM, 306, 2)),
                ('a' * 307, (GSM, 307, 3)),
                ]:
            with self.subTest(text=text):
                self.assertEqual(measure(text), expected)

    def test_extension(self):
        "Test the characters with an escape take two"
        for character in "^{}\\[~]|€\f":
            self.assertEqual(measure(character), (GSM, 2, 1))
        self.assertEqual(measure('€' * 80), (GSM, 160, 1))
        self.assertEqual(measure('€' * 81), (GSM, 162, 2))
        # 153 is odd: the 77th does not fit any more
        self.assertEqual(measure('€' * 152), (GSM, 304, 2))
        self.assertEqual(measure('€' * 153), (GSM, 306, 3))

    def test_ucs2(self):
        "Test one foreign character changes the whole text"
        for text, expected in [
                ('ç', (UCS2, 1, 1)),
                ('a' * 69 + '—', (UCS2, 70, 1)),
                ('a' * 70 + '—', (UCS2, 71, 2)),
                ('Я' * 134, (UCS2, 134, 2)),
                ('Я' * 135, (UCS2, 135, 3)),
                # Surrogates take two and stay together
                ('😀', (UCS2, 2, 1)),
                ('😀' * 35, (UCS2, 70, 1)),
                ('😀' * 36, (UCS2, 72, 2)),
                ('😀' * 66, (UCS2, 132, 2)),
                ('😀' * 67, (UCS2, 134, 3)),
                # The extension needs no escape
                ('Я€', (UCS2, 2, 1)),
                ]:
            with self.subTest(text=text):
                self.assertEqual(measure(text), expected)
