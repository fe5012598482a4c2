#!/usr/bin/env python3
"""Are the cells of random sweep files those that W&B's rules give?

usage: sweeps_agree.py PROBE [SEED [TIMES]]

A second implementation of W&B's grid, on PyYAML and itertools alone, is
compared with expand_probe. Prints "ok - NAME (N)" or "not ok - NAME" and what
differs; "skip - WHY" without PyYAML.
"""
import hashlib
import itertools
import json
import math
import random
import re
import subprocess
import sys

try:
    import yaml
except ImportError:
    print('skip - python3-yaml is not installed')
    sys.exit(0)

probe = sys.argv[1]
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
times = int(sys.argv[3]) if len(sys.argv) > 3 else 1
MOST = 3000  # cells of a file
failed = 0


def ask(texts):
    lines = b''.join(t.encode().hex().encode() + b'\n' for t in texts)
    done = subprocess.run([probe], input=lines, stdout=subprocess.PIPE,
                          check=True)
    answers = done.stdout.decode().split('\n')[:-1]
    assert len(answers) == len(texts), (len(answers), len(texts))
    return answers


class Refused(Exception):
    """W&B takes the file for wrong."""


# --- the schema of a parameter ------------------------------------------------

def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def at_least_0(v):
    return is_number(v) and v >= 0


def above_0(v):
    return is_number(v) and v > 0


def is_list(v):
    return isinstance(v, list) and len(v) > 0


def is_weights(v):
    return is_list(v) and all(at_least_0(p) for p in v)


def kind(name, named, required, optional=None):
    return name, named, required, optional or {}


NUMBERS = {'min': is_number, 'max': is_number}
POSITIVE = {'min': above_0, 'max': is_number}
NORMAL = {'mu': is_number, 'sigma': at_least_0}
BETA = {'a': at_least_0, 'b': at_least_0}
Q = {'q': above_0}
KINDS = [
    kind('q_beta', True, {}, {**BETA, **Q}),
    kind('beta', True, {}, BETA),
    kind('categorical', False, {'values': is_list}),
    kind('categorical_w_probabilities', False,
         {'values': is_list, 'probabilities': is_weights}),
    kind('int_uniform', False, {'min': is_int, 'max': is_int}),
    kind('uniform', False, NUMBERS),
    kind('log_normal', True, {}, NORMAL),
    kind('log_uniform', True, NUMBERS),
    kind('inv_log_uniform', True, NUMBERS),
    kind('normal', True, {}, NORMAL),
    kind('q_log_normal', True, {}, {**NORMAL, **Q}),
    kind('q_log_uniform', True, NUMBERS, Q),
    kind('q_normal', True, {}, {**NORMAL, **Q}),
    kind('q_uniform', True, NUMBERS, Q),
    kind('constant', False, {'value': lambda v: True}),
    kind('inv_log_uniform_values', True, POSITIVE),
    kind('log_uniform_values', True, POSITIVE),
    kind('q_log_uniform_values', True, POSITIVE, Q),
]


def fits(param, name, named, required, optional):
    given = {**param}
    if 'distribution' in given:
        if given.pop('distribution') != name:
            return False
        named = False
    elif name == 'uniform' and not any(
            isinstance(param.get(k), float) for k in ('min', 'max')):
        return False
    known = {**required, **optional}
    return not named and all(k in given for k in required) and all(
        k in known and known[k](v) for k, v in given.items())


def kind_of(param):
    for one in KINDS:
        if fits(param, *one):
            break
    else:
        raise Refused('no kind')
    if 'min' in param and not param['min'] < param['max']:
        raise Refused('min')
    if one[0] == 'categorical_w_probabilities':
        weights = param['probabilities']
        if len(weights) != len(param['values']) or \
                not abs(sum(weights) - 1) <= 1e-8 + 1e-5:
            raise Refused('probabilities')
    return one[0]


# --- the grid -----------------------------------------------------------------

def arange(low, high, q):
    count = math.ceil((high - low) / q)
    if all(isinstance(v, int) for v in (low, high, q)):
        return [low + i * q for i in range(count)]
    low, q = float(low), float(q)
    return [low + i * ((low + q) - low) for i in range(count)]


def leaves_of(params, path=()):
    for key in sorted(params):
        param = params[key]
        if not isinstance(param, dict):
            raise Refused('a plain value')
        if set(param) == {'parameters'} and \
                isinstance(param['parameters'], dict) and param['parameters']:
            yield from leaves_of(param['parameters'], path + (key,))
            continue
        what = kind_of(param)
        if what == 'constant':
            yield path + (key,), what, [param['value']]
        elif what == 'categorical':
            yield path + (key,), what, param['values']
        elif what == 'int_uniform':
            yield path + (key,), what, list(range(param['min'],
                                                  param['max'] + 1))
        elif what == 'q_uniform':
            yield path + (key,), what, arange(param['min'], param['max'],
                                              param.get('q', 1.0))
        else:
            raise Refused('disallowed type')


hashes = {}


def hashed(v):
    if isinstance(v, float) and v.is_integer():
        v = int(v)
    if repr(v) not in hashes:
        text = yaml.dump(v, default_flow_style=True, sort_keys=True)
        hashes[repr(v)] = hashlib.md5(text.encode()).hexdigest()
    return hashes[repr(v)]


def renest(pairs):
    out = {}
    for path, v in pairs:
        inner = out
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = v
    return out


def grid(sweep, zips=()):
    """The cells as lists of (path, value), of a file without conditions."""
    leaves = list(leaves_of(sweep['parameters']))
    names = ['.'.join(path) for path, _, _ in leaves]
    axes = []  # (leaves, tuples of their values)
    for i, (_, what, values) in enumerate(leaves):
        mates = next((z for z in zips if names[i] in z), [names[i]])
        group = sorted(names.index(m) for m in mates)
        if what != 'constant' and group[0] == i:
            axes.append((group, list(zip(*(leaves[g][2] for g in group)))))
    lookups = [{tuple(hashed(v) for v in t): t for t in tuples}
               for _, tuples in axes]
    seen = set()
    for chosen in itertools.product(*(
            [tuple(hashed(v) for v in t) for t in tuples]
            for _, tuples in axes)):
        if chosen in seen:
            continue
        seen.add(chosen)
        values = {i: leaf[2][0] for i, leaf in enumerate(leaves)}
        for (group, _), lookup, key in zip(axes, lookups, chosen):
            values.update(zip(group, lookup[key]))
        yield [(leaf[0], values[i]) for i, leaf in enumerate(leaves)]


def conditioned(cells, whens):
    """Without the parameters whose condition does not hold, each once."""
    seen = set()
    for cell in cells:
        there = {'.'.join(path): v for path, v in cell}
        while True:
            gone = [name for name in there for param, other, equal, want
                    in whens if (name + '.').startswith(param + '.') and
                    (other not in there or
                     (hashed(there[other]) == hashed(want)) != equal)]
            if not gone:
                break
            for name in gone:
                there.pop(name, None)
        kept = [(p, v) for p, v in cell if '.'.join(p) in there]
        key = tuple((p, hashed(v)) for p, v in kept)
        if key not in seen:
            seen.add(key)
            yield kept


# --- random files -------------------------------------------------------------

KEYS = ['a', 'b', 'lr', 'Z', '_x', 'opt', 'opt2', 'n-1', 'A', 'z']
VALUES = [1, 1.0, '1', True, 2, 0.1, 1e-5, 'x', 'y z', '', None, False, 3.0,
          -0.0, 0, 'é', [1, 2], [1.0, 2], {'k': 1}, {'k': 1.0}, '1e-4', 1e16,
          10 ** 16, 'true', 'null', math.inf, [], {}]


def random_values(most=4):
    return [rng.choice(VALUES) for _ in range(rng.randrange(1, most + 1))]


def random_leaf():
    which = rng.randrange(10)
    if which < 5:
        return {'values': random_values()}
    if which < 7:
        return {'value': rng.choice(VALUES)}
    if which == 7:
        low = rng.randrange(-5, 5)
        return {'min': low, 'max': low + rng.randrange(1, 4)}
    low = rng.choice([0, 1, -2, 0.5, 0.1, -0.3])
    step = rng.choice([0.1, 0.25, 1, 2, 0.3, 0.7])
    leaf = {'distribution': 'q_uniform', 'min': low, 'q': step,
            'max': low + step * rng.choice([1, 2, 3, 2.5])}
    if rng.randrange(4) == 0 and step == 1:
        del leaf['q']
    return leaf


def random_params(level=0):
    params = {}
    for key in rng.sample(KEYS, rng.randrange(1, 5)):
        if level < 3 and rng.randrange(4) == 0:
            params[key] = {'parameters': random_params(level + 1)}
        else:
            params[key] = random_leaf()
    return params


def random_grids(count):
    while count > 0:
        sweep = {'method': 'grid', 'parameters': random_params()}
        size = 1
        for _, _, values in leaves_of(sweep['parameters']):
            size *= len(values)
        if size <= MOST:
            count -= 1
            yield sweep


def dump(sweep):
    return yaml.safe_dump(sweep, sort_keys=rng.randrange(2) == 0,
                          default_flow_style=rng.choice([None, False, True]),
                          allow_unicode=rng.randrange(2) == 0)


def report(name, count, wrong):
    global failed
    if not wrong:
        print(f'ok - {name} ({count})')
        return
    failed = 1
    print(f'not ok - {name}: {len(wrong)} of {count}')
    for text, want, got in wrong[:4]:
        print(f'{text}\n    python {want[:2000]}\n    ours   {got[:2000]}')


def compare(name, pairs):
    """pairs: of a text and its cells."""
    wrong = []
    for (text, cells), answer in zip(pairs, ask([p[0] for p in pairs])):
        want = json.dumps([renest(c) for c in cells])
        got = answer.split('\t')
        if got[0] != 'ok' or got[1] != want:
            wrong.append((text, want, answer))
    report(name, len(pairs), wrong)


def grids():
    pairs = []
    for sweep in random_grids(600 * times):
        text = dump(sweep)
        pairs.append((text, list(grid(yaml.safe_load(text)))))
    compare('grids', pairs)


def random_extensions(sweep):
    """#RELAY lines for a grid: the lines, its zips and its conditions."""
    leaves = [('.'.join(p), len(v)) for p, what, v
              in leaves_of(sweep['parameters']) if what != 'constant']
    names = ['.'.join(p) for p, _, _ in leaves_of(sweep['parameters'])]
    lines, zips, whens = [], [], []
    for length in {n for _, n in leaves}:
        mates = [name for name, n in leaves if n == length]
        if len(mates) > 1 and rng.randrange(2):
            rng.shuffle(mates)
            mates = mates[:rng.randrange(2, len(mates) + 1)]
            zips.append(mates)
            lines.append('#RELAY zip ' + ','.join(mates))
    for _ in range(rng.randrange(3)):
        param, other = rng.choice(names), rng.choice(names)
        if rng.randrange(3) == 0:
            param = param.rpartition('.')[0] or param
        # Only on what comes before: no circles.
        if not other < param or (other + '.').startswith(param + '.'):
            continue
        equal = rng.randrange(3) > 0
        want = rng.choice([v for p, _, vs in leaves_of(sweep['parameters'])
                           for v in vs if '.'.join(p) == other])
        if isinstance(want, float) and not math.isfinite(want):
            continue
        whens.append((param, other, equal, want))
        lines.append(f'#RELAY when {param}: {other} '
                     f'{"==" if equal else "!="} {want!r}')
    return lines, zips, whens


def extensions():
    pairs = []
    for sweep in random_grids(1500 * times):
        text = dump(sweep)
        sweep = yaml.safe_load(text)
        lines, zips, whens = random_extensions(sweep)
        if not lines:
            continue
        cells = list(conditioned(grid(sweep, zips), whens))
        pairs.append(('\n'.join(lines) + '\n' + text, cells))
    compare('zips and conditions', pairs)


def random_param():
    """A parameter that is often wrong."""
    numbers = [1, 2, 1.0, 0.5, 1.5, 3, 4.0, 0, -1, -1.5]
    odd = numbers + [True, '1', 'x', None, 1e-5]
    name, named, required, optional = rng.choice(KINDS)
    choice = {'values': lambda: rng.choice([random_values(), [1, 2], [1, 2]]),
              'probabilities': lambda: rng.choice(
                  [[0.5, 0.5], [0.25, 0.75], [0.3, 0.3], [-1, 2], [1], [0.1]]),
              'value': lambda: rng.choice(VALUES),
              'min': lambda: rng.choice(numbers[:5]),
              'max': lambda: rng.choice(numbers)}
    param = {key: choice.get(key, lambda: rng.choice(numbers))()
             for key in [*required, *(k for k in optional if rng.randrange(2))]}
    if named or rng.randrange(2):
        param['distribution'] = name
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
        key = rng.choice((
            'min', 'max', 'q', 'mu', 'sigma', 'a', 'b', 'values', 'value',
            'probabilities', 'distribution', 'desc', 'parameters'))
        if key in param and rng.randrange(2):
            del param[key]
        elif key == 'distribution':
            param[key] = rng.choice([k[0] for k in KINDS] + ['gauss', 5])
        else:
            param[key] = rng.choice(odd + [[], [1], {'y': {'value': 1}}])
    return rng.choice([param] * 20 + [5, 'x', [1], None])


def schemas():
    texts, wants = [], []
    for _ in range(6000 * times):
        method = rng.choice(['grid', 'random'])
        text = dump({'method': method, 'run_cap': 1,
                     'parameters': {'p': random_param()}})
        try:
            param = yaml.safe_load(text)['parameters']
            if method == 'grid' or not isinstance(param['p'], dict) or \
                    'parameters' in param['p']:
                list(leaves_of(param))
            else:
                what = kind_of(param['p'])
                if what in ('beta', 'q_beta') and \
                        0 in (param['p'].get('a', 1), param['p'].get('b', 1)):
                    raise Refused('beta')
            want = 'ok'
        except Refused as why:
            want = 'error ' + str(why)
            if 'disallowed' in want:
                want = 'error disallowed type'
        texts.append('#RELAY seed 1\n' + text)
        wants.append(want)
    wrong = []
    place = re.compile(r's:\d+:\d+: ')
    for text, want, answer in zip(texts, wants, ask(texts)):
        got = answer.split('\t')
        if got[0] != want.split()[0] or \
                ('disallowed' in want) != ('a disallowed type' in answer) or \
                (got[0] == 'error' and not place.match(got[1])):
            wrong.append((text, want, answer))
    good = wants.count('ok')
    assert len(wants) / 10 < good < len(wants) * 9 / 10
    report(f'parameters, {good} of them good', len(texts), wrong)


grids()
extensions()
schemas()
sys.exit(failed)
