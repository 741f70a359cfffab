# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
SVG of a tree of boxes: by Graphviz or, without its program, by a layout of our
own.

It knows no model: a box has lines of text and a style, and an arrow from its
parent with lines of text.
"""

import textwrap
from typing import NamedTuple, Optional
from xml.sax.saxutils import escape, quoteattr

__all__ = ['Box', 'Style', 'graphviz', 'svg']

_FONT = 'Liberation Sans, DejaVu Sans, Arial, sans-serif'
_SIZE = 12
_WIDTH, _HEIGHT = 220, 62
_GAP_X, _GAP_Y = 190, 22
_MARGIN = 16
_TITLE = 30
_LETTERS = 36
_LINE = 15
_STROKE = '#555555'


class Style(NamedTuple):
    "The colour of a box and its form: box, rounded, ellipse or folder"
    color: str
    form: str = 'box'


class Box(NamedTuple):
    """
    A box, whose first line is its title, and its arrow.

    :ivar parent: the key of the box before, None for the first ones.
    :ivar muted: whether it is not in use.
    """
    key: int
    parent: Optional[int]
    lines: list
    arrow: list
    style: Style
    muted: bool = False


def _short(text, letters=_LETTERS):
    return textwrap.shorten(text, letters, placeholder='\u2026') or (
        text[:letters - 1] + '\u2026' if text else '')


def _arrow_lines(lines):
    return [part for line in lines for part in textwrap.wrap(line, 26)][:3]


def _clean(text):
    "Return the text without control characters, which XML does not allow"
    return ''.join(c for c in text if c.isprintable() or c == '\n')


# By Graphviz

_SHAPES = {
    'box': ('box', 'filled'),
    'rounded': ('box', 'filled,rounded'),
    'ellipse': ('ellipse', 'filled'),
    'folder': ('note', 'filled'),
    }


def _quote(*lines):
    "Return the lines as a string of the language of Graphviz"
    text = '\\n'.join(
        ' '.join(_clean(line).split())
        .replace('\\', '\\\\').replace('"', '\\"')
        for line in lines)
    return f'"{text}"'


def graph(title, boxes, rtl=False):
    "Return the graph of pydot of the boxes"
    import pydot
    font = {'fontname': '"Liberation Sans"', 'fontsize': str(_SIZE)}
    graph = pydot.Dot(
        'scenario', graph_type='digraph', rankdir='RL' if rtl else 'LR',
        label=_quote(title), labelloc='t', bgcolor='white', ordering='out',
        **font)
    for box in boxes:
        shape, style = _SHAPES[box.style.form]
        graph.add_node(pydot.Node(
                f'b{box.key}', shape=shape,
                style=f'"{style},dashed"' if box.muted else f'"{style}"',
                fillcolor=f'"{_color(box)}"', color=f'"{_STROKE}"',
                label=_quote(*map(_short, box.lines)),
                tooltip=_quote(*box.lines), **font))
        if box.parent is not None:
            graph.add_edge(pydot.Edge(
                    f'b{box.parent}', f'b{box.key}', color=f'"{_STROKE}"',
                    label=_quote(*_arrow_lines(box.arrow)),
                    tooltip=_quote(*box.arrow), **font))
    return graph


def graphviz(title, boxes, rtl=False):
    """
    Return the SVG (bytes) of the boxes made by Graphviz, None if its program
    is missing or fails.
    """
    try:
        return graph(title, boxes, rtl).create(
            prog='dot', format='svg', encoding='utf-8')
    except (AssertionError, ImportError, OSError):
        # pydot asserts that the program has succeeded
        return


# By our own layout

def svg(title, boxes, rtl=False):
    """
    Return the SVG (bytes) of the boxes: each level is a column and what
    follows a box is beside it.
    """
    places, columns, rows = _layout(boxes)
    width = 2 * _MARGIN + columns * _WIDTH + max(columns - 1, 0) * _GAP_X
    height = (
        2 * _MARGIN + _TITLE + rows * _HEIGHT + max(rows - 1, 0) * _GAP_Y)
    height, width = int(height), max(int(width), 320)

    def corner(key):
        column, row = places[key]
        x = _MARGIN + column * (_WIDTH + _GAP_X)
        if rtl:
            x = width - x - _WIDTH
        return x, _MARGIN + _TITLE + row * (_HEIGHT + _GAP_Y)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family={quoteattr(_FONT)} font-size="{_SIZE}">',
        '<defs><marker id="arrow" markerWidth="9" markerHeight="8" refX="8" '
        'refY="4" orient="auto"><path d="M0,0 L9,4 L0,8 z" '
        f'fill="{_STROKE}"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(title, width / 2, _MARGIN + 12, weight='bold'),
        ]
    # The arrows are behind the boxes
    for box in boxes:
        if box.parent is not None:
            parts.append(_arrow(
                    box, corner(box.parent), corner(box.key), rtl))
    parts += [_box(box, *corner(box.key)) for box in boxes]
    return '\n'.join([*parts, '</svg>', '']).encode('utf-8')


def _layout(boxes):
    """
    Return the column and the row of each box (key), and the number of columns
    and of rows.

    The boxes come each before those which follow it.
    """
    children, column = {}, {}
    for box in boxes:
        children.setdefault(box.parent, []).append(box.key)
        column[box.key] = column.get(box.parent, -1) + 1
    row, leaves = {}, 0
    for box in boxes:
        if box.key not in children:
            row[box.key] = leaves
            leaves += 1
    for box in reversed(boxes):
        if below := children.get(box.key):
            row[box.key] = (row[below[0]] + row[below[-1]]) / 2
    places = {key: (column[key], row[key]) for key in column}
    return places, max(column.values(), default=0) + 1, max(leaves, 1)


def _color(box):
    return '#eeeeee' if box.muted else box.style.color


def _text(text, x, y, weight='normal', color='#222222', size=_SIZE):
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-size="{size}" '
        f'font-weight="{weight}" fill="{color}">{_escape(text)}</text>')


def _escape(text):
    return escape(_clean(text))


def _form(box, x, y):
    attributes = f'fill="{_color(box)}" stroke="{_STROKE}"'
    if box.muted:
        attributes += ' stroke-dasharray="4 3"'
    if box.style.form == 'ellipse':
        return (
            f'<ellipse cx="{x + _WIDTH / 2:g}" cy="{y + _HEIGHT / 2:g}" '
            f'rx="{_WIDTH / 2:g}" ry="{_HEIGHT / 2:g}" {attributes}/>')
    elif box.style.form == 'folder':
        right, corner = x + _WIDTH, 12
        return (
            f'<path d="M{x:g},{y:g} H{right - corner:g} '
            f'L{right:g},{y + corner:g} V{y + _HEIGHT:g} H{x:g} z" '
            f'{attributes}/>')
    radius = 12 if box.style.form == 'rounded' else 2
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'rx="{radius}" {attributes}/>')


def _box(box, x, y):
    lines = box.lines[:3]
    top = y + (_HEIGHT - _LINE * len(lines)) / 2 + 12
    texts = [
        _text(
            _short(line, _LETTERS if i else 26),
            x + _WIDTH / 2, top + i * _LINE,
            weight='normal' if i else 'bold',
            size=_SIZE - 1 if i else _SIZE,
            color='#777777' if box.muted else '#222222')
        for i, line in enumerate(lines)]
    title = _escape('\n'.join(box.lines))
    return ''.join(
        [f'<g><title>{title}</title>', _form(box, x, y), *texts, '</g>'])


def _arrow(box, from_, to, rtl):
    (x1, y1), (x2, y2) = from_, to
    if rtl:
        x2 += _WIDTH
    else:
        x1 += _WIDTH
    y1 += _HEIGHT / 2
    y2 += _HEIGHT / 2
    turn = x1 + (-20 if rtl else 20)
    lines = _arrow_lines(box.arrow)
    middle = (turn + x2) / 2
    # All but the last line above the arrow
    texts = [
        _text(line, middle, y2 - 5 - _LINE * (len(lines) - 1 - i))
        for i, line in enumerate(lines)]
    title = _escape('\n'.join(box.arrow))
    return ''.join([
            f'<g><title>{title}</title>',
            f'<path d="M{x1:g},{y1:g} H{turn:g} V{y2:g} H{x2:g}" '
            f'fill="none" stroke="{_STROKE}" marker-end="url(#arrow)"/>',
            *texts, '</g>'])
