# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import unittest
from contextlib import contextmanager
from unittest.mock import patch

from trytond.model import fields
from trytond.modules.marketing_automation.common.access import Access, Refused
from trytond.modules.marketing_automation.template.engine import (
    Markup, TemplateRenderError, TemplateSyntaxError, Text)
from trytond.modules.marketing_automation.template.view import (
    PYSONEnvironment, View, unknown_fields, wrap)
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, PYSONDecoder, PYSONEncoder
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.transaction import Transaction

ALL = Access(None)


def render(source, record, access=ALL, **context):
    return Text(source).render({'record': View(record, access), **context})


def create_parties(count, **values):
    pool = Pool()
    Party = pool.get('party.party')
    parties = Party.create([{
                'name': f"Party {i}",
                'addresses': [('create', [
                            {'street': f"Street {i}"}, {'city': "City"}])],
                'contact_mechanisms': [('create', [
                            {'type': 'email', 'value': f'{i}@example.com'}])],
                **values,
                } for i in range(count)])
    # Browse as the module does, with all siblings
    return Party.browse([p.id for p in parties])


def create_group(name="Group"):
    pool = Pool()
    Group = pool.get('res.group')
    group, = Group.create([{'name': name}])
    return group


def forbid_model(name, group=None):
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    ModelAccess.create([{
                'model': name,
                'group': group,
                'perm_read': bool(group),
                }])
    if group:
        forbid_model(name)


def forbid_field(name, field, group=None):
    pool = Pool()
    FieldAccess = pool.get('ir.model.field.access')
    FieldAccess.create([{
                'model': name,
                'field': field,
                'group': group,
                'perm_read': bool(group),
                }])
    if group:
        forbid_field(name, field)


def create_rule(name, domain, **values):
    pool = Pool()
    RuleGroup = pool.get('ir.rule.group')
    RuleGroup.create([{
                'name': "Rule",
                'model': name,
                'global_p': True,
                'rules': [('create', [
                            {'domain': PYSONEncoder().encode(domain)}])],
                **values,
                }])


@contextmanager
def statements():
    "Count the statements that are executed"
    count = []
    cursor_class = type(Transaction().connection.cursor())
    execute = cursor_class.execute

    def counted(self, *args, **kwargs):
        count.append(args)
        return execute(self, *args, **kwargs)
    with patch.object(cursor_class, 'execute', counted):
        yield count


class ReaderTestCase(unittest.TestCase):
    "Test the views of records"

    @classmethod
    def setUpClass(cls):
        drop_db()
        cls.addClassCleanup(drop_db)
        activate_module(['party', 'company'])

    @classmethod
    def tearDownClass(cls):
        drop_db()

    @with_transaction()
    def test_view(self):
        "Test a template reads the fields of a record"
        pool = Pool()
        Language = pool.get('ir.lang')
        lang, = Language.search([('code', '=', 'en')])
        party, = create_parties(1, lang=lang.id)
        party.name = "Bob & Co"
        party.save()

        for source, expected in [
                ("$record", "Bob & Co"),
                ("${record.name} ${record.rec_name}", "Bob & Co Bob & Co"),
                ("${record.id}", str(party.id)),
                ("${record.active}", 'True'),
                ("${record.lang.code} ${record.lang}", 'en English'),
                ("${record.replaced_by}", ''),
                ("${record.email}", '0@example.com'),
                ("${len(record.addresses)}", '2'),
                ("${record.addresses[0].street}", "Street 0"),
                ("${' '.join(a.city for a in record.addresses if a.city)}",
                    "City"),
                ("{% for m in record.contact_mechanisms %}"
                    "${m.type_string} ${m.value}{% end %}",
                    "Email 0@example.com"),
                ("${record.addresses[0].party == record}", 'True'),
                ("${record.addresses[0] in record.addresses}", 'True'),
                ("${record.addresses.index(record.addresses[1])}", '1'),
                ("${record.create_date.year == now.year}", 'True'),
                ("${int(record)}", str(party.id)),
                ("${hasattr(record, 'name')} ${hasattr(record, 'nope')}",
                    'True False'),
                ("%s", '%s'),
                ("${'%s' % record}", "Bob & Co"),
                ]:
            with self.subTest(source=source):
                self.assertEqual(render(
                        source, party, now=dt.datetime.now()), expected)

    @with_transaction()
    def test_identity(self):
        "Test the views of the same record are equal"
        a, b = create_parties(2)

        self.assertEqual(View(a, ALL), View(a, ALL))
        self.assertNotEqual(View(a, ALL), View(b, ALL))
        self.assertNotEqual(View(a, ALL), a.id)
        self.assertEqual(len({View(a, ALL), View(a, ALL)}), 1)
        self.assertEqual(int(View(a, ALL)), a.id)
        self.assertIs(View(a, ALL).__class__, View)

    @with_transaction()
    def test_language(self):
        "Test selections and translations are in the language of the record"
        pool = Pool()
        Translation = pool.get('ir.translation')
        Party = pool.get('party.party')
        translations = Translation.search([
                ('name', '=', 'party.contact_mechanism,type'),
                ('type', '=', 'selection'),
                ('src', '=', "Email"),
                ('lang', '=', 'en'),
                ], limit=1)
        Translation.copy(
            translations, default={'lang': 'fr', 'value': "Courriel"})
        party, = create_parties(1)

        with Transaction().set_context(language='fr'):
            record = Party(party.id)
        self.assertEqual(render(
                '${record.contact_mechanisms[0].type_string}', record),
            "Courriel")

    @with_transaction()
    def test_attacks(self):
        "Test a template gets nothing else from a record and changes nothing"
        pool = Pool()
        Party = pool.get('party.party')
        User = pool.get('res.user')
        Attachment = pool.get('ir.attachment')
        party, = create_parties(1, code='S3CRET')
        user, = User.create([{
                    'name': 'u', 'login': 'S3CRET', 'password': 'S3CRET12345',
                    }])
        attachment, = Attachment.create([{
                    'name': 'a', 'resource': str(party), 'data': b'S3CRET',
                    }])

        for record, source in [
                (party, "record.__class__.search([])[0].code"),
                (party, "record.__class__.write([record], {'name': 'x'})"),
                (party, "record.__class__.delete([record])"),
                (party, "record.__class__(record.id).code"),
                (party, "record._record.code"),
                (party, "record._access"),
                (party, "record._values"),
                (party, "record._fields"),
                (party, "record._transaction"),
                (party, "record.__name__"),
                (party, "record.__dict__"),
                (party, "record.write({'name': 'x'})"),
                (party, "record.save()"),
                (party, "record.delete([record])"),
                (party, "record.search([])"),
                (party, "record.browse([1])"),
                (party, "record.copy([record])"),
                (party, "record.address_get()"),
                (party, "record.contact_mechanism_get()"),
                (party, "record.full_name.__class__"),
                (party, "record['code']"),
                (party, "record[0]"),
                (party, "[x for x in record]"),
                (party, "record.lang.search([])"),
                (party, "record.addresses.append(1)"),
                (party, "record.addresses[0].delete()"),
                (party, "record.on_change_name"),
                (party, "record.get_rec_name('name')"),
                (party, "record.name.format(record)"),
                (party, "'{0._record.code}'.format(record)"),
                (party, "'{0.code}'.format_map({'0': record})"),
                (party, "record.id.__class__"),
                (party, "record()"),
                (party, "record.name()"),
                (party, "record.view_attributes()"),
                (party, "record.rec_name.mro"),
                (user, "record.password"),
                (user, "record.password_hash"),
                (user, "record.password_reset"),
                (user, "record.get_login('a', {})"),
                (user, "record.validate_password('x', [record])"),
                (attachment, "record.data"),
                (attachment, "record.file_id and record.data"),
                ]:
            with self.subTest(source=source):
                output = ''
                with self.assertRaises(
                        (TemplateSyntaxError, TemplateRenderError)):
                    output = render(f'${{{source}}}', record)
                self.assertNotIn('S3CRET', output)
                self.assertEqual(Party.search([], count=True), 1)
                self.assertEqual(Party(party.id).name, "Party 0")

    @with_transaction()
    def test_plain_values(self):
        "Test what a field holds is plain"
        class Text_(str):
            secret = 'S3CRET'

        mutable = {'a': [1, {'b': Text_('c')}]}

        value = wrap(mutable, ALL)

        self.assertEqual(value, {'a': (1, {'b': 'c'})})
        self.assertIsNot(value, mutable)
        self.assertIs(type(value['a'][1]['b']), str)
        for value in [object(), b'x', open, fields, ReaderTestCase]:
            with self.subTest(value=value), self.assertRaises(Refused):
                wrap(value, ALL)

    @with_transaction(user=0)
    def test_model_access(self):
        "Test a model is read with the groups of the context"
        party, = create_parties(1)
        group = create_group()
        forbid_model('party.address', group)
        source = '${len(record.addresses)} ${record.name}'

        for context in [{}, {'_groups': ()}, {'_groups': [group.id + 1]}]:
            with self.subTest(context=context):
                with self.assertRaises(TemplateRenderError) as error:
                    render(source, party, Access(context))
                self.assertIn('may not be read', error.exception.message)
                self.assertEqual(
                    render('${record.name}', party, Access(context)),
                    "Party 0")
        for access in [
                Access({'_groups': [group.id]}), Access(None),
                Access.user()]:
            self.assertEqual(render(source, party, access), '2 Party 0')

    @with_transaction(user=0)
    def test_root_model_access(self):
        "Test the record itself is checked"
        party, = create_parties(1)
        forbid_model('party.party')

        with self.assertRaises(Refused):
            View(party, Access({}))
        with self.assertRaises(Refused):
            PYSONEnvironment(party, Access({}))

    @with_transaction(user=0)
    def test_field_access(self):
        "Test a field is read with the groups of the context"
        party, = create_parties(1)
        group = create_group()
        forbid_field('party.party', 'code', group)
        forbid_field('party.contact_mechanism', 'type')

        for source in [
                '${record.code}', '${[record.code]}',
                '${record.addresses[0].party.code}',
                '${record.contact_mechanisms[0].type_string}']:
            with self.subTest(source=source):
                with self.assertRaises(TemplateRenderError) as error:
                    render(source, party, Access({}))
                self.assertIn('may not be read', error.exception.message)
        self.assertEqual(
            render('${record.name}', party, Access({})), "Party 0")
        self.assertEqual(
            render('${record.code}', party, Access({'_groups': [group.id]})),
            party.code)

    @with_transaction(user=0)
    def test_rule(self):
        "Test a record is read by the rules for the groups and companies"
        pool = Pool()
        party, other = create_parties(2)
        group = create_group()
        create_rule('party.address', [('street', '!=', "Street 1")])
        create_rule(
            'party.contact_mechanism',
            [('id', 'in', Eval('groups', []))], global_p=False,
            default_p=True)
        create_rule('party.party', [
                ('id', 'not in', Eval('companies', []))])
        Mechanism = pool.get('party.contact_mechanism')
        mechanism, = Mechanism.search([('party', '=', party.id)])

        access = Access({'_groups': [group.id]})
        self.assertEqual(
            render('${record.addresses[0].street}', party, access),
            "Street 0")
        with self.assertRaises(TemplateRenderError):
            render('${record.addresses[0].street}', other, access)
        with self.assertRaises(Refused):
            View(party, Access({'_companies': [party.id]}))
        View(party, Access({'_companies': [other.id]}))
        with self.assertRaises(TemplateRenderError):
            render('${record.contact_mechanisms}', party, access)
        View(mechanism, Access({'_groups': (mechanism.id,)}))

    @with_transaction(user=0)
    def test_user(self):
        "Test the rights of the current user"
        pool = Pool()
        User = pool.get('res.user')
        party, = create_parties(1)
        group = create_group()
        forbid_field('party.party', 'code', group)
        allowed, other = User.create([
                {'name': 'a', 'login': 'a', 'groups': [('add', [group.id])]},
                {'name': 'b', 'login': 'b'}])

        with Transaction().set_user(allowed.id):
            access = Access.user()
        self.assertEqual(render('${record.code}', party, access), party.code)
        with Transaction().set_user(other.id):
            access = Access.user()
        with self.assertRaises(TemplateRenderError):
            render('${record.code}', party, access)

    @with_transaction(user=0)
    def test_virtual_user(self):
        "Test the virtual reader is nobody, and nothing of it stays"
        pool = Pool()
        User = pool.get('res.user')
        transaction = Transaction()
        context = transaction.context
        party, = create_parties(1)
        create_rule('party.party', [('id', '>', 0)])

        with patch.object(
                User, 'get_groups', wraps=User.get_groups) as get_groups:
            View(party, Access({}))
            get_groups.assert_called()

        with Access({}).reader():
            self.assertTrue(transaction.check_access)
            self.assertEqual(User.get_groups(), ())
            self.assertEqual(User.get_companies(), ())
            if hasattr(User, 'is_administrator'):
                self.assertFalse(User.is_administrator())
        self.assertEqual(transaction.user, 0)
        self.assertEqual(transaction.context, context)

    @with_transaction(user=0)
    def test_statements(self):
        "Test the statements do not grow with the records"
        pool = Pool()
        Party = pool.get('party.party')
        create_rule('party.party', [('id', '>', 0)])
        create_rule('party.address', [('id', '>', 0)])
        create_rule('party.contact_mechanism', [('id', '>', 0)])
        ids = [p.id for p in create_parties(100)]
        template = Markup(
            '<p>${record.name} ${record.lang}'
            '<i py:for="a in record.addresses">${a.street} ${a.party.name}'
            '</i><i py:for="m in record.contact_mechanisms">${m.value}</i>'
            '</p>')

        counts = []
        for count in [10, 10, 100]:
            for cache in Transaction().cache.values():
                cache.clear()
            with statements() as executed:
                access = Access({})
                for party in Party.browse(ids[:count]):
                    template.render({'record': View(party, access)})
            counts.append(len(executed))

        self.assertEqual(counts[1], counts[2])
        self.assertLess(counts[1], 30)

    @with_transaction(user=0)
    def test_environment(self):
        "Test a record is the environment of a condition"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        party, = create_parties(1)
        address = party.addresses[0]
        attachment, = Attachment.create([
                {'name': 'a', 'resource': str(party)}])

        for record, condition, expected in [
                (party, Eval('self', {}).get('name'), "Party 0"),
                (party, Eval('self.name', ''), "Party 0"),
                (party, Bool(Eval('self', {}).get('active')), True),
                (party, Eval('self', {}).get('nope', 3), 3),
                (party, Eval('self', {}).get('lang', 3), None),
                (party, Eval('self', {}).get('addresses'),
                    [a.id for a in party.addresses]),
                (address, Eval('self', {}).get('party'), party.id),
                (address, Eval('self', {}).get('_parent_party', {}).get(
                        'name'), "Party 0"),
                (address, Eval('self._parent_party.name', ''), "Party 0"),
                (address, Eval('self._parent_country.code', 'x'), 'x'),
                (address, Eval('self._parent_nope.code', 'x'), 'x'),
                (attachment, Eval('self.resource', ''), str(party)),
                ]:
            with self.subTest(condition=condition):
                self.assertEqual(PYSONDecoder({
                            'self': PYSONEnvironment(record, ALL),
                            }).decode(PYSONEncoder().encode(condition)),
                    expected)

    @with_transaction(user=0)
    def test_environment_access(self):
        "Test a condition reads what may be read and does not hide failures"
        pool = Pool()
        Party = pool.get('party.party')
        party, = create_parties(1)
        address = party.addresses[0]
        forbid_field('party.party', 'code')
        access = Access({})

        for record, condition in [
                (party, Eval('self', {}).get('code', 'x')),
                (party, Eval('self.code', 'x')),
                (address, Eval('self._parent_party.code', 'x')),
                ]:
            with self.subTest(condition=condition), \
                    self.assertRaises(Refused):
                PYSONDecoder({
                        'self': PYSONEnvironment(record, access),
                        }).decode(PYSONEncoder().encode(condition))
        for error in [ZeroDivisionError, KeyError]:
            with patch.object(Party, 'get_rec_name', side_effect=error), \
                    self.assertRaises(error):
                PYSONEnvironment(party, access).get('rec_name')

    @with_transaction()
    def test_unknown_fields(self):
        "Test the fields that do not exist are told"
        pool = Pool()
        Party = pool.get('party.party')
        paths = Markup(
            '<p>${record.name} ${record.nam} ${record.id}\n'
            '${record.lang.code} ${record.lang.cod} ${record.name.upper()}\n'
            '<i py:for="a in record.addresses">${a.city} ${a.cty}</i>\n'
            '${record.addresses.count(1)} ${record.write()} '
            '${record.contact_mechanisms[0].type_string}</p>').paths

        self.assertEqual(unknown_fields(paths, Party), [
                ('record.nam', 1), ('record.lang.cod', 2),
                ('record.addresses.cty', 3), ('record.write', 4)])
