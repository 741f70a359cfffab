# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.


def one_line(text):
    "Return the text on one line without control characters"
    if text and text.isprintable() and text == ' '.join(text.split()):
        return text
    return ' '.join(
        ''.join(c if c.isprintable() else ' ' for c in text or '').split())
