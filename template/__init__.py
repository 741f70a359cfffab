# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Template: texts and expressions of users, compiled, restricted and rendered.

Start reading at ``engine.Markup``, for the security at
``expression.Expression`` and ``runtime.FUNCTIONS``.

- ``engine.py``: ``Markup`` and ``Text``, the templates of Genshi with limits
- ``directive.py``: the directives, their expressions compiled in the sandbox
- ``expression.py``: expressions: parsed, allowed node by node, rewritten
- ``runtime.py``: what a rewritten expression calls, and what it may cost
- ``value.py``: functions and attributes of plain values, with their bounds
- ``view.py``: a record of which only the readable fields are offered
- ``outline.py``: what the results for many recipients have in common
- ``insertable.py``: the fields that the editor offers to insert
- ``field_text.py``: the short texts of to-dos and opportunities
- ``conversion.py``: the result of an expression as value of a field

It may import ``common``.  It never composes SQL nor opens a connection, and
knows no action: who renders gives the variables and the reader.

To add a function for templates: a line in ``value.BUILTINS``, with a bound
for what it makes.  To offer a type: its attributes in ``value.OFFERED``.
"""

from .engine import (
    SAFE_DATETIME, Markup, Offer, TemplateRenderError, TemplateSyntaxError,
    Text, limited)
from .runtime import Limits

__all__ = [
    'SAFE_DATETIME', 'Limits', 'Markup', 'Offer', 'TemplateRenderError',
    'TemplateSyntaxError', 'Text', 'limited']
