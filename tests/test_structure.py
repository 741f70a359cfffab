# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import ast
import unittest
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
MAX_LINES_ROUTE = 25
# The rooms that each room may import; all but those without any other room
# may use exceptions and outcome.  A room that is not here may not import.
ROOMS = {
    '__init__': {'routes', 'mixin'},
    'activity': {'mixin', 'condition', 'domain'},
    'delivery': set(),
    'exceptions': set(),
    'execution': {'claim'},
    'ir': set(),
    'mail': {'delivery', 'template', 'tracking'},
    'marketing': {'mixin', 'condition', 'domain'},
    'mixin': set(),
    'outcome': set(),
    'party': {'mixin'},
    'record': {'mixin'},
    'reporting': set(),
    'routes': {'tracking'},
    'sale': {'mixin'},
    'template': set(),
    'tracking': set(),
    'unsubscribe': set(),
    'web': {'tracking'},
    }
VOCABULARY = {'exceptions', 'outcome'}
# What some rooms never touch
FORBIDDEN = {
    'routes': {'sql', 'genshi', 'smtplib', 'email'},
    'marketing': {'smtplib', 'genshi', 'werkzeug', 'trytond.wsgi'},
    'activity': {'smtplib', 'genshi', 'werkzeug', 'trytond.wsgi'},
    'record': {'smtplib', 'genshi', 'werkzeug', 'trytond.wsgi'},
    'execution': {'smtplib', 'genshi', 'werkzeug', 'trytond.wsgi'},
    'reaction': {'smtplib', 'genshi', 'werkzeug', 'trytond.wsgi'},
    'mail': {'smtplib', 'socket'},
    'delivery': {'genshi', 'trytond.model'},
    'template': {'trytond.model', 'smtplib'},
    'tracking': {'smtplib', 'genshi'},
    }


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


class StructureTestCase(unittest.TestCase):
    "Test the rooms of the module"

    def test_imports(self):
        "Test each room imports only from those below"
        for name, tree in rooms().items():
            allowed = ROOMS.get(name, set()) | VOCABULARY
            imported = {room for room, _ in imports(tree) if room}
            with self.subTest(room=name):
                self.assertEqual(imported - allowed, set())

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

    def test_lines(self):
        "Test no file is too long"
        for folder in ['.', 'tests', 'tools', 'demo', 'benchmarks']:
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
