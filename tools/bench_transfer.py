#!/usr/bin/env python3
"""Mode transfer beside sentence-transformers + scikit-learn on the same texts, cores and machine.

    python3 tools/bench_transfer.py [--rounds 3] [--threads 2] [CONFIG]

Needs the packages sentence-transformers and scikit-learn, for the reader who has them; no test does. The two
sides run alternately, ours first; medians are printed. Ours is the whole wall time of two programs: training with
an empty cache (features of the training texts, the choice of layer, pooling and L2, the head) and evaluate (features
of the test texts). Theirs is the time of encode() on all texts and of one LogisticRegression.fit() on the last
layer, without imports and model loading, and without any choice.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
THEIRS = """
import json, sys, time
import torch
torch.set_num_threads(int(sys.argv[1]))
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
model = SentenceTransformer(sys.argv[2], device="cpu")
model.max_seq_length = int(sys.argv[3])
sets = [[json.loads(line) for line in open(path, encoding="utf-8")] for path in sys.argv[4:6]]
texts = [d["text"] for s in sets for d in s]
n = len(sets[0])
begin = time.perf_counter()
x = model.encode(texts, batch_size=32, show_progress_bar=False)
encoded = time.perf_counter()
head = LogisticRegression(C=10, max_iter=2000).fit(x[:n], [d["label"] for d in sets[0]])
fitted = time.perf_counter()
score = head.score(x[n:], [d["label"] for d in sets[1]])
print(json.dumps({"encode": encoded - begin, "fit": fitted - encoded, "accuracy": score, "texts": len(texts)}))
"""


def value(text, key):
    return re.search(r"^\s*%s\s*=\s*\"?([^\";]*)" % key, text, re.M).group(1)


def run(command, env):
    begin = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\nfailed with code %d:\n%s" % (" ".join(command), done.returncode, done.stderr))
    return time.perf_counter() - begin, done.stdout


def ours(config, folder, env, head=()):
    """Seconds of training and of evaluate, and what evaluate says."""
    program = str(ROOT / "build/finetune")
    keys = ["output.dir=%s" % (folder / ("run%d" % len(list(folder.glob("run*"))))),
            "data.cache=%s" % (folder / "cache")]
    train, _ = run(["mpirun", "-np", "1", program, config, *keys, *head], env)
    judge, line = run([program, "evaluate", config, *keys, *head], env)
    return train, judge, json.loads(line)


def theirs(config, threads, env):
    text = pathlib.Path(config).read_text()
    base = pathlib.Path(config).parent
    paths = [str(base / value(text, key)) for key in ("path", "train", "test")]
    _, line = run([sys.executable, "-c", THEIRS, str(threads), paths[0], value(text, "seq_len"), *paths[1:]], env)
    return json.loads(line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default=str(ROOT / "configs/sentiment-transfer.cfg"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    env = dict(os.environ, OMP_NUM_THREADS=str(args.threads), HF_HUB_OFFLINE="1", OMPI_ALLOW_RUN_AS_ROOT="1",
               OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    mine, other, again = [], [], []
    for number in range(args.rounds):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-transfer-"))
        train, judge, score = ours(args.config, folder, env)
        mine.append(train + judge)
        second, _, _ = ours(args.config, folder, env, ["transfer.l2=0.03"])
        again.append(second)
        shutil.rmtree(folder)
        reference = theirs(args.config, args.threads, env)
        other.append(reference["encode"] + reference["fit"])
        print("round %d: ours %.1f s (training %.1f, evaluate %.1f; accuracy %.4f), another head %.2f s; "
              "theirs %.1f s (encode %.1f = %.0f texts/s, fit %.1f; accuracy %.4f)"
              % (number + 1, train + judge, train, judge, score["accuracy"], second, other[-1], reference["encode"],
                 reference["texts"] / reference["encode"], reference["fit"], reference["accuracy"]), flush=True)
    a, b = statistics.median(mine), statistics.median(other)
    print("median: ours %.1f s, theirs %.1f s: %.2f times as fast; another head on the same cache: %.2f s"
          % (a, b, b / a, statistics.median(again)))


main()
