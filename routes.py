# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Routes: the public URLs, and the preview of the users.

Anybody on the internet may request them, with anything.
"""

import base64
import re
from functools import wraps

from trytond.protocols.wrappers import (
    HTTPStatus, Response, abort, allow_null_origin, exceptions,
    set_max_request_size, with_pool, with_transaction)
from trytond.transaction import Transaction
from trytond.wsgi import app

from .sms import gateway
from .tracking.url import (
    ANONYMOUS_CLICK, ANONYMOUS_OPEN, ANONYMOUS_PERSONAL_CLICK,
    ANONYMOUS_SMS_CLICK, CLICK, OPEN, PERSONAL_CLICK, SMS_CLICK, UNSUBSCRIBE,
    decode, decode_personal)

# A transparent pixel
GIF = (
    b'GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00'
    b'!\xf9\x04\x01\x00\x00\x00\x00'
    b',\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;')

# For what has no database to translate it
NOT_FOUND = (
    '<!DOCTYPE html>\n'
    '<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<title>This link does not work</title></head>'
    '<body><main><h1>This link does not work</h1>'
    '<p>Please check that you copied the whole link from your e-mail.</p>'
    '</main></body></html>\n')

_MAX_SIZE = 64 * 1024


def public(func, transaction=with_transaction(readonly=False)):
    """
    Serve the function to the public.

    The database is named by the path.  A name that is malformed, unknown or
    of a database without the module is not found.
    """
    serve = with_pool(_activated(transaction(func)))

    @set_max_request_size(_MAX_SIZE)
    # Nothing here depends on cookies, and mail programs open the links from
    # opaque origins.
    @allow_null_origin
    @wraps(func)
    def wrapper(request, database, *args, **kwargs):
        try:
            return serve(request, _database_name(database), *args, **kwargs)
        except exceptions.NotFound:
            return _page(
                NOT_FOUND, "default-src 'none'", HTTPStatus.NOT_FOUND)
    return wrapper


def recorded(func):
    """
    Serve the function to the public, with each statement in a transaction of
    its own: what is recorded is only one.
    """
    def transaction(func):
        @wraps(func)
        def wrapper(request, pool, *args, **kwargs):
            with Transaction().start(
                    pool.database_name, 0, autocommit=True):
                return func(request, pool, *args, **kwargs)
        return wrapper
    return public(func, transaction)


def _activated(func):
    @wraps(func)
    def wrapper(request, pool, *args, **kwargs):
        try:
            pool.get('marketing.automation.hit')
        except KeyError:
            abort(HTTPStatus.NOT_FOUND)
        return func(request, pool, *args, **kwargs)
    return wrapper


def _database_name(value):
    if len(value) > 255:
        abort(HTTPStatus.NOT_FOUND)
    try:
        return base64.b64decode(
            value + '=' * (-len(value) % 4), altchars=b'-_',
            validate=True).decode('utf-8')
    except ValueError:
        abort(HTTPStatus.NOT_FOUND)


def _response(content, status=HTTPStatus.OK, **headers):
    return Response(content, status, {
            'Cache-Control': 'no-store',
            'X-Content-Type-Options': 'nosniff',
            'X-Robots-Tag': 'noindex',
            **headers})


def _pixel():
    return _response(GIF, **{'Content-Type': 'image/gif'})


def _page(html, policy, status=HTTPStatus.OK):
    return _response(html, status, **{
            'Content-Type': 'text/html; charset=utf-8',
            'Content-Security-Policy': policy,
            # With no-referrer browsers send the form from the origin null
            'Referrer-Policy': 'same-origin',
            })


def _redirect(url, status):
    return _response(None, status, **{
            'Location': url,
            'Referrer-Policy': 'no-referrer',
            })


@app.route('/m/empty.gif', methods={'GET'})
@set_max_request_size(_MAX_SIZE)
@allow_null_origin
def empty(request):
    "Return the pixel of the mails of former releases"
    return _pixel()


@app.route(f'/m/<database>/{OPEN}/<token>', methods={'GET'})
@recorded
def open_(request, pool, token):
    Hit = pool.get('marketing.automation.hit')
    ids = decode(OPEN, token)
    if ids and request.method == 'GET':
        record_activity, _ = ids
        Hit.add(
            'open', record_activity=record_activity,
            **_requester(request))
    return _pixel()


@app.route(f'/m/<database>/{CLICK}/<token>', methods={'GET'})
@recorded
def click(request, pool, token):
    return _click(request, pool, decode(CLICK, token), 'click')


@app.route(f'/m/<database>/{PERSONAL_CLICK}/<token>', methods={'GET'})
@recorded
def personal_click(request, pool, token):
    *ids, values = decode_personal(PERSONAL_CLICK, token) or (None,)
    return _click(request, pool, ids, 'click', values)


@app.route(f'/m/<database>/{SMS_CLICK}/<token>', methods={'GET'})
@recorded
def sms_click(request, pool, token):
    return _click(request, pool, decode(SMS_CLICK, token), 'sms_click')


def _click(request, pool, ids, kind, values=None):
    Hit = pool.get('marketing.automation.hit')
    Link = pool.get('marketing.automation.link')
    record_activity, link = ids or (None, None)
    url = Link.target(link, values) if link else None
    if not url:
        return _unknown(request, pool)
    if request.method == 'GET':
        Hit.add(
            kind, record_activity=record_activity, link=link,
            **_requester(request))
    return _redirect(url, HTTPStatus.FOUND)


@app.route(f'/m/<database>/{ANONYMOUS_OPEN}/<token>', methods={'GET'})
@recorded
def anonymous_open(request, pool, token):
    Tally = pool.get('marketing.automation.tally')
    ids = decode(ANONYMOUS_OPEN, token)
    if ids and request.method == 'GET':
        activity, _ = ids
        Tally.add('open', activity, **_requester(request))
    return _pixel()


@app.route(f'/m/<database>/{ANONYMOUS_CLICK}/<token>', methods={'GET'})
@recorded
def anonymous_click(request, pool, token):
    return _anonymous_click(request, pool, decode(ANONYMOUS_CLICK, token))


@app.route(
    f'/m/<database>/{ANONYMOUS_PERSONAL_CLICK}/<token>', methods={'GET'})
@recorded
def anonymous_personal_click(request, pool, token):
    *ids, values = decode_personal(
        ANONYMOUS_PERSONAL_CLICK, token) or (None,)
    return _anonymous_click(request, pool, ids, values)


@app.route(f'/m/<database>/{ANONYMOUS_SMS_CLICK}/<token>', methods={'GET'})
@recorded
def anonymous_sms_click(request, pool, token):
    return _anonymous_click(request, pool, decode(ANONYMOUS_SMS_CLICK, token))


def _anonymous_click(request, pool, ids, values=None):
    Link = pool.get('marketing.automation.link')
    Tally = pool.get('marketing.automation.tally')
    activity, link = ids or (None, None)
    url = Link.target(link, values) if link else None
    if not url:
        return _unknown(request, pool)
    if request.method == 'GET':
        Tally.add('click', activity, link=link, **_requester(request))
    return _redirect(url, HTTPStatus.FOUND)


@app.route(f'/m/<database>/{UNSUBSCRIBE}/<token>', methods={'GET'})
@public
def unsubscribe_page(request, pool, token):
    record, link = decode(UNSUBSCRIBE, token) or (None, None)
    return _ask(request, pool, record, link)


@app.route(f'/m/<database>/{UNSUBSCRIBE}/<token>', methods={'POST'})
@public
def unsubscribe(request, pool, token):
    record, link = decode(UNSUBSCRIBE, token) or (None, None)
    return _unsubscribe(request, pool, record, link)


@app.route('/m/<database>/sms/<token>', methods={'POST'})
@public
def sms(request, pool, token):
    Incoming = pool.get('marketing.automation.sms.incoming')
    items = gateway.receive(request, token)
    if items is None:
        return _response(None, HTTPStatus.NOT_FOUND)
    Incoming.receive(items)
    return _response(None, HTTPStatus.NO_CONTENT)


@app.route(
    '/<database_name>/marketing_automation/preview/<int:id>', methods={'GET'})
@app.auth_required
@with_pool
@with_transaction(user='request', context={'_check_access': True})
def preview(request, pool, id):
    Activity = pool.get('marketing.automation.activity')
    User = pool.get('res.user')
    context = User(Transaction().user).get_preferences(context_only=True)
    with Transaction().set_context(context):
        html = Activity.preview_page(
            id, request.args.get('record'), request.args.get('language'))
    if html is None:
        abort(HTTPStatus.NOT_FOUND)
    # Whoever writes a mail must not act for who looks at it
    return _page(
        html, "sandbox; default-src 'none'; img-src * data:; font-src *; "
        "style-src * 'unsafe-inline'")


# Migration from 8.2: the links in the mails that have already been sent


@app.route('/m/<database>/unsubscribe', methods={'GET'})
@public
def unsubscribe_uuid_page(request, pool):
    return _ask(request, pool, _from_uuid(request, pool))


@app.route('/m/<database>/unsubscribe', methods={'POST'})
@public
def unsubscribe_uuid(request, pool):
    return _unsubscribe(request, pool, _from_uuid(request, pool))


def _from_uuid(request, pool):
    Record = pool.get('marketing.automation.record')
    uuid = request.args.get('r', '')
    if re.fullmatch(r'[0-9A-Fa-f-]{1,36}', uuid):
        return Record.from_uuid(uuid)


def _ask(request, pool, record, link=None, status=HTTPStatus.OK):
    Page = pool.get('marketing.automation.unsubscribe', type='report')
    if not Page.exists(record):
        return _unknown(request, pool)
    return _page(
        *Page.page('ask', record, _languages(request), leaves=bool(link)),
        status)


def _unsubscribe(request, pool, record, link=None):
    Link = pool.get('marketing.automation.link')
    Page = pool.get('marketing.automation.unsubscribe', type='report')
    state = Page.answer(
        record, request.form, link=link, **_requester(request))
    if state == 'unknown':
        return _unknown(request, pool)
    elif state == 'ask':
        return _ask(request, pool, record, link, HTTPStatus.BAD_REQUEST)
    elif state == 'one-click':
        return _response("Unsubscribed\n", **{
                'Content-Type': 'text/plain; charset=utf-8'})
    elif state != 'undone' and (url := link and Link.target(link)):
        return _redirect(url, HTTPStatus.SEE_OTHER)
    return _page(*Page.page(
            state, record, _languages(request), leaves=bool(link)))


def _unknown(request, pool):
    Page = pool.get('marketing.automation.unsubscribe', type='report')
    return _page(
        *Page.page('unknown', languages=_languages(request)),
        HTTPStatus.NOT_FOUND)


def _requester(request):
    "Return the user agent and the address of the request"
    return {
        'user_agent': request.headers.get('User-Agent'),
        'address': request.remote_addr,
        }


def _languages(request):
    return list(request.accept_languages.values())
