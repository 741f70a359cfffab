# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Paths of fields through relations, like ``party.employee``.
"""

from trytond.i18n import gettext
from trytond.model import Model as BaseModel
from trytond.model import ModelStorage
from trytond.pool import Pool
from trytond.transaction import check_access

from .access import is_offered

__all__ = ['check', 'follow', 'target', 'walk']


def target(field, reference=None):
    """
    Return the model of the records of the field, None if it has none.

    :param reference: the name of the model for a field of any model.
    """
    if field._type == 'reference':
        return Pool().get(reference) if reference else None
    try:
        Target = field.get_target()
    except AttributeError:
        return None
    return Target if issubclass(Target, ModelStorage) else None


def walk(Model, path, reference=None):
    """
    Yield the model and the field of each name of the path.

    :raises ValueError: if the field is unknown.
    :raises trytond.model.exceptions.AccessError: if it may not be read.
    """
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    FieldAccess = pool.get('ir.model.field.access')
    for name in path.split('.'):
        field = Model._fields.get(name) if Model else None
        if field is None or not is_offered(name, field):
            raise ValueError(gettext(
                    'marketing_automation.msg_field_unknown',
                    field=path,
                    **(Model.__names__() if Model else {'model': ''})))
        ModelAccess.check(Model.__name__, 'read')
        FieldAccess.check(Model.__name__, [name], 'read')
        yield Model, field
        Model = target(field, reference)


def check(Model, path, targets):
    """
    Raise an error if the path of Many2One does not lead from the model to one
    of the target models, or if the user may not read it.

    :param targets: the names of the models.
    :raises ValueError: if it does not lead there.
    :raises trytond.model.exceptions.AccessError: if it may not be read.
    """
    pool = Pool()
    with check_access():
        for Target, field in walk(Model, path):
            if field._type not in {'many2one', 'one2one'}:
                raise ValueError(gettext(
                        'marketing_automation.msg_path_relation',
                        field=path, **Target.__names__()))
    Target = target(field)
    if Target.__name__ not in targets:
        known = [
            pool.get(t).__names__()['model'] for t in targets
            if t in dict(pool.iterobject())]
        raise ValueError(gettext(
                'marketing_automation.msg_path_target',
                field=path, models=", ".join(known), **Model.__names__()))


def follow(records, path):
    "Return a dictionary of what the path leads to, or None, of each record"
    values = {r.id: r for r in records}
    for name in path.split('.'):
        values = {
            id_: getattr(value, name) if isinstance(value, BaseModel) else None
            for id_, value in values.items()}
    return values
