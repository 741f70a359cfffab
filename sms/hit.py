# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Hit: the clicks in a SMS."

from trytond.pool import PoolMeta

from .incoming import HitIncoming


class Hit(HitIncoming, metaclass=PoolMeta):
    __name__ = 'marketing.automation.hit'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        kind = ('sms_click', "Click in a SMS")
        if kind not in cls.kind.selection:
            cls.kind.selection.append(kind)

    @classmethod
    def _reaction_kinds(cls):
        return super()._reaction_kinds() | {'sms_click'}
