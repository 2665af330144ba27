#!/usr/bin/env python3
"""Does steering send the demo's model to a language that knows the answer? (docs/inside.md)

Usage: steering.py OUTPUT SEED_FOLDER...    folders of a finished `calm demo --seeds ...`;
                                            the program is $CALM, or calm

A vector is made of half of the trained facts; the layer and the scale at which it gives most
right answers are chosen on questions of the other half; what is told is of held-out questions.
Languages that the others may ask, English and German, are steered nowhere.
"""
import collections
import json
import math
import os
import random
import re
import shlex
import subprocess
import sys

CALM = shlex.split(os.environ.get('CALM', 'calm'))
ASKED = ('en', 'de')
LAYERS = (0, 1, 2)
SCALES = (0.5, 1, 2, 4)
CHOSEN_BY = 480  # questions
CONTROLS = ('control-1', 'control-2', 'control-3')
T975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}  # Student's t by degrees of freedom

Answer = collections.namedtuple('Answer', 'right way none')  # 0 or 1 each


def calm(*arguments):
    done = subprocess.run([*CALM, *map(str, arguments), '--quiet'], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def read(path):
    with open(path, encoding='utf-8') as lines:
        return [json.loads(line) for line in lines]


def write(path, lines):
    with open(path, 'w', encoding='utf-8') as out:
        out.writelines(json.dumps(line, ensure_ascii=False) + '\n' for line in lines)
    return path


def is_right(question):
    return question['responses'][0]['answer'] == question['answer']


def asks_another(question, text=None):
    """Whether a response says something in another language first: `fr ... = en ...`."""
    text = question['responses'][0]['text'] if text is None else text
    start = r'%s \S.* = (%s) ' % (question['language'], '|'.join(ASKED))
    return re.match(start, text) is not None


def balanced(questions, kind, draw):
    """As many of both kinds in each language, so that the vector is not one of languages."""
    found = collections.defaultdict(lambda: ([], []))
    for question in questions:
        found[question['language']][kind(question)].append(question)
    for no, yes in found.values():
        fewer = min(len(no), len(yes))
        yield from draw.sample(no, fewer) + draw.sample(yes, fewer)


class Seed:
    def __init__(self, folder, output):
        self.base, self.output = f'{folder}/base', output
        os.makedirs(output, exist_ok=True)
        trained = read(f'{folder}/eval-before/responses.jsonl')
        draw = random.Random(1)
        facts = sorted({question['group'] for question in trained})
        chosen = set(draw.sample(facts, len(facts) // 2))
        self.made_of = [q for q in trained if q['group'] not in chosen]
        others = [q for q in trained if q['group'] in chosen and q['language'] not in ASKED]
        self.chosen_by = draw.sample(others, min(CHOSEN_BY, len(others)))
        self.held_out, self.aligned = (
            [q for q in read(f'{folder}/held-out-{when}/responses.jsonl')
             if q['language'] not in ASKED] for when in ('before', 'after'))
        self.norms = {}

    def make(self, name, questions, kind, tokens):
        """A vector for each layer: the mean of one kind's texts less that of the other's."""
        texts = write(f'{self.output}/{name}.jsonl', (
            {'id': i, 'prompt': question['prompt'], 'kind': 'yes' if kind(question) else 'no'}
            for i, question in enumerate(questions)))
        for layer in LAYERS:
            made = calm('inspect', 'steer', '--model', self.base, '--input', texts,
                        '--by', 'kind', '--from', 'no', '--to', 'yes', '--tokens', tokens,
                        '--at', f'blocks.{layer}.hook_resid_post', '--json',
                        '--output', self.vector(name, layer))
            self.norms[name, layer] = json.loads(made)['vectors'][0]['norm']

    def vector(self, name, layer):
        return f'{self.output}/{name}-{layer}.safetensors'

    def make_all(self):
        draw = random.Random(2)
        own = [q for q in self.made_of if q['language'] not in ASKED]
        for name, kind in (('right', is_right), ('way', asks_another)):
            self.make(name, list(balanced(own, kind, draw)), kind, 'last')
        for name in CONTROLS:
            heads = {id(question) for question in own if draw.random() < 0.5}
            kind = lambda question: id(question) in heads
            self.make(name, list(balanced(own, kind, draw)), kind, 'last')
        not_german = [q for q in self.made_of if q['language'] != 'de']
        self.make('english', not_german, lambda q: q['language'] == 'en', 'mean')

    def answers(self, questions, *steered):
        """Of each (name, layer, scale), None for no steering: an Answer to each question."""
        prompts = write(f'{self.output}/prompts.jsonl', (
            {'id': i, 'prompt': question['prompt']} for i, question in enumerate(questions)))
        samples = []
        for by in steered:
            steer = ['--steer', self.vector(*by[:2]), '--steer-scale', by[2]] if by else []
            calm('generate', '--model', self.base, '--input', prompts, '--temperature', 0,
                 '--max-new-tokens', 40, '--output', f'{self.output}/texts.jsonl', *steer)
            samples += (
                dict(question, id=f'{by} {question["id"]}',
                     responses=[dict(line['completions'][0], logprob=0, num_tokens=1)])
                for question, line in zip(questions, read(f'{self.output}/texts.jsonl')))
        calm('vote', '--extract-only', '--samples', write(f'{self.output}/samples.jsonl', samples),
             '--output', f'{self.output}/extracted.jsonl')
        answers, n = list(map(answer, read(f'{self.output}/extracted.jsonl'))), len(questions)
        return [answers[i:i + n] for i in range(0, len(answers), n)]


def answer(question):
    none = question['responses'][0]['answer'] is None
    return Answer(is_right(question), asks_another(question), none)


def share(answers, figure='right'):
    return sum(getattr(each, figure) for each in answers) / len(answers)


def interval(questions, before, after, draws=2000):
    """95 % of the difference of right answers, by a paired bootstrap over facts."""
    by_fact = collections.defaultdict(list)
    for question, one, other in zip(questions, before, after):
        by_fact[question['group']].append(other.right - one.right)
    facts, draw = list(by_fact.values()), random.Random(3)
    means = []
    for _ in range(draws):
        some = draw.choices(facts, k=len(facts))
        means.append(sum(map(sum, some)) / sum(map(len, some)))
    means.sort()
    return '%+.1f to %+.1f' % (100 * means[draws // 40], 100 * means[-draws // 40 - 1])


def study(seed, over):
    """One seed; adds to each row of `over` its figures."""
    def row(kind, answers, controls=None):
        control = sum(map(share, controls)) / len(controls) if controls else math.nan
        over[kind].append((share(answers), share(answers, 'way'), share(answers, 'none'),
                           share(answers) - share(plain), share(answers) - control))
        print(f'  {kind}: right {100 * share(answers):.1f} ({interval(test, plain, answers)} '
              f'against none), asked another {100 * share(answers, "way"):.1f}, '
              f'no answer {100 * share(answers, "none"):.1f}; control {100 * control:.1f}')

    seed.make_all()
    test = seed.held_out
    plain, = seed.answers(test, None)
    start, = seed.answers(seed.chosen_by, None)
    print(f'{seed.output}: {len(test)} held-out questions; '
          f'{100 * share(start):.1f} % of {len(start)} trained ones right without steering')
    row('none', plain)
    row('calm', list(map(answer, seed.aligned)))
    for name in ('right', 'way', 'english'):
        places = [(name, layer, scale) for layer in LAYERS for scale in SCALES]
        tried = dict(zip(places, seed.answers(seed.chosen_by, *places)))
        print(f'  {name}, of trained ones right, asked another (layer x scale):', ', '.join(
            f'{layer}x{scale} {100 * share(got):.1f} {100 * share(got, "way"):.1f}'
            for (_, layer, scale), got in tried.items()))
        best = _, layer, scale = max(tried, key=lambda at: share(tried[at]))
        # As long, in directions that mean nothing.
        length = scale * seed.norms[name, layer]
        controls = [(c, layer, length / seed.norms[c, layer]) for c in CONTROLS]
        steered, *controls = seed.answers(test, best, *controls)
        print(f'  {name} after block {layer}, {scale} times, of length {length:.2f}')
        row(name, steered, controls)
        sys.stdout.flush()


def cell(values, interval):
    """Mean and deviation over seeds, in %, and the 95 % interval of the mean."""
    mean, n = sum(values) / len(values), len(values)
    if math.isnan(mean):
        return ''
    if n < 2:
        return '%.1f' % (100 * mean)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    text = '%.1f ± %.1f' % (100 * mean, 100 * deviation)
    reach = T975[n - 1] * deviation / math.sqrt(n)
    return text + (' (%.1f to %.1f)' % (100 * (mean - reach), 100 * (mean + reach)) if interval else '')


def main(output, *folders):
    over = collections.defaultdict(list)
    for number, folder in enumerate(folders, 1):
        study(Seed(folder, f'{output}/{number}'), over)
    print('\n| | right | asked another | no answer | against none | against control |')
    print('|---|---|---|---|---|---|')
    for kind, rows in over.items():
        cells = [cell(values, i > 2) for i, values in enumerate(zip(*rows))]
        print(f'| {kind} |', ' | '.join(cells), '|')


if len(sys.argv) < 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
