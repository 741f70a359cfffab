# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import unittest
from unittest.mock import patch

from hypothesis import assume, given
from hypothesis import strategies as st

from trytond.modules.marketing_automation.tracking import url_token
from trytond.modules.marketing_automation.tracking.url_token import (
    decode, decode_text, encode, encode_text)
from trytond.modules.marketing_automation.tracking.user_agent import (
    agent_family)

KEYS = {0: 'former', 7: 'current', 255: 'other'}
ids = st.integers(min_value=1, max_value=2 ** 31 - 1)
numbers = st.lists(ids, min_size=1, max_size=2).map(tuple)
kinds = st.sampled_from('ocu')
ALPHABET = (
    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')


def forge(content):
    return base64.urlsafe_b64encode(content).decode('ascii').rstrip('=')


class SealTestCase(unittest.TestCase):
    "Test the tokens"

    @given(st.sampled_from(list(KEYS)), kinds, numbers)
    def test_round_trip(self, number, kind, values):
        "Test what is sealed is unsealed and short"
        token = encode(number, KEYS[number], kind, values)

        self.assertEqual(decode(KEYS, kind, token), values)
        self.assertLessEqual(len(f'/{kind}/{token}'), 40)
        self.assertLessEqual(set(token), set(ALPHABET))

    @given(st.sampled_from(list(KEYS)), kinds, numbers, st.text(max_size=90))
    def test_text(self, number, kind, values, text):
        "Test what is sealed with a text is unsealed with it and else not"
        token = encode_text(number, KEYS[number], kind, values, text)

        self.assertEqual(
            decode_text(KEYS, kind, token, len(values)), (values, text))
        for index in {0, len(token) // 2, len(token) - 1}:
            other = 'A' if token[index] != 'A' else 'B'
            broken = token[:index] + other + token[index + 1:]
            self.assertIsNone(
                decode_text(KEYS, kind, broken, len(values)))
        self.assertIsNone(decode_text(KEYS, 'x', token, len(values)))
        self.assertIsNone(decode_text({}, kind, token, len(values)))

    def test_text_long(self):
        "Test a text has a maximum length"
        with self.assertRaises(ValueError):
            encode_text(7, KEYS[7], 'l', (1, 2), 'x' * 600)
        self.assertIsNone(decode_text(KEYS, 'l', 'A' * 2000, 2))

    @given(kinds, kinds, numbers)
    def test_kind(self, kind, other, values):
        "Test a token is of one kind"
        assume(kind != other)
        token = encode(7, KEYS[7], kind, values)

        self.assertIsNone(decode(KEYS, other, token))

    @given(kinds, numbers, st.data())
    def test_character(self, kind, values, data):
        "Test no character can be replaced"
        token = encode(7, KEYS[7], kind, values)
        index = data.draw(st.integers(0, len(token) - 1))
        character = data.draw(st.sampled_from(ALPHABET + '=+/ é\0\ud800'))
        assume(character != token[index])

        self.assertIsNone(decode(
                KEYS, kind, token[:index] + character + token[index + 1:]))

    @given(kinds, numbers, st.data())
    def test_bit(self, kind, values, data):
        "Test no bit can be flipped"
        token = encode(7, KEYS[7], kind, values)
        content = bytearray(
            base64.urlsafe_b64decode(token + '=' * (-len(token) % 4)))
        bit = data.draw(st.integers(0, len(content) * 8 - 1))
        content[bit // 8] ^= 1 << bit % 8

        self.assertIsNone(decode(KEYS, kind, forge(content)))

    @given(kinds, numbers, st.data())
    def test_length(self, kind, values, data):
        "Test a token can be neither truncated nor extended"
        token = encode(7, KEYS[7], kind, values)
        end = data.draw(st.integers(0, len(token) - 1))
        extension = data.draw(st.one_of(
                st.text(min_size=1),
                st.text(ALPHABET, min_size=1, max_size=8),
                st.sampled_from(['=', '==', '\n', ' ', 'A', 'AAAA', '.'])))

        self.assertIsNone(decode(KEYS, kind, token[:end]))
        self.assertIsNone(decode(KEYS, kind, token + extension))
        self.assertIsNone(decode(KEYS, kind, extension + token))

    @given(kinds, st.one_of(
            st.text(), st.text(ALPHABET, max_size=60),
            st.binary(max_size=40).map(forge),
            st.binary(min_size=12, max_size=27).map(
                lambda content: forge(b'\x07' + content))))
    def test_garbage(self, kind, token):
        "Test garbage is refused"
        self.assertIsNone(decode(KEYS, kind, token))

    @given(kinds, st.lists(ids, min_size=3, max_size=5).map(tuple))
    def test_opaque(self, kind, values):
        "Test tokens of neighbours have nothing in common"
        first = encode(7, KEYS[7], kind, values[:1])
        second = encode(7, KEYS[7], kind, [values[0] + 1])

        # The number of the key and at most some characters by chance
        self.assertGreaterEqual(
            sum(a != b for a, b in zip(first[2:], second[2:])),
            (len(first) - 2) // 2)

    def test_not_minimal(self):
        "Test only one text decodes to the numbers"
        for payload in [b'\x81\x00', b'\x01\x80', b'\x80', b'\x01\x82\x00']:
            with self.subTest(payload=payload), \
                    patch.object(url_token, '_pack', return_value=payload):
                token = encode(7, KEYS[7], 'o', [1])
            with self.subTest(payload=payload):
                self.assertIsNone(decode(KEYS, 'o', token))

    def test_huge(self):
        "Test a huge text is refused"
        self.assertIsNone(decode(KEYS, 'o', 'A' * 10_000_000))

    def test_out_of_range(self):
        "Test the numbers must be positive and short"
        for values in [[0], [-1], [1, 0], [2 ** 64, 2 ** 64]]:
            with self.subTest(values=values), self.assertRaises(ValueError):
                encode(7, KEYS[7], 'o', values)

    def test_key(self):
        "Test only the key of the number opens"
        token = encode(7, KEYS[7], 'c', [1, 2])

        self.assertIsNone(decode({7: 'another'}, 'c', token))
        self.assertIsNone(decode({8: KEYS[7]}, 'c', token))
        self.assertIsNone(decode({}, 'c', token))
        self.assertEqual(decode({7: KEYS[7]}, 'c', token), (1, 2))

    def test_constant_time(self):
        "Test the tag is compared in constant time"
        token = encode(7, KEYS[7], 'c', [1, 2])
        with patch.object(
                url_token.hmac, 'compare_digest',
                wraps=url_token.hmac.compare_digest) as compare:
            decode(KEYS, 'c', token)

        compare.assert_called_once()
        self.assertEqual({len(a) for a in compare.call_args.args}, {12})

    def test_stable(self):
        "Test the tokens in the mails that are sent stay valid"
        self.assertEqual(
            decode({1: 'key'}, 'c', 'AXhIQm7QIss4vv8lk_yL-Q'), (1, 300))


class AgentTestCase(unittest.TestCase):
    "Test the user agents"

    def test_family(self):
        "Test the family of user agents"
        chrome = (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36")
        for user_agent, family in [
                (None, None),
                ('', None),
                ('  ', None),
                (chrome, 'chrome'),
                (chrome + ' Edg/120.0.0.0', 'edge'),
                (chrome + ' OPR/106.0.0.0', 'opera'),
                ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 "
                    "(via ggpht.com GoogleImageProxy)", 'gmail'),
                ("Mozilla/5.0 (X11; rv:115.0) Gecko/20100101 "
                    "Thunderbird/115.6.0", 'thunderbird'),
                ("Mozilla/5.0 (X11; rv:115.0) Gecko/20100101 Firefox/115.0",
                    'firefox'),
                ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
                    "AppleWebKit/605.1.15 (KHTML, like Gecko)", 'apple mail'),
                ("Mozilla/5.0", 'apple proxy'),
                ("Mozilla/5.0 (compatible; bingbot/2.0)", 'scanner'),
                ("python-requests/2.31", 'program'),
                ("x" * 100_000, 'other'),
                ]:
            with self.subTest(user_agent=user_agent):
                self.assertEqual(agent_family(user_agent), family)
