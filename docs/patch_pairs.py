#!/usr/bin/env python3
"""Pairs for `calm inspect patch` of the statements of a demo's seed: of the same kind, language and length, up to two different answers.

Usage: patch_pairs.py SEED_FOLDER OUTPUT.jsonl [COUNT]    the program is $CALM, or calm
"""
import collections, json, os, random, shlex, subprocess, sys, tempfile

END = 1  # </s> of the demo's tokenizer


def main(folder, output, count=48):
    with tempfile.TemporaryDirectory() as work:
        lines = [json.loads(line) for line in open(f'{folder}/world/statements.jsonl', encoding='utf-8')]
        with open(f'{work}/texts.jsonl', 'w', encoding='utf-8') as out:
            out.writelines(json.dumps({'id': line['id'], 'text': line['prompt'] + ' ' + line['completion']}) + '\n' for line in lines)
        subprocess.run([*shlex.split(os.environ.get('CALM', 'calm')), 'tokenize', '--model', f'{folder}/base', '--input', f'{work}/texts.jsonl',
                        '--output', f'{work}/tokens.jsonl', '--quiet'], check=True, stdout=subprocess.DEVNULL)
        kinds = collections.defaultdict(list)
        for line, tokens in zip(lines, open(f'{work}/tokens.jsonl', encoding='utf-8')):
            ids = json.loads(tokens)['input_ids']
            answer = -3 if ids[-1] == END else -2  # before the full stop
            kinds[line['language'], line['id'].split('-')[0], len(ids)].append((line['id'], ids[:answer], ids[answer]))
    draw, pairs = random.Random(1), []
    for _, kind in sorted(kinds.items()):
        draw.shuffle(kind)
        pairs += [{'id': f'{a[0]}/{b[0]}', 'clean_input_ids': a[1], 'corrupted_input_ids': b[1], 'answer': a[2], 'wrong': b[2]}
                  for a, b in zip(kind[::2], kind[1::2]) if a[2] != b[2]]
    draw.shuffle(pairs)
    with open(output, 'w', encoding='utf-8') as out:
        out.writelines(json.dumps(pair) + '\n' for pair in pairs[:int(count)])


main(*sys.argv[1:])
