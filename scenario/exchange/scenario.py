# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Export and import of scenarios as text.

Everything that is stored of a scenario, of its activities and of their rows
is exchanged, whichever module has added it; facts, the fields which are
readonly, are not.  Other records are known by their XML id or name.
"""

from trytond.pool import PoolMeta
from trytond.transaction import Transaction, check_access, inactive_records

from .exporter import Exporter
from .fields import base_language, error
from .format import FormatError, dumps, loads
from .importer import Importer
from .template_wizard import ScenarioFromTemplate


class Scenario(
        ScenarioFromTemplate,
        metaclass=PoolMeta):
    "Scenario: export, import and templates"
    __name__ = 'marketing.automation.scenario'

    @classmethod
    def _exchange_exclude(cls):
        "Return the set of the names of the fields that are not exchanged"
        return {'active'}

    @classmethod
    def _exchange_domains(cls):
        """
        Return the set of the names of the fields with a domain of the model
        that enters.
        """
        return {'domain', 'goal'}

    @property
    def _exchange_model(self):
        return self.model

    def export_json(self):
        """
        Return the text of the scenario with its tree in all languages.

        It contains only what the user may read.
        """
        with check_access(), Transaction().set_context(
                language=base_language()), inactive_records():
            return dumps(Exporter().document(self.__class__(self.id)))

    @classmethod
    def import_json(cls, text, replacements=None):
        """
        Create the scenario of the text, or bytes in UTF-8, as a draft.

        :param replacements: a dictionary of the ids to take for records, by
            the name of their model and their name (or XML id) in the text.
        :raises ExchangeError: if it is not the text of a scenario, or it
            needs what is not there; nothing has been created then.
        :raises ExchangeMissingError: if other records are not found; its
            `missing` lists their models and names.
        :raises trytond.model.exceptions.ValidationError: if the scenario is
            not valid, as if it was typed.
        """
        try:
            document = loads(text)
        except FormatError as exception:
            raise error(exception.code, **exception.words) from exception
        with check_access(), Transaction().set_context(
                language=base_language()):
            id_ = Importer(replacements).run(document)
        return cls(id_)


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    @classmethod
    def _exchange_exclude(cls):
        "Return the set of the names of the fields that are not exchanged"
        # A document has the activities in their order
        return {'sequence'}

    @classmethod
    def _exchange_domains(cls):
        """
        Return the set of the names of the fields with a domain of the model
        that enters.
        """
        return {'domain'}

    @property
    def _exchange_model(self):
        return self.root.model
