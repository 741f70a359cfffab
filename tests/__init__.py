# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import functools

from trytond import pool

# Each database that the tests open looks for the same classes again by their
# names, which takes half of the time
pool.resolve = functools.cache(pool.resolve)
