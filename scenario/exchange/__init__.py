# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Exchange: scenarios as files and as templates to begin with.

Start reading at ``scenario.Scenario.export_json`` and
``importer.Importer.run``.

- ``scenario.py``: the methods that export and import
- ``exporter.py``: the document of a scenario
- ``importer.py``: the scenario of a document
- ``fields.py``: which fields are exchanged
- ``format.py``: the text of a document and its simple values
- ``domain.py``: the records in a domain, by name instead of id
- ``wizard.py``: the wizards that export and import
- ``template.py``: the templates of ``templates/``, filled in
- ``template_wizard.py``: the wizard that makes a scenario from a template

It may import ``common`` and ``template``.  It never executes what it has
read: a scenario arrives as a draft and is validated like a typed one.

To add a template of a scenario: a file in ``templates/`` like an exported one
and its words in ``templates/_words.json``; what it asks for in a new way is a
method ``_template_<need>`` of ``template_wizard.py``.
"""
