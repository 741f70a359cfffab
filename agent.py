# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The family of a user agent"

import re

__all__ = ['agent_family']

# The first pattern found is the family.
# Many browsers pretend to be the ones below them.
_AGENTS = [(re.compile(pattern), family) for pattern, family in [
        (r'googleimageproxy', 'gmail'),
        (r'yahoomailproxy', 'yahoo'),
        (r'outlook|msoffice|microsoft office', 'outlook'),
        (r'thunderbird', 'thunderbird'),
        (r'bot\b|crawl|spider|scan|preview|proofpoint|mimecast|barracuda',
            'scanner'),
        (r'curl|wget|python|java/|okhttp|go-http|libwww|headless', 'program'),
        (r'\bedg', 'edge'),
        (r'\bopr/|opera', 'opera'),
        (r'firefox|fxios', 'firefox'),
        (r'chrome|chromium|crios', 'chrome'),
        (r'safari', 'safari'),
        (r'applewebkit', 'apple mail'),
        (r'^mozilla/5\.0$', 'apple proxy'),
        (r'\S', 'other'),
        ]]


def agent_family(user_agent):
    "Return one word for the user agent: all that is kept of it"
    user_agent = (user_agent or '')[:512].strip().lower()
    for pattern, family in _AGENTS:
        if pattern.search(user_agent):
            return family
