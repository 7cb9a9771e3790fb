#!/usr/bin/env python3
"""Mean loss of an exported GGUF file by llama.cpp, its tokenizer included.

    tools/check_llamacpp.py MODEL.gguf TEXTS.jsonl --seq-len 256 --windows 32 [--expected LOSS]

Cuts the texts as `finetune evaluate` does: each followed by EOS, in windows at a stride of seq-len. Needs
llama-cpp-python and numpy. Ends with 1 where the loss is further than --tolerance (a share, 0.01) from
LOSS, which `finetune evaluate` prints.
"""

import argparse
import json
import sys

import llama_cpp
import numpy as np


def token_stream(model, path, field, enough):
    ids = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)[field].encode("utf-8")
            ids += model.tokenize(text, add_bos=False, special=True) + [model.token_eos()]
            if len(ids) >= enough:
                break
    return ids


def window_loss(model, window):
    """Sum over the tokens that are predicted."""
    model.reset()
    model.eval(window[:-1])
    logits = np.asarray(model.scores[:len(window) - 1], dtype=np.float64)
    top = logits.max(axis=-1)
    normaliser = top + np.log(np.exp(logits - top[:, None]).sum(axis=-1))
    return float((normaliser - logits[np.arange(len(logits)), window[1:]]).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("--text-field", default="text")
    parser.add_argument("--seq-len", type=int, default=256)
    parser.add_argument("--windows", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--expected", type=float)
    parser.add_argument("--tolerance", type=float, default=0.01)
    args = parser.parse_args()
    length, n = args.seq_len, args.windows
    model = llama_cpp.Llama(args.model, n_ctx=length, n_batch=length, logits_all=True, verbose=False,
                            n_threads=args.threads, n_threads_batch=args.threads)
    ids = token_stream(model, args.texts, args.text_field, n * length + 1)
    loss = sum(window_loss(model, ids[i * length:(i + 1) * length + 1]) for i in range(n)) / (n * length)
    print(f"{n} windows of {length} tokens by llama.cpp: loss {loss:.6f}", end="")
    if args.expected is None:
        print()
        return
    share = abs(loss / args.expected - 1)
    print(f", {share:.2e} of {args.expected:.6f} away")
    sys.exit(0 if share <= args.tolerance else 1)


if __name__ == "__main__":
    main()
