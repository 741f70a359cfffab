# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Write the table and the floors as CSV for the documentation.
"""

import csv
import io

_COLUMNS = ['python', 'database', 'statements', 'rows', 'bytes']


def _number(value):
    if value is None:
        return ''
    if value and abs(value) < 1:
        return f'{value:.2g}'
    return f'{value:.2f}'.rstrip('0').rstrip('.') if value < 100 else (
        f'{value:.0f}')


def _csv(lines):
    output = io.StringIO()
    csv.writer(output, lineterminator='\n').writerows(lines)
    return output.getvalue()


def rows(result):
    return _csv([
            ['Work', 'Items', 'Target', 'CPU', 'trytond', 'PostgreSQL',
                'Statements', 'Rows', 'Bytes'],
            *[
                [row['name'], row['items'], row['target'] or '',
                    _number(row['cpu']),
                    *[_number(row.get(c)) for c in _COLUMNS]]
                for row in result['rows']]])


def sending(result):
    return _csv([
            ['Work', 'Items', 'E-mails per second', 'First e-mail (s)',
                'Memory after a tenth (MB)', 'Memory at the end (MB)'],
            *[
                [row['name'], row['items'],
                    _number(row['mails_per_second']),
                    _number(row.get('first_mail')),
                    *map(_number, row.get('memory', [None, None]))]
                for row in result['rows'] if 'mails_per_second' in row]])


def floors(result):
    return _csv([
            ['Part', 'CPU'],
            *[
                [name, _number(value)]
                for name, value in result['floors'].items()]])


def run(result):
    "Return the paragraph on how the figures were taken"
    return (
        f"These figures were taken in one run with N={result['number']}, with "
        f"Python {result['python']}, on {result['cores']} cores"
        + (f" with a load average of {result['load']:.1f} at the start"
            if 'load' in result else '')
        + '.\n')
