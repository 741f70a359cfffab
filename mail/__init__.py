# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Mail: the action that sends e-mails.

Start reading at ``activity.ActivityEmail.execute_send_email``.

- ``activity.py``: the action: fields, checks, recipients, execution
- ``draft.py``: one e-mail from the template to the outgoing message
- ``message.py``: the MIME message of a rendered text
- ``page.py``: the HTML: links, pixel, text part
- ``mail_merge.py``: pages that differ in some words, composed once
- ``serialized.py``: a message as bytes, for those of the mail merge
- ``headers.py``: the headers besides those that each message has
- ``layout.py``: ``Layout``: what is around the texts
- ``layout_source.py``: a text inside a layout, and the lines of both
- ``mjml.py``: MJML as HTML
- ``attachment.py``: ``Attachment``: files of an activity
- ``mime_attachment.py``: files encoded once for many messages
- ``smtp.py``: ``Session``: one conversation with the SMTP server
- ``return_path.py``: the address to which an e-mail returns
- ``log.py``: the e-mails that were sent, shown
- ``inbound/``: what comes back by mail

It may import ``common``, ``template``, ``scenario``, ``record``,
``audience``, ``execution``, ``tracking`` and ``consent``.  Only ``smtp.py``
opens a connection, only ``template`` knows Genshi; ``message.py``,
``page.py`` and ``smtp.py`` know no record.

To add a header: ``headers.py``, to add one from another module
``email_headers`` of the activity.
"""
