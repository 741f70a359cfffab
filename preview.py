# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is documented of :mod:`check.preview`."

from .check.preview import Preview

__all__ = [
    'Preview']
