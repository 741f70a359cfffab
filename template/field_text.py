# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The texts that an activity writes for colleagues: text templates about the
record.
"""

from contextlib import contextmanager

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction, active_records

from ..common.access import VirtualReaders
from ..common.transaction import is_database, is_transient
from ..exceptions import TemplateError
from ..outcome import failed
from .engine import TemplateSyntaxError, compile_text
from .view import View, unknown_fields

__all__ = ['check', 'in_language', 'words']


def check(activities, names, field_names=None):
    "Ensure that the fields (names) of the activities can be compiled"
    for name in names:
        if field_names and name not in field_names:
            continue
        for activity in activities:
            if source := getattr(activity, name):
                _check(activity, name, source)


def _check(activity, name, source):
    Model = Pool().get(activity.root.model)
    try:
        for path, line in unknown_fields(compile_text(source).paths, Model):
            raise TemplateSyntaxError(gettext(
                    'marketing_automation.msg_field_unknown',
                    field=path, **Model.__names__()), line)
    except TemplateSyntaxError as exception:
        raise TemplateError(gettext(
                'marketing_automation.msg_activity_template',
                activity=activity.rec_name,
                field=activity.__names__(name)['field'],
                line=exception.line or 1,
                error=exception.message)) from exception


@contextmanager
def in_language(activity, language, record_activities):
    """
    Yield the activity, the targets of the record activities, in their order,
    and the virtual readers of these: all in the language, if there is one.
    """
    context = {'language': language} if language else {}
    Target = record_activities[0].record.record.__class__
    # The instances keep the context of where they come from: those of the
    # record activities are in another language and show also what has been
    # deactivated
    with Transaction().set_context(**context), active_records():
        yield (
            activity.__class__(activity.id),
            Target.browse([r.record.record.id for r in record_activities]),
            VirtualReaders())


def words(activity, names, target, access):
    """
    Return a dictionary of the texts of the fields (names) about the target,
    or the outcome if they can not be rendered.

    :param activity: in the language of who reads them.
    :param target: in the same language.
    :param access: of the virtual reader of the target.
    """
    texts, name = {}, names[0]
    try:
        context = activity.email_context(View(target, access))
        for name in names:
            source = getattr(activity, name)
            texts[name] = (
                compile_text(source).render(context) if source else None)
    except Exception as exception:
        if is_transient(exception) or is_database(exception):
            # Nothing more can be read in this transaction
            raise
        return failed(
            'template_error',
            activity.template_failure(name, exception, target))
    return texts
