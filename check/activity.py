# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Activity, as this room extends it.
"""

from trytond.pool import PoolMeta

from .explain import ActivityExplain
from .preview import ActivityPreview
from .preview_form import ActivityPreviewForm
from .send_me import ActivitySendMe
from .trial import ActivityTrial
from .visual_editor import ActivityVisualEditor
from .warning import ActivityWarning


class Activity(
        ActivityExplain,
        ActivityTrial,
        ActivitySendMe,
        ActivityVisualEditor,
        ActivityPreviewForm,
        ActivityWarning,
        ActivityPreview,
        metaclass=PoolMeta):
    """
    Activity: explanation, test, preview and warnings; their order does not
    matter.
    """
    __name__ = 'marketing.automation.activity'
