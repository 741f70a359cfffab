# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Attempts to get out of the sandbox.

The proof of each is that it works where nothing is checked: the expressions
with eval, the templates with Genshi alone.
"""

import os
import tempfile
import time
import tracemalloc
import types
import unittest
import warnings
from pathlib import Path

from genshi.core import Markup as Unescaped
from genshi.input import XML
from genshi.template import MarkupTemplate, NewTextTemplate, OldTextTemplate

from trytond.modules.marketing_automation.template.engine import (
    SAFE_DATETIME, Markup, TemplateRenderError, TemplateSyntaxError, Text,
    limited)

from .attacks import (
    BOMBS, ENGINE, EXPRESSIONS, SECRET, Thing, coroutine, generator, helper)

ERRORS = (TemplateSyntaxError, TemplateRenderError)


class SandboxTestCase(unittest.TestCase):
    "Test the sandbox of templates"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, 'proof')
        self.secret_path = os.path.join(directory.name, 'secret')
        Path(self.secret_path).write_text(SECRET)

    def context(self):
        try:
            raise ValueError(SECRET)
        except ValueError as exception:
            error = exception
        module = types.ModuleType('module')
        module.SECRET = SECRET
        return {
            'thing': Thing(),
            'helper': helper,
            'gen': generator(),
            'coro': coroutine(),
            'error': error,
            'Klass': Thing,
            'module': module,
            'text': 'text',
            'items': [1, 2],
            'mapping': {'a': 1},
            'path': self.path,
            'secret_path': self.secret_path,
            'html': '<b>' + SECRET,
            'markup': Unescaped('<b>' + SECRET),
            'stream': XML('<b>S3CRET</b>'),
            'url': 'javascript:' + SECRET,
            'datetime': SAFE_DATETIME,
            }

    def escaped(self, output, context):
        "Test if what was rendered or happened shows the secret"
        changed = (
            context['items'] != [1, 2] or context['mapping'] != {'a': 1})
        written = os.path.exists(self.path)
        if written:
            os.unlink(self.path)
        return written or changed or SECRET in str(output)

    def test_expressions(self):
        "Test the expressions that get out of eval do not of the sandbox"
        for source in EXPRESSIONS.strip().splitlines():
            with self.subTest(source=source):
                context = self.context()
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore', ResourceWarning)
                    control = eval(source, {'SECRET': SECRET, **context})
                self.assertTrue(
                    self.escaped(control, context), "this is no attack")

                for template, text in [
                        (Markup, f'<p>${{{source}}}</p>'),
                        (Text, f'${{{source}}}'),
                        (Markup, '<p py:with="x = %s">$x</p>'
                            % source.replace('"', '&quot;')),
                        ]:
                    context, output = self.context(), ''
                    with self.assertRaises(ERRORS):
                        output = template(text).render(context)
                    self.assertFalse(self.escaped(output, context))

    def test_inside_out(self):
        "Test an expression does not reach the engine or get nodes unchecked"
        for source in ENGINE.strip().splitlines():
            with self.subTest(source=source), self.assertRaises(ERRORS):
                Markup(f'<p>${{{source}}}</p>').render(self.context())

    def test_bombs(self):
        "Test no expression takes much time or memory"
        for source in BOMBS.strip().splitlines():
            with self.subTest(source=source):
                tracemalloc.start()
                start = time.thread_time()
                try:
                    with self.assertRaises(ERRORS):
                        Markup(f'<p>${{{source}}}</p>').render(
                            self.context())
                    _, peak = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                self.assertLess(time.thread_time() - start, 5)
                self.assertLess(peak, 100_000_000)

    def test_bombs_template(self):
        "Test no template takes much time or memory"
        double = '; '.join(
            ['a = "x" * 1000'] + ['a = a + a'] * 40)
        tower = '; '.join(
            ['a = [1]'] + ['a = [a, a, a, a, a, a, a, a, a, a]'] * 12)
        tuples = tower.replace('[', '(').replace(']', ',)')
        loops = '<i py:for="i in range(9999)">' * 3 + '</i>' * 3
        squares = '; '.join(['a = 3.0', 'b = 12345'] + ['b = b * b'] * 40)
        for source in [
                f"<p py:with='{double}'>$a</p>",
                f"<p py:with='{tower}; b = a == {tower[5:8]}'>$b</p>",
                f"<p py:with='{tower}'>${{a == [a]}}</p>",
                f"<p py:with='{tower}'>${{a in [1]}}</p>",
                f"<p py:with='{tower}'>$a</p>",
                f"<p py:with='{tower}'>${{str(a)}}</p>",
                f"<p py:with='{tower}'>${{'%s' % a}}</p>",
                f"<p py:with='{tuples}'>${{'%s' % a}}</p>",
                f"<p py:with='{tuples}'>${{{{}}.get(a)}}</p>",
                f"<p py:with='{tuples}'>${{{{}}[a]}}</p>",
                f"<p py:with='{tuples}'>${{a in {{}}}}</p>",
                f"<p py:with='{tower}'>${{sorted([a, a])}}</p>",
                f"<p py:with='{tower}'>${{max(a, a)}}</p>",
                f"<p py:with='{tower}'>${{a.index(a)}}</p>",
                f"<p py:with='{squares}'>$b</p>",
                f'<p>{loops}</p>',
                '<p><py:for each="i in range(9999)">%s</py:for></p>' % (
                    'x' * 9999),
                '<p py:with="f = lambda n: f(n)">${f(1)}</p>',
                '<p py:with="f = lambda n: f(n - 1) + f(n - 1) if n else 1">'
                '${f(40)}</p>',
                '<p py:if="1">' * 5000 + '</p>' * 5000,
                '<p>${' + '(' * 1000 + ')' * 1000 + '}</p>',
                '<p>${' + '1+' * 1900 + '1}</p>',
                '<p>' + 'x' * 1_000_000 + '</p>',
                ]:
            with self.subTest(source=source[:100]):
                start = time.thread_time()
                with self.assertRaises(ERRORS):
                    Markup(source).render({})
                self.assertLess(time.thread_time() - start, 5)

    def test_markup(self):
        "Test the templates that get out of Genshi do not of the sandbox"
        include = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
        for source in [
                f'<p {include}>'
                f'<xi:include href="{self.secret_path}" parse="text"/></p>',
                f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" '
                f'href="{self.secret_path}" parse="text"/>',
                f'<p {include}><xi:include href="/none"><xi:fallback>'
                '<b>S3CRET</b></xi:fallback></xi:include></p>',
                '<p><?python x = "S3CR" + "ET" ?>${x}</p>',
                '<p><py:def function="f">S3CRET</py:def>${f()}</p>',
                '<p><i py:def="f(x)">S3CRET$x</i>${f(1)}</p>',
                '<p><i py:match="b">S3CRET</i><b/></p>',
                '<p>${Markup(html)}</p>',
                '<p>${thing.secret}</p>',
                '<p title="${thing.secret}"/>',
                '<p py:if="True or thing.steal(path)">$thing</p>',
                '<p py:if="thing.steal(path)"/>',
                '<p py:for="t in [thing]">${t.secret}</p>',
                '<p py:for="t in thing.steal(path)">$t</p>',
                '<p py:choose="thing.steal(path)"><b py:when="1"/></p>',
                '<p py:choose=""><b py:when="thing.steal(path)"/></p>',
                '<p py:content="thing.secret"/>',
                '<p py:replace="thing.secret"/>',
                '<p><py:replace value="thing.secret"/></p>',
                '<p py:attrs="{\'a\': thing.secret}"/>',
                '<p py:strip="thing.steal(path)"/>',
                '<p py:with="t = thing.steal(path)"/>',
                '<p py:attrs="{\'a&gt;&lt;b&gt;S3CRET\': 1}"/>',
                '<script>"${html}"</script>',
                '<script>S3CRET</script>',
                '<SCRIPT type="text/javascript">S3CRET</SCRIPT>',
                '<script type="application/ld+json">${html}</script>',
                '<style>${html}</style>',
                '<style>${"x{}"}${"S3CRET}"}</style>',
                '<p>$stream</p>',
                '<p py:content="stream"/>',
                ]:
            with self.subTest(source=source):
                context = self.context()
                control = MarkupTemplate(
                    source if source.startswith('<x') else
                    '<div xmlns:py="http://genshi.edgewall.org/">'
                    f'{source}</div>').generate(
                    Markup=Unescaped, **context).render('html', encoding=None)
                self.assertTrue(
                    self.escaped(control, context), "this is no attack")

                context, output = self.context(), ''
                with self.assertRaises(ERRORS):
                    output = Markup(source).render(context)
                self.assertFalse(self.escaped(output, context))

    def test_text(self):
        "Test the titles that get out of Genshi do not of the sandbox"
        for engine, source in [
                (OldTextTemplate, f'a\n#include {self.secret_path}\n'),
                (OldTextTemplate, f'#include {self.secret_path}'),
                (OldTextTemplate, '#def f()\nS3CRET\n#end\n${f()}'),
                (NewTextTemplate, '{%% include %s %%}' % self.secret_path),
                (NewTextTemplate, '{% python x = "S3CR" + "ET" %}$x'),
                (NewTextTemplate, '{% def f() %}S3CRET{% end %}${f()}'),
                (NewTextTemplate, '{% for t in [thing] %}${t.secret}{% end %}'
                    ),
                (NewTextTemplate, '{% if thing.steal(path) %}{% end %}'),
                (NewTextTemplate, '{% with t=thing %}${t.own}{% end %}'),
                (NewTextTemplate, '$thing'),
                (NewTextTemplate, '$thing.secret'),
                ]:
            with self.subTest(source=source):
                context = self.context()
                control = engine(source).generate(**context).render(
                    encoding=None)
                self.assertTrue(
                    self.escaped(control, context), "this is no attack")

                context, output = self.context(), ''
                with self.assertRaises(ERRORS):
                    output = Text(source).render(context)
                self.assertFalse(self.escaped(output, context))

    def test_entities(self):
        "Test a template has no entities of its own"
        laughs = ''.join(
            f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(10))
        for doctype, body in [
                ('[<!ENTITY e "S3CRET">]', '&e;'),
                (f'[<!ENTITY e SYSTEM "file://{self.secret_path}">]', '&e;'),
                (f'[<!ENTITY % e SYSTEM "file://{self.secret_path}"> %e;]',
                    ''),
                (f'[<!ENTITY l0 "lol">{laughs}]', '&l10;'),
                ]:
            for start in ['', '<!-- > -->', '\n', '<?xml version="1.0"?>']:
                source = f'{start}<!DOCTYPE p {doctype}><p>{body}</p>'
                with self.subTest(source=source), \
                        self.assertRaises(TemplateSyntaxError):
                    Markup(source)

    def test_include_mjml(self):
        "Test MJML does not include files"
        with self.assertRaises(TemplateSyntaxError):
            Markup(f'<mjml><mj-include path="{self.secret_path}"/></mjml>')

    def test_limited(self):
        "Test the functions that format do not make more than they get"
        calls = []

        @limited
        def format_(value, lang=None, digits=2, format='%x'):
            calls.append((value, digits, format))
            return 'formatted'

        for source in [
                'format(1, None, 999999999)', 'format(1, digits=999999999)',
                'format(1, digits=-999999999)', 'format(1, digits=1e9)',
                'format(1, None, 2, "%999999999d")',
                'format(1, format="%x" * 1000)',
                ]:
            with self.subTest(source=source), \
                    self.assertRaises(TemplateRenderError):
                Text(f'${{{source}}}').render({'format': format_})
        self.assertFalse(calls)
        for source in ['format(99999)', 'format(1, None, 2, "%d/%m/%Y")']:
            with self.subTest(source=source):
                self.assertEqual(
                    Text(f'${{{source}}}').render({'format': format_}),
                    'formatted')

    def test_external_dtd(self):
        "Test the document type is not read"
        output = Markup(
            f'<!DOCTYPE p SYSTEM "file://{self.secret_path}">'
            '<p>&nbsp;</p>').render({})

        self.assertNotIn(SECRET, output)

    def test_escaped(self):
        "Test values never come out as markup"
        for source in [
                '<p>$html</p>', '<p title="$html"/>', '<p>$markup</p>',
                '<p title="$markup"/>', '<p py:content="markup"/>',
                '<p py:replace="markup"/>',
                '<p py:attrs="{\'title\': markup}"/>',
                '<p>${[markup]}</p>', '<p>${markup + markup}</p>',
                '<p>${"%s" % markup}</p>', '<p>${"".join([markup])}</p>',
                '<p>${markup.replace("x", "y")}</p>',
                '<p>${markup[:]}</p>', '<p>${str(markup)}</p>',
                '<p>${markup or 1}</p>', '<p>${markup * 2}</p>',
                '<p><![CDATA[$html]]></p>', '<p><![CDATA[$markup]]></p>',
                '<mjml><mj-raw><![CDATA[$html]]></mj-raw></mjml>',
                '<mjml><mj-style>$html</mj-style></mjml>',
                ]:
            with self.subTest(source=source):
                output = Markup(source).render(self.context())
                self.assertIn(SECRET, output)
                self.assertNotIn('<b>', output)

    def test_urls(self):
        "Test the attributes that run code are dropped"
        for url in [
                'javascript:x', 'JavaScript:x', ' javascript:x',
                'java\nscript:x', 'java\tscript:x', '\x01javascript:x',
                'javascript\n:x', '\u200bjavascript:x', 'java\u00adscript:x',
                '\ufeffjavascript:x', '&#106;avascript:x',
                'java&#x0a;script:x', 'javascript&colon;x',
                'java&Tab;script:x', 'vbscript:x', 'VBScript:x',
                'livescript:x', 'data:text/html,<script>x</script>',
                'data:text/html;base64,eA==', 'DATA:image/svg+xml,x',
                'data:image/svg+xml;base64,eA==', 'file:///etc/passwd',
                ]:
            for source in [
                    '<a href="$url">a</a>', '<img src="$url"/>',
                    '<form action="$url"/>', '<a HREF="$url">a</a>',
                    '<a py:attrs="{\'href\': url}">a</a>',
                    '<button formaction="$url"/>',
                    '<svg xmlns:x="http://www.w3.org/1999/xlink">'
                    '<a x:href="$url"/></svg>',
                    '<mjml><mj-button href="$url"/></mjml>',
                    ]:
                with self.subTest(url=url, source=source):
                    output = Markup(source).render({'url': url})
                    self.assertNotIn('=', output.replace('xmlns:x=', ''))

    def test_urls_static(self):
        "Test the attributes that run code are dropped when not computed"
        for source in [
                '<a href="javascript:x">a</a>',
                '<a href="java&#10;script:x">a</a>',
                '<a href="&#32;javascript:x">a</a>',
                '<a onclick="x">a</a>', '<p ONLOAD="x"/>',
                '<iframe srcdoc="&lt;script&gt;"/>',
                '<p py:attrs="{\'onclick\': \'x\'}"/>',
                ]:
            with self.subTest(source=source):
                self.assertNotIn('=', Markup(source).render({}))

    def test_urls_kept(self):
        "Test the other addresses are kept"
        for url in [
                'https://example.com/?a=1', '/path', '#anchor', 'cid:logo',
                'mailto:a@example.com', 'tel:+32', 'unsubscribe',
                'https://example.com/javascript:x',
                ]:
            with self.subTest(url=url):
                self.assertIn(
                    f'href="{url}"',
                    Markup('<a href="$url"/>').render({'url': url}))
        self.assertIn(
            'src="data:image/png;base64,eA=="',
            Markup('<img src="data:image/png;base64,eA=="/>').render({}))
