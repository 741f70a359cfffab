# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The configuration of Sphinx: sphinx-build -W doc build/doc"

import ast
from configparser import ConfigParser
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

ROOT = Path(__file__).resolve().parent.parent

_config = ConfigParser()
_config.read(ROOT / 'tryton.cfg')

project = 'trytond-marketing-automation'
author = "Marketing Automation contributors"
copyright = f"2026 {author}"
release = _config['tryton']['version']
version = '.'.join(release.split('.')[:2])

root_doc = 'index'
default_role = 'ref'
highlight_language = 'none'
exclude_patterns = ['_build']
templates_path = []

# What trytond provides has no documentation here
nitpick_ignore = []

html_title = f"Marketing Automation {version}"
html_theme = 'alabaster'
html_theme_options = {
    'description': "Tryton module to automate the marketing by e-mail",
    'fixed_sidebar': True,
    }
html_show_sourcelink = False


class Room(Directive):
    """
    The docstring of a room, read without an import of it.

    Its argument is the folder of the room, ``.`` for the module itself.
    """
    required_arguments = 1

    def run(self):
        path = ROOT / self.arguments[0] / '__init__.py'
        self.state.document.settings.env.note_dependency(str(path))
        text = ast.get_docstring(
            ast.parse(path.read_text(encoding='utf-8')))
        node = nodes.container()
        self.state.nested_parse(
            StringList(text.splitlines(), source=str(path)), 0, node)
        return node.children


def setup(app):
    app.add_directive('room', Room)
