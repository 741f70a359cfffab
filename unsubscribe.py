# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import base64
import datetime as dt
import hashlib
import re
from email.utils import parseaddr

import trytond.config as config
from trytond.cache import MemoryCache
from trytond.pool import Pool
from trytond.report import Report
from trytond.transaction import Transaction, inactive_records


class Unsubscribe(Report):
    """
    The page on which a recipient unsubscribes.

    It has a state: ``ask``, ``done`` or ``unknown`` (also for the other links
    that lead to nothing).
    """
    __name__ = 'marketing.automation.unsubscribe'

    # It is served to whoever makes up a link
    _unknown_cache = MemoryCache(
        'marketing.automation.unsubscribe.unknown', context=False,
        duration=dt.timedelta(minutes=1))

    @classmethod
    def page(cls, state, record=None, languages=(), leaves=False):
        """
        Return the HTML of the page in the state and its content security
        policy.

        :param record: the id of the record.
        :param languages: the language tags that the browser accepts, by
            preference; used if the language of the party is not known.
        :param leaves: True if the form leads to another site.
        """
        record = cls._record(record)
        language = cls._record_language(record) or cls._accepted(languages)
        if record:
            html = cls._render(state, record, language)
        else:
            html = cls._unknown_cache.get(language)
            if html is None:
                html = cls._unknown_cache.set(
                    language, cls._render('unknown', None, language))
        return html, cls._policy(html, leaves)

    @classmethod
    def exists(cls, record):
        return cls._record(record) is not None

    @classmethod
    def unsubscribe(cls, record, method, link=None, user_agent=None):
        """
        Unsubscribe the record and return whether it still exists.

        :param method: ``link`` or ``one-click``.
        """
        pool = Pool()
        Hit = pool.get('marketing.automation.hit')
        Record = pool.get('marketing.automation.record')
        if not cls.exists(record):
            return False
        Record.unsubscribe(record, method)
        Hit.add(
            'unsubscribe', record=record, link=link, user_agent=user_agent)
        return True

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        record = cls._record(data.get('record'))
        context['record'] = record
        context['state'] = data['state']
        context['party'] = cls._party(record)
        context['scenario'] = record.scenario.name if record else None
        context['company'] = cls._company(record)
        context['language'], context['direction'] = cls._locale()
        return context

    @classmethod
    def _render(cls, state, record, language):
        with Transaction().set_context(language=language):
            _, html, _, _ = cls.execute([], {
                    'state': state,
                    'record': record.id if record else None,
                    })
        return html

    @classmethod
    def _policy(cls, html, leaves):
        "Return the policy that allows only what is in the page itself"
        styles = [
            base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            for style in re.findall(r'<style>(.*?)</style>', html, re.DOTALL)]
        styles = ' '.join(f"'sha256-{s}'" for s in styles) or "'none'"
        # Browsers apply it also to where the answer of the form redirects
        forms = "'self' https: http:" if leaves else "'self'"
        return (
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action {forms}; style-src {styles}")

    @classmethod
    def _record(cls, id):
        Record = Pool().get('marketing.automation.record')
        if id is not None:
            with inactive_records():
                for record in Record.search([('id', '=', id)]):
                    return record

    @classmethod
    def _party(cls, record):
        if record and (target := record.target):
            return target.marketing_party

    @classmethod
    def _company(cls, record):
        "Return the name of who sends the mails"
        try:
            Company = Pool().get('company.company')
        except KeyError:
            pass
        else:
            target = record.target if record else None
            if company := getattr(target, 'company', None):
                return company.rec_name
            companies = list(Company.search([], limit=2))
            if len(companies) == 1:
                company, = companies
                return company.rec_name
        sender = (config.get('marketing', 'email_from')
            or config.get('email', 'from'))
        name, address = parseaddr(sender or '')
        _, _, domain = address.rpartition('@')
        return name or (domain if '.' in domain else None)

    @classmethod
    def _record_language(cls, record):
        if record and (target := record.target):
            return target.marketing_languages([target]).get(target.id)

    @classmethod
    def _accepted(cls, tags):
        "Return the code of the first language that can be served"
        Language = Pool().get('ir.lang')
        languages = Language.search([('translatable', '=', True)])
        codes = {l.code.lower(): l.code for l in languages}
        for tag in tags:
            code = tag.replace('-', '_').lower()
            for candidate in [code, code.partition('_')[0]]:
                if candidate in codes:
                    return codes[candidate]
        return Transaction().language

    @classmethod
    def _locale(cls):
        "Return the language tag and the direction of the page"
        Language = Pool().get('ir.lang')
        code = Transaction().language
        direction = 'ltr'
        with inactive_records():
            for language in Language.search([('code', '=', code)]):
                direction = language.direction
        return code.replace('_', '-'), direction
