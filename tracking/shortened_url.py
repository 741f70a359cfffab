# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Links of former releases, made by web_shortener.
"""

from trytond.pool import PoolMeta


class ShortenedURL(metaclass=PoolMeta):
    """
    Migration from 8.2: the links in the mails that have already been sent.
    """
    __name__ = 'web.shortened_url'

    @classmethod
    def _get_models(cls):
        return super()._get_models() + [
            'marketing.automation.record.activity',
            ]

    @classmethod
    def _get_methods(cls):
        return super()._get_methods() + [
            'marketing.automation.record.activity|on_email_opened',
            'marketing.automation.record.activity|on_email_clicked',
            ]
