# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The web client of Tryton, where there is npm"

import shutil
import subprocess
import tarfile
import threading

from server import CLIENT

PACKAGE = 'tryton-sao@8.0'
# Beside the libraries of the package, the editor of HTML
EDITOR = 'tinymce@7'
NPM_INSTALL = [
    'npm', 'install', '--omit=dev', '--legacy-peer-deps', '--ignore-scripts',
    '--no-audit', '--no-fund', '--silent']


def install():
    "Install the client and return if it is there"
    if (CLIENT / '.installed').exists():
        return True
    if not shutil.which('npm'):
        return False
    shutil.rmtree(CLIENT, ignore_errors=True)
    CLIENT.mkdir(parents=True)
    try:
        _unpack()
        for arguments in [[], ['--no-save', EDITOR]]:
            subprocess.run(
                [*NPM_INSTALL, *arguments], cwd=CLIENT, check=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    (CLIENT / '.installed').touch()
    return True


def _unpack():
    # A range packs one file per version: only the last one is wanted
    versions = subprocess.run(
        ['npm', 'view', PACKAGE, 'version', '--json'], check=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    last = versions.strip('[]"\n ').split('"')[-1]
    subprocess.run([
            'npm', 'pack', '--silent', f'{PACKAGE.partition("@")[0]}@{last}',
            ], cwd=CLIENT, check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    archive, = CLIENT.glob('*.tgz')
    with tarfile.open(archive) as tar:
        tar.extractall(CLIENT)
    archive.unlink()
    for path in (CLIENT / 'package').iterdir():
        path.rename(CLIENT / path.name)
    (CLIENT / 'package').rmdir()


class Installation(threading.Thread):
    "The installation while the rest goes on"

    def __init__(self):
        super().__init__(daemon=True)
        self.installed = False

    def run(self):
        self.installed = install()
