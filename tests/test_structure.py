# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import ast
import unittest
from configparser import ConfigParser
from pathlib import Path

from trytond.model import ModelSQL, ModelView, Workflow

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
MAX_LINES_ROUTE = 25
# The rooms that each room may import besides the vocabulary.
# A new room has to find its place here.
ROOMS = {
    '__init__': {'mixin', 'routes'},
    # scenarios
    'activity': {'condition', 'mixin', 'reader', 'retry'},
    'audience': {'domain', 'retry'},
    'audience_field': {'reader'},
    'audience_rule': {'audience_field'},
    'audience_use': {'audience', 'domain', 'retry'},
    'condition': set(),
    'domain': {'reader'},
    'marketing': {'domain', 'mixin', 'reader', 'retry'},
    'diagram': {'drawing', 'sentence'},
    'drawing': set(),
    'glance': set(),
    'order': set(),
    'reach': {'domain', 'key', 'retry'},
    'sentence': set(),
    # records
    'batch': {'retry'},
    'breaker': {'retry'},
    'claim': set(),
    'entry': set(),
    'dated': {'domain'},
    'execution': {'claim', 'retry'},
    'filter': {'domain', 'retry'},
    'following': set(),
    'gates': {'mixin', 'retry'},
    'coming': set(),
    'target': set(),
    'completion': {'retry'},
    'joining': {'mixin'},
    'key': set(),
    'leaving': {'domain', 'retry'},
    'reaction': set(),
    'record': {'mixin'},
    'refusal': set(),
    'retention': set(),
    'retry': set(),
    'throttle': {'claim'},
    'timing': set(),
    'window': set(),
    'unicity': {'domain', 'key', 'retry'},
    # the mail
    'archive': set(),
    'attachment': {'compose', 'enclosure'},
    'compose': set(),
    'delivery': {'enclosure'},
    'frame': set(),
    'headers': set(),
    'layout': {'frame', 'template'},
    'mjml': set(),
    'click': set(),
    'mail_event': set(),
    'bounce': {'suppression'},
    'inbound': {'notification', 'tracking', 'verp'},
    'notification': set(),
    'suppression': {'delivery'},
    'verp': {'delivery', 'tracking'},
    'mail': {
        'compose', 'delivery', 'headers', 'mixin', 'mjml', 'reader', 'retry',
        'stencil', 'template', 'tracking', 'verp'},
    'stencil': {'compose', 'shape'},
    # the SMS
    'gateway': {'retry'},
    'segments': set(),
    'sms': {
        'compose', 'gateway', 'reader', 'retry', 'segments', 'template',
        'tracking'},
    'sms_answer': {'gateway'},
    'sms_reaction': {'gateway'},
    # the to-dos
    'mailing_list': {
        'compose', 'delivery', 'headers', 'mail', 'tracking'},
    'opportunity': {'mixin', 'paths', 'wording'},
    'paths': {'reader'},
    'todo': {'mixin', 'paths', 'retry', 'wording'},
    'wording': {'reader', 'retry', 'template'},
    # the other actions
    'block': set(),
    'call': {'retry', 'rights'},
    'category': {'rights'},
    'colleague': {
        'compose', 'delivery', 'headers', 'mail', 'paths', 'reader', 'retry',
        'sandbox_values', 'tracking'},
    'conversion': {'reader', 'sandbox_values'},
    'expression': {
        'reader', 'sandbox', 'sandbox_runtime', 'sandbox_values', 'template'},
    'passage': set(),
    'post': set(),
    'rights': {'reader'},
    'set_fields': {
        'conversion', 'expression', 'mixin', 'reader', 'retry', 'rights',
        'sandbox'},
    'webhook': {
        'conversion', 'mixin', 'post', 'reader', 'retry', 'sandbox_values'},
    # templates
    'reader': {'sandbox_values'},
    'sandbox': {'sandbox_runtime', 'sandbox_values'},
    'sandbox_runtime': {'sandbox_values'},
    'sandbox_values': set(),
    'shape': {'sandbox_values'},
    'template': {
        'reader', 'sandbox', 'sandbox_runtime', 'sandbox_values', 'shape',
        'template_directives'},
    'template_directives': {'sandbox', 'sandbox_values'},
    # the public URLs
    'agent': set(),
    'hit': {'agent', 'verdict'},
    'routes': {'gateway', 'tracking'},
    'seal': set(),
    'secret': set(),
    'tracking': {'seal'},
    'tally': {'agent', 'counter', 'verdict'},
    'unsubscribe': {'consent'},
    'verdict': set(),
    'web': {'tracking'},
    # the targets
    'customer': set(),
    'mixin': {'domain', 'reader'},
    'party': {'mixin'},
    'sale': {'mixin'},
    'subscriber': {'mixin'},
    # consent and privacy
    'consent': set(),
    'erase': set(),
    'privacy': {'tracking'},
    'wishes': set(),
    # scenarios as text
    'exchange': {
        'exchange_export', 'exchange_fields', 'exchange_format',
        'exchange_import'},
    'blueprint': {'exchange_format'},
    'blueprint_wizard': {'blueprint'},
    'exchange_domain': set(),
    'exchange_export': {
        'exchange_domain', 'exchange_fields', 'exchange_format'},
    'exchange_fields': set(),
    'exchange_format': set(),
    'exchange_import': {
        'exchange_domain', 'exchange_fields', 'exchange_format'},
    'exchange_wizard': {'exchange_format'},
    # the rest
    'exceptions': set(),
    'counter': {'retry'},
    'counting': {'counter'},
    'event_figures': {'kinds'},
    'figures': set(),
    'ir': set(),
    'outcome': set(),
    'raw': set(),
    'period': set(),
    'kinds': set(),
    'reporting': {'counter', 'kinds', 'period', 'statement'},
    'statement': set(),
    'offer': {'reader', 'sandbox_values'},
    'preview': {
        'compose', 'mail', 'mixin', 'reader', 'retry', 'tracking'},
    'preview_form': {'offer', 'preview', 'retry'},
    'layout_preview': {'mixin', 'preview', 'preview_form', 'retry'},
    'warn': set(),
    'editor': set(),
    'enclosure': set(),
    'send_me': {'compose', 'delivery', 'headers', 'mail', 'tracking'},
    'trial': {'claim', 'execution'},
    'trial_wizard': {'delivery', 'mixin'},
    'agenda': {'record'},
    'ask': {'mixin', 'why'},
    'funnel': set(),
    'notify': set(),
    'sent': {'mixin', 'tracking'},
    'story': set(),
    'preflight': {'mixin', 'retry'},
    'why': {'gates'},
    'tools': set(),
    'update': set(),
    'traces': {'kinds', 'period', 'reporting'},
    'tracker': {'kinds', 'reporting', 'traces'},
    }
VOCABULARY = {'exceptions', 'outcome', 'tools'}
# What some rooms never touch
_outside = {'genshi', 'smtplib', 'trytond.sendmail', 'trytond.wsgi'}
FORBIDDEN = {
    'activity': _outside,
    'batch': _outside,
    'compose': {'genshi', 'smtplib', 'sql', 'trytond.model'},
    'delivery': {'genshi', 'sql', 'trytond.model'},
    'drawing': {'genshi', 'smtplib', 'sql', 'trytond'},
    'execution': _outside,
    'following': _outside,
    'frame': {'genshi', 'smtplib', 'sql', 'trytond.model'},
    'gates': _outside,
    'layout': {'genshi', 'smtplib', 'sql'},
    'gateway': {'genshi', 'smtplib', 'sql', 'trytond.model'},
    'mail': {'genshi', 'smtplib', 'socket', 'sql'},
    'marketing': _outside,
    'notification': {'sql', 'trytond'},
    'reaction': _outside,
    'record': _outside,
    'refusal': _outside,
    'reporting': _outside,
    'routes': {'genshi', 'smtplib', 'sql'},
    'sandbox': {'sql', 'trytond.model'},
    'seal': {'sql', 'trytond.model', 'trytond.pool'},
    'segments': {'sql', 'trytond.model', 'trytond.pool'},
    'shape': {'smtplib', 'sql', 'trytond.model'},
    'sms': {'genshi', 'smtplib', 'socket', 'sql'},
    'stencil': {'genshi', 'smtplib', 'sql', 'trytond.model'},
    'template': {'smtplib', 'sql', 'trytond.model'},
    'tracking': {'genshi', 'smtplib'},
    'verdict': {'sql', 'trytond.model', 'trytond.pool'},
    }
del _outside
# What is replaced as a whole: it counts in the very statement that writes
REPLACED = {('marketing.automation.record', '_write')}


def rooms():
    return {
        path.stem: ast.parse(path.read_text(encoding='utf-8'))
        for path in sorted(ROOT.glob('*.py')) if path.stem != 'setup'}


def imports(tree):
    "Yield the rooms and the names from outside that are imported"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield None, alias.name
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield None, node.module
                for alias in node.names:
                    yield None, f'{node.module}.{alias.name}'
            elif node.module:
                yield node.module.partition('.')[0], None
            else:
                for alias in node.names:
                    yield alias.name, None


def functions(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def methods(tree):
    "Yield the models and their methods"
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            model = next((
                    item.value.value for item in node.body
                    if isinstance(item, ast.Assign)
                    and getattr(item.targets[0], 'id', None) == '__name__'),
                None)
            if model:
                for item in node.body:
                    if isinstance(item, ast.FunctionDef):
                        yield model, item


def names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


class StructureTestCase(unittest.TestCase):
    "Test the rooms of the module"

    def test_imports(self):
        "Test each room imports only from those below"
        for name, tree in rooms().items():
            with self.subTest(room=name):
                self.assertIn(name, ROOMS)
                imported = {room for room, _ in imports(tree) if room}
                self.assertEqual(
                    imported - ROOMS[name] - VOCABULARY, set())

    def test_no_loop(self):
        "Test no room leads back to itself"
        below = {
            name: {room for room, _ in imports(tree) if room}
            for name, tree in rooms().items() if name != '__init__'}
        while below:
            free = {
                name for name, used in below.items()
                if not used & (below.keys() - {name})}
            self.assertTrue(free, f"loop between {sorted(below)}")
            for name in free:
                self.assertNotIn(name, below.pop(name))

    def test_forbidden(self):
        "Test the rooms do not touch what is not theirs"
        for name, tree in rooms().items():
            names = {name for _, name in imports(tree) if name}
            with self.subTest(room=name):
                self.assertEqual({
                        n for n in names for forbidden in
                        FORBIDDEN.get(name, ())
                        if n == forbidden or n.startswith(forbidden + '.')},
                    set())

    def test_models_meet_in_pool(self):
        "Test no room is imported for its models"
        models = {}
        for name, tree in rooms().items():
            models[name] = {
                node.name for node in tree.body
                if isinstance(node, ast.ClassDef) and any(
                    isinstance(item, ast.Assign)
                    and getattr(item.targets[0], 'id', None) == '__name__'
                    for item in node.body)}
        for name, tree in rooms().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.level:
                    imported = {alias.name for alias in node.names}
                    with self.subTest(room=name, imports=node.module):
                        self.assertFalse(
                            imported & models.get(node.module, set()))

    def test_methods(self):
        "Test no extension of a model hides the method of another one"
        hiding = {}
        for room, tree in rooms().items():
            for model, method in methods(tree):
                if 'super' not in names(method):
                    hiding.setdefault((model, method.name), []).append(room)

        self.assertEqual({
                key: found for key, found in hiding.items()
                if len(found) > 1 and key not in REPLACED}, {})

    def test_core_methods(self):
        "Test no method hides one of those that Tryton has for itself"
        core = {
            n for Model in [ModelSQL, ModelView, Workflow] for n in dir(Model)
            if n.startswith('_') and not n.startswith('__')}
        self.assertIn('_changed_values', core)
        for room, tree in rooms().items():
            for model, method in methods(tree):
                if 'super' not in names(method):
                    with self.subTest(room=room, method=method.name):
                        self.assertNotIn(method.name, core)

    def test_lines(self):
        "Test no file is too long"
        for folder in [
                '.', 'tests', 'tools', 'demo', 'benchmarks', 'ui']:
            for path in (ROOT / folder).glob('*.py'):
                with self.subTest(file=f'{folder}/{path.name}'):
                    self.assertLessEqual(
                        len(path.read_text(encoding='utf-8').splitlines()),
                        MAX_LINES)

    def test_routes(self):
        "Test the routes are short and only lead somewhere"
        for function in functions(rooms()['routes']):
            with self.subTest(route=function.name):
                self.assertLessEqual(
                    function.end_lineno - function.lineno + 1,
                    MAX_LINES_ROUTE)
                loops = [
                    node for node in ast.walk(function) if isinstance(
                        node, (ast.For, ast.While, ast.comprehension))]
                self.assertFalse(loops)

    def test_extras(self):
        "Test what is registered for a module is an optional dependency"
        config = ConfigParser()
        config.read(ROOT / 'tryton.cfg')
        registered = set()
        for section in config.sections():
            kind, _, modules = section.partition(' ')
            if kind == 'register':
                registered.update(modules.split())

        self.assertLessEqual(
            registered, set(config['tryton']['extras_depend'].split()))
