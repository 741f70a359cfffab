# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The files of the module as texts in memory.

A file has the dotted name by which Python knows it inside the module.  A room
is a folder with an `__init__`, also inside another one; the files at the root
are the front.
"""

import ast
import functools
import os
from configparser import ConfigParser
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = 'trytond.modules.marketing_automation'
# Those of the developers, which are not installed
DEVELOPMENT = {'tests', 'scripts', 'benchmarks', 'demo', 'ui', 'doc'}
_SUFFIXES = {'.py', '.cfg', '.xml', '.rst'}
KINDS = ['model', 'report', 'wizard']


class Class(NamedTuple):
    "Class at the top of a file"
    file: str
    name: str

    def __str__(self):
        return f'{self.file}.{self.name}'


class Registration(NamedTuple):
    "Line of a `[register]` section"
    # The name of the folder, '' for the front
    room: str
    extra: str
    kind: str
    cls: Class
    model: str


class House:
    "Files of the module by their path, and what is written in them"

    def __init__(self, texts):
        self.texts = texts

    @classmethod
    def load(cls):
        texts = {}
        for folder, folders, files in os.walk(ROOT):
            folder = Path(folder)
            folders[:] = [
                f for f in folders
                if not f.startswith('.') and f != '__pycache__'
                and (folder != ROOT or f in DEVELOPMENT
                    or (folder / f / '__init__.py').exists())]
            for name in files:
                path = folder / name
                if path.suffix in _SUFFIXES:
                    texts[path.relative_to(ROOT).as_posix()] = path.read_text(
                        encoding='utf-8')
        return cls(texts)

    def copy(self, path, text):
        "Return a house where the file has the text, None if it is missing"
        texts = dict(self.texts)
        texts.pop(path, None)
        if text is not None:
            texts[path] = text
        return self.__class__(texts)

    def replace(self, path, old, new):
        "Return a house with another part of the text of the file"
        if old not in self.texts[path]:
            raise ValueError(f"{old!r} not in {path}")
        return self.copy(path, self.texts[path].replace(old, new, 1))

    def append(self, path, text):
        "Return a house where the text follows at the end of the file"
        return self.copy(path, self.texts.get(path, '') + text)

    @cached_property
    def installed(self):
        "The texts of those that are installed"
        return {
            path: text for path, text in sorted(self.texts.items())
            if path.split('/')[0] not in DEVELOPMENT}

    @cached_property
    def trees(self):
        "The syntax trees of the files that are installed"
        return {name: tree for name, (tree, *_) in self._parsed.items()}

    @cached_property
    def strings(self):
        "The strings in each file"
        return {name: found for name, (*_, found) in self._parsed.items()}

    @cached_property
    def _parsed(self):
        return {
            path.removesuffix('.py').replace('/', '.'): _parse(text)
            for path, text in self.installed.items()
            if path.endswith('.py') and path != 'setup.py'}

    @cached_property
    def rooms(self):
        "The names of the rooms"
        return {
            room_of(name) for name in self.trees
            if name.endswith('.__init__')}

    def files(self, room):
        "Return the names of the files of the room"
        return [name for name in self.trees if room_of(name) == room]

    # Imports

    @cached_property
    def imports(self):
        "What each file imports of the module: sets of (file, name) by file"
        return {
            name: set(self._imports(name, nodes))
            for name, (_, nodes, _) in self._parsed.items()}

    def _imports(self, name, nodes):
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.startswith(PACKAGE + '.'):
                        yield self._find(alias.name[len(PACKAGE) + 1:]), None
            else:
                if node.level:
                    package = name.split('.')[:-node.level]
                elif f'{node.module}.'.startswith(PACKAGE + '.'):
                    package = []
                else:
                    continue
                module = (node.module or '').removeprefix(PACKAGE)
                package = '.'.join([*package, *module.strip('.').split('.')])
                package = package.strip('.')
                for alias in node.names:
                    inside = f'{package}.{alias.name}'.strip('.')
                    if self._is_file(inside):
                        yield self._find(inside), None
                    else:
                        yield self._find(package), alias.name

    def _is_file(self, name):
        return name in self.trees or f'{name}.__init__' in self.trees

    def _find(self, name):
        if name in self.trees:
            return name
        return f'{name}.__init__'.strip('.')

    def outside(self, name):
        "Yield the dotted names from outside the module that the file imports"
        _, nodes, _ = self._parsed[name]
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name
            elif not node.level:
                yield node.module
                for alias in node.names:
                    yield f'{node.module}.{alias.name}'

    # Classes

    @cached_property
    def classes(self):
        "The nodes of the classes"
        return {
            Class(name, node.name): node
            for name, tree in self.trees.items()
            for node in tree.body if isinstance(node, ast.ClassDef)}

    def model(self, cls):
        "Return the name in the pool that the class says it has"
        for node in self.classes[cls].body:
            if (isinstance(node, ast.Assign)
                    and getattr(node.targets[0], 'id', None) == '__name__'):
                return node.value.value

    def is_extension(self, cls):
        return any(
            getattr(k.value, 'id', None) == 'PoolMeta'
            for k in self.classes[cls].keywords)

    def methods(self, cls):
        "Return the methods of the class by name"
        return {
            node.name: node for node in self.classes[cls].body
            if isinstance(node, ast.FunctionDef)}

    def bases(self, cls):
        "Return the bases of the class that are in the house"
        return [b for b in self.all_bases(cls) if b in self.classes]

    def all_bases(self, cls):
        "Return the bases of the class, also those from outside"
        imported = {n: f for f, n in self.imports[cls.file] if n}
        return [
            Class(imported.get(node.id, cls.file), node.id)
            for node in self.classes[cls].bases if isinstance(node, ast.Name)]

    def order(self, cls):
        "Return the classes in which Python looks for a method"
        sequences = [self.order(b) for b in self.bases(cls)]
        sequences.append(self.bases(cls))
        order = [cls]
        while sequences := [s for s in sequences if s]:
            first = next(
                s[0] for s in sequences
                if not any(s[0] in other[1:] for other in sequences))
            order.append(first)
            sequences = [[c for c in s if c != first] for s in sequences]
        return order

    # Configuration

    @cached_property
    def configs(self):
        "The configurations by room"
        configs = {}
        for path, text in self.installed.items():
            *folders, name = path.split('/')
            if name == 'tryton.cfg':
                config = ConfigParser()
                config.optionxform = str
                config.read_string(text)
                configs['.'.join(folders)] = config
        return configs

    @cached_property
    def included(self):
        "The rooms in the order in which trytond includes them"
        return list(self._included(''))

    def _included(self, room):
        for name in self.lines(room, 'tryton', 'include_dirs'):
            name = f'{room}.{name}'.strip('.')
            yield name
            yield from self._included(name)

    def lines(self, room, section, option):
        if room not in self.configs:
            return []
        return self.configs[room].get(section, option, fallback='').split()

    @cached_property
    def registrations(self):
        "What is registered, in the order of trytond"
        return [
            r for room in ['', *self.included]
            for r in self._registrations(room)]

    def _registrations(self, room):
        if room not in self.configs:
            return
        for section in self.configs[room].sections():
            kind, _, extra = section.partition(' ')
            if kind == 'register':
                for kind in KINDS:
                    for line in self.lines(room, section, kind):
                        file, _, name = f'{room}.{line}'.strip(
                            '.').rpartition('.')
                        cls = Class(file, name)
                        model = (
                            self.model(cls) if cls in self.classes else None)
                        yield Registration(room, extra, kind, cls, model)

    @cached_property
    def chains(self):
        """
        The classes of the house which each model is made of, in the order in
        which Python looks for a method.
        """
        chains = {}
        for registration in self.registrations:
            if registration.model:
                chain = chains.setdefault(registration.model, [])
                chain[:0] = [
                    c for c in self.order(registration.cls) if c not in chain]
        return chains


@functools.cache
def _parse(text):
    """
    Return the tree, the imports and the strings of the text.

    Most files of a copy are those of the house.
    """
    tree = ast.parse(text)
    imports, strings = [], set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
    return tree, imports, strings


def room_of(name):
    "Return the room of the file, '' for the front"
    return name.rpartition('.')[0]


def path_of(name):
    return name.replace('.', '/') + '.py'


@functools.cache
def calls_super(method):
    "Return if the method calls the one of its name further down"
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute):
            owner, name = node.value, node.attr
        elif (isinstance(node, ast.Call)
                and getattr(node.func, 'id', None) == 'getattr'
                and isinstance(node.args[1], ast.Constant)):
            owner, name = node.args[0], node.args[1].value
        else:
            continue
        if (name == method.name and isinstance(owner, ast.Call)
                and getattr(owner.func, 'id', None) == 'super'):
            return True
    return False


def is_empty(method):
    "Return if the method is a hook that does nothing by itself"
    return all(
        isinstance(node, (ast.Pass, ast.Raise))
        or (isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant))
        for node in method.body)
