# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Texts of others, made fit for a header, a field of one line or the database.
"""

__all__ = ['one_line', 'printable', 'storable']


def one_line(text, length=None):
    "Return the text, at most so long, on one line without control characters"
    if not (text and text.isprintable()
            and text == ' '.join(text.split())):
        text = ' '.join(printable(text).split())
    return text[:length]


def printable(text, keep=''):
    "Return the text with a space for each control character but those to keep"
    return ''.join(
        c if c.isprintable() or c in keep else ' ' for c in text or '')


def storable(text):
    "Return the text without the characters that a database refuses"
    if text:
        return text.encode('utf-8', 'replace').decode().replace('\0', '')
