# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import json
import unittest
from decimal import Decimal

from trytond.modules.marketing_automation.scenario.exchange.format import (
    FORMAT, SIZE, FormatError, file_name, loads, read_value, write_value)


class FormatTestCase(unittest.TestCase):
    "Test the text of an exchanged scenario"

    def test_values(self):
        "Test values are the same after they were written"
        for type_, value, written in [
                ('boolean', True, True),
                ('integer', 42, 42),
                ('float', 1.5, 1.5),
                ('numeric', Decimal('12.50'), '12.50'),
                ('char', "foo", "foo"),
                ('text', "foo\n  bar", ["foo", "  bar"]),
                ('timedelta', dt.timedelta(0), 'P0D'),
                ('timedelta', dt.timedelta(days=3), 'P3D'),
                ('timedelta', dt.timedelta(hours=30), 'P1DT6H'),
                ('timedelta', dt.timedelta(minutes=-90), '-PT1H30M'),
                ('timedelta', dt.timedelta(seconds=1.5), 'PT1.5S'),
                ('date', dt.date(2024, 2, 29), '2024-02-29'),
                ('datetime', dt.datetime(2024, 2, 29, 8),
                    '2024-02-29T08:00:00'),
                ('time', dt.time(8, 30), '08:30:00'),
                ('multiselection', ['a', 'b'], ['a', 'b']),
                ('dict', {'a': 1}, {'a': 1}),
                ('binary', b'foo', 'Zm9v'),
                ('selection', None, None),
                ]:
            with self.subTest(type=type_, value=value):
                self.assertEqual(write_value(type_, value), written)
                json.dumps(written)
                self.assertEqual(read_value(type_, written), value)

    def test_wrong_values(self):
        "Test values that can not be read"
        for type_, value in [
                ('boolean', 1), ('boolean', 'true'), ('integer', True),
                ('integer', '1'), ('integer', 1.5), ('float', '1'),
                ('numeric', 'NaN'), ('numeric', 'foo'), ('numeric', 1.5),
                ('char', 1), ('char', [1]), ('char', {'en': "foo"}),
                ('timedelta', '3 days'), ('timedelta', 'P'),
                ('timedelta', 'P1DT'), ('timedelta', 3), ('timedelta', ''),
                ('date', '2023-02-29'), ('date', 5),
                ('datetime', '2024-02-29T08:00:00+02:00'),
                ('time', '25:00'), ('dict', []), ('binary', 'é'),
                ('multiselection', 'a'),
                ]:
            with self.subTest(type=type_, value=value):
                with self.assertRaises(ValueError):
                    read_value(type_, value)

    def test_loads(self):
        "Test the texts that are refused"
        for text, code in [
                ('', 'json'),
                ('{"format"', 'json'),
                (b'\xff', 'json'),
                (f'{{"format": "{FORMAT}", "format": "a"}}', 'twice'),
                (f'{{"format": "{FORMAT}", "a": NaN}}', 'json'),
                ('[]', 'format'),
                ('{}', 'format'),
                ('{"format": 1}', 'format'),
                ('{"format": "other/1"}', 'format'),
                ('{"format": "marketing_automation/2"}', 'version'),
                ('[' * 100000, 'json'),
                (f'{{"format": "{FORMAT}", "a": '
                    f'{"[" * 300}{"]" * 300}}}', 'deep'),
                (' ' * (SIZE + 1), 'size'),
                ('{"a": %s}' % ('1' * 10000), 'json'),
                ]:
            with self.subTest(text=text[:50]):
                with self.assertRaises(FormatError) as cm:
                    loads(text)
                self.assertEqual(cm.exception.code, code)
        document = {'format': FORMAT}
        self.assertEqual(loads(json.dumps(document)), document)
        self.assertEqual(
            loads(b'\xef\xbb\xbf' + json.dumps(document).encode()), document)

    def test_file_name(self):
        "Test the names of the files"
        for name, expected in [
                ("Welcome é", "Welcome é"),
                ("a/b: c?", "a b c"),
                ("../..", "scenario"),
                ("", "scenario"),
                (None, "scenario"),
                ("é" * 200, "é" * 60),
                ]:
            with self.subTest(name=name):
                self.assertEqual(file_name(name), expected)
