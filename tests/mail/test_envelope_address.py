# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.modules.marketing_automation.common.address import (
    AddressError, envelope_address)


class AddressTestCase(unittest.TestCase):
    "Test the address of the envelope"

    def test_accepted(self):
        "Test addresses that are one address"
        for text in [
                'jane@example.com',
                'Jane.Doe+news@Example.COM',
                "o'neil@example.com",
                'customer/department=shipping@example.com',
                '!def!xyz%abc@example.com',
                '_somename@example.com',
                '-@example.com',
                '1@example.com',
                'jane@localhost',
                'jane@mail.test',
                'jane@intranet.invalid',
                'jane@sub.sub.example.museum',
                'jane@xn--bcher-kva.example',
                'x' * 64 + '@example.com',
                'josé@example.com',
                '用户@example.com',
                ]:
            with self.subTest(text=text):
                self.assertEqual(envelope_address(text), text)

    def test_refused(self):
        "Test texts that are not exactly one address"
        for text in [
                None, 1, b'jane@example.com', '', ' ', '@', 'nobody', '@b.c',
                'nobody@', 'a b@@c', 'a@@b.c', 'a@b@c', '<a@b>', 'a@b.c>',
                'a, victim@example.com',
                'a@example.com, victim@example.com',
                'a@example.com,victim@example.com',
                'a@example.com;victim@example.com',
                'a@example.com victim@example.com',
                'Name <a@b.c>', '"Name" <a@b.c>', 'a@b.c (Name)',
                '(Name)a@b.c', 'group:a@b.c;', 'mailto:a@b.c',
                'a@b.c\r\nRCPT TO:<victim@example.com>',
                'a@b.c\nRCPT TO:<victim@example.com>',
                'a\r\nRCPT@b.c', 'a@b.c\n', '\na@b.c', 'a@b.c\0', 'a\0@b.c',
                ' a@b.c', 'a@b.c ', 'a @b.c', 'a@ b.c', 'a\t@b.c', 'a@b.c\t',
                'a\u00a0@b.c', 'a\u2028b@b.c', 'a\u200b@b.c', 'a\u202eb@b.c',
                'a\x85@b.c', 'a\x7f@b.c', 'a\ud800@b.c', 'a@b\ud800.c',
                '"a b"@b.c', '"a"@b.c', 'a\\@b.c', 'a"b@b.c',
                '.a@b.c', 'a.@b.c', 'a..b@b.c',
                'a@.b.c', 'a@b.c.', 'a@b..c', 'a@-b.c', 'a@b-.c', 'a@b_c.d',
                '=?utf-8?q?a=40b.c=3e?=@b.c',
                'a@[127.0.0.1]', 'a@[IPv6:::1]', 'a@b.c/d', 'a@b.c:25',
                'a@b.c SIZE=1', 'a@b.c> SIZE=1',
                'x' * 65 + '@example.com', 'é' * 33 + '@example.com',
                'a@' + 'x' * 64 + '.com',
                'a@' + '.'.join(['x' * 60] * 5),
                'a@\u2024.c', 'a@\u00ad', 'a@é\u200b\u0378.c',
                'a＠b.c', 'a@bü＠c.d',
                # becomes a semicolon when it is normalized
                'a\u037eb@b.c',
                ]:
            with self.subTest(text=text):
                with self.assertRaises(AddressError):
                    envelope_address(text)

    def test_idn(self):
        "Test domains are converted"
        for text, address in [
                ('jane@bücher.example', 'jane@xn--bcher-kva.example'),
                ('jane@BÜCHER.example', 'jane@xn--bcher-kva.example'),
                ('jane@straße.example', 'jane@xn--strae-oqa.example'),
                ('jane@例え。テスト', 'jane@xn--r8jz45g.xn--zckzah'),
                ('josé@bücher.example', 'josé@xn--bcher-kva.example'),
                ('jose\u0301@example.com', 'josé@example.com'),
                ]:
            with self.subTest(text=text):
                self.assertEqual(envelope_address(text), address)
