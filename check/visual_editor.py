# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Protection of e-mails from the visual editor.

It knows the body of a page only: what is around, the attributes of Genshi and
some comments are lost by it, even if nobody changes anything.
"""

import re
from collections import Counter
from urllib.parse import unquote

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pyson import Eval
from trytond.transaction import Transaction

from ..exceptions import EditorError

__all__ = ['fragile', 'tidy']

# What the editor drops, and how it is called
_FRAGILE = {
    '<!DOCTYPE>': re.compile(r'<!doctype', re.I),
    '<html>': re.compile(r'<html\b', re.I),
    '<head>': re.compile(r'<head\b', re.I),
    '<body>': re.compile(r'<body\b', re.I),
    '<style>': re.compile(r'<style\b', re.I),
    '<meta>': re.compile(r'<meta\b', re.I),
    '<mj…>': re.compile(r'<mj(?:ml\b|-)', re.I),
    'py:…': re.compile(r'<[^<>]*\spy:\w+\s*=', re.I),
    '<py:…>': re.compile(r'<py:', re.I),
    'xmlns': re.compile(r'<[^<>]*\sxmlns(?::\w+)?\s*=', re.I),
    '<!--[if]>': re.compile(r'<!--\[if\b', re.I),
    'data-track': re.compile(r'<[^<>]*\sdata-track\s*=', re.I),
    }
_VOID = re.compile(
    r'<(area|br|col|hr|img|input|wbr)((?:\s[^<>]*?)?)\s*/?>', re.I)
_EXPRESSION = re.compile(r'\$%7B(.*?)%7D', re.I)
_BAR = re.compile(r'(["\']unsubscribe)%7C', re.I)


def fragile(source):
    "Return the counter of the parts of the source which the editor would drop"
    return Counter({
            name: count for name, pattern in _FRAGILE.items()
            if (count := len(pattern.findall(source or '')))})


def tidy(source):
    "Return the source as templates have it: closed, with its expressions"
    source = _VOID.sub(r'<\1\2/>', source)
    source = _EXPRESSION.sub(
        lambda match: '${%s}' % unquote(match[1]), source)
    return _BAR.sub(r'\1|', source)


class Editable:
    "Protection of the sources that the visual editor saves"
    __slots__ = ()

    _sources = set()

    @classmethod
    def _from_editor(cls):
        # Only the route of the editor (`html_editor` of trytond.ir.routes)
        # sets it, and in the context of the very transaction in which it
        # writes; the clients do not send it, and what writes translations
        # here sets it to False
        return bool(Transaction().context.get('fuzzy_translation'))

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'write' and cls._from_editor():
            for name in cls._sources & values.keys():
                if values[name]:
                    values[name] = tidy(values[name])
        return values

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        super().check_modification(
            mode, records, values=values, external=external)
        if mode != 'write' or not cls._from_editor():
            return
        for name in cls._sources & (values or {}).keys():
            # The ones given have the value already
            for record in cls.browse([r.id for r in records]):
                lost = (
                    fragile(getattr(record, name)) - fragile(values[name]))
                if lost:
                    raise EditorError(gettext(
                            'marketing_automation.msg_editor_lost',
                            record=record.rec_name,
                            field=cls.__names__(name)['field'],
                            lost=', '.join(sorted(lost))))


class LayoutVisualEditor(Editable):
    "Protection of the HTML of a layout"
    __slots__ = ()
    _sources = {'html'}


class ActivityVisualEditor(Editable):
    "Protection of the template of an e-mail"
    __slots__ = ()
    _sources = {'email_template'}

    email_editable = fields.Function(
        fields.Boolean("Editable"), 'on_change_with_email_editable')

    @fields.depends('id', 'action', 'email_template')
    def on_change_with_email_editable(self, name=None):
        "Whether the visual editor keeps all of the text"
        return (
            (self.id or -1) >= 0 and self.action == 'send_email'
            and not fragile(self.email_template))

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('//group[@id="email_editor"]', 'states', {
                    'invisible': ~Eval('email_editable', False),
                    }, ['email_editable']),
            ]
