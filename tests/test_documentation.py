# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import ast
import re
import unittest
from functools import cache
from pathlib import Path

from trytond.modules import get_module_register

ROOT = Path(__file__).resolve().parent.parent
DOC = ROOT / 'doc'
# What is documented of a model, by the room of its register
KINDS = {'model', 'wizard', 'report'}
# A room imports from those before it
ROOMS = [
    'common', 'template', 'scenario', 'record', 'audience', 'execution',
    'tracking', 'consent', 'mail', 'sms', 'action', 'reporting', 'check']
# The rooms inside of others
INNER = ['scenario/exchange', 'mail/inbound']
# What is the same as another name, is written in one chapter only
FORMER = [
    'BlueprintError', 'CourierAway', 'CourierError', 'Parcel', 'TargetMixin',
    'Undone']
# A file, or what is in it: ``record/record.py: Record.end``
PATH = re.compile(r'``(\w[\w./]*(?:\.[a-z]+|/))(?::\s+([\w.]+))?``')


def trees():
    "Yield the syntax trees of the rooms"
    for path in sorted([*ROOT.glob('*.py'), *(
            path for init in ROOT.glob('*/__init__.py')
            for path in init.parent.rglob('*.py')
            if init.parent.name != 'tests')]):
        if path.name != 'setup.py':
            yield ast.parse(path.read_text(encoding='utf-8'))


def docstring(room):
    "Return the docstring of the room, a folder"
    return ast.get_docstring(ast.parse(
            (ROOT / room / '__init__.py').read_text(encoding='utf-8')))


def names(node):
    "Yield the dotted names that the file, or the class, defines"
    for node in node.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name
        for target in getattr(node, 'targets', []):
            yield ast.unparse(target)
        if isinstance(node, ast.ClassDef):
            for name in names(node):
                yield f'{node.name}.{name}'


@cache
def defined(path):
    "Return the set of the dotted names that the file defines"
    return set(names(ast.parse(path.read_text(encoding='utf-8'))))


def exists(path, name=None):
    "Return if there is the path and what is named in it"
    return path.exists() and (not name or name in defined(path))


def texts(node):
    "Return the set of the texts in the node"
    return {
        n.value for n in ast.walk(node)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)}


class Options(ast.NodeVisitor):
    """
    The options, as `section.name`, that a file reads.

    The name is written where it is read, is the parameter of a function that
    is called with it, or is bound by a loop over the names.
    """

    def __init__(self, tree):
        self.tree = tree
        self.options = set()
        self._functions = []
        self._loops = []
        self.visit(tree)

    def visit_FunctionDef(self, node):
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()

    def visit_ListComp(self, node):
        self._loops.extend(node.generators)
        self.generic_visit(node)
        del self._loops[-len(node.generators):]

    visit_GeneratorExp = visit_SetComp = visit_DictComp = visit_ListComp

    def visit_For(self, node):
        self._loops.append(node)
        self.generic_visit(node)
        self._loops.pop()

    def visit_Call(self, node):
        self.generic_visit(node)
        if not node.args or not isinstance(node.args[0], ast.Constant):
            return
        function = node.func
        # The method of the configuration can be handed over
        reads = (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id == 'config'
            and function.attr.startswith('get')
            or isinstance(function, ast.Name)
            and function.id in self._parameters())
        if reads and len(node.args) > 1:
            section = node.args[0].value
            self.options |= {
                f'{section}.{name}' for name in self._names(node.args[1])}

    def _parameters(self):
        if not self._functions:
            return []
        return [a.arg for a in self._functions[-1].args.args]

    def _names(self, node):
        if isinstance(node, ast.Constant):
            return {node.value}
        for loop in self._loops:
            if node.id in {
                    n.id for n in ast.walk(loop.target)
                    if isinstance(n, ast.Name)}:
                return texts(loop.iter)
        position = self._parameters().index(node.id)
        return {
            call.args[position].value for call in ast.walk(self.tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == self._functions[-1].name}


def labels(node):
    "Return the set of the labels of the selection in the node"
    return {
        pair.elts[1].value for pair in ast.walk(node)
        if isinstance(pair, ast.Tuple)
        and len(pair.elts) == 2
        and all(isinstance(e, ast.Constant) for e in pair.elts)
        and pair.elts[0].value}


def assigned(body, name):
    "Return the value that is assigned to the name in the body"
    value, = [
        s.value for s in body
        if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == name]
    return value


def class_of(tree, name):
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node


def pool_name(node):
    "Return the name of the class in the pool, None if it only extends it"
    if any(k.arg == 'metaclass' for k in node.keywords):
        return
    for statement in node.body:
        if (isinstance(statement, ast.Assign)
                and statement.targets[0].id == '__name__'):
            return statement.value.value


@unittest.skipUnless(DOC.exists(), "the documentation is not installed")
class DocumentationTestCase(unittest.TestCase):
    "Test that the documentation tells what the code does"

    def read(self, pattern):
        return '\n'.join(
            path.read_text(encoding='utf-8')
            for path in sorted(DOC.glob(pattern)))

    def test_options(self):
        "Test that what is read of the configuration is documented"
        read = set()
        for tree in trees():
            read |= Options(tree).options
        # The parts of the default of automation_base
        read -= {'ssl.certificate', 'ssl.privatekey', 'web.root_path'}
        documented = set(re.findall(
                r'^\.\. _config-(\w+\.\w+):$', self.read('configuration.rst'),
                re.MULTILINE))
        self.assertIn('marketing.automation_base', read)
        self.assertEqual(read - documented, set())
        self.assertEqual(documented - read, set())

    def test_defaults(self):
        "Test that each option of the module has its default"
        sections = re.split(
            r'^\.\. _config-(marketing\.\w+):$',
            self.read('configuration.rst'), flags=re.MULTILINE)
        for option, text in zip(sections[1::2], sections[2::2]):
            with self.subTest(option=option):
                self.assertRegex(text, r'The default (value )?is')

    def test_states(self):
        "Test that the states and the reasons are explained"
        reasons, record_activity = (
            ast.parse((ROOT / 'record' / f'{name}.py').read_text(
                    encoding='utf-8'))
            for name in ['reason', 'record_activity'])
        shown = labels(assigned(reasons.body, 'REASONS')) | labels(assigned(
                class_of(record_activity, 'RecordActivity').body, 'state'))
        self.assertLess({"Waiting", "Unsubscribed"}, shown)
        # The other rooms add theirs
        for tree in trees():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                        'cls.reason.selection.append',
                        'cls.reason.selection.extend'}:
                    shown |= labels(node)
        explained = set(re.findall(
                r'^ *\* - :guilabel:`(.+)`$', self.read('usage/*.rst'),
                re.MULTILINE))
        self.assertEqual(shown - explained, set())

    def test_models(self):
        "Test that each model has its section in the design"
        sections = set(re.findall(
                r'^\.\. _((?:%s)-.+):$' % '|'.join(KINDS),
                self.read('design.rst'), re.MULTILINE))
        missing = set()
        for classes, options in get_module_register('marketing_automation'):
            kind = options['type_']
            for name in classes:
                file, class_name = name.rsplit('.', 1)
                tree = ast.parse(ROOT.joinpath(
                        *file.split('.')).with_suffix('.py').read_text(
                            encoding='utf-8'))
                model = pool_name(class_of(tree, class_name))
                # The views of a wizard belong to it, and some wizards only
                # open what they find
                if not model or (
                        kind == 'wizard' and '.open_' in model
                        or model.endswith('.start')):
                    continue
                missing |= {f'{kind}-{model}'} - sections
        self.assertEqual(missing, set())

    def test_rooms(self):
        "Test that each room tells what it is and names its files"
        for room in [*ROOMS, *INNER, '.']:
            text = docstring(room)
            path = ROOT / room
            with self.subTest(room=room):
                start, = re.findall(
                    r'Start\s+reading\s+at\s+``(\w+)\.([\w.]+)``', text)
                self.assertTrue(exists(path / f'{start[0]}.py', start[1]))
                self.assertEqual(
                    {n for line in re.findall(
                            r'^- (``.+``):', text, re.MULTILINE)
                        for n in re.findall(r'``(\w+\.py)``', line)},
                    {p.name for p in path.glob('*.py')}
                    - {'__init__.py', 'setup.py'})
            for name in re.findall(r'``([\w/]+\.(?:py|xml|html))``', text):
                with self.subTest(room=room, name=name):
                    self.assertTrue(
                        (path / name).exists() or (ROOT / name).exists())
            for stem, name in re.findall(r'``([a-z_]+)\.([\w.]+)``', text):
                if (not (path / f'{stem}.{name}').exists()
                        and (path / f'{stem}.py').exists()):
                    with self.subTest(room=room, name=f'{stem}.{name}'):
                        self.assertTrue(exists(path / f'{stem}.py', name))

    def test_rooms_map(self):
        "Test that the map has the rooms in their order, and all of them"
        self.assertEqual(
            re.findall(r'^- ``(\w+)``:', docstring('.'), re.MULTILINE), ROOMS)
        self.assertEqual(set(ROOMS), {
                p.parent.name for p in ROOT.glob('*/__init__.py')} - {'tests'})
        for room in ROOMS:
            self.assertIn(
                f':doc:`{room} <design/{room}>`', self.read('design.rst'))

    def test_rooms_imports(self):
        "Test that a room tells the rooms from which it may import"
        for i, room in enumerate(ROOMS):
            told = re.findall(
                r'It may import (.*?)[.;]', docstring(room), re.DOTALL)
            with self.subTest(room=room):
                self.assertEqual(
                    re.findall(r'``(\w+)``', ' '.join(told)), ROOMS[:i])

    def test_rooms_pages(self):
        "Test that each room has a page which shows its docstring"
        pages = {
            path.stem: re.findall(
                r'^\.\. room:: (.+)$', path.read_text(encoding='utf-8'),
                re.MULTILINE)
            for path in (DOC / 'design').glob('*.rst')}
        for room in ROOMS:
            with self.subTest(room=room):
                self.assertEqual(pages[room], [
                        room, *(i for i in INNER if i.startswith(room))])
        self.assertEqual(pages['front'], ['.'])

    def test_names(self):
        "Test that there are the files and functions that are named"
        for path in [*ROOT.glob('*.rst'), *DOC.rglob('*.rst')]:
            for name, inside in PATH.findall(
                    path.read_text(encoding='utf-8')):
                if '/' not in name and not name.endswith(
                        ('.py', '.xml', '.cfg')):
                    # An option, an address…
                    continue
                with self.subTest(path=path.name, name=name, inside=inside):
                    self.assertTrue(exists(ROOT / name, inside))

    def test_doors(self):
        "Test that each task has one door, and the journey only functions"
        text = self.read('design/change.rst')
        doors = re.findall(
            r'^   \* - .+\n     - (.+)\n', text, re.MULTILINE)[1:]
        self.assertEqual(len(doors), 12)
        for door in doors:
            with self.subTest(door=door):
                self.assertRegex(door, PATH)
        journey = PATH.findall(self.read('design/journey.rst'))
        self.assertTrue(journey)
        self.assertTrue(all(name.endswith('.py') for name, _ in journey))

    def test_hooks(self):
        "Test that what is said to extend a hook does"
        rows = re.split(r'\n   \* - ', self.read('design/hooks.rst'))
        extended = set()
        for row in rows:
            hook, *cells = re.split(r'\n     - ', row)
            methods = {
                name.split('.')[1] for _, name in PATH.findall(hook)
                if '.' in name}
            if len(cells) != 3 or not methods:
                continue
            for name, _ in PATH.findall(cells[1]):
                with self.subTest(methods=methods, file=name):
                    self.assertTrue(methods & {
                            n.split('.')[-1] for n in defined(ROOT / name)})
                    extended |= methods
        self.assertLess({'still_sending', '_event_names'}, extended)

    def test_former_names(self):
        "Test that only one chapter uses the former names"
        for path in [*ROOT.glob('*.rst'), *DOC.rglob('*.rst')]:
            text = path.read_text(encoding='utf-8')
            if path == DOC / 'reference.rst':
                before, _, after = text.partition('.. _Former names:')
                chapter, rest = after.split('.. _XML ids:')
                text = before + rest
                for name in FORMER:
                    self.assertEqual(chapter.count(f'``{name}``'), 1)
            with self.subTest(path=path.name):
                self.assertEqual(re.findall(
                        r'\b(?:%s)\b' % '|'.join(FORMER), text), [])

    def test_documents(self):
        "Test that the documentation has its layout and its pictures"
        for name in [
                'conf.py', 'index.rst', 'setup.rst', 'configuration.rst',
                'design.rst', 'reference.rst', 'releases.rst', 'usage']:
            self.assertTrue((DOC / name).exists(), name)
        pictures = set(re.findall(
                r':: (?:\.\./)?(?:doc/)?(images/[\w.]+)',
                self.read('**/*.rst')
                + (ROOT / 'README.rst').read_text(encoding='utf-8')))
        self.assertEqual(
            pictures,
            {f'images/{p.name}' for p in (DOC / 'images').iterdir()})


if __name__ == '__main__':
    unittest.main()
