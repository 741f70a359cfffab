# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The conversion of MJML (https://documentation.mjml.io/) to HTML.
"""

import re

try:
    import mrml
except ImportError:
    mrml = None

__all__ = ['is_available', 'to_html', 'unknown_elements']

ELEMENTS = frozenset(
    ['mjml'] + ['mj-' + name for name in [
            'accordion', 'accordion-element', 'accordion-text',
            'accordion-title', 'all', 'attributes', 'body', 'breakpoint',
            'button', 'carousel', 'carousel-image', 'class', 'column',
            'divider', 'font', 'group', 'head', 'hero', 'html-attribute',
            'html-attributes', 'image', 'navbar', 'navbar-link', 'preview',
            'raw', 'section', 'selector', 'social', 'social-element',
            'spacer', 'style', 'table', 'text', 'title', 'wrapper']])
_element = re.compile(r'<(mj-[\w-]+|mjml)\b', re.IGNORECASE)


def is_available():
    return mrml is not None


def to_html(source):
    "Return the HTML of the MJML"
    return mrml.to_html(source).content


def unknown_elements(source, is_mjml):
    """
    Yield the name and the line of what looks like MJML but is ignored, or
    would be shown as it is.
    """
    for match in _element.finditer(source):
        if not is_mjml or match[1] not in ELEMENTS:
            yield match[1], 1 + source.count('\n', 0, match.start())
