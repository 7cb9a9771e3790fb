#!/usr/bin/env python3
"""Reference counts and hashes of the labelled example texts: documents.json.

Needs tokenizers, xxhash, and the files of tools/fetch_examples.py.
    python3 make_documents.py [ROOT]           ROOT holds models/ and data/; default: the checkout

For each set, with the WordPiece tokenizer of models/minilm, its template, and truncation to
max_tokens: documents, documents per label in the order of the labels' bytes, tokens, the longest
document, truncated documents, and the hash of the texts: XXH3-128 over the documents' own XXH3-128
(of little-endian uint32 ids), each as two little-endian uint64, the high half first.
"""

import collections
import json
import pathlib
import struct
import sys

import numpy as np
import tokenizers
import xxhash
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
SETS = {"sentiment_train": 128, "sentiment_test": 32, "legal_test": 256}


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent
    tokenizer = Tokenizer.from_file(str(root / "models/minilm/tokenizer.json"))
    tokenizer.no_padding()
    result = {"tokenizers": tokenizers.__version__}
    for name, max_tokens in SETS.items():
        with open(root / f"data/{name}.jsonl", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        tokenizer.no_truncation()
        whole = [len(e.ids) for e in tokenizer.encode_batch([row["text"] for row in rows])]
        tokenizer.enable_truncation(max_tokens)
        ids = [e.ids for e in tokenizer.encode_batch([row["text"] for row in rows])]
        total = xxhash.xxh3_128()
        for part in ids:
            value = xxhash.xxh3_128_intdigest(np.asarray(part, dtype="<u4").tobytes())
            total.update(struct.pack("<QQ", value >> 64, value & (2**64 - 1)))
        counts = collections.Counter(row["label"] for row in rows)
        labels = sorted(counts, key=lambda label: label.encode())
        result[name] = {
            "max_tokens": max_tokens, "documents": len(rows),
            "n_per_label": [counts[label] for label in labels],
            "tokens": sum(map(len, ids)), "max_length": max(map(len, ids)),
            "truncated": sum(n > max_tokens for n in whole), "texts_hash": total.hexdigest()}
    (HERE / "documents.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
