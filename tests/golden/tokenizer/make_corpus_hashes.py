#!/usr/bin/env python3
"""Reference token counts and hashes of the example corpus: corpus_hashes.json.

Needs tokenizers, gguf, xxhash, and the files of tools/fetch_examples.py.
    python3 make_corpus_hashes.py [ROOT]           ROOT holds models/ and data/; default: the checkout

The tokenizer is that of models/smollm2.gguf: vocabulary and merges from its metadata, split by
Digits(individual_digits) and then ByteLevel (tokenizer.ggml.pre = smollm).  The hash is XXH3-128
over the ids of all documents in file order, nothing between them, each a little-endian uint32;
document_xxh3_128 holds the same for each of the first documents alone, for finding a difference.
"""

import json
import pathlib
import sys
import time

import gguf
import numpy as np
import tokenizers
import xxhash
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

HERE = pathlib.Path(__file__).resolve().parent
FIRST = 20


def gguf_tokenizer(path):
    fields = gguf.GGUFReader(path).fields
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(line.split(" ", 1)) for line in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    control, user_defined = 3, 4
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False)
                                  for t, kind in zip(tokens, types) if kind == control])
    tokenizer.add_tokens([AddedToken(t, normalized=False)
                          for t, kind in zip(tokens, types) if kind == user_defined])
    assert tokenizer.get_vocab_size() == len(tokens)
    return tokenizer


def ids_hash(ids):
    return xxhash.xxh3_128_hexdigest(np.asarray(ids, dtype="<u4").tobytes())


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent.parent
    tokenizer = gguf_tokenizer(root / "models/smollm2.gguf")
    result = {"tokenizers": tokenizers.__version__, "tokenizer": "models/smollm2.gguf"}
    for name in ("legal_test", "legal_train"):
        with open(root / f"data/{name}.jsonl", encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
        start = time.monotonic()
        parts = [np.asarray(tokenizer.encode(text, add_special_tokens=False).ids, dtype="<u4")
                 for text in texts]
        seconds = time.monotonic() - start
        joined = np.concatenate(parts)
        result[name] = {"documents": len(texts), "ids": len(joined), "xxh3_128": ids_hash(joined),
                        "document_ids": [len(part) for part in parts[:FIRST]],
                        "document_xxh3_128": [ids_hash(part) for part in parts[:FIRST]]}
        mega = sum(len(text.encode()) for text in texts) / 1e6
        print(f"{name}: {len(joined)} ids, {mega:.1f} MB, {mega / seconds:.2f} MB/s")
    (HERE / "corpus_hashes.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
