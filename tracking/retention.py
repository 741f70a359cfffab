# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Retention: what is removed, and after which time.

The figures are those of the record activities, so they stay as they are, and
their counters are verified.
"""

import datetime as dt
import logging

import trytond.config as config
from trytond.pool import Pool
from trytond.transaction import Transaction

logger = logging.getLogger(__name__)


def _before(name, default=None):
    "Return the time before which nothing is kept, None to keep all"
    days = config.getint('marketing', name, default=default)
    if days:
        return dt.datetime.now() - dt.timedelta(days=days)


class HitRetention:
    "Removal of old hits and logged e-mails"
    __slots__ = ()

    @classmethod
    def clean(cls):
        """
        Remove the hits older than `[marketing] keep_hits` days and the
        logged e-mails older than `keep_emails` days.

        It is called by cron.  A hit stays as long as it has not had its
        effect.  Counters that differ are corrected.
        """
        Email = Pool().get('ir.email')
        hits = emails = 0
        if before := _before('keep_hits', default=90):
            table = cls.__table__()
            cursor = Transaction().connection.cursor()
            cursor.execute(*table.delete(
                    where=table.applied & (table.at < before)))
            hits = cursor.rowcount
        if before := _before('keep_emails'):
            emails = Email.clean_marketing(before)
        Pool().get('marketing.automation.counter').verify()
        logger.info("cleaned hits=%s emails=%s", hits, emails)
