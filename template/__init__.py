# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Texts typed by users: compile, restrict and render."

from .engine import (
    SAFE_DATETIME, Markup, Offer, TemplateRenderError, TemplateSyntaxError,
    Text, limited)
from .runtime import Limits

__all__ = [
    'SAFE_DATETIME', 'Limits', 'Markup', 'Offer', 'TemplateRenderError',
    'TemplateSyntaxError', 'Text', 'limited']
