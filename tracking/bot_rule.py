# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Bot rules: human or machine, for each hit.

A rule is a function of the case and of the limits that returns a verdict and
its reason, or None if it can not decide.  The first rule that can does; a hit
for which none can is human.  To add a rule, extend ``_rules`` of the model
marketing.automation.hit, and the selection of its field reason.
"""

import datetime as dt
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple, Optional

__all__ = ['RULES', 'Case', 'Event', 'Limits', 'count_links', 'classify']

HUMAN, MACHINE, UNRELIABLE = 'human', 'machine', 'unreliable'

# What only a machine says of itself
_MACHINES = {'scanner', 'robot', 'program'}
# The proxies that load the images when the person opens the mail
_IMAGE_PROXIES = {'gmail', 'yahoo'}


class Limits(NamedTuple):
    "Limits of the rules, as configured"
    # A hit within these seconds of the delivery, 0 for none
    seconds: float = 2
    # As many different links of one mail, 0 for any number
    links: int = 3
    # within these seconds
    burst: float = 5


class Case(NamedTuple):
    "Facts of a hit on which the rules depend"
    kind: str
    at: dt.datetime
    agent: Optional[str]
    # The second in which the mail was delivered
    delivered_at: Optional[dt.datetime] = None
    # The number of different links of the mail in the same burst
    links: int = 0


class Event(NamedTuple):
    "Hit among those of the same mail"
    id: int
    at: dt.datetime
    # None for an open
    link: Optional[int]


def by_agent(case, limits):
    "The program says that it is a machine"
    if case.agent in _MACHINES:
        return MACHINE, 'agent'


def by_prefetch(case, limits):
    """
    Gmail loads the images of a mail that arrives while it is open on the
    screen: https://www.sparkpost.com/blog/gmail-prefetching-images/.
    """
    if case.kind == 'open' and case.agent == 'gmail prefetch':
        return MACHINE, 'prefetch'


def by_speed(case, limits):
    """
    The hit comes before the delivery is over, or so soon after it that nobody
    can have read anything.
    """
    if not (case.delivered_at and limits.seconds):
        return
    # The delivery is known without its fraction of a second
    delivered_at = case.delivered_at + dt.timedelta(seconds=1)
    if case.at < delivered_at + dt.timedelta(seconds=limits.seconds):
        return MACHINE, 'speed'


def by_burst(case, limits):
    "The hit is one of several different links of the mail at once"
    if limits.links and case.links >= limits.links:
        return MACHINE, 'burst'


def by_privacy_proxy(case, limits):
    """
    Apple Mail loads the images through proxies at any time after the
    delivery, whether the mail is opened or not.
    """
    if case.kind == 'open' and case.agent == 'apple proxy':
        return UNRELIABLE, 'privacy_proxy'


def by_image_proxy(case, limits):
    "The program is the proxy of a person who opens the mail"
    if case.kind == 'open' and case.agent in _IMAGE_PROXIES:
        return HUMAN, 'image_proxy'


RULES = [
    by_agent,
    by_prefetch,
    by_speed,
    by_burst,
    by_privacy_proxy,
    by_image_proxy,
    ]


def classify(case, limits=Limits(), rules=RULES):
    "Return the classification of the case: verdict and reason (or None)"
    for rule in rules:
        if classification := rule(case, limits):
            return classification
    return HUMAN, None


def count_links(events, seconds):
    """
    Return for the id of each event the largest number of different links
    within a span of the seconds in which it takes part.

    :param events: the events of one mail.
    """
    events = sorted(events, key=lambda e: e.at)
    times = [e.at for e in events]
    span = dt.timedelta(seconds=seconds)
    result, links = Counter(), Counter()
    end = 0
    for start, event in enumerate(events):
        stop = bisect_right(times, event.at + span)
        links.update(
            e.link for e in events[end:stop] if e.link is not None)
        # A span which ends where the former did has no more links
        if stop > end:
            for member in events[start:stop]:
                result[member.id] = max(result[member.id], len(links))
        end = stop
        if event.link is not None:
            links[event.link] -= 1
            if not links[event.link]:
                del links[event.link]
    return dict(result)
