# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Draw the table as bars: the CPU per item beside its target.
"""

from html import escape

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 840, 30, 350, 110, 44
_PYTHON, _DATABASE, _TARGET = '#3465a4', '#9dbbe0', '#cc0000'


def draw(result):
    "Return the SVG of the result"
    rows = [r for r in result['rows'] if r['target']]
    height = _TOP + _ROW * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" '
        f'height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        '<title>CPU per item in relation to the target</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        ]
    for i, (color, text) in enumerate([
                (_PYTHON, "trytond"), (_DATABASE, "PostgreSQL"),
                (_TARGET, "target")]):
        x = _LEFT + 110 * i
        parts.append(
            f'<rect x="{x}" y="14" width="12" height="12" fill="{color}"/>'
            f'<text x="{x + 18}" y="24">{text}</text>')
    # The target is at the half of the width
    space = _WIDTH - _LEFT - _RIGHT
    for i, row in enumerate(rows):
        y = _TOP + _ROW * i
        scale = space / 2 / row['target']
        python = min(row['python'] * scale, space)
        database = min(row['database'] * scale, space - python)
        name = f"{row['name']} ({row['items']:,})"
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">'
            f'{escape(name)}</text>'
            f'<rect x="{_LEFT}" y="{y + 3}" width="{python:.1f}" '
            f'height="16" fill="{_PYTHON}"/>'
            f'<rect x="{_LEFT + python:.1f}" y="{y + 3}" '
            f'width="{database:.1f}" height="16" fill="{_DATABASE}"/>'
            f'<text x="{_LEFT + python + database + 6:.1f}" y="{y + 15}">'
            f'{row["cpu"]:.3g} ms</text>')
    x = _LEFT + space / 2
    parts.append(
        f'<line x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{height - 8}" '
        f'stroke="{_TARGET}" stroke-dasharray="4 3"/>')
    return '\n'.join([*parts, '</svg>', ''])
