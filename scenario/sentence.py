# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Sentence that says when, and for which records, an activity is executed.

Each sentence is one message, because other languages order its words in
another way; what limits it is a message around the sentence.
"""

import datetime as dt

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool

_MODULE = 'marketing_automation'
_UNITS = [
    ('week', dt.timedelta(weeks=1)),
    ('day', dt.timedelta(days=1)),
    ('hour', dt.timedelta(hours=1)),
    ('minute', dt.timedelta(minutes=1)),
    ('second', dt.timedelta(seconds=1)),
    ]


def duration(delay):
    """
    Return the text of a duration, like "1 day 12 hours", in the language of
    the context.
    """
    words = []
    if not delay % dt.timedelta(weeks=1):
        units = _UNITS
    else:
        # 10 days are easier than 1 week and 3 days
        units = _UNITS[1:]
    for unit, length in units:
        number, delay = divmod(delay, length)
        if number:
            plural = '' if number == 1 else 's'
            words.append(gettext(
                    f'{_MODULE}.msg_duration_{unit}{plural}', number=number))
    return ' '.join(words)


class ActivitySentence:
    "Sentence about the execution of an activity"
    __slots__ = ()

    sentence = fields.Function(
        fields.Char(
            "When",
            help="When, and for which records, the activity is executed."),
        'get_sentence')

    def get_sentence(self, name=None):
        if not self.scenario:
            return
        message, words = self._sentence_start()
        sentence = gettext(message, **words)
        for message, words in self._sentence_limits():
            sentence = gettext(message, sentence=sentence, **words)
        return sentence[:1].upper() + sentence[1:]

    @classmethod
    def _sentence_events(cls):
        """
        Return a dictionary of the message by event.

        It is the id of the one without delay; with the suffixes `_delay` and
        `_not` it is the one after a delay and the one of the absence of the
        event, the latter if there is something like that.

        An event that is not in the dictionary gets a sentence with its name.
        """
        return {
            event: f'{_MODULE}.msg_sentence_{event}' for event in [
                'email_opened', 'email_clicked', 'email_link_clicked',
                'email_replied', 'email_bounced', 'email_unsubscribed',
                'sms_clicked', 'sms_bounced', 'todo_done', 'todo_cancelled']}

    def _sentence_words(self):
        "Return the dictionary of the variables of the messages"
        words = {
            'delay': duration(self.delay) if self.delay else '',
            'link': self.event_link or '',
            'parent': '',
            'date': '',
            }
        if isinstance(self.parent, self.__class__):
            words['parent'] = self.parent.rec_name
        if self.date_field:
            words['date'] = dict(self.get_date_fields()).get(
                self.date_field) or self.date_field
        return words

    def _sentence_start(self):
        """
        Return the message (id) about the start of the execution and the
        dictionary of its variables.
        """
        words = self._sentence_words()
        if self.date_field:
            message = self._sentence_date()
        elif self.event:
            events = self._sentence_events()
            if self.event not in events:
                names = self._event_names()
                words['event'] = names[self.event][bool(self.negative)]
            message = events.get(
                self.event, f'{_MODULE}.msg_sentence_event')
            if self.negative:
                message += '_not'
            elif self.delay:
                message += '_delay'
        else:
            message = f'{_MODULE}.msg_sentence_' + (
                'parent' if words['parent'] else 'enter')
            if self.delay:
                message += '_delay'
        return message, words

    def _sentence_date(self):
        message = f'{_MODULE}.msg_sentence_date'
        if self.delay:
            message += f'_{self.date_direction}'
        if self.date_yearly:
            message += '_yearly'
        return message

    def _sentence_limits(self):
        """
        Return the list of the messages (ids) about what limits the execution,
        with the dictionary of their variables.

        Each has the variable `sentence` for what is around it.
        """
        limits = []
        if self.date_field and isinstance(self.parent, self.__class__):
            limits.append((
                    f'{_MODULE}.msg_sentence_date_parent',
                    {'parent': self.parent.rec_name}))
        if self.condition:
            limits.append((f'{_MODULE}.msg_sentence_condition', {}))
        if self.domain:
            limits.append((f'{_MODULE}.msg_sentence_filter', {}))
        if times := self._sentence_times():
            limits.append((f'{_MODULE}.msg_sentence_times', {'times': times}))
        if self.validity:
            limits.append((
                    f'{_MODULE}.msg_sentence_validity',
                    {'validity': duration(self.validity)}))
        return limits

    def _sentence_times(self):
        "Return the text of the own sending times, None without any"
        if (self.action not in self._window_actions()
                or self.window != 'own'):
            return
        times = []
        if self.window_days:
            days = dict(self.fields_get(['window_days'])['window_days'][
                    'selection'])
            times.append(', '.join(
                    days[d] for d in sorted(self.window_days)))
        if self.window_start or self.window_end:
            Lang = Pool().get('ir.lang')
            lang = Lang.get()
            start, end = (
                lang.strftime(t, '%H:%M') if t else '' for t in [
                    self.window_start or dt.time(), self.window_end])
            times.append(f'{start}\u2013{end or "24:00"}')
        return ' '.join(times)
