#!/usr/bin/env python3
"""Does value_probe read and write what Python does?

usage: python_agrees.py PROBE [SEED [TIMES]]

Prints "ok - NAME (N)" or "not ok - NAME" and what differs. TIMES multiplies
how many random texts there are.
"""
import ast
import json
import math
import os
import random
import re
import string
import struct
import subprocess
import sys
import unicodedata
import warnings

import yaml

probe = sys.argv[1]
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
times = int(sys.argv[3]) if len(sys.argv) > 3 else 1
failed = 0
warnings.simplefilter('ignore')


def ask(mode, payloads, env=None):
    lines = b''.join(mode + b' ' + p.hex().encode() + b'\n' for p in payloads)
    done = subprocess.run([probe], input=lines, stdout=subprocess.PIPE,
                          check=True, env=env)
    answers = done.stdout.decode('utf-8', 'surrogateescape').split('\n')[:-1]
    assert len(answers) == len(payloads), (len(answers), len(payloads))
    return answers


def report(name, count, wrong):
    global failed
    if not wrong:
        print(f'ok - {name} ({count})')
        return
    failed = 1
    print(f'not ok - {name}: {len(wrong)} of {count}')
    for text, want, got in wrong[:8]:
        print(f'    {text!r}\n      python {want!r}\n      ours   {got!r}')


def floats():
    bits = [rng.getrandbits(64) for _ in range(20000 * times)]
    bits += [e << 52 for e in range(2048)]
    bits += [(e << 52) + d for e in range(1, 2048, 7) for d in (-1, 1)]
    bits += [1 << b for b in range(64)]
    bits += [rng.getrandbits(52) >> rng.randrange(52) for _ in range(2000)]
    for _ in range(20000 * times):
        f = rng.choice((rng.uniform(-10, 10), 10 ** rng.uniform(-9, 20),
                        round(rng.uniform(0, 1), rng.randrange(1, 17)),
                        rng.randrange(10**6) * 10.0**rng.randrange(-30, 25),
                        rng.randrange(2 ** 62) * 1.0))
        bits.append(struct.unpack('>Q', struct.pack('>d', f))[0])
    raw = [struct.pack('>Q', b) for b in bits]
    got = ask(b'f', raw)
    wrong = []
    for one, answer in zip(raw, got):
        want = repr(struct.unpack('>d', one)[0])
        if want != answer:
            wrong.append((one.hex(), want, answer))
    report('repr of doubles', len(raw), wrong)


class Other(Exception):
    """A value that has no kind with us."""


def ours(v, literal):
    """v as our code has it: keys are strings."""
    if isinstance(v, dict):
        if literal and not all(isinstance(k, str) for k in v):
            raise Other
        out = {}
        for k, item in v.items():
            out[str(k)] = ours(item, literal)
        if len(out) != len(v):
            raise Other
        return out
    if isinstance(v, list):
        return [ours(item, literal) for item in v]
    if isinstance(v, tuple):
        return tuple(ours(item, literal) for item in v)
    if isinstance(v, (set, bytes, complex)) or v is Ellipsis:
        raise Other
    if isinstance(v, str):
        if '\0' in v:
            raise Other
        v.encode()
    repr(v)  # an int with too many digits is an error
    return v


def canonical(v):
    """What value_canonical says of JSON types, or None."""
    text = json.dumps(v, default=lambda d: None)
    if re.search('null', text) and 'None' not in repr(v):
        return None
    if '(' in repr(v):
        return None
    if isinstance(v, float) and math.isfinite(v) and v == int(v):
        v = int(v)
    return json.dumps(v, sort_keys=True, separators=(',', ':'))


def depth(text):
    return max(text.count(c) for c in '[{(')


def compare(name, mode, texts, load, literal):
    texts = list(dict.fromkeys(texts))
    answers = ask(mode, [t.encode() for t in texts])
    wrong = []
    loaded = 0
    for text, answer in zip(texts, answers):
        try:
            v = ours(load(text), literal)
            want = ['ok', repr(v), json.dumps(v, default=str), canonical(v)]
            loaded += 1
        except RecursionError:
            continue
        except Exception:  # whatever Python says: it does not load
            want = ['error']
        got = answer.split('\t')
        if got[0] == 'error':
            got = ['error']
        elif len(want) == 4 and want[3] is None:
            want[3] = got[3]
        if got != want:
            wrong.append((text, want, got))
    assert loaded > len(texts) / 50, (name, loaded)
    report(f'{name}, {loaded} of them values', len(texts), wrong)


def words(alphabets, count, longest):
    for _ in range(count):
        alphabet = rng.choice(alphabets)
        yield ''.join(rng.choice(alphabet)
                      for _ in range(rng.randrange(1, longest)))


SCALARS = '''1e-4 1e5 3e6 3.0e6 1.5e3 -.5 .5 1. 1.0e-4 1.e+5 3.0e+6 -0.5 +5 08
09 0777 010 0o17 0x10 0b11 1_000 1__0 12:30:45 12:30 -12:30 1:60 190:20:30.15
yes no on off Yes NO On OFF yEs y n ~ null Null NULL nUll .inf -.inf +.Inf
.nan .NaN -.nan 2024-01-02 2024-1-2 2024-13-01 2024-02-30 -0x1F 0x_ 0b_ 0_ 00
2001-12-14t21:59:43.10-05:00 2001-12-15T02:59:43.1Z 2001-11-14T1:02:03 -0 +0
2024-02-29T23:59:59.123456789+24:00 2024-02-29T23:59:59-00:00 0000-01-01 1_.0
true True TRUE false tRue - = << 1e 1e+ .e1 ._1 1._ 0.0e-0 -0.0 +.5 1.5e-400
9223372036854775807 9223372036854775808 -9223372036854775808 0xffffffffffffffff
123456789012345678901234567890 1.0e+400 1e400 00.5 0:0 0:1 1:1:1 59:59.9
007 0b2 0x1g 1:2:3.4 1.2:3 inf nan Infinity .5e3 .5e+3 1.5E+3 5e-324'''.split()


def scalars():
    texts = list(SCALARS)
    for tag in ('!!str ', '!!int ', '!!float ', '!!bool ', '!!null ', '! ',
                '!!timestamp ', '!foo ', '!!binary '):
        texts += [tag + s for s in SCALARS]
        texts += [tag + '"' + s + '"' for s in SCALARS]
    texts += ["'" + s + "'" for s in SCALARS]
    texts += ['k: ' + s for s in SCALARS] + [s + ': v' for s in SCALARS]
    texts += list(words(['0123456789_', '01e+-.', '0123456789.eE+-_',
                         '0123456789:._', '0x1fbo_', '-+.infINaNf',
                         '0123456789-:T. Z', 'yesnoYNtrufalofTRUE~'],
                        30000 * times, 9))
    for _ in range(5000 * times):
        s = '%04d-%02d-%02d' % (rng.randrange(3000), rng.randrange(14),
                                rng.randrange(33))
        s += rng.choice(('', 'T', 't', ' ', '  ')) + '%d:%02d:%02d' % (
            rng.randrange(26), rng.randrange(62), rng.randrange(62))
        s += rng.choice(('', '.', '.5', '.%d' % rng.randrange(10 ** 8)))
        s += rng.choice(('', 'Z', ' Z', '+1', '-5:30', ' +24:00', '-00:00'))
        texts.append(s)
    return texts


DOCUMENTS = [
    '', '# nothing\n', '---\n', '---\n...\n', '--- a\n--- b\n', 'a: 1\na: 2\n',
    'a: &x {b: 1, c: [1, 2]}\nd: *x\ne: {<<: *x, b: 9}\n',
    'a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y], z: 0}\n',
    'e: {z: 0, <<: {z: 1, y: 2}, <<: {y: 3, x: 4}}\n', 'a: {<<: 1}', '{<<: }',
    '{"<<": 1}', '{<<: [1]}', 'a: *b', 'a: &x 1\nb: &x 2\nc: *x\n',
    '{a: 1, b, c: [x, y, ], }', '[[], {}, [{}]]', '{[1]: 2}', '? {a: 1}\n: 2',
    '- &a x\n- *a\n- {*a : 3}\n', '2: a\n1.5: b\nyes: c\n~: d\n2020-01-01: e',
    '{=: 1}', '- =', 'a: |\n  x\n  y\n', 'a: >-\n  x\n  y\n',
    'a: "x\\ty\\u00e9"',
    "a: 'it''s'", 'a: !!seq [1]', 'a: !!map {b: 1}', 'a: !!set {b, c}',
    'a: !!str [1]', '!!map [1]', 'a: b: c', '\ta: 1',
    'a: [1, 2', '%YAML 1.1\n---\na: 1\n', 'a: \u00e9\u4e2d\U0001f600\u200b\n',
    'k: {u: [1.0, 1, "1", true, null, 1e-5, 1.0e-5, 2024-01-02]}\n',
    '- 2001-12-14t21:59:43.10-05:00\n- 2001-12-14 21:59:00\n',
    '- 2001-12-14 1:02:30\n- 2001-12-14 1:2:30\n',
    '- [2001-12-15T02:59:43.1Z, {a: 2001-01-01}]',
    'a: &a [&b 1, *b]\nb: *a\n', 'x: -1\ny: - 1\n', 'a:1', '{a:1}', '{"a":1}',
    '&a [*a]', 'x: ~\ny:\nz: ""\n', '{a:[1],b:{c:2},d:,e:}', '[a:[1], b:]',
    'a: 1 # c\nb: "#"\n',
    '- "\\x41\\U0001F600\\N\\_"\n- \'\\n\'\n', '\ufeffa: 1\n', 'a: "\\0"\n',
]


def random_yaml(level):
    kind = rng.randrange(8 if level < 3 else 5)
    if kind < 5:
        return rng.choice(SCALARS + ['"a b"', "'1'", 'x', '*a', '!!str 1'])
    if kind == 5:
        return '[' + ', '.join(random_yaml(level + 1)
                               for _ in range(rng.randrange(4))) + ']'
    return '{' + ', '.join(
        rng.choice(['a', 'b', '<<', '2', 'yes', 'z', '1.5']) + ': ' +
        random_yaml(level + 1) for _ in range(rng.randrange(5))) + '}'


def load_yaml(text):
    v = yaml.safe_load(text)
    if text == '&a [*a]':
        raise Other
    return v


def literals():
    texts = list(SCALARS)
    texts += '''None True False true none 0 00 01 1_0 1__0 _1 1_ 0x_f 0xF 0o17
0O7 0b1 0b 1j 1e5 1e-3 1E+05 1e .5 5. . -1 +1 --1 -True - 1 1.5j () (1) (1,) []
[1,] [1,,] [,] {} {,} {1} {1:2}
{'a':1} {'a':1,} {'a':(1,)} 1,2 1, , (1,2) [1 [1)
'x' "x" 'it\\'s' r'\\n' '\\n' '\\x41' '\\u00e9' '\\101' '\\q' b'x' u'x' f'x'
ur'x' 'a''b' "a"'b' \'\'\'x\'\'\' """a"b""" '' "" 'x
[[[]]] [1,2]3 1_000.5_5 1.e5
0_0 0e0 00.5 0777.5 1if 1or2 Nonex [None,True] '\\N{DASH}' '\\0' '\\ud800'
[1][0] a.b (1) ((1),) (()) 1+2 1-2j [*[1]] {**{}} lambda:0 ...
set() 1.0.0'''.split()
    texts += [' 1', '1 ', '\t1', "'a' 'b'", '[1, 2]',
              '{"a": [1, {"b": None}]}',
              '1 # c', '[1, # c\n 2]', "('a'\n'b')", '- 1', '"a\nb"',
              "'a\\\nb'", '1\n', '1 2', '', ' ', '"é中😀"', "'\\xe9\\u200b'",
              '(1, 2)', '1, 2', '{"b": 1, "a": 2, "b": 3}', "{'a' 'b': 1}",
              '[' * 90 + ']' * 90, '9' * 400, '1e999', '-1e999',
              '(\n1\n)', '[\n]', '"\\U0001F600"', "'\\U00110000'", 'r"\\""',
              "r'\\'", '9' * 4300, '1 \\\n', '#', '1;', '1 ,2']
    if hasattr(sys, 'get_int_max_str_digits'):
        texts.append('9' * 4301)
    texts += words(['01_.eE+-xobj', '[](){},1 ', "'\"\\xrun1 ", '[]1,\'a:{}',
                    '0123456789', '[1, ]'], 30000 * times, 9)

    def known(char):
        # What later versions of Unicode added is printable for some Pythons.
        return unicodedata.ucd_3_2_0.category(char) != 'Cn'

    def random_literal(level):
        kind = rng.randrange(12 if level < 3 else 8)
        if kind < 3:
            return rng.choice(texts)
        if kind == 3:
            return repr(''.join(filter(known, (chr(rng.choice((
                rng.randrange(1, 128), rng.randrange(1, 0x3000), 39, 34, 92,
                rng.randrange(0xe000, 0x110000))))
                for _ in range(rng.randrange(8))))))
        if kind == 4:
            return repr(rng.randrange(-10 ** 25, 10 ** 25))
        if kind < 8:
            return rng.choice('1 1.5 None True "k" 1e-5 -3'.split())
        inner = [random_literal(level + 1) for _ in range(rng.randrange(4))]
        if kind == 8:
            return '[' + ', '.join(inner) + ']'
        if kind == 9:
            return '(' + ', '.join(inner) + ')'
        return '{' + ', '.join(f'"k{rng.randrange(9)}{n}": {i}'
                               for n, i in enumerate(inner)) + '}'

    texts += [random_literal(0) for _ in range(10000 * times)]
    # What literal_eval says of a line that begins behind another is moot.
    return [t for t in texts if not t.lstrip(' \t').startswith(('\n', '#'))]


def literal_eval(text):
    v = ast.literal_eval(text)
    if depth(text) > 95:
        raise RecursionError
    return v


# --- deduplication: params.py of wandb/sweeps --------------------------------

def wandb_hash(v):
    if isinstance(v, float) and v.is_integer():
        v = int(v)
    return yaml.dump(v, default_flow_style=True, sort_keys=True)


def deduplication():
    pool = ['1', '1.0', 'true', '"1"', '"true"', '-0.0', '0', '0.0', 'null',
            '"null"', '.nan', '".nan"', '.inf', '1.0e+300', '"1.0"', '10',
            '1e3', '1000.0', '1000', '2024-01-02', '"2024-01-02"', 'x', '[]',
            '{}',
            '9007199254740993', '9007199254740992.0', '1.0e+22', '""',
            '10000000000000000000000', '0.1', '0.10000000000000001', '-.nan']

    def one(level):
        kind = rng.randrange(6 if level < 2 else 4)
        if kind < 4:
            return rng.choice(pool)
        if kind == 4:
            inner = [one(level + 1) for _ in range(rng.randrange(3))]
            return f'[{", ".join(inner)}]'
        keys = rng.sample('abc', rng.randrange(3))
        return '{' + ', '.join(f'{k}: {one(level + 1)}' for k in keys) + '}'

    texts = list(dict.fromkeys(pool + [one(0) for _ in range(4000 * times)]))
    theirs = {}
    of_ours = {}
    wrong = []
    for text, answer in zip(texts, ask(b'y', [t.encode() for t in texts])):
        canon = answer.split('\t')[3]
        hashed = wandb_hash(yaml.safe_load(text))
        if theirs.setdefault(hashed, canon) != canon or \
                of_ours.setdefault(canon, hashed) != hashed:
            wrong.append((text, hashed, canon))
    report(f'deduplication, {len(theirs)} different values', len(texts), wrong)


# --- commands, as wandb/sdk/launch/sweeps/utils.py makes them ----------------

def wandb_command(spec, environ):
    params = dict(sorted(spec.get('params', {}).items()))
    command = [str(c) for c in spec.get('command') or
               ['${env}', '${interpreter}', '${program}', '${args}']]
    command = [re.sub(r'\$\{envvar:([A-Z0-9_]*)\}',
                      lambda m: environ.get(m.group(1), m.group(1)), c)
               for c in command]
    flag = {k: f'{k}={v}' for k, v in params.items()}
    known = {
        'env': ['/usr/bin/env'],
        'interpreter': ['python'],
        'program': [spec['program']],
        'args': ['--' + f for f in flag.values()],
        'args_no_hyphens': list(flag.values()),
        'args_no_equals': [w for k, v in params.items()
                           for w in (f'--{k}', str(v))],
        'args_append_hydra': ['+' + f for f in flag.values()],
        'args_override_hydra': ['++' + f for f in flag.values()],
        'args_no_boolean_flags': [
            '--' + (k if v is True else flag[k])
            for k, v in params.items() if v is not False],
        'args_json': [json.dumps(params, default=str)],
        'args_json_file': [spec['json_path']],
    }
    out = []
    for c in command:
        if c.startswith('${') and c.endswith('}'):
            out += known.get(c[2:-1], [])
        else:
            out.append(c)
    return out


def random_value(level):
    kind = rng.randrange(9 if level < 2 else 7)
    if kind == 7:
        return [random_value(level + 1) for _ in range(rng.randrange(3))]
    if kind == 8:
        return {rng.choice(string.ascii_letters): random_value(level + 1)
                for _ in range(rng.randrange(3))}
    return (rng.random(), rng.randrange(-99, 10 ** 20), True, False, None,
            rng.choice(['', 'a b', "it's", '"', 'é\t', '1', '${x}', '$(x)']),
            rng.choice([1e-05, 1e16, 3e6, -0.0, math.inf, 0.1 + 0.2]))[kind]


def commands():
    environ = {'PATH': os.environ['PATH'], 'A': 'x', 'B_1': '${args}',
               'E': '', 'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '')}
    macros = ['${%s}' % m for m in (
        'env interpreter program args args_no_equals args_no_hyphens '
        'args_no_boolean_flags args_json args_json_file args_append_hydra '
        'args_override_hydra foo envvar:A envvar:B_1 envvar:E envvar:NONE '
        'envvar:a envvar:').split()]
    specs = []
    for _ in range(3000 * times):
        spec = {'program': 'train.py', 'json_path': '/x/y.json',
                'strict': True, 'command': [], 'params': {
                    rng.choice(('lr', 'opt', 'a.b', 'Z', '_x', 'é')):
                    random_value(0) for _ in range(rng.randrange(5))}}
        for _ in range(rng.randrange(6)):
            spec['command'].append(rng.choice(
                macros + [1, 1.5, True, 'x y', '-' + rng.choice(macros),
                          rng.choice(macros) + rng.choice(macros), '${', '}']))
        specs.append(spec)
    texts = [yaml.safe_dump(s, allow_unicode=True, sort_keys=False)
             for s in specs]
    wrong = []
    for spec, answer in zip(specs, ask(b'c', [t.encode() for t in texts],
                                       environ)):
        argv = wandb_command(spec, environ)
        want = 'ok\t' + json.dumps(argv)
        if answer != want and (argv or not answer.startswith('error')):
            wrong.append((spec, want, answer))
    report('commands', len(specs), wrong)


floats()
compare('plain and tagged scalars', b'y', scalars(), load_yaml, False)
compare('documents', b'y', DOCUMENTS +
        ['[&a x, ' + random_yaml(0) + ']' for _ in range(8000 * times)],
        load_yaml, False)
compare('literals', b'l', literals(), literal_eval, True)
deduplication()
commands()
sys.exit(failed)
