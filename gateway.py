# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is documented of :mod:`sms.gateway`."

from .sms.gateway import SMS, SMSPostponed, SMSRefused

__all__ = [
    'SMS', 'SMSPostponed', 'SMSRefused']
