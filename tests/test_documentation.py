# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import ast
import re
import unittest
from pathlib import Path

from trytond.modules import get_module_register

ROOT = Path(__file__).resolve().parent.parent
DOC = ROOT / 'doc'
# What is documented of a model, by the room of its register
KINDS = {'model', 'wizard', 'report'}


def trees():
    "Yield the syntax trees of the rooms"
    for path in sorted([*ROOT.glob('*.py'), *(
            path for init in ROOT.glob('*/__init__.py')
            for path in init.parent.rglob('*.py')
            if init.parent.name != 'tests')]):
        if path.name != 'setup.py':
            yield ast.parse(path.read_text(encoding='utf-8'))


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
