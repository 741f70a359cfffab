# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the authors of templates may try, and what they try it on"

from pathlib import Path

SECRET = 'S3CRET'


class Thing:
    secret = SECRET

    def __init__(self):
        self.own = SECRET

    def steal(self, path=None):
        if path:
            Path(path).write_text(SECRET)
        return SECRET

    def __getitem__(self, key):
        return SECRET

    def __str__(self):
        return SECRET

    __repr__ = __str__

    def __format__(self, spec):
        return SECRET


def helper(value=SECRET):
    return 'harmless'


def generator():
    hidden = SECRET
    yield hidden


async def coroutine():
    yield SECRET


EXPRESSIONS = """
thing.secret
thing.own
thing['own']
thing.steal()
thing.steal(path)
thing.steal.__func__.__globals__['SECRET']
thing.__class__.secret
thing.__dict__['own']
str(thing)
repr(thing)
format(thing, '')
'%s' % thing
'%r' % thing
'%(own)s' % thing
'%s%s' % (1, thing)
'{0.secret}'.format(thing)
'{0.__globals__[SECRET]}'.format(helper)
'{t.secret}'.format_map({'t': thing})
str.format('{0.secret}', thing)
f'{thing.secret}'
f'{thing}'
f'{thing:x}'
f'{helper.__globals__["SECRET"]}'
getattr(thing, 'secret')
vars(thing)['own']
type(thing).secret
eval('thing.secret')
exec('thing.steal(path)')
globals()['SECRET']
open(secret_path).read()
open(path, 'w').write('x')
print('x', file=open(path, 'w'))
__import__('pathlib').Path(path).write_text('x')
__builtins__['open'](secret_path).read()
helper.__globals__['SECRET']
helper.__defaults__[0]
helper.__code__.co_varnames and helper.__defaults__
(lambda: 0).__globals__['SECRET']
(lambda t=thing: t.secret)()
(lambda *t: t[0].secret)(thing)
(lambda **t: t['t'].secret)(t=thing)
(lambda t: t.secret)(thing)
[t.secret for t in [thing]]
[t for t in [thing.__class__]][0].secret
[u for t in [1] if (u := thing)][0].secret
(u := thing).secret
[*[thing.secret]]
dict(**{'a': thing.secret})
{thing.secret: 1}
{**{'a': thing.secret}}
sorted([1], key=lambda _: thing.steal(path))
max([thing], key=lambda t: 1).secret
(i for i in [1]).gi_frame.f_globals['SECRET']
gen.gi_frame.f_globals['SECRET']
gen.gi_code.co_consts and gen.gi_frame.f_globals['SECRET']
coro.ag_frame.f_globals['SECRET']
error.__traceback__.tb_frame.f_globals['SECRET']
error.args[0]
[t for t in ().__class__.__base__.__subclasses__() if t == Klass][0].secret
[].__class__.__mro__[1].__subclasses__() and thing.secret
text.upper.__self__ and thing.secret
Klass().secret
Klass.secret
module.SECRET
module.__dict__['SECRET']
items.append('x')
items.clear()
items.sort(reverse=True)
items.__setitem__(0, 'x')
items.extend('x')
mapping.update(a='x')
mapping.pop('a')
mapping.clear()
mapping.setdefault('b', 'x')
mapping.__setitem__('a', 'x')
"""

ENGINE = """
__scope.budget
__scope
__call
__data__
_lookup_attr
defined.__globals__
value_of.__closure__
[__scope for __scope in [1]]
(lambda __scope: __scope)(1)
helper(__scope=1)
[__builtins__ for _ in [1]]
await helper()
(yield)
~1
{1, 2}
{i for i in items}
{i: i for i in items}
b'x'
1j
...
text[1, 2]
text._
lambda: 1
text.upper
helper
SAFE.datetime
"""

BOMBS = """
'x' * 10 ** 10
10 ** 10 ** 10
2 ** 99999999
1 << 99999999999
'x' * 9999999999
9999999999 * 'x'
[0] * 9999999999
[[0] * 1000] * 1000
list(range(10 ** 10))
list(range(9999999999))
len(range(999999999999))
sum(range(9999999999))
'%9999999999d' % 1
'%*d' % (999999999, 1)
'%.999999999f' % 1
'%(a)999999999s' % {'a': 1}
'x'.ljust(9999999999)
'x'.center(9999999999)
'x'.zfill(9999999999)
'x'.rjust(999999999, 'y')
('x' * 999999).replace('x', 'y' * 999999)
('x' * 99999).join([str(i) for i in range(9999)])
'x'.expandtabs(999999999)
'\\t'.expandtabs(999999999)
int('9' * 999999)
round(1, -999999999)
int(Decimal('1e99999999'))
'%d' % Decimal('1e999999')
round(Decimal('1e999999'))
Decimal('9' * 9999999)
datetime.date(2020, 1, 1).strftime('%999999999d')
datetime.date(2020, 1, 1).strftime('%Y' * 999999)
datetime.datetime.now().strftime('%_999999999Y')
[i for i in range(9999) for j in range(9999)]
[('x' * 999999) + str(i) for i in range(9999)]
[('x ' * 99999).split() for i in range(9999)]
sum(1 for a in range(9999) for b in range(9999) for c in range(9999))
any(False for a in range(9999) for b in range(9999))
(lambda f: f(f))(lambda f: f(f) + f(f))
"""
