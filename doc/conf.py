# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The configuration of Sphinx: sphinx-build -W doc build/doc"

from configparser import ConfigParser
from pathlib import Path

_config = ConfigParser()
_config.read(Path(__file__).resolve().parent.parent / 'tryton.cfg')

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
