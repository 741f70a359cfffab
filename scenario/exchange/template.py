# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Scenario templates that come with the module.

Each is a file like that of an exported scenario with, as ``template``, its
name, its description and its parameters, the needs.  The texts of its e-mails
are put into one layout, and the value of a need replaces its name in braces.
"""

import html
import json
import re
from functools import lru_cache
from pathlib import Path

from .format import loads

__all__ = ['ScenarioTemplate', 'scenario_templates', 'localized', 'safe_url']

_FOLDER = Path(__file__).parent / 'templates'
# A name in braces that is no expression of a template
_NAME = re.compile(r'(?<!\$)\{(\w+)\}')
_URL = re.compile(r'https?://[^\s/?#<>"\\]+[^\s<>"\\]*', re.IGNORECASE)


def localized(texts, language, default='en'):
    "Return the text of the language, or of one that is near"
    while language:
        if language in texts:
            return texts[language]
        language = language.rpartition('_')[0]
    return texts.get(default)


def safe_url(url):
    """
    Return the URL as it can stand in a template.

    :raises ValueError: if it is none of the web.
    """
    url = (url or '').strip()
    if not _URL.fullmatch(url):
        raise ValueError(url)
    return url.replace('$', '%24').replace('{', '%7B').replace('}', '%7D')


@lru_cache(maxsize=1)
def scenario_templates():
    "Return the dictionary of the scenario templates by name, in their order"
    found = [ScenarioTemplate(path) for path in sorted(_FOLDER.glob('*.json'))
        if not path.name.startswith('_')]
    return {t.name: t for t in sorted(found, key=lambda t: t.rank)}


@lru_cache(maxsize=1)
def _layout():
    return (_FOLDER / '_mail.html').read_text(encoding='utf-8')


@lru_cache(maxsize=1)
def _words():
    return json.loads(
        (_FOLDER / '_words.json').read_text(encoding='utf-8'))


class ScenarioTemplate:
    """
    A scenario template.

    :ivar name: its identifier.
    :ivar title: its name, by language.
    :ivar description: what it does, by language.
    :ivar needs: its parameters: a dictionary by name of the label by
        language.
    :ivar creates: the names by language of what can be created for a need,
        by name.
    :ivar modules: the modules that must be active.
    :ivar model: the name of the model of the targets.
    """

    def __init__(self, path):
        document = loads(path.read_bytes())
        template = document.pop('template')
        self.name = path.stem
        self.document = document
        self.rank = template['rank']
        self.title = template['name']
        self.description = template['description']
        self.needs = template['needs']
        self.creates = template.get('creates', {})
        self.modules = document.get('modules', [])
        self.model = document['scenario']['model']

    def fill(self, values, name=None):
        """
        Return the text of the scenario with the values of the needs.

        :param values: a dictionary of text, or of text by language, by name.
        :param name: the name of the scenario if not the one of the template.
        """
        document = _Filler(values).fill(self.document)
        document['scenario'] = {
            'name': name or self.title, **document['scenario']}
        return json.dumps(document)


class _Filler:

    def __init__(self, values):
        self.values = values

    def fill(self, value, key=None, language=None, escape=str):
        if isinstance(value, str):
            return self.text(value, language, escape)
        elif isinstance(value, list):
            return [self.fill(v, key, language, escape) for v in value]
        elif not isinstance(value, dict):
            return value
        elif key == 'email_template' and 'body' in value:
            return self.mail(value, language)
        filled = {}
        for name, item in value.items():
            if key in {'name', 'todo_subject', 'todo_note', 'email_title',
                    'email_template'}:
                # By language
                filled[name] = self.fill(
                    item, key, name,
                    str if key == 'name' else _escape_text)
            else:
                filled[name] = self.fill(item, name, language)
        return filled

    def text(self, text, language, escape):
        def replace(match):
            value = self.values.get(match[1])
            if isinstance(value, dict):
                value = localized(value, language)
            return match[0] if value is None else escape(value)
        return _NAME.sub(replace, text)

    def mail(self, texts, language):
        "Return the lines of the e-mail with the texts"
        words = _words()[language]

        def text(value):
            return self.text(value, language, _escape_html)

        parts = {
            'language': language,
            'organization': text('{organization}'),
            'preheader': text(texts['preheader']),
            'greeting': words['greeting'].replace('{name}', _name_of(texts)),
            'body': '\n'.join(_paragraph(text(t)) for t in texts['body']),
            'button': _button(text(texts['button']), text('{url}'))
            if texts.get('button') else '',
            'closing': text(texts.get('closing') or words['closing']),
            'why': text(texts.get('why') or words['why']),
            'unsubscribe': words['unsubscribe'],
            }
        return _NAME.sub(
            lambda match: parts.get(match[1], match[0]), _layout()
            ).rstrip().split('\n')


def _name_of(texts):
    "Return the expression of the name of the recipient, if there is one"
    path = texts['greet']
    owner = path.rpartition('.')[0]
    test = path if owner == 'record' else f'{owner} and {path}'
    return f"${{' ' + {path} if {test} else ''}}"


_TEXT = (
    'font-family:Helvetica,Arial,sans-serif;font-size:16px;line-height:24px;'
    'color:#1f2933')


def _paragraph(text):
    return f'''\
              <p class="text" style="margin:0 0 16px;{_TEXT}">{text}</p>'''


def _button(text, url):
    return f'''\
              <table role="presentation" cellpadding="0" cellspacing="0" \
border="0" style="margin:8px 0 24px">
                <tr>
                  <td style="border-radius:6px;background-color:#2457a6">
                    <a href="{url}" style="display:inline-block;\
padding:12px 24px;font-family:Helvetica,Arial,sans-serif;font-size:16px;\
font-weight:bold;color:#ffffff;text-decoration:none">{text}</a>
                  </td>
                </tr>
              </table>'''


def _escape_text(value):
    return value.replace('$', '$$')


def _escape_html(value):
    return html.escape(_escape_text(value))
