# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The templates of titles and bodies: Genshi, with the expressions of
:mod:`expression`, without includes, code, macros and match templates, and with
an end to what they can cost.

A template is compiled once and can be rendered by any number of threads.
"""

import html
import re
from functools import cached_property, lru_cache

from genshi.core import (
    COMMENT, END, END_CDATA, PI, START, START_CDATA, TEXT, Attrs)
from genshi.input import ParseError, XMLParser
from genshi.output import get_serializer
from genshi.template import MarkupTemplate
from genshi.template import base as genshi
from genshi.template.base import EXPR, SUB
from genshi.template.interpolation import lex

from ..common.access import Refused
from .directive import MARKUP_DIRECTIVES, TEXT_DIRECTIVES, chains
from .expression import (
    Output, TemplateRenderError, TemplateSyntaxError, render_error)
from .outline import compact, trace
from .runtime import Budget, Limits, Scope
from .value import BUILTINS, SAFE_DATETIME, Offer, Value, limited

__all__ = [
    'Markup', 'Offer', 'SAFE_DATETIME', 'TemplateRenderError',
    'TemplateSyntaxError', 'Text', 'compile_markup', 'compile_text',
    'limited',
    ]


# -- Parsing

def _interpolate(text, line):
    "Yield the events of a text with expressions"
    try:
        for is_expression, chunk in lex(text, (None, line, -1), None):
            pos = (None, line, -1)
            if not is_expression:
                yield TEXT, chunk, pos
            elif chunk.strip():
                blank = chunk[:len(chunk) - len(chunk.lstrip())]
                yield EXPR, Output(chunk, line + blank.count('\n')), pos
            line += chunk.count('\n')
    except genshi.TemplateSyntaxError as error:
        raise TemplateSyntaxError(
            "an expression has no end or invalid syntax", line) from error


class _Parser(XMLParser):
    "Parse XHTML and MJML, know the line of everything"

    def __init__(self, source):
        super().__init__(source, encoding='utf-8')
        self.open = []

    def _enqueue(self, kind, data=None, pos=None):
        super()._enqueue(kind, data, pos)
        if kind is TEXT:
            # Expat is at the end of the text
            line = self.expat.CurrentLineNumber - data.count('\n')
            self._queue[-1] = kind, data, (None, line, -1)

    def _handle_start(self, tag, attrib):
        self.open.append((tag, self.expat.CurrentLineNumber))
        super()._handle_start(tag, attrib)

    def _handle_end(self, tag):
        self.open.pop()
        super()._handle_end(tag)


_PROLOG = re.compile(
    r'(?:\s|<\?xml\s.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*',
    re.DOTALL | re.IGNORECASE)
# What is put around makes fragments possible and declares the prefix
_WRAPPER = 'template-wrapper'
_XINCLUDE = 'http://www.w3.org/2001/XInclude'


class _MarkupTemplate(MarkupTemplate):
    directives = MARKUP_DIRECTIVES
    root = None

    def _init_loader(self):
        pass

    def _init_filters(self):
        self.filters = [self._flatten]

    def _parse(self, source, encoding):
        parser = _Parser(source)
        events, depth = [], 0
        try:
            for kind, data, pos in parser:
                if kind is START:
                    depth += 1
                    if depth == 1:
                        continue
                    self._check_element(*data, pos)
                elif kind is END:
                    depth -= 1
                    if not depth:
                        continue
                elif kind is TEXT:
                    events.extend(_interpolate(data, pos[1]))
                    continue
                elif kind is PI and data[0] == 'python':
                    raise TemplateSyntaxError(
                        "code is not allowed in a template", pos[1])
                elif kind in {START_CDATA, END_CDATA}:
                    # Its text would not be escaped
                    continue
                elif kind is COMMENT and data.lstrip().startswith('!'):
                    continue
                events.append((kind, data, pos))
        except ParseError as error:
            raise self._explain(error, parser) from error
        return events

    def _explain(self, error, parser):
        message = re.sub(r': line \d+, column \d+$', '', error.msg)
        line = error.lineno
        opened = [(t, l) for t, l in parser.open if t != _WRAPPER]
        if message == 'mismatched tag' and opened:
            tag, line = opened[-1]
            message = f'the element "{tag.split("}")[-1]}" is not closed'
        return TemplateSyntaxError(message, line)

    def _check_element(self, tag, attrs, pos):
        if self.root is None:
            self.root = tag.localname
        if tag.namespace == _XINCLUDE or tag.localname == 'mj-include':
            raise TemplateSyntaxError(
                "other files can not be included in a template", pos[1])
        if (tag.localname.lower() == 'script'
                and attrs.get('type') != 'application/ld+json'):
            raise TemplateSyntaxError(
                "scripts are not allowed in a template", pos[1])

    def _interpolate_attrs(self, stream):
        for kind, data, pos in stream:
            if kind is START:
                tag, attrs = data
                new_attrs = []
                for name, value in attrs:
                    if value and '$' in value:
                        value = list(_interpolate(value, pos[1]))
                        if all(event[0] is TEXT for event in value):
                            value = ''.join(event[1] for event in value)
                    new_attrs.append((name, value))
                data = tag, Attrs(new_attrs)
            yield kind, data, pos

    def _extract_includes(self, stream):
        return stream


class _TextTemplate(genshi.Template):
    directives = TEXT_DIRECTIVES
    serializer = 'text'
    _token = re.compile(
        r'\{%((?:(?!%\}|\{%).)*)%\}|\{#(?:(?!#\}|\{#).)*#\}', re.DOTALL)
    # The directives that Genshi had at the start of a line
    _line_directive = re.compile(
        r'^[ \t]*#(?:include|def|python)\b', re.MULTILINE)
    _line_block = re.compile(
        r'^[ \t]*#(?:if|for|choose|when|otherwise|with|end)\b', re.MULTILINE)

    def _init_loader(self):
        pass

    def _init_filters(self):
        self.filters = [self._flatten]

    def _parse(self, source, encoding):
        source = source.read()
        match = self._line_directive.search(source)
        if not match and '\n' in source.strip():
            match = self._line_block.search(source)
        if match:
            raise TemplateSyntaxError(
                f'"{match.group().strip()}" is not allowed, '
                'use "{% if … %} … {% end %}"',
                1 + source.count('\n', 0, match.end()))
        blocks, opened, offset = [[]], [], 0
        for match in self._token.finditer(source):
            line = 1 + source.count('\n', 0, offset)
            blocks[-1].extend(_interpolate(
                    source[offset:match.start()], line))
            line = 1 + source.count('\n', 0, match.start())
            offset = match.end()
            command, _, value = (match.group(1) or '').strip().partition(' ')
            if command == 'end':
                if not opened:
                    raise TemplateSyntaxError(
                        'there is nothing to "end"', line)
                directive, substream = opened.pop(), blocks.pop()
                blocks[-1].append(
                    (SUB, ([directive], substream), directive[-1]))
            elif command:
                cls = self.get_directive(command)
                if cls is None:
                    raise TemplateSyntaxError(
                        f'the directive "{command}" is not allowed', line)
                opened.append((0, cls, value, {}, (None, line, -1)))
                blocks.append([])
        if opened:
            raise TemplateSyntaxError(
                f'"{opened[-1][1].tagname}" has no "end"', opened[-1][-1][1])
        line = 1 + source.count('\n', 0, offset)
        blocks[0].extend(_interpolate(source[offset:], line))
        return blocks[0]


# -- What comes out

_URLS = frozenset([
        'href', 'src', 'action', 'formaction', 'background', 'poster', 'cite',
        'data', 'longdesc', 'dynsrc', 'lowsrc', 'srcset', 'background-url'])
_IMAGES = frozenset(['src', 'background', 'poster', 'background-url'])
_ignored = re.compile('[\x00-\x20\x7f-\xa0\xad\u180e\u200b-\u200f'
    '\u2028-\u202f\u205f-\u2064\u3000\ufeff]+')
_unsafe = re.compile(r'(javascript|vbscript|livescript|data|file):', re.I)
_image = re.compile(r'data:image/(png|gif|jpe?g|webp)[;,]', re.I)
_style_value = re.compile(r"[\w#%.,+ -]*")


@lru_cache(maxsize=1000)
def _risk(name):
    "Return what an attribute can do: run code, lead somewhere or nothing"
    name = getattr(name, 'localname', name).lower()
    if name.startswith('on') or name == 'srcdoc':
        return 'code'
    return 'image' if name in _IMAGES else 'url' if name in _URLS else None


def _is_unsafe(risk, value):
    "Test if the value of an attribute makes a browser run what it contains"
    if risk == 'code':
        return True
    if not value or value.startswith(('https:', 'http:', '#', 'mailto:')):
        return False
    url = _ignored.sub('', html.unescape(value))
    return bool(_unsafe.match(url)) and not (
        risk == 'image' and _image.match(url))


def _guard(stream, room):
    "Drop the attributes that run code and the values that leave their place"
    verbatim = None
    for event in stream:
        kind, data, pos = event
        if kind is START:
            tag, attrs = data
            if tag.localname in {'style', 'script'}:
                verbatim = tag.localname
            for name, value in attrs:
                if (risk := _risk(name)) and _is_unsafe(risk, value):
                    attrs = attrs - name
                    event = kind, (tag, attrs), pos
        elif kind is END:
            verbatim = None
        elif kind is TEXT:
            # The serializer collects all the text up to the next element
            room -= len(data)
            if room < 0:
                raise Refused("the result is too long")
            if (verbatim and type(data) is Value
                    and (verbatim == 'script'
                        or not _style_value.fullmatch(data))):
                raise TemplateRenderError(
                    f"the value can not be used in {verbatim}", line=pos[1])
        yield event


class _Template:
    """
    A compiled template.

    :param source: its text.
    :param name: what it is called in logs.
    :param limits: what it may cost.
    :raises TemplateSyntaxError: if it can not be compiled.
    """

    _engine = None

    def __init__(self, source, name='', limits=Limits()):
        self.source = source
        self.name = name
        self.limits = limits
        if len(source) > limits.source:
            raise TemplateSyntaxError("the template is too long")
        try:
            self._template = self._engine(self._prepare(source))
            self._template.stream
        except TemplateSyntaxError:
            raise
        except genshi.TemplateError as error:
            line = error.lineno if error.lineno > 0 else None
            raise TemplateSyntaxError(str(error.msg), line) from error
        except Exception as error:
            message = str(error) or type(error).__name__
            raise TemplateSyntaxError(message) from error
        used = dict.fromkeys(chains(self._template.stream))
        #: The dotted names used of ``record``, itself included, and the line
        self.paths = tuple(
            (names, line) for names, line in used
            if names[0] == 'record' and len(names) > 1)
        #: The names of the variables that the context must have, and the line
        self.names = tuple(dict.fromkeys(
                (names[0], line) for names, line in used
                if names[0] not in BUILTINS))

    def __repr__(self):
        return f'{type(self).__name__}({self.name!r})'

    def _prepare(self, source):
        return source

    def render(self, context):
        """
        Return the text for the context.

        :raises TemplateRenderError: whatever goes wrong.
        """
        return self._run(context, self._join)

    def _join(self, scope):
        room, chunks = self.limits.output, []
        for chunk in self._serialize(self._template.generate(scope)):
            room -= len(chunk)
            if room < 0:
                raise Refused("the result is too long")
            chunks.append(chunk)
        return ''.join(chunks)

    def _run(self, context, function):
        limits = self.limits
        scope = Scope(
            context, Budget(limits.steps, limits.room, limits.seconds))
        try:
            return function(scope)
        except genshi.TemplateError as error:
            line = error.lineno if error.lineno > 0 else None
            raise TemplateRenderError(str(error.msg), line=line) from error
        except Exception as error:
            raise render_error(error) from error


class Markup(_Template):
    """
    The body of a mail in XHTML, or in MJML if that is its root element.

    It may be a fragment without a root, and ``py:`` needs no declaration.
    """
    __doc__ += _Template.__doc__

    _engine = _MarkupTemplate

    def __init__(self, source, name='', limits=Limits()):
        super().__init__(source, name, limits)
        self.is_mjml = self._template.root == 'mjml'
        self._serializer = get_serializer('xml' if self.is_mjml else 'html')

    def _prepare(self, source):
        prolog = _PROLOG.match(source).group()
        rest = source[len(prolog):]
        if rest[:9].upper() == '<!DOCTYPE':
            raise TemplateSyntaxError(
                "entities can not be declared in a template",
                1 + prolog.count('\n'))
        return (f'{prolog}<{_WRAPPER} '
            f'xmlns:py="{MarkupTemplate.DIRECTIVE_NAMESPACE}">'
            f'{rest}</{_WRAPPER}>')

    def _serialize(self, stream):
        return self._serializer(_guard(stream, self.limits.output))

    @cached_property
    def _compact(self):
        return compact(self._template.stream)

    def outline(self, context):
        """
        Return the outline of the result, its words and the function that
        renders it with places for the words; or None if it has no outline.

        The function returns None if a word would have a meaning.

        :raises TemplateRenderError: whatever goes wrong.
        """
        traced = self._run(
            context, lambda scope: trace(self._compact, scope))
        if traced is None:
            return
        outline, words, get_events = traced

        def render():
            events = get_events()
            if events is not None:
                return ''.join(self._serialize(iter(events)))
        return outline, words, render


class Text(_Template):
    """
    A plain text such as a title, with ``${...}`` and ``{% if ... %}``.
    """
    __doc__ += _Template.__doc__

    _engine = _TextTemplate

    def _serialize(self, stream):
        return (data for kind, data, _ in stream if kind is TEXT)


# The same source is rendered for many recipients
compile_markup = lru_cache(maxsize=256)(Markup)
compile_text = lru_cache(maxsize=512)(Text)
