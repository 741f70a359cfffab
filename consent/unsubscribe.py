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
from trytond.tools import file_open
from trytond.transaction import Transaction, inactive_records

from .consent import COMMENT, pause_days

_PATH = 'marketing_automation/consent/unsubscribe.html'


class Unsubscribe(Report):
    """
    The page on which a recipient unsubscribes.

    It has a state: ``ask``, what was done (``scenario``, ``all``, ``pause`` or
    ``undone``) or ``unknown`` (also for the other links that lead to nothing).
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
        Record = Pool().get('marketing.automation.record')
        return record is not None and Record.subject(record) is not None

    @classmethod
    def answer(cls, record, form, link=None, **requester):
        """
        Do what the form of the page, or the mail program, asks for and return
        the state, ``one-click`` for the mail program.

        :param record: the id of the record.
        :param requester: the user agent and the address.
        """
        pool = Pool()
        Consent = pool.get('marketing.automation.consent')
        Hit = pool.get('marketing.automation.hit')
        if record is None:
            return 'unknown'
        # https://www.rfc-editor.org/rfc/rfc8058#section-3.2
        if form.get('List-Unsubscribe') == 'One-Click':
            state, scope, how = 'one-click', 'scenario', 'one-click'
        elif not cls.exists(record):
            return 'unknown'
        elif 'undo' in form:
            number = form['undo']
            if number.isdecimal() and len(number) < 6 and Consent.undo(
                    record, int(number)):
                return 'undone'
            return 'ask'
        elif 'unsubscribe' in form:
            state = scope = form.get('choice', 'scenario')
            how = 'link'
            if scope not in cls._choices(cls._record(record)):
                return 'ask'
        else:
            return 'ask'
        if not Consent.stop(
                record, scope, how,
                reason=form.get('reason'),
                comment=_printable(form.get('comment'))):
            return 'unknown'
        if scope != 'pause':
            Hit.add('unsubscribe', record=record, link=link, **requester)
        return state

    @classmethod
    def _choices(cls, record):
        "Return what the recipient of the record can choose"
        choices = ['scenario']
        # What has been deleted belongs to nobody
        if cls._party(record):
            choices += ['all', 'pause']
        return choices

    @classmethod
    def get_context(cls, records, header, data):
        Consent = Pool().get('marketing.automation.consent')
        context = super().get_context(records, header, data)
        record = cls._record(data.get('record'))
        context['record'] = record
        context['state'] = data['state']
        context['party'] = cls._party(record)
        context['choices'] = cls._choices(record)
        context['days'] = pause_days()
        context['comment_length'] = COMMENT
        context['undo'], context['last'] = (
            Consent.last(record.id) if record else None) or (None, None)
        context['until'] = cls._until(context['party'])
        context['scenario'] = record.scenario.rec_name if record else None
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
    def render(cls, report, report_context):
        # Recipients must be able to unsubscribe also between the start of a
        # new version and the update of the database, in which the path of the
        # file may be the one of a former version
        if (report.get_template_cached() is None
                and not report.report_content):
            with file_open(_PATH, mode='rb') as file:
                report.report_content = file.read()
        return super().render(report, report_context)

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
    def _until(cls, party):
        "Return the day until which the party wants no mails"
        if party and (until := party.marketing_paused_until):
            return cls.format_date(until.date(), cls._lang())

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
    def _lang(cls):
        Language = Pool().get('ir.lang')
        with inactive_records():
            for language in Language.search([
                        ('code', '=', Transaction().language)]):
                return language

    @classmethod
    def _locale(cls):
        "Return the language tag and the direction of the page"
        language = cls._lang()
        return (
            Transaction().language.replace('_', '-'),
            language.direction if language else 'ltr')


def _printable(text):
    "Return the text without what a database refuses"
    return ''.join(c if c.isprintable() else ' ' for c in text or '')
