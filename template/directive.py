# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The directives of templates, their expressions compiled in the sandbox.
"""

import re

from genshi.core import (
    COMMENT, DOCTYPE, END, END_NS, PI, START, START_NS, TEXT, XML_DECL, QName)
from genshi.template import directives
from genshi.template.base import EXPR, SUB, _apply_directives

from ..common.access import Refused
from .expression import (
    Expression, Output, TemplateSyntaxError, assigned, parse)
from .value import Value, text

__all__ = ['MARKUP_DIRECTIVES', 'TEXT_DIRECTIVES', 'chains']

KINDS = {
    COMMENT, DOCTYPE, END, END_NS, EXPR, PI, START, START_NS, SUB, TEXT,
    XML_DECL}


class _Directive:
    "Compile the expressions of a directive in the sandbox"
    __slots__ = ()
    required = True

    @classmethod
    def _parse_expr(cls, source, template, lineno=-1, offset=-1):
        if source and source.strip():
            return Expression(source, lineno)
        if cls.required:
            raise TemplateSyntaxError(
                f'the directive "{cls.tagname}" needs an expression', lineno)

    def uses(self, scope):
        "Yield the chains used by the directive and bind its names in scope"
        if self.expr:
            _check(self.expr, Expression)
            yield from _resolve(self.expr.chains, scope)


class _If(_Directive, directives.IfDirective):
    __slots__ = ()


class _Choose(_Directive, directives.ChooseDirective):
    __slots__ = ()
    required = False


class _When(_Directive, directives.WhenDirective):
    __slots__ = ()
    required = False


class _Otherwise(_Directive, directives.OtherwiseDirective):
    __slots__ = ()
    required = False


class _Output(_Directive):
    __slots__ = ()

    @classmethod
    def _parse_expr(cls, source, template, lineno=-1, offset=-1):
        return Output(source or '', lineno)


class _Content(_Output, directives.ContentDirective):
    __slots__ = ()


class _Replace(_Output, directives.ReplaceDirective):
    __slots__ = ()


class _Strip(_Directive, directives.StripDirective):
    __slots__ = ()
    required = False


class _For(_Directive, directives.ForDirective):
    __slots__ = ('names',)

    def __init__(self, value, template, namespaces=None, lineno=-1, offset=-1):
        names, separator, values = (value or '').partition(' in ')
        if not separator:
            raise TemplateSyntaxError(
                'the directive "for" is written "name in values"', lineno)
        directives.Directive.__init__(
            self, values, template, namespaces, lineno, offset)
        try:
            self.names = assigned(parse(names).body)
        except Refused as error:
            raise TemplateSyntaxError(str(error), lineno) from error

    def __call__(self, stream, remaining, scope, **vars):
        values = self.expr.evaluate(scope)
        if values is None:
            return
        stream = list(stream)
        values = iter(self._guard(iter, values))
        while True:
            try:
                value = self._guard(next, values)
            except StopIteration:
                break
            self._guard(scope.budget.step)
            frame = {}
            self._guard(_assign, frame, self.names, value)
            scope.push(frame)
            yield from _apply_directives(
                stream, remaining, scope, vars)
            scope.pop()

    def _guard(self, function, *args):
        try:
            return function(*args)
        except StopIteration:
            raise
        except Exception as error:
            raise self.expr.error(error) from error

    def uses(self, scope):
        yield from super().uses(scope)
        _bind(scope, self.names, self.expr.chain)


class _With(_Directive, directives.WithDirective):
    __slots__ = ('assignments',)

    def __init__(self, value, template, namespaces=None, lineno=-1, offset=-1):
        directives.Directive.__init__(
            self, None, template, namespaces, lineno, offset)
        self.assignments = []
        self.vars = []
        try:
            for node in parse(value or '', mode='exec').body:
                if type(node).__name__ != 'Assign':
                    raise Refused(
                        'the directive "with" is written "name = value"')
                self.assignments.append((
                        list(map(assigned, node.targets)),
                        Expression(node.value, lineno)))
        except TemplateSyntaxError as error:
            raise TemplateSyntaxError(error.message, lineno) from error
        except Refused as error:
            raise TemplateSyntaxError(str(error), lineno) from error

    @classmethod
    def _parse_expr(cls, source, template, lineno=-1, offset=-1):
        return None

    def __call__(self, stream, remaining, scope, **vars):
        frame = {}
        scope.push(frame)
        for targets, expression in self.assignments:
            value = expression.evaluate(scope)
            try:
                for names in targets:
                    _assign(frame, names, value)
            except Exception as error:
                raise expression.error(error) from error
        yield from _apply_directives(stream, remaining, scope, vars)
        scope.pop()

    def uses(self, scope):
        for targets, expression in self.assignments:
            yield from _resolve(expression.chains, scope)
            for names in targets:
                _bind(scope, names, expression.chain)


class _Attrs(_Directive, directives.AttrsDirective):
    __slots__ = ()
    _valid_name = re.compile(r'[A-Za-z_][\w.:-]*').fullmatch

    def __call__(self, stream, remaining, scope, **vars):
        def generate():
            events = iter(stream)
            kind, (tag, attrs), pos = next(events)
            try:
                attrs |= self._attrs(self.expr.evaluate(scope))
            except Exception as error:
                raise self.expr.error(error) from error
            yield kind, (tag, attrs), pos
            yield from events
        return _apply_directives(generate(), remaining, scope, vars)

    def _attrs(self, values):
        if isinstance(values, dict):
            values = values.items()
        attrs = []
        for name, value in values or []:
            if not self._valid_name(name):
                raise Refused(f'"{name}" is no name of an attribute')
            if value is not None:
                value = Value(text(value).strip())
            attrs.append((QName(name), value))
        return attrs


TEXT_DIRECTIVES = [
    ('when', _When),
    ('otherwise', _Otherwise),
    ('for', _For),
    ('if', _If),
    ('choose', _Choose),
    ('with', _With),
    ]
MARKUP_DIRECTIVES = TEXT_DIRECTIVES + [
    ('replace', _Replace),
    ('content', _Content),
    ('attrs', _Attrs),
    ('strip', _Strip),
    ]


def _assign(frame, names, value):
    if isinstance(names, str):
        frame[names] = value
        return
    values = list(value)
    if len(values) != len(names):
        raise Refused(f"{len(names)} values expected, {len(values)} found")
    for name, value in zip(names, values):
        _assign(frame, name, value)


def _resolve(chains, scope):
    "Yield the chains with the names that directives bound replaced"
    for names, line in chains:
        if names[0] not in scope:
            yield names, line
        elif start := scope[names[0]]:
            yield start + names[1:], line


def _bind(scope, names, chain):
    if not isinstance(names, str):
        for name in names:
            _bind(scope, name, None)
        return
    if chain:
        for chain, _ in _resolve([(chain, None)], dict(scope)):
            scope[names] = chain
            return
    scope[names] = None


def chains(stream, scope=None):
    """
    Yield the dotted names that a compiled template uses and their lines.

    The names that loops and assignments bind are replaced by what they stand
    for.  It meets every expression, so none that is not checked passes it.
    """
    scope = scope or {}
    for kind, data, _ in stream:
        if kind not in KINDS:
            raise TypeError(kind)
        if kind is EXPR:
            _check(data, Output)
            yield from _resolve(data.chains, scope)
        elif kind is START:
            for _, value in data[1]:
                if isinstance(value, list):
                    yield from chains(value, scope)
        elif kind is SUB:
            inner = dict(scope)
            for directive in data[0]:
                _check(directive, _Directive)
                yield from directive.uses(inner)
            yield from chains(data[1], inner)


def _check(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not made by the sandbox")
