# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import shutil
import subprocess
import sys
import tempfile
import unittest
from configparser import ConfigParser
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = 'trytond/modules/marketing_automation/'
# What is of use only in a checkout
CHECKOUT = {
    'benchmarks', 'demo', 'doc', 'scripts', 'ui',
    'CHANGELOG', 'CONTRIBUTING.rst', 'COPYRIGHT', 'LICENSE', 'MANIFEST.in',
    'Makefile', 'README.rst', 'pyproject.toml', 'setup.py', 'tox.ini'}


def tracked():
    "Return the files of the checkout, as git knows them"
    output = subprocess.check_output([
            'git', 'ls-files', '-z',
            '--cached', '--others', '--exclude-standard'], cwd=ROOT)
    names = {Path(name) for name in output.decode().split('\0') if name}
    return {name for name in names if (ROOT / name).is_file()}


def is_for_package(path):
    top = path.parts[0]
    return top not in CHECKOUT and not top.startswith('.')


@unittest.skipUnless(
    (ROOT / '.git').exists() and shutil.which('git'), "not in a checkout")
class PackagingTestCase(unittest.TestCase):
    "Test the wheel made from the checkout"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.files = tracked()
        cls.wheel = cls.build(Path(directory.name))

    @classmethod
    def build(cls, directory):
        "Build the wheel from a copy, as the build leaves files behind"
        source = directory / 'source'
        for path in cls.files:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, source / path)
        result = subprocess.run([
                sys.executable, '-m', 'pip', 'wheel', '--quiet',
                '--no-deps', '--no-build-isolation', '--no-index',
                '--wheel-dir', directory, source,
                ], cwd=directory, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not result.returncode, result.stdout
        wheel, = directory.glob('*.whl')
        wheel = ZipFile(wheel)
        cls.addClassCleanup(wheel.close)
        return wheel

    def read(self, name):
        path, = [
            n for n in self.wheel.namelist()
            if n.endswith(f'.dist-info/{name}')]
        return self.wheel.read(path).decode()

    def test_files(self):
        "Test the wheel holds every file of the module and nothing else"
        expected = {
            PACKAGE + path.as_posix()
            for path in self.files if is_for_package(path)}
        packaged = {
            name for name in self.wheel.namelist()
            if '.dist-info/' not in name}

        self.assertEqual(packaged - expected, set(), "too many in the wheel")
        self.assertEqual(expected - packaged, set(), "missing in the wheel")

    def test_licenses(self):
        "Test the wheel holds the license"
        names = {Path(name).name for name in self.wheel.namelist()}

        self.assertLessEqual({'LICENSE', 'COPYRIGHT'}, names)

    def test_entry_point(self):
        "Test the wheel declares the module"
        parser = ConfigParser()
        parser.read_string(self.read('entry_points.txt'))

        self.assertEqual(
            dict(parser['trytond.modules']),
            {'marketing_automation':
                'trytond.modules.marketing_automation'})

    def test_metadata(self):
        "Test the metadata agree with tryton.cfg"
        cfg = ConfigParser()
        cfg.read(ROOT / 'tryton.cfg')
        cfg = cfg['tryton']
        metadata = HeaderParser().parsestr(self.read('METADATA'))
        required, optional = set(), set()
        for requirement in metadata.get_all('Requires-Dist'):
            name = requirement.split(';')[0].replace('-', '_')
            name = name.partition('<')[0].partition('>')[0].strip()
            (optional if 'extra ==' in requirement else required).add(name)

        self.assertEqual(metadata['Name'], 'trytond-marketing-automation')
        self.assertEqual(metadata['Version'], cfg['version'])
        self.assertLessEqual({
                f'trytond_{name}' for name in cfg['depends'].split()
                if name not in {'ir', 'res'}},
            required)
        self.assertLessEqual({
                f'trytond_{name}' for name in cfg['extras_depend'].split()},
            optional)
