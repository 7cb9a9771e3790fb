#!/usr/bin/env python3
"""Our tokenizer beside the `tokenizers` package on the same texts: ours, theirs, ours, theirs ..., then medians.

    python3 tools/bench_tokenizer_vs.py [--rounds 5] [--threads 1 2] [--build build] [MODEL FILE.jsonl ...]

For the reader who has the packages tokenizers, numpy, xxhash and, for a .gguf model, gguf; no test does. MODEL is a
folder with tokenizer.json or a .gguf file, FILE.jsonl holds {"text": ...} a line; without them the example inputs.

Every measurement is a fresh process that encodes all texts three times and tells its median; reading the file and
opening the tokenizer are not timed. Theirs runs on one thread (TOKENIZERS_PARALLELISM=false), once text by text and
once by encode_batch of all texts; the faster of the two is quoted. Both sides must find the same ids.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPETITIONS = 3
EXAMPLES = [(model, data) for model in ("models/smollm2.gguf", "models/minilm")
            for data in ("data/legal_train.jsonl", "data/sentiment_train.jsonl")]


def open_tokenizer(model):
    if model.endswith(".gguf"):
        sys.path.insert(0, str(ROOT / "tests/golden/tokenizer"))
        from make_corpus_hashes import gguf_tokenizer
        return gguf_tokenizer(model)
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(pathlib.Path(model) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def theirs(model, path):
    """In a process of its own: prints one JSON line."""
    import time
    tokenizer = open_tokenizer(model)
    with open(path, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines if line.strip()]
    megabytes = sum(len(text.encode()) for text in texts) * 1e-6

    def one_by_one():
        return sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)

    def batch():
        return sum(len(e.ids) for e in tokenizer.encode_batch(texts, add_special_tokens=False))

    import numpy
    import xxhash
    hashes = (xxhash.xxh3_128_intdigest(numpy.asarray(tokenizer.encode(text, add_special_tokens=False).ids, "<u4").tobytes())
              for text in texts)
    result = {"hash": "%016x" % (sum(value & (1 << 64) - 1 for value in hashes) & (1 << 64) - 1)}
    for way in (one_by_one, batch):
        seconds = []
        for _ in range(REPETITIONS):
            begin = time.perf_counter()
            result["ids"] = way()
            seconds.append(time.perf_counter() - begin)
        result[way.__name__] = megabytes / statistics.median(seconds)
    print(json.dumps(result))


def measure(command, **environment):
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\nfailed with code %d:\n%s" % (" ".join(command), done.returncode, done.stderr))
    return json.loads(done.stdout.splitlines()[-1])


def compare(model, path, arguments):
    program = str(pathlib.Path(arguments.build) / "tools/bench_tokenizer")
    rates = {}
    for _ in range(arguments.rounds):
        counts = set()
        for threads in arguments.threads:
            ours = measure([program, model, path, str(threads), str(REPETITIONS)])
            rates.setdefault(threads, []).append(ours["mb_per_s"])
            counts.add((ours["ids"], ours["hash"]))
        other = measure([sys.executable, __file__, "--theirs", model, path], TOKENIZERS_PARALLELISM="false",
                        RAYON_NUM_THREADS="1")
        counts.add((other["ids"], other["hash"]))
        for way in ("one_by_one", "batch"):
            rates.setdefault(way, []).append(other[way])
        if len(counts) != 1:
            sys.exit("%s, %s: the two sides find other ids: %s" % (model, path, counts))
    best = max(("one_by_one", "batch"), key=lambda way: statistics.median(rates[way]))
    print("%s, %s: %d ids, all equal; tokenizers on one thread %.2f MB/s (%s)"
          % (pathlib.Path(model).name, pathlib.Path(path).name, counts.pop()[0], statistics.median(rates[best]), best))
    for threads in arguments.threads:
        ratios = [a / b for a, b in zip(rates[threads], rates[best])]
        print("  ours, %d thread%s: %.2f MB/s, %.2f x (%.2f ... %.2f)"
              % (threads, "s" * (threads > 1), statistics.median(rates[threads]), statistics.median(ratios),
                 min(ratios), max(ratios)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("inputs", nargs="*", metavar="MODEL FILE.jsonl")
    arguments = parser.parse_args()
    if len(arguments.inputs) % 2:
        parser.error("name a FILE.jsonl behind each MODEL")
    if arguments.theirs:
        return theirs(*arguments.inputs)
    pairs = list(zip(arguments.inputs[::2], arguments.inputs[1::2]))
    for model, path in pairs or [(str(ROOT / m), str(ROOT / d)) for m, d in EXAMPLES]:
        compare(model, path, arguments)


if __name__ == "__main__":
    main()
