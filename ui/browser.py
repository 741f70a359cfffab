# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The web client in a headless Chromium, as the tests use it"

import json
import os
import shutil
from urllib.parse import quote

from playwright.sync_api import sync_playwright

ARGUMENTS = [
    # Needed by root, as in a container
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    ]
# What the client asks for although it is optional: trytond answers 405
OPTIONAL = ['status of 405', 'moment']
SIZE = {'width': 1360, 'height': 850}
PHONE = {'width': 360, 'height': 640}
TIMEOUT = 20 * 1000
PANE = '#tabcontent > .tab-pane.active'
# The calendar shows today as an alert
MESSAGE = (
    '.infobar .alert:visible > span, '
    '.modal.in:visible .alert:not([class*=fc-])')
DIALOG = '.modal.in:visible'

SHOWN = '''() => {
    const tab = Sao.Tab.tabs.get_current();
    return [
        jQuery('#tablist > li').length, jQuery('.modal.in').length,
        tab && tab.screen.current_view && tab.screen.current_view.view_type,
        ].join();
}'''
SETTLE = '''quiet => new Promise(resolve => {
    const start = Date.now();
    let last = start;
    const observer = new MutationObserver(() => last = Date.now());
    observer.observe(document.body,
        {subtree: true, childList: true, attributes: true});
    const timer = setInterval(() => {
        const now = Date.now();
        // The long poll of the bus never ends
        const polls = (Sao.Bus.listening && Sao.Bus.request) ? 1 : 0;
        // A dialog takes the focus when it has slid in
        const slides = document.getAnimations().some(
            animation => animation instanceof CSSTransition);
        if (jQuery.active > polls || slides)
            last = now;
        if (now - last > quiet || now - start > 20000) {
            clearInterval(timer);
            observer.disconnect();
            resolve();
        }
    }, 20);
})'''


def executable():
    "Return the browser of the machine, None for the one of playwright"
    for name in ['chromium', 'chromium-browser', 'google-chrome']:
        if path := os.environ.get('CHROMIUM') or shutil.which(name):
            return path


class Browser:
    "A browser whose pages note what goes wrong in them"

    def __init__(self, pictures):
        self.pictures = pictures
        self.errors = []
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=executable(), headless=True, args=ARGUMENTS)

    def close(self):
        self._browser.close()
        self._playwright.stop()

    def page(self, size=SIZE, **options):
        context = self._browser.new_context(
            viewport=size, accept_downloads=True, **options)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on('pageerror', lambda error: self.errors.append(str(error)))
        page.on('console', self._console)
        return page

    def _console(self, message):
        if (message.type in {'warning', 'error'}
                and not any(o in message.text for o in OPTIONAL)):
            self.errors.append(f'{message.type}: {message.text}')

    def picture(self, page, name, **options):
        self.pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(self.pictures / f'{name}.png'), **options)


class Client:
    "The web client, logged in"

    def __init__(self, browser, stage):
        self.browser = browser
        self.stage = stage
        self.page = browser.page()
        self.page.goto(f'{stage.url}/#{quote(stage.name)}')
        self.page.fill('.login-dialog #login', stage.login)
        self.page.click('.login-dialog button[type=submit]')
        self.page.fill('.ask-dialog input', stage.password)
        self.page.click('.ask-dialog button.btn-primary')
        self.page.wait_for_selector('#menu .treeview')
        self.settle()

    def close(self):
        self.page.context.close()

    def settle(self, quiet=200):
        "Wait until no request runs and the page rests for the milliseconds"
        self.page.evaluate(SETTLE, quiet)

    def picture(self, name):
        self.page.evaluate("() => jQuery('.infobar').empty()")
        self.settle()
        self.browser.picture(self.page, name)

    # Places

    @property
    def top(self):
        "The dialog on top, else the active tab"
        dialogs = self.page.locator(DIALOG)
        return dialogs.last if dialogs.count() else self.page.locator(PANE)

    def go(self, path, **parameters):
        "Open what the address names"
        address = f'{self.stage.name}/{path}'
        if parameters:
            address += ';' + '&'.join(
                f"{name}={quote(json.dumps(value), safe='')}"
                for name, value in parameters.items())
        self.page.evaluate(
            'address => { window.location.hash = address }', address)
        self.settle()

    def menu(self, *names):
        "Open the menu item by the names on the way to it"
        position, depth = -1, -1
        for name in names:
            entries = self._menu()
            for index, (text, level) in list(enumerate(entries))[
                    position + 1:]:
                if level <= depth:
                    raise LookupError(name)
                if text == name:
                    position, depth = index, level
                    break
            else:
                raise LookupError(name)
            row = self.page.locator('#menu tbody tr').nth(position)
            if name is names[-1]:
                self.change(row.locator('.column-char').first.click)
            elif (position + 1 >= len(entries)
                    or entries[position + 1][1] <= depth):
                row.locator('.expander').click()
            self.settle()

    def _menu(self):
        "Return the text and the depth of each line of the menu"
        return self.page.evaluate('''() =>
            jQuery('#menu tbody tr').toArray().map(row => [
                row.querySelector('.column-char').innerText.trim(),
                parseFloat(row.querySelector('.expander img')
                    .style.marginLeft || '0')])''')

    def change(self, action):
        "Do what opens or closes a tab, a view or a dialog, and wait for it"
        before = self.page.evaluate(SHOWN)
        action()
        self.page.wait_for_function(
            f'before => ({SHOWN})() != before', arg=before)
        self.settle()

    def close_tabs(self):
        "Close all, and forget what is not saved"
        tabs = self.page.locator('#tablist > li button.close')
        dialogs = self.page.locator(DIALOG)
        for _ in range(20):
            if dialogs.count():
                self._dismiss()
            elif tabs.count():
                tabs.last.click()
            else:
                break
            self.settle(100)
        else:
            raise RuntimeError(f"It stays open: {self.text()}")

    def _dismiss(self):
        "Press the button of the dialog that does nothing"
        buttons = self.top.locator('button:visible')
        labels = [text.strip() for text in buttons.all_text_contents()]
        for label in ["No", "Cancel", "Close", "OK"]:
            if label in labels:
                buttons.nth(labels.index(label)).click()
                return
        self.page.keyboard.press('Escape')

    # What is shown

    def rows(self):
        return self.top.locator('.treeview tbody tr:visible')

    def row(self, text):
        return self.rows().filter(has_text=text).first

    def open(self, text):
        "Double click the row"
        self.change(self.row(text).locator(
                'td:visible .widget:visible').first.dblclick)

    def pick(self, text):
        "Make the row the current record"
        self.row(text).locator('td:visible .widget:visible').first.click()
        self.settle()

    def tab(self, name):
        "Show the page of a notebook, or the tab of a list"
        self.top.locator('.nav-tabs > li > a:visible').filter(
            has_text=name).first.click()
        self.settle()

    def toolbar(self, name):
        "Click new_, save, switch_, reload..."
        self.page.evaluate("() => jQuery('.infobar').empty()")
        self.page.locator(f'{PANE} nav.toolbar button#{name}').first.click()
        self.settle()

    def choose(self, menu, name):
        "Choose from relate, action or print of the toolbar"
        entry = self.page.locator(
            f'{PANE} nav.toolbar ul[aria-labelledby={menu}] a').filter(
                has_text=name).first
        self.toolbar(menu)
        if not entry.is_visible():
            # The first click closed it
            self.toolbar(menu)
        self.change(entry.click)

    def click(self, label):
        "Click the button by its label or its tooltip"
        buttons = self.top.locator('button:visible, a.btn:visible')
        found = buttons.filter(has_text=label)
        if not found.count():
            found = self.top.locator(f'[title="{label}"]:visible')
        found.first.click()
        self.settle()

    def add_line(self):
        "Add a line to the field of many lines"
        self.top.locator('.form-one2many-toolbar [title="New"]:visible'
            ).first.click()
        self.settle()

    def search(self, name, text):
        "Choose the record that the field completes the text with"
        self.field(name).press_sequentially(text, delay=30)
        self.page.locator('.dropdown-menu a:visible').filter(
            has_text=text).first.click()
        self.settle()

    def field(self, name):
        return self.top.locator(', '.join(
                f'{tag}[name="{name}"]:visible'
                for tag in ['input', 'textarea', 'select'])).first

    def fill(self, name, value):
        field = self.field(name)
        if field.evaluate('e => e.tagName') == 'SELECT':
            field.select_option(label=value)
        else:
            field.fill(value)
            field.dispatch_event('change')
        self.page.keyboard.press('Tab')
        self.settle()

    def value(self, name):
        return self.field(name).input_value()

    def shown(self, name):
        "Return the label of what is selected"
        return self.field(name).evaluate(
            'e => e.options[e.selectedIndex].text')

    def preview(self):
        "Return the text of the document that is shown"
        return self.top.locator('iframe:visible').first.content_frame.locator(
            'body').inner_text()

    def text(self):
        "Return all that is to be read"
        return self.top.inner_text()

    def says(self):
        "Return the messages, also those of dialogs"
        texts = self.page.locator(MESSAGE).all_inner_texts()
        return [text.strip() for text in texts if text.strip()]
