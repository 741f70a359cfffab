# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Retry policy: delays between the attempts, and their end.
"""

import datetime as dt

import trytond.config as config


def retry_delay(attempts):
    """
    Return the time to wait before the next try, None to give up.

    The delay doubles from `[marketing] retry_delay` up to `retry_delay_max`
    until `retry_duration` has passed (all in seconds), as RFC 5321 4.5.4.1
    asks for.
    """
    delay = config.getint('marketing', 'retry_delay', default=5 * 60)
    delay_max = config.getint(
        'marketing', 'retry_delay_max', default=4 * 60 * 60)
    duration = config.getint(
        'marketing', 'retry_duration', default=2 * 24 * 60 * 60)
    total = 0
    for attempt in range(attempts):
        next_delay = min(delay * 2 ** attempt, delay_max)
        total += next_delay
    if total > duration:
        return None
    return dt.timedelta(seconds=next_delay)
