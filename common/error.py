# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Texts of exceptions, for persons and for the log."

from contextlib import contextmanager

from trytond.i18n import gettext

from .transaction import is_transient


def error_text(exception):
    "Return the words of the exception that a person can read"
    return (
        getattr(exception, 'message', None)
        or str(exception) or repr(exception))


@contextmanager
def raise_as(Error, message, **words):
    """
    Raise what is wrong as the error with the message (id), which gets the
    words of what is wrong as `error` besides the words given.

    A transient error is raised as it is.
    """
    try:
        yield
    except Exception as exception:
        if is_transient(exception) or isinstance(exception, Error):
            raise
        raise Error(gettext(
                f'marketing_automation.{message}',
                error=error_text(exception), **words)) from exception


def error_location(exception):
    """
    Return the class of the exception and where it was raised, for the log.

    Its words are left out because they may contain the data of a person.
    """
    name = exception.__class__.__name__
    trace = exception.__traceback__
    if not trace:
        return name
    while trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f'{name}@{code.co_name}:{trace.tb_lineno}'
