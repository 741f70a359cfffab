# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import threading
import unittest
from decimal import Decimal

from trytond import backend
from trytond.modules.marketing_automation.template.engine import (
    SAFE_DATETIME, Markup, Offer, TemplateRenderError, TemplateSyntaxError,
    Text)
from trytond.modules.marketing_automation.template.runtime import Limits


def markup(source, **context):
    return Markup(source).render(context)


class TemplateTestCase(unittest.TestCase):
    "Test the templates"

    def test_markup(self):
        "Test what everyday templates say"
        for source, expected in [
                ('<p>Hello ${name}</p>', '<p>Hello Bob &amp; Co</p>'),
                ('<p>Hello $name</p>', '<p>Hello Bob &amp; Co</p>'),
                ('<p title="${name}"/>', '<p title="Bob &amp; Co"></p>'),
                ('<p>$$ 5$ &amp; &lt; &copy;&nbsp;&eacute;</p>',
                    '<p>$ 5$ &amp; &lt; ©\xa0é</p>'),
                ('<p>a<br/><img src="b"/></p>', '<p>a<br><img src="b"></p>'),
                ('<p py:if="n == 2">2</p><p py:if="n != 2">3</p>',
                    '<p>2</p>'),
                ('<i py:for="l in lines">$l</i>', '<i>a</i><i>b</i>'),
                ('<i py:for="i, l in enumerate(lines)">$i$l</i>',
                    '<i>0a</i><i>1b</i>'),
                ('<i py:for="k, v in sorted(data.items())">$k$v</i>',
                    '<i>x1</i><i>y2</i>'),
                ('<py:for each="l in lines" py:if="l">$l</py:for>', 'ab'),
                ('<p py:choose="n"><b py:when="1">1</b><b py:when="2">2</b>'
                    '</p>', '<p><b>2</b></p>'),
                ('<p py:choose=""><b py:when="n == 1">1</b>'
                    '<b py:otherwise="">x</b></p>', '<p><b>x</b></p>'),
                ('<p py:with="a = n + 1; b = a * 2">$a $b</p>', '<p>3 6</p>'),
                ('<p py:with="(a, b), c = [lines, n]">$a$b$c</p>',
                    '<p>ab2</p>'),
                ('<p py:content="name">x</p>', '<p>Bob &amp; Co</p>'),
                ('<p py:replace="name">x</p>', 'Bob &amp; Co'),
                ('<p py:strip="">x</p><p py:strip="n == 1">y</p>',
                    'x<p>y</p>'),
                ('<p py:attrs="{\'class\': name, \'id\': None}">x</p>',
                    '<p class="Bob &amp; Co">x</p>'),
                ('<p class="a" py:attrs="[(\'class\', n)]">x</p>',
                    '<p class="2">x</p>'),
                ('<p>${None}${nothing}</p>', '<p></p>'),
                ('<p title="${nothing}"/>', '<p></p>'),
                ('<p>${lines}${[n, name]}</p>', '<p>ab2Bob &amp; Co</p>'),
                ('<p>a</p> and <p>b</p>', '<p>a</p> and <p>b</p>'),
                ('text', 'text'),
                ('', ''),
                ('<p><!-- kept --><!-- ! dropped --></p>',
                    '<p><!-- kept --></p>'),
                ('<div xmlns:py="http://genshi.edgewall.org/" py:if="n"/>',
                    '<div></div>'),
                ('<style>p > b { color: red }</style>',
                    '<style>p > b { color: red }</style>'),
                ('<style>p { color: ${color} }</style>',
                    '<style>p { color: #fff }</style>'),
                ]:
            with self.subTest(source=source):
                self.assertEqual(markup(
                        source, name="Bob & Co", n=2, lines=['a', 'b'],
                        data={'x': 1, 'y': 2}, nothing=None, color='#fff'),
                    expected)

    def test_expressions(self):
        "Test the functions, methods and operators that are offered"
        for source, expected in [
                ("name.upper()", 'BOB'),
                ("name.title().replace('B', 'R').strip()", 'RoB'.title()),
                ("', '.join(l.upper() for l in lines)", 'A, B'),
                ("', '.join([l for l in lines if l != 'a'])", 'b'),
                ("''.join(a + b for a in lines for b in lines)", 'aaabbabb'),
                ("'%s is %05.2f, %d%%' % (name, 1.5, 3)",
                    'Bob is 01.50, 3%'),
                ("'%(a)s' % {'a': name}", 'Bob'),
                ("name[0] + name[-1] + name[1:] + lines[1]", 'Bbobb'),
                ("data['x'] + data.y + data.get('z', 3)", '6'),
                ("'yes' if n and not nothing else 'no'", 'yes'),
                ("name if 1 < n <= 2 else ''", 'Bob'),
                ("'a' in lines and 'o' in name and 'x' in data", 'True'),
                ("nothing is None", 'True'),
                ("-n + 7 // 2 - 7 % 4 * 1.0", '-2.0'),
                ("round(n / 3, 2)", '0.67'),
                ("Decimal('1.10') * n", '2.20'),
                ("price.quantize(Decimal('0.1'))", '1.2'),
                ("sum(i for i in range(4)) + max(1, 2) + min([3, 4])", '11'),
                ("sum([price, price])", '2.46'),
                ("sorted(lines, key=lambda l: l, reverse=True)[0]", 'b'),
                ("len(lines) + int('3') + abs(-1)", '6'),
                ("date.strftime('%d/%m/%Y')", '02/01/2020'),
                ("date.isoformat() + str(date.year)", '2020-01-022020'),
                ("date + datetime.timedelta(days=3)", '2020-01-05'),
                ("(datetime.date(2020, 1, 5) - date).days", '3'),
                ("datetime.date.today() > date", 'True'),
                ("datetime.datetime.now().year > 2000", 'True'),
                ("datetime.time(12, 30)", '12:30:00'),
                ("any(l == 'b' for l in lines)", 'True'),
                ("list(zip(lines, lines))[0][1]", 'a'),
                ("dict(a=n).a", '2'),
                ("short(name, length=2)", 'Bo'),
                ("thing.name", 'offered'),
                ("hasattr(thing, 'name') and not hasattr(thing, 'x')",
                    'True'),
                ("defined('name') and not defined('x')", 'True'),
                ("value_of('x', 'default')", 'default'),
                ("name == 'Bob' and lines == ['a', 'b']", 'True'),
                ]:
            with self.subTest(source=source):
                self.assertEqual(Text(f'${{{source}}}').render({
                            'name': 'Bob', 'n': 2, 'lines': ['a', 'b'],
                            'data': {'x': 1, 'y': 2}, 'nothing': None,
                            'price': Decimal('1.23'),
                            'date': dt.date(2020, 1, 2),
                            'datetime': SAFE_DATETIME,
                            'short': lambda text, length: text[:length],
                            'thing': Offer(name='offered'),
                            }), expected)

    def test_text(self):
        "Test what everyday titles say"
        for source, expected in [
                ("Hello ${name}", "Hello Bob & Co"),
                ("Hello $name, 5$ & $$name 100% #1 {x}",
                    "Hello Bob & Co, 5$ & $name 100% #1 {x}"),
                ("#1 of ${name}", "#1 of Bob & Co"),
                ("#with love", "#with love"),
                ("{% if n %}a{% end %}{% if not n %}b{% end %}", "a"),
                ("{% for i in range(n) %}$i{% end %}", "01"),
                ("{% choose n %}{% when 1 %}a{% end %}"
                    "{% otherwise %}b{% end %}{% end %}", "b"),
                ("{% with x = n + 1 %}$x{% end %}{# comment #}", "3"),
                ("a\n  b ", "a\n  b "),
                ]:
            with self.subTest(source=source):
                self.assertEqual(
                    Text(source).render({'name': "Bob & Co", 'n': 2}),
                    expected)

    def test_doctype(self):
        "Test the document type is kept"
        for doctype in [
                '<!DOCTYPE html>',
                '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
                '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">',
                ]:
            for start in ['', '\n', '<?xml version="1.0"?>\n']:
                with self.subTest(doctype=doctype, start=start):
                    self.assertEqual(
                        markup(f'{start}{doctype}\n<p>&nbsp;</p>'),
                        f'{doctype}\n<p>\xa0</p>')

    def test_mjml(self):
        "Test MJML stays XML"
        template = Markup(
            '<mjml><mj-body><mj-text>$x<br/></mj-text><mj-divider/>'
            '</mj-body></mjml>')

        self.assertTrue(template.is_mjml)
        self.assertEqual(
            template.render({'x': '<'}),
            '<mjml><mj-body><mj-text>&lt;<br/></mj-text><mj-divider/>'
            '</mj-body></mjml>')
        self.assertFalse(Markup('<p/>').is_mjml)

    def test_syntax_errors(self):
        "Test an error of syntax tells its line"
        for cls, source, line, message in [
                (Markup, '<p>\n<br>\n</p>', 2, '"br" is not closed'),
                (Markup, '<!DOCTYPE html>\n<p>\n<b>\n</p>', 3, '"b"'),
                (Markup, '<p>\n\n</div>', 1, '"p" is not closed'),
                (Markup, '<p>\n&nope;</p>', 2, 'undefined entity'),
                (Markup, '<p>\n<a href="?a=1&b=2"/></p>', 2, ''),
                (Markup, '<p>\n\n${1 +}</p>', 3, 'invalid syntax'),
                (Markup, '<p>\n${a\n.b\n +}</p>', 2, 'invalid syntax'),
                (Markup, '<p>\n${</p>', 2, 'invalid syntax'),
                (Markup, '<p>\n<b title="${1 +}"/></p>', 2, 'invalid syntax'),
                (Markup, '<p>\n<b py:if="1 +"/></p>', 2, 'invalid syntax'),
                (Markup, '<p>\n<b py:if=""/></p>', 2, 'needs an expression'),
                (Markup, '<p>\n<b py:for="a"/></p>', 2, 'name in values'),
                (Markup, '<p>\n<py:for/></p>', 2, 'name in values'),
                (Markup, '<p>\n<b py:for="a.b in c"/></p>', 2, 'assigned'),
                (Markup, '<p>\n<b py:for="__a in c"/></p>', 2, '__a'),
                (Markup, '<p>\n<b py:with="a"/></p>', 2, 'name = value'),
                (Markup, '<p>\n<b py:with="a.b = 1"/></p>', 2, 'assigned'),
                (Markup, '<p>\n<b py:content=""/></p>', 2, ''),
                (Markup, '<p>\n<b py:def="f"/></p>', 2, 'bad directive'),
                (Markup, '<p>\n<b py:fro="f"/></p>', 2, 'bad directive'),
                (Markup, '<p>\n<?python x ?></p>', 2, 'code'),
                (Markup, '<p>\n${a.__class__}</p>', 2, '__class__'),
                (Markup, '<p>\n${a.format()}</p>', 2, 'format'),
                (Markup, '<p>\n<script/></p>', 2, 'scripts'),
                (Markup, '\n<!DOCTYPE p [<!ENTITY a "b">]><p/>', 2,
                    'entities'),
                (Text, 'a\n${1 +}', 2, 'invalid syntax'),
                (Text, 'a\n{% if 1 %}b', 2, 'no "end"'),
                (Text, 'a\n{% end %}', 2, 'nothing to "end"'),
                (Text, 'a\n{% include b %}', 2, 'not allowed'),
                (Text, 'a\n#if b\nc\n#end', 2, 'not allowed'),
                ]:
            with self.subTest(source=source):
                with self.assertRaises(TemplateSyntaxError) as context:
                    cls(source)
                self.assertEqual(context.exception.line, line)
                self.assertIn(message, context.exception.message)
                self.assertIn(f'line {line}: ', str(context.exception))

    def test_render_errors(self):
        "Test an error of rendering tells its expression and line"
        for cls, source, line, expression, message in [
                (Markup, '<p>\n${nope}\n</p>', 2, 'nope',
                    '"nope" is not defined'),
                (Markup, '<p>a\n\n b ${thing.nope}\n</p>', 3, 'thing.nope',
                    'nope'),
                (Markup, '<p>\n<b>a</b>\n${nope}</p>', 3, 'nope', ''),
                (Markup, '<p>\n&eacute;\n${nope}</p>', 3, 'nope', ''),
                (Markup, '<!DOCTYPE html>\n<p>\n${nope}</p>', 3, 'nope', ''),
                (Markup, '<p>\n<b title="${nope}"/></p>', 2, 'nope', ''),
                (Markup, '<p>\n<b py:if="nope"/></p>', 2, 'nope', ''),
                (Markup, '<p>\n<b py:for="a in nope"/></p>', 2, 'nope', ''),
                (Markup, '<p>\n<b py:for="a in 3"/></p>', 2, '3', 'iterable'),
                (Markup, '<p>\n<b py:for="a, b in [1]"/></p>', 2, '[1]', ''),
                (Markup, '<p>\n<b py:with="a, b = [1]"/></p>', 2, '[1]', ''),
                (Markup, '<p>\n<b py:attrs="3"/></p>', 2, '3', ''),
                (Markup, '<p>\n<b py:when="1"/></p>', 2, '', 'when'),
                (Markup, '<p>\n${1 / 0}</p>', 2, '1 / 0', 'zero'),
                (Markup, '<p>\n${fail()}</p>', 2, 'fail()', 'KeyError'),
                (Markup, '<p>\n${thing}</p>', 2, 'thing', 'shown'),
                (Markup, '<p>\n${1 + "a"}</p>', 2, '1 + "a"', 'TypeError'),
                (Markup, '<p>\n${{}["a"]}</p>', 2, '{}["a"]', 'no item'),
                (Markup, '<p>\n${a("b")}</p>', 2, 'a("b")', 'called'),
                (Text, 'a\n${nope}', 2, 'nope', ''),
                (Text, 'a\n{% if nope %}{% end %}', 2, 'nope', ''),
                ]:
            with self.subTest(source=source):
                template = cls(source)
                with self.assertRaises(TemplateRenderError) as context:
                    template.render({
                            'thing': Offer(), 'fail': {}.popitem, 'a': 'a'})
                self.assertEqual(context.exception.line, line)
                self.assertEqual(context.exception.expression, expression)
                self.assertIn(message, context.exception.message)

    def test_database_error(self):
        "Test an error that makes Tryton try again is not of the template"
        def fail():
            raise backend.DatabaseOperationalError()

        for source in [
                '<p>${fail()}</p>', '<p py:for="a in [fail()]"/>',
                '<p py:for="a in (fail() for i in [1])"/>',
                '<p py:attrs="fail()"/>', '<p py:with="a = fail()"/>']:
            with self.subTest(source=source), \
                    self.assertRaises(backend.DatabaseOperationalError):
                markup(source, fail=fail)

    def test_limits(self):
        "Test the limits can be set"
        for limits in [
                Limits(source=10), Limits(output=10), Limits(steps=3),
                Limits(room=10), Limits(seconds=-1)]:
            with self.subTest(limits=limits), \
                    self.assertRaises(
                        (TemplateSyntaxError, TemplateRenderError)):
                Markup(
                    '<p py:for="i in range(99)">${"x" * 9}</p>',
                    limits=limits).render({})

    def test_paths(self):
        "Test the fields that a template uses are known"
        for source, paths in [
                ('<p>${record.party.name}</p>', ['record.party.name:1']),
                ('<p>\n\n$record.name</p>', ['record.name:3']),
                ('<p>${record}</p>', []),
                ('<p>${a\n + record.name}</p>', ['record.name:2']),
                ('<p title="${record.a}" py:if="record.b" '
                    'py:attrs="{\'c\': record.c}" py:strip="record.d"/>',
                    ['record.b:1', 'record.c:1', 'record.d:1',
                        'record.a:1']),
                ('<p py:content="record.a"/><p py:replace="record.b"/>',
                    ['record.a:1', 'record.b:1']),
                ('<p py:choose="record.a"><b py:when="record.b"/></p>',
                    ['record.a:1', 'record.b:1']),
                ('<p>${format(record.a, b=record.b)}</p>',
                    ['record.a:1', 'record.b:1']),
                ('<p py:for="l in record.lines">\n${l.name}</p>${l.x}',
                    ['record.lines:1', 'record.lines.name:2']),
                ('<p py:for="a in record.x"><b py:for="b in a.y">${b.z}</b>'
                    '</p>', ['record.x:1', 'record.x.y:1', 'record.x.y.z:1']),
                ('<p py:for="record in lines">${record.x}</p>', []),
                ('<p py:for="i, l in enumerate(record.lines)">${l.x}</p>',
                    ['record.lines:1']),
                ('<p py:with="p = record.party; l = p.lang">${l.code}</p>',
                    ['record.party:1', 'record.party.lang:1',
                        'record.party.lang.code:1']),
                ('<p>${[a.city for a in record.addresses if a.x]}</p>',
                    ['record.addresses:1', 'record.addresses.x:1',
                        'record.addresses.city:1']),
                ('<p>${sorted(record.a, key=lambda l: l.x)}</p>',
                    ['record.a:1']),
                ('<p>${(lambda record: record.x)}</p>', []),
                ('<p>${record.addresses[0].city}</p>',
                    ['record.addresses.city:1', 'record.addresses:1']),
                ('<p>${record.name.upper()}</p>', ['record.name.upper:1']),
                ]:
            with self.subTest(source=source):
                self.assertEqual([
                        f"{'.'.join(names)}:{line}"
                        for names, line in Markup(source).paths], paths)
        self.assertEqual(
            Text('a\n${record.name}').paths, ((('record', 'name'), 2),))

    def test_names(self):
        "Test the variables that a template uses are known"
        self.assertEqual(
            Markup(
                '<p py:for="l in record.lines" py:with="a = b">\n'
                '${l} ${a} ${c.d} ${len(e)} ${[i for i in range(3)]}</p>'
                ).names,
            (('record', 1), ('b', 1), ('record', 2), ('b', 2), ('c', 2),
                ('e', 2)))

    def test_context_unchanged(self):
        "Test rendering leaves the context as it is"
        context = {'a': 1}

        Markup('<p py:with="a = 2">$a</p>').render(context)

        self.assertEqual(context, {'a': 1})

    def test_threads(self):
        "Test one template is rendered by many threads"
        template = Markup(
            '<i py:for="i in range(50)" py:with="x = i + n">$x </i>')
        outputs = {}

        def render(n):
            outputs[n] = [template.render({'n': n}) for _ in range(10)]
        threads = [
            threading.Thread(target=render, args=[n]) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for n in range(8):
            expected = ''.join(f'<i>{i + n} </i>' for i in range(50))
            self.assertEqual(outputs[n], [expected] * 10)
