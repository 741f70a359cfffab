# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
What a record would get, without anything being sent or stored.
"""

from typing import NamedTuple, Optional

from trytond.pool import Pool, PoolMeta

from .compose import text_of
from .mail import Draft

# Where the links lead that can only be made for a mail that is sent
_NOWHERE = '#'


class Preview(NamedTuple):
    """
    What a message would be for one record.

    :param failure: the words for who wrote the template if it can not be
        rendered; the others are then empty.
    """
    subject: str = ''
    html: str = ''
    text: str = ''
    failure: Optional[str] = None


class Sample(Draft):
    "A mail that is only looked at: its links lead where they were written to"

    def _tracked_urls(self):
        return None, None

    def preview(self):
        if self.failure:
            return Preview(failure=self.activity.template_failure(
                    *self.failure, self.target))
        self.page.rewrite(_same, lambda url: _NOWHERE)
        html = self.short.replace(self.page.html(), _same)
        return Preview(
            subject=self.short.replace(self.title, _same),
            html=html,
            text=text_of(html))


def _same(url):
    return url


class Activity(metaclass=PoolMeta):
    __name__ = 'marketing.automation.activity'

    def preview(self, target, language=None):
        """
        Return the :class:`Preview` of what the target would get, None if the
        action sends nothing.

        Each action defines it with a method `preview_<action>`.  The language
        (code) is by default the one of the target.
        """
        preview = getattr(self, f'preview_{self.action}', None)
        if preview:
            if language is None:
                language = target.marketing_languages([target])[target.id]
            return preview(target, language)

    def preview_send_email(self, target, language):
        pool = Pool()
        Record = pool.get('marketing.automation.record')
        RecordActivity = pool.get('marketing.automation.record.activity')
        record_activity = RecordActivity(
            id=-1, activity=self,
            record=Record(id=-1, record=target, scenario=self.scenario))
        sample, = self._drafts(Sample, language, [record_activity])
        return sample.preview()
