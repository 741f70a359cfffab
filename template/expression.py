# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The expressions that a template may contain, and nothing else.

The authors of templates are no administrators but what they write runs on the
server as root.  So an expression is never given to Python as it was written:
it is parsed, every node must be on the list of what is allowed, and whatever
could reach an object (a name, an attribute, an item, a call, an operator) is
replaced by a call to a function of :mod:`runtime` that checks it.
"""

import ast
import functools

from trytond import backend
from trytond.i18n import gettext

from ..common.access import Refused
from .runtime import FUNCTIONS, Budget, Limits, Scope
from .value import BUILTINS, Value, bounded, text
from .view import unknown_fields

__all__ = [
    'Expression', 'Output', 'TemplateRenderError', 'TemplateSyntaxError',
    'assigned', 'check', 'evaluate', 'is_constant', 'parse', 'render_error',
    ]

MAX_EXPRESSION = 4000

# The way into frames, code and formatting: also refused while rendering, but
# it is kinder to tell it when the template is saved
INSPECTION = frozenset([
        'format', 'format_map', 'mro',
        'gi_frame', 'gi_code', 'gi_yieldfrom', 'cr_frame', 'cr_code',
        'cr_await', 'cr_origin', 'ag_frame', 'ag_code', 'ag_await',
        'tb_frame', 'tb_next', 'f_back', 'f_builtins', 'f_code', 'f_globals',
        'f_locals', 'f_trace', 'co_code', 'co_consts', 'func_globals',
        'func_code'])


class TemplateSyntaxError(Exception):
    "A source that can not be compiled or that asks for what is not allowed"

    def __init__(self, message, line=None):
        super().__init__(
            f"line {line}: {message}" if line else message)
        self.message = message
        self.line = line


class TemplateRenderError(Exception):
    "An expression that failed for the values it got"

    def __init__(self, message, expression='', line=None):
        super().__init__(
            f"line {line}: {message}" if line else message)
        self.message = message
        self.expression = expression
        self.line = line


_OPERATORS = {
    ast.Add: '__add',
    ast.Sub: '__sub',
    ast.Mult: '__mult',
    ast.Div: '__div',
    ast.FloorDiv: '__floordiv',
    ast.Mod: '__mod',
    }
_NAMES = {
    ast.JoinedStr: "a f-string",
    ast.NamedExpr: 'the operator ":="',
    ast.Pow: 'the operator "**"',
    ast.Starred: 'an argument with "*"',
    }


class _Transformer:
    """
    Turn an allowed tree into one that checks itself.

    ``chains`` gets the dotted names that start outside of the expression, as
    pairs of the names and the line in the expression.
    """

    def __init__(self):
        self.scopes = []
        self.chains = []

    def visit(self, node):
        visitor = getattr(self, f'visit_{type(node).__name__}', None)
        if visitor is None:
            name = _NAMES.get(type(node), type(node).__name__)
            raise Refused(f"{name} is not allowed in a template")
        return visitor(node)

    def _function(self, name, *args, scope=True):
        args = list(args)
        if scope:
            args.insert(0, ast.Name('__scope', ast.Load()))
        return ast.Call(ast.Name(name, ast.Load()), args, [])

    def _check_name(self, name):
        if name.startswith('_') and name != '_':
            raise Refused(f'the name "{name}" is not allowed in a template')

    def _chain(self, node):
        "Return the dotted names of the node or None"
        names = []
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                names.append(node.attr)
            elif not isinstance(node, ast.Subscript):
                return None
            node = node.value
        names = (node.id, *reversed(names))
        for scope in reversed(self.scopes):
            if names[0] in scope:
                alias = scope[names[0]]
                return alias and alias + names[1:]
        return names

    def _record(self, node):
        if chain := self._chain(node):
            self.chains.append((chain, node.lineno))

    def _is_bound(self, name):
        return any(name in scope for scope in self.scopes)

    def visit_Constant(self, node):
        if not isinstance(node.value, (str, int, float, type(None))):
            raise Refused(
                f"{type(node.value).__name__} is not allowed in a template")
        bounded(node.value)
        return node

    def visit_Name(self, node):
        self._record(node)
        return self._read_name(node)

    def _read_name(self, node):
        self._check_name(node.id)
        if self._is_bound(node.id):
            return ast.Name(node.id, ast.Load())
        return self._function('__name', ast.Constant(node.id))

    def visit_Attribute(self, node):
        self._record(node)
        return self._read_attribute(node)

    def _read_attribute(self, node):
        self._check_name(node.attr)
        if node.attr in INSPECTION or node.attr == '_':
            raise Refused(
                f'the attribute "{node.attr}" is not allowed in a template')
        if isinstance(node.value, ast.Attribute):
            value = self._read_attribute(node.value)
        elif isinstance(node.value, ast.Name):
            value = self._read_name(node.value)
        else:
            value = self.visit(node.value)
        return self._function(
            '__attribute', value, ast.Constant(node.attr), scope=False)

    def visit_Subscript(self, node):
        return self._function(
            '__item', self.visit(node.value), self.visit(node.slice))

    def visit_Slice(self, node):
        return self._function('__slice', *[
                self.visit(bound) if bound else ast.Constant(None)
                for bound in [node.lower, node.upper, node.step]],
            scope=False)

    def visit_Call(self, node):
        if not isinstance(node.func, (ast.Name, ast.Attribute)):
            raise Refused("only named functions can be called")
        call = self._function(
            '__call', self.visit(node.func), *map(self.visit, node.args))
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Refused('an argument with "**" is not allowed')
            self._check_name(keyword.arg)
            call.keywords.append(
                ast.keyword(keyword.arg, self.visit(keyword.value)))
        return call

    def visit_BinOp(self, node):
        try:
            operator = _OPERATORS[type(node.op)]
        except KeyError:
            name = _NAMES.get(type(node.op), type(node.op).__name__)
            raise Refused(f"{name} is not allowed in a template")
        return self._function(
            operator, self.visit(node.left), self.visit(node.right))

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Invert):
            raise Refused('the operator "~" is not allowed in a template')
        return ast.UnaryOp(node.op, self.visit(node.operand))

    def visit_BoolOp(self, node):
        return ast.BoolOp(node.op, list(map(self.visit, node.values)))

    def visit_IfExp(self, node):
        return ast.IfExp(
            self.visit(node.test), self.visit(node.body),
            self.visit(node.orelse))

    def visit_Compare(self, node):
        def comparable(node):
            value = self.visit(node)
            if isinstance(node, ast.Constant):
                return value
            return self._function('__comparable', value)
        return ast.Compare(
            comparable(node.left), node.ops,
            list(map(comparable, node.comparators)))

    def visit_List(self, node):
        return ast.List(list(map(self.visit, node.elts)), ast.Load())

    def visit_Tuple(self, node):
        return ast.Tuple(list(map(self.visit, node.elts)), ast.Load())

    def visit_Dict(self, node):
        if not all(isinstance(key, ast.Constant) for key in node.keys):
            raise Refused("the keys of a dictionary must be constants")
        return ast.Dict(
            list(map(self.visit, node.keys)),
            list(map(self.visit, node.values)))

    def visit_Lambda(self, node):
        args = node.args
        if (args.posonlyargs or args.kwonlyargs or args.vararg or args.kwarg
                or args.defaults):
            raise Refused("a lambda can only have plain arguments")
        for arg in args.args:
            self._check_name(arg.arg)
        self.scopes.append({arg.arg: None for arg in args.args})
        try:
            return ast.Lambda(args, self.visit(node.body))
        finally:
            self.scopes.pop()

    def visit_GeneratorExp(self, node):
        scope, generators = {}, []
        self.scopes.append(scope)
        try:
            for generator in node.generators:
                if generator.is_async:
                    raise Refused("async is not allowed in a template")
                chain = self._chain(generator.iter)
                iterable = self.visit(generator.iter)
                target = generator.target
                for name in assigned_names(target):
                    self._check_name(name)
                    scope[name] = None
                if isinstance(target, ast.Name):
                    scope[target.id] = chain
                generators.append(ast.comprehension(
                        target, self._function('__iterate', iterable),
                        list(map(self.visit, generator.ifs)), 0))
            return type(node)(self.visit(node.elt), generators)
        finally:
            self.scopes.pop()

    visit_ListComp = visit_GeneratorExp


def render_error(error, expression='', line=None):
    "Return what to raise for an exception that was raised while rendering"
    if isinstance(error, (
                TemplateRenderError,
                # The transaction is to be tried again, the template has
                # nothing to do with it
                backend.DatabaseOperationalError,
                backend.DatabaseTimeoutError)):
        return error
    message = getattr(error, 'message', None) or str(error)
    if not isinstance(error, Refused):
        message = f"{type(error).__name__}: {message}"
    return TemplateRenderError(message, expression, line)


def parse(source, mode='eval'):
    "Return the syntax tree of a source"
    if len(source) > MAX_EXPRESSION:
        raise TemplateSyntaxError("the expression is too long")
    source = source.strip()
    if not source:
        raise TemplateSyntaxError("the expression is empty")
    try:
        # The parentheses are for expressions on many lines
        return ast.parse(
            f'({source}\n)' if mode == 'eval' else source, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = getattr(error, 'msg', None) or "invalid syntax"
        raise TemplateSyntaxError(f'{message} in "{source}"') from error


def assigned_names(target):
    "Yield the names that an assignment binds"
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from assigned_names(element)
    else:
        raise Refused("only names can be assigned in a template")


def assigned(target):
    """
    Return the names that an assignment binds, nested as they are.
    """
    for name in assigned_names(target):
        if name.startswith('_') and name != '_':
            raise Refused(f'the name "{name}" is not allowed in a template')

    def names(target):
        if isinstance(target, ast.Name):
            return target.id
        return tuple(map(names, target.elts))
    return names(target)


class Expression:
    """
    One compiled expression.

    :param source: its text or its syntax tree.
    :param line: the line of the template where it starts.

    ``chain`` is the dotted name that it consists of, or None.
    """
    __slots__ = ('source', 'line', 'chain', 'chains', '_function')

    def __init__(self, source, line=None):
        self.line = line
        transformer = _Transformer()
        try:
            if isinstance(source, ast.AST):
                node, self.source = source, ast.unparse(source)
            else:
                node, self.source = parse(source).body, source.strip()
            tree = ast.Expression(ast.Lambda(
                    ast.arguments(
                        [], [ast.arg('__scope')], None, [], [], None, []),
                    transformer.visit(node)))
            code = compile(
                ast.fix_missing_locations(tree), '<template>', 'eval')
        except TemplateSyntaxError as error:
            raise TemplateSyntaxError(error.message, line) from error
        except Exception as error:
            message = str(error) or type(error).__name__
            if not isinstance(error, Refused):
                message = f"the expression is too complex ({message})"
            raise TemplateSyntaxError(message, line) from error
        self._function = eval(code, FUNCTIONS)
        self.chain = transformer._chain(node)
        self.chains = tuple(
            (names, (line or 1) + offset - 1)
            for names, offset in transformer.chains)

    def __repr__(self):
        return f'{type(self).__name__}({self.source!r})'

    def evaluate(self, scope):
        "Return the value of the expression"
        try:
            return self._function(scope)
        except Exception as error:
            raise self.error(error) from error

    def error(self, error):
        "Return what to raise for an exception"
        return render_error(error, self.source, self.line)


class Output(Expression):
    "An expression that is put as text into the result"
    __slots__ = ()

    def evaluate(self, scope):
        try:
            value = self._function(scope)
            if value is None:
                return None
            if type(value) is not str:
                value = text(value)
            scope.budget.spend(len(value))
            return Value(value)
        except Exception as error:
            raise self.error(error) from error


_expression = functools.lru_cache(maxsize=256)(Expression)


def check(source, Model, names):
    """
    Raise a TemplateSyntaxError if the expression can not be used.

    :param Model: the model of the variable record.
    :param names: the names of the variables.
    """
    expression = _expression(source)
    for (name, *_), _ in expression.chains:
        if name not in names and name not in BUILTINS:
            raise TemplateSyntaxError(gettext(
                    'marketing_automation.msg_expression_name', name=name))
    paths = [
        (chain, line) for chain, line in expression.chains
        if chain[0] == 'record' and len(chain) > 1]
    for path, _ in unknown_fields(paths, Model):
        raise TemplateSyntaxError(gettext(
                'marketing_automation.msg_field_unknown',
                field=path, **Model.__names__()))


def is_constant(source):
    "Return if the value of the expression is the same for all records"
    return not _expression(source).chains


def evaluate(source, context):
    """
    Return the value of the expression in the context of the variables.

    :raises TemplateRenderError: whatever goes wrong.
    """
    limits = Limits()
    return _expression(source).evaluate(Scope(
            context, Budget(limits.steps, limits.room, limits.seconds)))
