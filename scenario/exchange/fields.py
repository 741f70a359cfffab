# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Fields that are exchanged, and what export and import have in common.
"""

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import without_check_access

from ...exceptions import ExchangeError

__all__ = [
    'KEYS', 'TO_ONE', 'base_language', 'domain_fields', 'error',
    'exchange_fields', 'languages']

_NEVER = {
    'id', 'create_uid', 'create_date', 'write_uid', 'write_date', 'rec_name',
    'xml_id'}
TO_ONE = {'many2one', 'one2one', 'reference'}
# How the records of some models are known: the name, and the domain by name
KEYS = {
    'ir.model': (
        lambda r: r.name, lambda name: [('name', '=', name)]),
    'ir.model.field': (
        lambda r: f'{r.model},{r.name}',
        lambda name: [
            ('model', '=', name.partition(',')[0]),
            ('name', '=', name.partition(',')[2])]),
    'ir.lang': (
        lambda r: r.code, lambda name: [('code', '=', name)]),
    'res.user': (
        lambda r: r.login, lambda name: [('login', '=', name)]),
    }


def exchange_fields(Model, exclude=()):
    """
    Return the sorted names of the fields of the model that are exchanged.

    A model may leave out some more with `_exchange_exclude`.
    """
    exclude = {*_NEVER, *exclude}
    if hasattr(Model, '_exchange_exclude'):
        exclude |= Model._exchange_exclude()
    names = [
        name for name, field in Model._fields.items()
        if name not in exclude
        and not field.readonly
        and not isinstance(field, (fields.Function, fields.MultiValue))]

    def rank(name):
        # First what it is, last what is below
        return (
            name != 'name', Model._fields[name]._type == 'one2many', name)
    return sorted(names, key=rank)


def domain_fields(Model):
    "Return the set of the names of the fields of the model with a domain"
    if hasattr(Model, '_exchange_domains'):
        return Model._exchange_domains()
    return set()


def base_language():
    "Return the code of the language of what is not translated"
    return Pool().get('ir.configuration').get_language()


@without_check_access
def languages():
    "Return the sorted codes of the languages besides the base one"
    Lang = Pool().get('ir.lang')
    return sorted({
            lang.code for lang in Lang.search([('translatable', '=', True)])
            } - {base_language()})


def error(code, **words):
    return ExchangeError(gettext(
            f'marketing_automation.msg_exchange_{code}', **words))
