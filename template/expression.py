# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The expressions of the actions: those of a template, for one value.
"""

import functools

from trytond.i18n import gettext

from .engine import Limits
from .runtime import Budget, Scope
from .sandbox import Expression, TemplateSyntaxError
from .value import BUILTINS
from .view import unknown_fields

__all__ = ['check', 'evaluate', 'is_constant']

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
