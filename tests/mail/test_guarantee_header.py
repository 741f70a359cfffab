# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.modules.marketing_automation.exceptions import SenderError

from ..common.guarantee import GuaranteeTestCase

# Addresses that nobody gets a mail for
IMPOSSIBLE = [
    'a b@@c',
    'a, victim@example.com',
    'a@example.com, victim@example.com',
    'a@example.com,victim@example.com',
    'a@example.com;victim@example.com',
    'a@example.com victim@example.com',
    'a@example.com\r\nRCPT TO:<victim@example.com>',
    'a@example.com\nBcc: victim@example.com',
    'nobody',
    '@example.com',
    'a@',
    '<victim@example.com>',
    'A <victim@example.com>',
    '"a@example.com" <victim@example.com>',
    'a@example.com <victim@example.com>',
    'a@example.com>, <victim@example.com',
    'a(victim@example.com)@example.com',
    '=?utf-8?q?victim=40example.com=2C?=@example.com',
    'victim@example.com\x00.invalid',
    'a@b@example.com',
    'a' * 300 + '@example.com',
    ]
# Addresses with the one in the envelope
POSSIBLE = {
    'alice@example.com': 'alice@example.com',
    "o'hara+tag@example.com": "o'hara+tag@example.com",
    'post@bücher.example': 'post@xn--bcher-kva.example',
    'jörg@example.com': 'jörg@example.com',
    }
NAMES = [
    "Alice",
    "Alice\r\nBcc: victim@example.com",
    "Alice\nX-Injected: yes\n\nBody",
    "victim@example.com",
    "victim@example.com, Alice",
    "Alice <victim@example.com>",
    '"victim@example.com"',
    '"',
    "\\",
    "Jörg Müller, GmbH & Co. <KG>",
    "=?utf-8?q?=0ABcc:_victim=40example.com?=",
    "a" * 2000,
    "ä" * 1200,
    "a " * 1200,
    "\u202evictim\u2066",
    "日本語の名前",
    ]


class HeaderTestCase(GuaranteeTestCase):
    "Test that a mail goes to the one address of its recipient"

    def set_address(self, party, value):
        self.sql(
            "UPDATE party_contact_mechanism "
            "SET value = %s, value_compact = %s WHERE party = %s",
            value.replace('\x00', '\x01'), value.replace('\x00', '\x01'),
            party)

    def test_impossible(self):
        "Test what is not exactly one address goes nowhere"
        parties = self.create_parties(
            *(f'{i}@example.com' for i in range(len(IMPOSSIBLE))))
        for party, address in zip(parties, IMPOSSIBLE):
            self.set_address(party, address)
        self.create_scenario(parties)
        self.process()
        self.assertEqual(
            set(self.rows('state', 'reason')), {('failed', 'address_invalid')})
        self.assertFalse(self.smtp.messages)
        self.assertFalse(self.smtp.commands['rcpt'])

    def test_possible(self):
        "Test the envelope and the header have the address"
        for address, envelope in POSSIBLE.items():
            with self.subTest(address=address):
                self.clear()
                self.smtp.messages.clear()
                party, = self.create_parties('a@example.com')
                self.set_address(party, address)
                self.create_scenario([party])
                self.process()
                message, = self.smtp.messages
                self.assertEqual(message.rcpt_tos, [envelope])
                address, = message.message['To'].addresses
                self.assertEqual(
                    address.addr_spec.encode('utf-8', 'surrogateescape'),
                    envelope.encode('utf-8'))

    def test_smtputf8(self):
        "Test a local part which the server does not support fails"
        self.smtp.smtputf8 = False
        party, = self.create_parties('a@example.com')
        self.set_address(party, 'jörg@example.com')
        self.create_scenario([party])
        self.process()
        self.assertEqual(
            self.rows('state', 'reason', 'detail'),
            [('failed', 'smtputf8', 'jörg@example.com')])

    def test_names(self):
        "Test names and titles make no header and no recipient"
        parties = self.create_parties(
            *(f'{i}@example.com' for i in range(len(NAMES))))
        for party, name in zip(parties, NAMES):
            self.sql(
                "UPDATE party_party SET name = %s WHERE id = %s", name, party)
        self.create_scenario(parties, email_title="Dear ${record.name}")
        self.process()

        self.assertEqual(
            set(self.rows('state', 'reason', 'detail')),
            {('done', None, None)})
        self.assertOnce(len(NAMES))
        headers = set()
        for accepted in self.smtp.messages:
            message = accepted.message
            number = int(accepted.rcpt_tos[0].split('@')[0])
            with self.subTest(name=NAMES[number][:40]):
                address, = message['To'].addresses
                self.assertEqual([address.addr_spec], accepted.rcpt_tos)
                self.assertEqual(accepted.mail_from, 'marketing@example.com')
                names = [n.lower() for n in message.keys()]
                self.assertEqual(len(names), len(set(names)))
                headers.add(frozenset(names))
                for name in ['bcc', 'cc', 'x-injected']:
                    self.assertNotIn(name, names)
                expected = ' '.join(''.join(
                        c if c.isprintable() else ' '
                        for c in NAMES[number]).split())
                self.assertEqual(
                    str(message['Subject']), f'Dear {expected}')
                head, _, _ = accepted.content.partition(b'\r\n\r\n')
                self.assertLessEqual(
                    max(map(len, head.split(b'\r\n'))), 998)
        # No name changes what headers there are
        self.assertEqual(len(headers), 1)

    def test_from(self):
        "Test the sender is one address"
        with self.assertRaises(SenderError):
            self.create_mails(
                1, email_from='a@example.com, victim@example.com')
