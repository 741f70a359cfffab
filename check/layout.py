# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Layout, as this room extends it.
"""

from trytond.pool import PoolMeta

from .layout_preview import LayoutPreview
from .visual_editor import LayoutVisualEditor


class Layout(
        LayoutVisualEditor,
        LayoutPreview,
        metaclass=PoolMeta):
    "Layout: its preview, and its protection; their order does not matter"
    __name__ = 'marketing.automation.layout'
