#!/usr/bin/env python3
"""Learns a byte-pair encoding: the program of the sweeps beside it.

A small, real piece of work in plain Python, with what a cell of a sweep
should do: it writes into its own directory alone (RELAY_RUN_DIR, else here),
goes on from its checkpoint when it is started again, and leaves a
summary.json as proof.
"""

import argparse
import ast
import collections
import json
import os
import random

WORDS = ("the a of to in we you run cell claim sweep train model state step "
         "learn rate queue worker cluster resume handoff checkpoint").split()


def corpus(kib, seed):
    rng = random.Random(seed)
    text = bytearray()
    while len(text) < kib * 1024:
        word = WORDS[int(len(WORDS) * rng.random() ** 2)]
        text += (word + ("s " if rng.random() < 0.2 else " ")).encode()
    return bytes(text)


def merge(tokens, pair):
    """tokens with every occurrence of pair made one."""
    out, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i:i + 2]) == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def best_pair(tokens, max_length):
    counts = collections.Counter(zip(tokens, tokens[1:]))
    fitting = [(n, pair) for pair, n in counts.items()
               if len(pair[0]) + len(pair[1]) <= max_length and n > 1]
    return max(fitting)[1] if fitting else None


def write_json(path, content):
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".tmp", path)


def train(args, directory):
    checkpoint = os.path.join(directory, "merges.json")
    tokens = [bytes([b]) for b in corpus(args.corpus_kib, args.seed)]
    size = len(tokens)
    begun, pairs = 0, []
    if os.path.exists(checkpoint):
        with open(checkpoint, encoding="utf-8") as file:
            saved = json.load(file)
        begun = saved["epoch"]
        pairs = [tuple(bytes.fromhex(t) for t in p) for p in saved["merges"]]
        print(f"Resuming from epoch {begun}", flush=True)
    for pair in pairs:
        tokens = merge(tokens, pair)
    for epoch in range(begun + 1, args.epochs + 1):
        for _ in range(args.merges):
            pair = best_pair(tokens, args.max_length)
            if pair is None:
                break
            pairs.append(pair)
            tokens = merge(tokens, pair)
        write_json(checkpoint, {"epoch": epoch, "merges": [
            [t.hex() for t in pair] for pair in pairs]})
        if args.log:
            print(f"epoch {epoch}/{args.epochs}: "
                  f"{size / len(tokens):.3f} bytes a token", flush=True)
    return {"ok": True, "merges": len(pairs),
            "bytes_per_token": size / len(tokens)}


def parse_arguments():
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--config", metavar="FILE",
                       help="JSON with other defaults")
    known, rest = first.parse_known_args()
    parser = argparse.ArgumentParser(parents=[first], description=__doc__)
    add = parser.add_argument
    add("--merges", type=int, default=4, help="in an epoch")
    add("--max-length", "--max_length", type=int, default=5,
        help="bytes of the longest token")
    add("--epochs", type=int, default=5)
    add("--corpus-kib", "--corpus_kib", type=int, default=8)
    add("--seed", type=int, default=1)
    add("--log", type=ast.literal_eval, default=True, metavar="True|False")
    if known.config:
        with open(known.config, encoding="utf-8") as file:
            parser.set_defaults(**json.load(file))
    return parser.parse_args(rest)


def main():
    args = parse_arguments()
    directory = os.environ.get("RELAY_RUN_DIR", ".")
    os.makedirs(directory, exist_ok=True)
    summary = train(args, directory)
    write_json(os.path.join(directory, "summary.json"), summary)
    print(f"done: {summary['bytes_per_token']:.3f} bytes a token")


if __name__ == "__main__":
    main()
