#!/usr/bin/env python3
"""Compare an exported folder with the run it came from, by transformers and sentence-transformers.

    tools/check_export.py predictions RUN_DIR FOLDER TEXTS.jsonl
        labels and probabilities of all texts: the folder's, by the text-classification pipeline of
        transformers or by sentence-transformers, beside those of `finetune predict RUN_DIR TEXTS.jsonl`
    tools/check_export.py loss FOLDER TEXTS.jsonl --seq-len 256 --windows 32 [--expected LOSS]
        mean loss of a decoder on the first windows, as `finetune evaluate` cuts them

Needs torch, transformers and, for folders of theirs, sentence-transformers. Ends with 1 where a label
differs, a probability differs by more than 1e-4, or the loss by more than --tolerance. Both sides must
compute in fp32: a run with model.precision = "bf16" answers with a few per mille of noise.
"""

import argparse
import json
import pathlib
import subprocess
import sys

FINETUNE = pathlib.Path(__file__).resolve().parent.parent / "build" / "finetune"


def read_texts(path, field):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)[field] for line in lines]


def by_finetune(program, run, path):
    """{label: probability} of each text."""
    done = subprocess.run([program, "predict", run, path], check=True, capture_output=True, text=True)
    return [json.loads(line)["probabilities"] for line in done.stdout.splitlines()]


def by_pipeline(folder, texts):
    from transformers import pipeline
    classify = pipeline("text-classification", model=folder, device="cpu")
    return [{row["label"]: row["score"] for row in rows}
            for rows in classify(texts, top_k=None, truncation=True, batch_size=16)]


def by_sentence_transformers(folder, texts):
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(folder, device="cpu")
    labels = json.load(open(pathlib.Path(folder) / "config.json"))["id2label"]
    logits = model.encode(texts, convert_to_tensor=True, batch_size=16).float()
    return [{labels[str(k)]: p for k, p in enumerate(row)} for row in logits.softmax(-1).tolist()]


def check_predictions(args):
    if 'precision = "fp32"' not in (pathlib.Path(args.run) / "resolved.cfg").read_text():
        print("note: this run's precision is not fp32, so its own answers are not either")
    texts = read_texts(args.texts, args.text_field)
    wanted = by_finetune(args.finetune, args.run, args.texts)
    is_modules = (pathlib.Path(args.folder) / "modules.json").exists()
    got = (by_sentence_transformers if is_modules else by_pipeline)(args.folder, texts)
    assert len(wanted) == len(got) == len(texts)
    n_labels = sum(max(a, key=a.get) != max(b, key=b.get) for a, b in zip(wanted, got))
    most = max(abs(a[label] - b[label]) for a, b in zip(wanted, got) for label in a)
    print(f"{len(texts)} texts by {'sentence-transformers' if is_modules else 'the pipeline of transformers'}: "
          f"{n_labels} other labels, largest difference of a probability {most:.2e}")
    return n_labels == 0 and most <= 1e-4


def token_stream(encode, texts, eos, enough):
    ids = []
    for text in texts:
        ids += encode(text) + [eos]
        if len(ids) >= enough:
            break
    return ids


def check_loss(args):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    model = AutoModelForCausalLM.from_pretrained(args.folder, dtype=torch.float32).eval()
    length, n = args.seq_len, args.windows
    ids = torch.tensor(token_stream(lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
                                    read_texts(args.texts, args.text_field), tokenizer.eos_token_id,
                                    n * length + 1))
    total = 0.0
    with torch.no_grad():
        for i in range(n):
            window = ids[i * length:(i + 1) * length + 1]
            logits = model(window[None, :-1]).logits[0]
            total += torch.nn.functional.cross_entropy(logits.double(), window[1:], reduction="sum").item()
    return report(total / (n * length), n, length, "transformers", args)


def report(loss, n, length, by, args):
    print(f"{n} windows of {length} tokens by {by}: loss {loss:.6f}", end="")
    if args.expected is None:
        print()
        return True
    print(f", {abs(loss - args.expected):.2e} from {args.expected:.6f}")
    return abs(loss - args.expected) <= args.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("predictions")
    one.add_argument("run")
    other = verbs.add_parser("loss")
    for each in (one, other):
        each.add_argument("folder")
        each.add_argument("texts")
        each.add_argument("--text-field", default="text")
    one.add_argument("--finetune", default=FINETUNE)
    other.add_argument("--seq-len", type=int, default=256)
    other.add_argument("--windows", type=int, default=32)
    other.add_argument("--expected", type=float)
    other.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    sys.exit(0 if {"predictions": check_predictions, "loss": check_loss}[args.verb](args) else 1)


if __name__ == "__main__":
    main()
