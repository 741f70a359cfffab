# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
The rules of the rooms of the module.

Each function `check_<rule>` returns the list of what is against the rule in a
house, as sentences.
"""

import ast
import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath

from .house import calls_super, is_empty, room_of
from .layers import (
    DATA_MODEL, FRONT, MAX_CLASSES, MAX_FILES, MAX_LINES, MAX_LINES_ROUTE,
    MAX_REGISTRATIONS, NEVER, NEVERTHELESS, PURE, is_below, rank)


def check_imports(house):
    "A file imports only from its room and those below"
    violations = [
        f"{name} has no layer" for name in house.trees if rank(name) is None]
    violations.extend(
        f"{name} imports {used} from above"
        for name, imported in house.imports.items()
        for used in sorted({used for used, _ in imported})
        if not is_below(name, used))
    return violations


def check_loops(house):
    "No file leads back to itself"
    below = {
        name: {used for used, _ in imported}
        for name, imported in house.imports.items()}
    while below:
        above = set().union(*below.values())
        free = {
            name for name, used in below.items()
            if not used & below.keys() or name not in above}
        if not free:
            return [f"There is a loop between {', '.join(sorted(below))}"]
        for name in free:
            del below[name]
    return []


def check_actions(house):
    "No action imports another one"
    actions = {
        r.cls.file for r in house.registrations
        if r.room == 'action' and r.model == 'marketing.automation.activity'}
    return [
        f"{name} imports the action {used}"
        for name in house.files('action')
        for used in sorted({u for u, _ in house.imports[name]} & actions)
        if used != name]


def check_nobody_imports_check(house):
    "What tries before it runs is not used by what runs"
    return [
        f"{name} imports {used}"
        for name, imported in house.imports.items()
        for used in sorted({u for u, _ in imported})
        if room_of(used) == 'check' and room_of(name) != 'check'
        and name != 'preview']


def check_meeting(house):
    """
    Models meet in the pool: no class that is registered is imported, and what
    it is composed of only by the room itself.
    """
    violations = []
    slices = _slices(house)
    for name, imported in house.imports.items():
        for cls in house.classes:
            if (cls.file, cls.name) not in imported:
                continue
            if house.model(cls):
                violations.append(f"{name} imports the model {cls}")
            elif cls in slices and not any(
                    cls in house.bases(other)
                    for other in house.classes
                    if other.file == name and room_of(name) == room_of(
                        cls.file)):
                violations.append(f"{name} imports the slice {cls}")
    return violations


def _slices(house):
    "Return what one model of the same room is composed of"
    users = defaultdict(set)
    for registration in house.registrations:
        if registration.cls in house.classes:
            for cls in house.order(registration.cls):
                if not house.model(cls):
                    users[cls].add((registration.model, registration.room))
    return {
        cls for cls, found in users.items()
        if len(found) == 1 and room_of(cls.file)
        and found == {(next(iter(found))[0], room_of(cls.file))}}


def check_never(house):
    "A room does not touch what is not its own"
    violations, needed = [], set()
    for name in house.trees:
        never = set().union(*(
                names for room, names in NEVER.items()
                if f'{name}.'.startswith(f'{room}.')))
        for forbidden in sorted(never):
            if any(f'{used}.'.startswith(f'{forbidden}.')
                    for used in house.outside(name)):
                needed.add((name, forbidden))
                if (name, forbidden) not in NEVERTHELESS:
                    violations.append(f"{name} imports {forbidden}")
    violations.extend(
        f"{name} does not import {used} any more"
        for name, used in NEVERTHELESS if (name, used) not in needed)
    return violations


def check_pure(house):
    "What is pure does not ask the pool"
    violations = [
        f"{name} does not exist" for name in PURE if name not in house.trees]
    violations.extend(
        f"{name} imports {used}"
        for name in sorted(PURE & house.trees.keys())
        for used in house.outside(name)
        if f'{used}.'.startswith('trytond.pool.'))
    return violations


# Registration

def check_included(house):
    "The rooms that register something are included from the ground up"
    registering = {room_of(c.file) for c in house.classes if house.model(c)}
    expected = sorted(registering - {''}, key=lambda r: rank(r) or 0)
    if house.included == expected:
        return []
    return [f"{house.included} are included instead of {expected}"]


def check_registered(house):
    "Each class with a name is registered once, each registered has a name"
    count = Counter(r.cls for r in house.registrations)
    violations = [
        f"{r.cls} is registered but no model"
        for r in house.registrations if not r.model]
    violations.extend(
        f"{cls} is registered {count[cls]} times"
        for cls in house.classes if house.model(cls) and count[cls] != 1)
    return violations


def check_one_class(house):
    "What a room, or an action, adds to a model is one class"
    count = Counter(
        (r.model, r.cls.file if r.room == 'action' else r.room, r.extra)
        for r in house.registrations)
    return [
        f"{number} classes of {room or 'the front'} extend {model}"
        for (model, room, _), number in count.items() if number > 1]


def check_numbers(house):
    "The classes that a model is made of remain few"
    count = Counter(r.model for r in house.registrations)
    violations = [
        f"{model} has {count[model]} classes"
        for model, limit in MAX_CLASSES.items() if count[model] > limit]
    if count.total() > MAX_REGISTRATIONS:
        violations.append(f"{count.total()} classes are registered")
    return violations


def _bases(house):
    "Return the registration of the base of each model of the module"
    bases = {}
    for registration in house.registrations:
        if registration.model and not house.is_extension(registration.cls):
            bases.setdefault(registration.model, registration)
    return bases


def check_bases(house):
    "The base of each model is registered before its extensions"
    bases = _bases(house)
    violations, seen = [], set()
    for registration in house.registrations:
        model, cls = registration.model, registration.cls
        if not model:
            continue
        base = bases.get(model)
        if base is None:
            if model.startswith('marketing.automation.'):
                violations.append(f"{cls} extends {model} without a base")
        elif not house.is_extension(cls):
            if base.cls != cls:
                violations.append(f"{cls} replaces {base.cls}")
            elif model in seen:
                violations.append(f"{cls} is registered after an extension")
        elif base.extra and base.extra != registration.extra:
            violations.append(f"{cls} extends what only {base.extra} has")
        seen.add(model)
    return violations


def check_names(house):
    "A file names only models of its room and of those below"
    bases = {
        model: base.cls.file for model, base in _bases(house).items()
        if model not in DATA_MODEL}
    return [
        f"{name} names {model} of {bases[model]} above"
        for name, strings in house.strings.items()
        for model in sorted({
                # A reference begins with the name
                s.partition(',')[0] for s in strings} & bases.keys())
        if not is_below(name, bases[model])]


# Methods

def check_hidden_methods(house):
    "No method hides the one of another class of the same model"
    used_by = defaultdict(set)
    for model, chain in house.chains.items():
        for cls in chain:
            used_by[cls].add(model)
    violations = set()
    for model, chain in house.chains.items():
        for number, cls in enumerate(chain):
            for name, method in house.methods(cls).items():
                if calls_super(method):
                    continue
                for below in chain[number + 1:]:
                    hidden = house.methods(below).get(name)
                    if (hidden and not is_empty(hidden)
                            # The defaults of a base for several models
                            and not (len(used_by[below]) > 1
                                and below in house.order(cls))):
                        violations.add(
                            f"{cls}.{name} hides the one of {below}")
    return sorted(violations)


def check_base_methods(house, core):
    """
    The base of a method of a model of the module is below those that call it.

    :param core: the names of what the classes of trytond have by kind.
    """
    violations = []
    for model, base in _bases(house).items():
        chain = house.chains[model]
        for number, cls in enumerate(chain):
            for name, method in house.methods(cls).items():
                if (calls_super(method) and name not in core[base.kind]
                        and not _asks_super(method)
                        and not any(name in house.methods(below)
                            for below in chain[number + 1:])):
                    violations.append(f"{cls}.{name} has no base")
    return violations


def _asks_super(method):
    "Return if the method looks whether there is one below"
    return 'getattr(super()' in ast.unparse(method)


def check_core_methods(house, core):
    """
    No method hides one that trytond has for itself.

    :param core: the private names of the classes of trytond by kind.
    """
    kinds = {r.model: r.kind for r in house.registrations}
    return [
        f"{cls}.{name} hides the one of trytond"
        for model, chain in house.chains.items()
        for cls in chain
        for name, method in house.methods(cls).items()
        if name in core[kinds[model]] and not calls_super(method)]


def check_slots(house):
    "What a model is composed of has no attributes of its own"
    return [
        f"{cls} has no empty __slots__"
        for cls in sorted(set().union(*house.chains.values()))
        if not house.model(cls) and not any(
            ast.unparse(node) == '__slots__ = ()'
            for node in house.classes[cls].body)]


def check_slices_first(house):
    "No slice follows a class of trytond, whose methods would hide its own"
    def is_core(cls):
        if cls in house.classes:
            return any(map(is_core, house.all_bases(cls)))
        # It derives from nothing and lets those behind it answer
        return cls.name != 'Workflow'

    violations = []
    for cls in sorted(set().union(*house.chains.values())):
        core = False
        for base in house.all_bases(cls):
            if is_core(base):
                core = True
            elif core and base in house.classes:
                violations.append(f"{base} of {cls} is behind trytond")
    return violations


def check_gates(house):
    "The gates are asked in the order of the documentation"
    gates = next(
        ast.literal_eval(node.value)
        for node in house.trees['execution.gates'].body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'GATES')
    text = re.search(
        r'^Gates$(.*?)^\S', house.texts['doc/design.rst'],
        re.DOTALL | re.MULTILINE)[1]
    documented = re.findall(r':\s+``(\w+)``\.$', text, re.MULTILINE)
    violations = []
    if gates != documented:
        violations.append(f"{gates} are documented as {documented}")
    defined = set()
    for cls in house.chains['marketing.automation.record.activity']:
        defined |= house.methods(cls).keys()
        if '_gates' in house.methods(cls) and cls.file != 'execution.gates':
            violations.append(f"{cls} changes the gates")
    violations.extend(
        f"There is no _gate_{g}" for g in gates if f'_gate_{g}' not in defined)
    return violations


# Files

def check_configs(house):
    "The configuration of a room tells no more than what is in it"
    violations = []
    extras = set(house.lines('', 'tryton', 'extras_depend'))
    for room, config in house.configs.items():
        for option in ['version', 'depends', 'extras_depend']:
            if room and config.has_option('tryton', option):
                violations.append(f"{room} has {option}")
        for section in config.sections():
            kind, _, names = section.partition(' ')
            if kind == 'register':
                violations.extend(
                    f"{section} of {room or 'the front'} is no extra"
                    for name in names.split() if name not in extras)
        listed = Counter(house.lines(room, 'tryton', 'xml'))
        folder = PurePosixPath(room.replace('.', '/'))
        present = {
            PurePosixPath(path).name for path in house.installed
            if path.endswith('.xml') and PurePosixPath(path).parent == folder}
        violations.extend(
            f"{folder / name} is listed {listed[name]} times"
            for name in sorted(present) if listed[name] != 1)
        violations.extend(
            f"{folder / name} does not exist"
            for name in listed if name not in present)
    violations.extend(
        f"{path} is in no room" for path in house.installed
        if path.endswith('.xml')
        and room_of(path.replace('/', '.').removesuffix('.xml'))
        not in house.configs)
    return violations


def check_docstrings(house):
    "Each room tells where to begin, and what each of its files is"
    violations = []
    for room in sorted(house.rooms - {''}):
        docstring = ast.get_docstring(house.trees[f'{room}.__init__']) or ''
        if "Start reading at" not in ' '.join(docstring.split()):
            violations.append(f"{room} does not tell where to start reading")
        for name in house.files(room):
            file = name.rpartition('.')[2]
            if file != '__init__' and not re.search(
                    rf'(?<![\w/.]){file}\.py\b', docstring):
                violations.append(f"{room} does not tell what {file}.py is")
    return violations


def check_front(house):
    "The files at the root are those that others look for"
    found = {name for name in house.trees if '.' not in name}
    return [f"{name} is at the root" for name in sorted(found - FRONT)] + [
        f"{name} is not at the root" for name in sorted(FRONT - found)]


def check_lines(house):
    "No file is too long"
    lines = {
        path: len(text.splitlines()) for path, text in house.texts.items()
        if path.endswith('.py')}
    return [
        f"{path} has {number} lines"
        for path, number in lines.items() if number > MAX_LINES]


def check_files(house):
    "No folder has too many files"
    count = Counter(
        str(PurePosixPath(path).parent) for path in house.texts
        if path.endswith('.py'))
    return [
        f"{folder} has {number} files"
        for folder, number in count.items() if number > MAX_FILES]


def check_routes(house):
    "The routes are short and only lead somewhere"
    violations = []
    for node in ast.walk(house.trees['routes']):
        if isinstance(node, ast.FunctionDef):
            if node.end_lineno - node.lineno + 1 > MAX_LINES_ROUTE:
                violations.append(f"{node.name} is too long")
            if any(isinstance(n, (ast.For, ast.While, ast.comprehension))
                    for n in ast.walk(node)):
                violations.append(f"{node.name} has a loop")
    return violations
