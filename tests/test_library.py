# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE / 'library'
PAGE = HERE.parent / 'doc' / 'reference' / 'model.rst'


class LibraryTestCase(unittest.TestCase):
    "Test the example of the documentation"

    def test_example(self):
        "Test the module of the example works"
        with tempfile.TemporaryDirectory() as folder:
            # It is installed as far as Tryton can see
            folder = Path(folder)
            (folder / 'library').symlink_to(EXAMPLE)
            info = folder / 'library-8.0.0.dist-info'
            info.mkdir()
            (info / 'METADATA').write_text(
                'Metadata-Version: 2.1\nName: library\nVersion: 8.0.0\n')
            (info / 'entry_points.txt').write_text(
                '[trytond.modules]\nlibrary = library\n')
            environment = {
                **os.environ,
                'DB_NAME': ':memory:',
                'PYTHONPATH': os.pathsep.join(filter(None, [
                            str(folder), os.environ.get('PYTHONPATH')])),
                'TRYTOND_DATABASE_URI': 'sqlite://',
                }
            environment.pop('DB_CACHE', None)
            # Its modules are those of the process that starts
            result = subprocess.run(
                [sys.executable, '-W', 'ignore', '-m', 'unittest',
                    'library.check'],
                cwd=folder, env=environment, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, msg=result.stderr)
        self.assertIn('Ran 1 test', result.stderr)

    @unittest.skipUnless(PAGE.exists(), "the documentation is not installed")
    def test_documented(self):
        "Test the documentation shows the files of the example"
        page = PAGE.read_text(encoding='utf-8')
        for path in EXAMPLE.rglob('*'):
            name = path.relative_to(EXAMPLE)
            if (path.is_file() and path.suffix != '.pyc'
                    and path.name not in {'__init__.py', 'check.py'}):
                with self.subTest(file=str(name)):
                    self.assertIn(
                        f'literalinclude:: ../../tests/library/{name}\n',
                        page)

    def test_ten_lines(self):
        "Test another model needs ten lines to be a target"
        source = (EXAMPLE / 'target.py').read_text(encoding='utf-8')
        lines = [
            line for line in source.splitlines()
            if line.strip() and not line.startswith('#')]
        self.assertLessEqual(len(lines), 10)


if __name__ == '__main__':
    unittest.main()
