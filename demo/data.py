# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"A shop of lamps, its customers and its campaigns; all of it is invented"

import datetime as dt
import html
import re
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Optional

import server
from proteus import Model, Wizard
from proteus.config import get_config

from trytond.pyson import Bool, Eval, PYSONEncoder

MAILS = Path(__file__).resolve().parent / 'mails'


class Person(NamedTuple):
    name: str
    language: str
    email: Optional[str]
    # What is done with each mail
    does: tuple = ()
    website: Optional[str] = None


PEOPLE = [
    Person("Café des Tilleuls", 'fr', 'contact@tilleuls.example.com',
        ('click', 'open'), 'https://tilleuls.example.com'),
    Person("Amélie Brochard", 'fr', 'amelie.brochard@example.com',
        ('open', None, 'click')),
    Person("Hôtel du Vieux Port", 'fr', 'reception@vieuxport.example.com',
        ('open', 'click'), 'https://vieuxport.example.com'),
    Person("Baptiste Morvan", 'fr', 'baptiste.morvan@example.com',
        (None, 'leave')),
    Person("Gasthof Lindenhof", 'de', 'info@lindenhof.example.com',
        ('click', 'click'), 'https://lindenhof.example.com'),
    Person("Jürgen Öttinger", 'de', 'juergen.oettinger@example.com',
        (None, 'open')),
    Person("Annika Weißhaupt", 'de', 'annika.weisshaupt@example.com',
        ('leave_at_once',)),
    Person("Studio Harrow & Finch", 'en', 'studio@harrowfinch.example.com',
        ('open', 'open'), 'https://harrowfinch.example.com'),
    Person("Margaret Ashdown", 'en', 'margaret.ashdown@example.com',
        ('click', 'click')),
    Person("Owen Pritchard", 'en', 'owen.pritchard@example.com'),
    Person("The Old Bakery", 'en', 'hello@oldbakery.example.com',
        ('open', None, 'open'), 'https://oldbakery.example.com'),
    # The server refuses it
    Person("Desmond Kettering", 'en', 'closed-mailbox@example.com'),
    Person("Théodore Lasserre", 'fr', None),
    ]

PRODUCTS = [
    ("Lampe de table Lucie", '129.00'),
    ("Suspension Orion", '349.00'),
    ("Applique Vega", '89.50'),
    ]


class Step(NamedTuple):
    name: str
    mail: Optional[str] = None
    on: Optional[str] = None
    delay: Optional[dt.timedelta] = None
    condition: Optional[str] = None
    children: tuple = ()


# Tips are only for those who have a website
WITH_WEBSITE = PYSONEncoder().encode(
    Bool(Eval('self', {}).get('website')))

WELCOME = Step(
    "Welcome", 'welcome', children=(
        Step("Tips after an open", 'tips', 'email_opened',
            dt.timedelta(days=1), WITH_WEBSITE),
        Step("Thanks for a click", 'thanks', 'email_clicked'),
        Step("Reminder without a click", 'reminder', 'email_clicked_not',
            dt.timedelta(days=3), children=(
                Step("Quiet", None, 'email_opened_not',
                    dt.timedelta(days=2)),
                )),
        ))
QUOTATION = Step("Quotation", 'quotation')


def create_people():
    Category = Model.get('party.category')
    Lang = Model.get('ir.lang')
    Party = Model.get('party.party')
    newsletter = Category(name="Newsletter")
    newsletter.save()
    languages = {lang.code: lang for lang in Lang.find([])}
    parties = []
    for person in PEOPLE:
        party = Party(name=person.name, lang=languages[person.language])
        party.categories.append(Category(newsletter.id))
        for type_ in ['email', 'website']:
            if value := getattr(person, type_):
                party.contact_mechanisms.new(type=type_, value=value)
        parties.append(party)
    Party.save(parties)
    return parties


def create_company():
    Currency = Model.get('currency.currency')
    Party = Model.get('party.party')
    User = Model.get('res.user')
    currency = Currency(
        name="Euro", symbol="€", code='EUR', rounding=Decimal('0.01'))
    currency.rates.new(date=dt.date(2020, 1, 1), rate=Decimal('1'))
    currency.save()
    party = Party(name="Maison Lumen")
    party.save()
    wizard = Wizard('company.company.config')
    wizard.execute('company')
    wizard.form.party = party
    wizard.form.currency = currency
    wizard.execute('add')
    get_config()._context = User.get_preferences(True, {})


def create_sales(parties):
    "Make quotations for some of the people"
    Sale = Model.get('sale.sale')
    sales = []
    for index, party in enumerate(parties[4:10]):
        sale = Sale(party=party, invoice_method='manual',
            shipment_method='manual', sale_date=dt.date.today())
        for name, price in PRODUCTS[:1 + index % len(PRODUCTS)]:
            sale.lines.new(
                description=name, quantity=1 + index,
                unit_price=Decimal(price))
        sale.reference = f'LUM-{index + 101}'
        sales.append(sale)
    Sale.save(sales)
    for sale in sales:
        sale.invoice_address = sale.shipment_address = (
            create_address(sale.party))
        sale.save()
    Sale.click(sales[:4], 'quote')
    return sales


def create_address(party):
    Address = Model.get('party.address')
    address = Address(party=party, street="1 rue de la Lumière")
    address.save()
    return address


def create_marketer():
    Group = Model.get('res.group')
    User = Model.get('res.user')
    group, = Group.find([('name', '=', "Marketing")])
    user = User(name="Camille", login='camille')
    user.groups.append(group)
    user.save()
    return user


def read_mail(name, language):
    "Return the title and the template of a mail"
    content = (MAILS / f'{name}.{language}.html').read_text('utf-8')
    title = re.search('<title>(.*?)</title>', content)[1]
    return html.unescape(title), content


def draw_scenario(name, model, domain, step):
    Activity = Model.get('marketing.automation.activity')
    Scenario = Model.get('marketing.automation.scenario')
    scenario = Scenario(
        name=name, model=model, domain=domain, unsubscribable=True)
    scenario.save()
    steps = [(scenario, step)]
    while steps:
        parent, step = steps.pop(0)
        activity = Activity(name=step.name, parent=parent)
        if step.mail:
            activity.action = 'send_email'
            activity.email_title, activity.email_template = (
                read_mail(step.mail, 'en'))
        activity.on = step.on
        activity.delay = step.delay
        activity.condition = step.condition
        activity.save()
        if step.mail:
            translate(activity, step.mail)
        steps += [(activity, child) for child in step.children]
    return scenario


def translate(activity, mail):
    Activity = Model.get('marketing.automation.activity')
    config = get_config()
    for language in server.LANGUAGES:
        with config.set_context(language=language):
            translated = Activity(activity.id)
            translated.email_title, translated.email_template = (
                read_mail(mail, language))
            translated.save()


def draw_welcome():
    return draw_scenario(
        "Welcome to the newsletter", 'party.party',
        PYSONEncoder().encode([('categories.name', '=', "Newsletter")]),
        WELCOME)


def draw_quotation():
    return draw_scenario(
        "Quotations", 'sale.sale',
        PYSONEncoder().encode([('state', '=', 'quotation')]), QUOTATION)
