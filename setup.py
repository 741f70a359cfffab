#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import os
from configparser import ConfigParser

from setuptools import setup

MODULE = 'marketing_automation'
PACKAGE = f'trytond.modules.{MODULE}'
# The series of Tryton on which the module is tested
SERIES = '>= 8.0, < 8.3'


def read(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    if not os.path.exists(path):
        return ''
    with open(path, encoding='utf-8') as file:
        return file.read()


def tryton_cfg():
    config = ConfigParser()
    config.read_string(read('tryton.cfg'))
    return config['tryton']


def packages():
    "Return the names of the folders that are packages, within the module"
    root = os.path.dirname(os.path.abspath(__file__))
    for folder, folders, files in os.walk(root):
        # Neither hidden ones nor those of tools have packages
        folders[:] = sorted(
            f for f in folders
            if os.path.exists(os.path.join(folder, f, '__init__.py')))
        if folder != root:
            yield os.path.relpath(folder, root).replace(os.sep, '.')


def names(value):
    return value.strip().split()


def modules(value):
    "Return the distributions of the modules, without those of trytond itself"
    return [
        f'trytond_{name} {SERIES}' for name in names(value)
        if name not in {'ir', 'res'}]


info = tryton_cfg()

setup(
    # The name under which it is not taken for a part of the package
    script_name='setup.py',
    name='trytond-marketing-automation',
    version=info.get('version', '0.0.1'),
    description="Tryton module to automate the marketing by e-mail",
    long_description=read('README.rst'),
    long_description_content_type='text/x-rst',
    author="Marketing Automation contributors",
    keywords='tryton marketing automation',
    package_dir={PACKAGE: '.'},
    packages=[PACKAGE, *(f'{PACKAGE}.{name}' for name in packages())],
    package_data={
        **{f'{PACKAGE}.{name}': [
                'tryton.cfg', '*.xml', '*.html', 'templates/*']
            for name in packages()},
        PACKAGE: [
            'tryton.cfg', '*.xml',
            'view/**/*.xml', 'locale/*.po', 'locale/override/*.po', 'icons/*',
            ],
        f'{PACKAGE}.tests': [
            '*.rst', '*.json', '*.html', '*.mjml', '*.eml', '*.txt',
            'fixtures/*', 'fixtures/*/*', 'library/*', 'library/*/*',
            ],
        },
    license='GPL-3.0-or-later',
    license_files=['LICENSE', 'COPYRIGHT'],
    classifiers=[
        'Development Status :: 5 - Production/Stable',
        'Environment :: Plugins',
        'Framework :: Tryton',
        'Intended Audience :: Developers',
        'Intended Audience :: Other Audience',
        'Natural Language :: Dutch',
        'Natural Language :: English',
        'Natural Language :: French',
        'Natural Language :: German',
        'Natural Language :: Italian',
        'Natural Language :: Spanish',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3 :: Only',
        'Topic :: Communications :: Email',
        'Topic :: Office/Business',
        ],
    python_requires='>= 3.10',
    install_requires=[
        f'trytond {SERIES}',
        *modules(info.get('depends', '')),
        'crawler-user-agents >= 1.50',
        'flufl.bounce',
        'genshi',
        'html2text',
        'idna',
        'lxml',
        'mrml; python_version < "3.14"',
        'pydot',
        'python-dateutil',
        'python-sql >= 1.8',
        ],
    extras_require={
        'test': [
            f'proteus {SERIES}',
            *modules(info.get('extras_depend', '')),
            # extends the clicks, without being extended
            f'trytond_marketing_campaign {SERIES}',
            'aiosmtpd',
            'hypothesis',
            'time-machine',
            ],
        },
    zip_safe=False,
    entry_points={
        'trytond.modules': [f'{MODULE} = {PACKAGE}'],
        },
    )
