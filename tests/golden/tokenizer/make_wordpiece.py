#!/usr/bin/env python3
"""Make the golden WordPiece tokenizer, its reference ids, and those of templates.

Needs tokenizers, xxhash, numpy, what make_tokenizers.py needs and has written, and the files of
tools/fetch_examples.py.
    python3 make_wordpiece.py [ROOT]               ROOT holds models/ and data/; default: the checkout

wordpiece.json        WordPiece of 1,500 tokens, trained on the pieces of make_tokenizers.py without
                      a normalizer, so that capitals, accents and marks are in the vocabulary.  Kept
                      where it is there: the trainer breaks ties by chance
bert_rules.json       [{"name", "normalizer", "cases": {case: hash}}]: the texts of torture.jsonl and
                      torture_rules.json; "every": all code points but surrogates, ascending, with
                      a line feed between two of them; "meet": marks that meet, and change
                      places, when what is between them is dropped.  The XXH3-128 is over the UTF-8 text that the normalizer
                      makes, a line feed, and the words of BertPreTokenizer with a line feed between
                      two of them
hashes_wordpiece.json, hashes_wordpiece-cased.json, hashes_minilm.json
                      as the hashes_*.json of make_tokenizers.py, without ids: wordpiece.json with
                      the normalizers "uncased" and "cased" of bert_rules.json; models/minilm
corpus_hashes_minilm.json
                      as corpus_hashes.json, of models/minilm
documents.json        [{"tokenizer", "post_processor", "cases": [{"text", "max", "ids", "n_text"}]}]:
                      the tokenizer with that post_processor, special tokens added, truncated to
                      `max` ids; n_text: ids of the text alone
decode.json gets the entries "wordpiece" and "minilm"
"""

import json
import pathlib
import random
import sys

import numpy as np
import xxhash
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from make_corpus_hashes import FIRST, ids_hash  # noqa: E402
from make_tokenizers import (SEED, VOCABULARY, case, reference, rule_text, special,  # noqa: E402
                             training_texts, write_hashes)

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VARIANTS = {
    # name: clean_text, handle_chinese_chars, strip_accents, lowercase
    "uncased": (True, True, None, True),
    "uncased_accents": (True, True, False, True),
    "cased": (True, True, None, False),
    "cased_stripped": (True, True, True, False),
    "unclean": (False, False, True, True),
    "untouched": (False, False, False, False),
}


def normalizer(name):
    clean, han, strip, lower = VARIANTS[name]
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": han,
            "strip_accents": strip, "lowercase": lower}


def template(before, after, ids):
    def piece(text):
        return {"SpecialToken": {"id": text, "type_id": 0}}
    single = [*map(piece, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(piece, after)]
    return {"type": "TemplateProcessing", "single": single,
            "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {text: {"id": text, "ids": ids[text], "tokens": [text]}
                               for text in {*before, *after}}}


def cls_sep(kind, tokenizer, cls, sep, **more):
    return {"type": kind, "sep": [sep, tokenizer.token_to_id(sep)],
            "cls": [cls, tokenizer.token_to_id(cls)], **more}


def train(texts):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    texts = [text.replace("\0", "") for text in texts]  # no key of a JSON object here holds it
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, show_progress=False, special_tokens=SPECIALS, limit_alphabet=600))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer.add_special_tokens([special(text) for text in SPECIALS])
    tokenizer.add_tokens(["New Word", "\u00c9t\u00e9", "we do not"])  # normalized: found after the normalizer
    data = json.loads(tokenizer.to_str())
    data["normalizer"] = normalizer("uncased")
    data["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst",
                          "stride": 0}
    data["post_processor"] = template(["[CLS]"], ["[SEP]"], {"[CLS]": [2], "[SEP]": [3]})
    return data


def torture_texts():
    with open(HERE / "torture.jsonl", encoding="utf-8") as file:
        texts = {entry["name"]: entry["text"] for entry in map(json.loads, file)}
    codes = [code for low, high in json.loads((HERE / "assigned14.json").read_text())
             for code in range(low, high + 1)]
    rules = json.loads((HERE / "torture_rules.json").read_text())
    return texts | {rule["name"]: rule_text(rule, codes) for rule in rules}


def rules_hash(tokenizer, text):
    normal = tokenizer.normalizer.normalize_str(text)
    words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]
    return xxhash.xxh3_128_hexdigest("\n".join([normal, *words]).encode())


def short_case(tokenizer, text):
    result = case(tokenizer, text)
    result.pop("ids", None)
    return result


def corpus(tokenizer, root):
    result = {"tokenizer": "models/minilm"}
    for name in ("sentiment_test", "sentiment_train", "legal_test", "legal_train"):
        with open(root / f"data/{name}.jsonl", encoding="utf-8") as file:
            parts = [tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids
                     for line in file]
        joined = np.concatenate([np.asarray(part, dtype="<u4") for part in parts])
        result[name] = {"documents": len(parts), "ids": len(joined), "xxh3_128": ids_hash(joined),
                        "document_ids": [len(part) for part in parts[:FIRST]],
                        "document_xxh3_128": [ids_hash(part) for part in parts[:FIRST]]}
    return result


def document_cases(data, post_processor):
    tokenizer = reference(dict(data, post_processor=post_processor))
    cases = []
    for text in ("", "Hello world", "unaffable caf\u00e9 [MASK] <|begin_of_text|> x",
                 " a bb ccc dddd" * 20):
        for most in (6, 7, 12, 1000):
            tokenizer.no_truncation()
            n_text = len(tokenizer.encode(text, add_special_tokens=False).ids)
            tokenizer.enable_truncation(most)
            cases.append({"text": text, "max": most, "ids": tokenizer.encode(text).ids,
                          "n_text": n_text})
    return cases


def documents(wordpiece):
    out = []

    def add(name, post_processor):
        data = wordpiece if name == "wordpiece" else json.loads((HERE / f"{name}.json").read_text())
        out.append({"tokenizer": name, "post_processor": post_processor,
                    "cases": document_cases(data, post_processor)})

    pieces = reference(wordpiece)
    gpt2 = reference(json.loads((HERE / "gpt2.json").read_text()))
    end = "<|endoftext|>"
    add("wordpiece", wordpiece["post_processor"])
    add("wordpiece", cls_sep("BertProcessing", pieces, "[CLS]", "[SEP]"))
    add("wordpiece", None)
    add("wordpiece", template(["[CLS]", "[MASK]"], ["[SEP]", "[PAD]", "[SEP]"],
                              {"[CLS]": [2, 4], "[MASK]": [], "[SEP]": [3], "[PAD]": [0]}))
    add("gpt2", cls_sep("RobertaProcessing", gpt2, end, "<|sep|>", trim_offsets=True,
                        add_prefix_space=False))
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                  "use_regex": True}
    add("gpt2", byte_level)
    add("gpt2", {"type": "Sequence", "processors": [
        byte_level, template([end, end], [], {end: [gpt2.token_to_id(end)]})]})
    add("llama3", json.loads((HERE / "llama3.json").read_text())["post_processor"])
    return out


def decode_cases(tokenizer):
    generator = random.Random(SEED + 3)
    groups = [[generator.randrange(tokenizer.get_vocab_size()) for _ in range(12)]
              for _ in range(24)]
    for text in ("We do not isn't I'm he's we've they're . , ? ! ' x", "[CLS] a [SEP]", ". first",
                 "##ing ing"):
        groups.append(tokenizer.encode(text, add_special_tokens=False).ids)
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False),
             "text_skip_special": tokenizer.decode(ids, skip_special_tokens=True)}
            for ids in groups]


def write_rules(texts):
    blocks = []
    every = "\n".join(chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    texts = texts | {"every": every, "meet": "x\u302e\x01\U0001d165y\u302e\u200d\U0001d165"}
    for name in VARIANTS:
        rules = normalizer(name)
        tokenizer = reference({**json.loads((HERE / "wordpiece.json").read_text()),
                               "normalizer": rules})
        lines = [f"   {json.dumps(key)}: {json.dumps(rules_hash(tokenizer, text))}"
                 for key, text in texts.items()]
        blocks.append(f' {{"name": "{name}", "normalizer": {json.dumps(rules)}, "cases": {{\n'
                      + ",\n".join(lines) + "\n }}")
    (HERE / "bert_rules.json").write_text("[\n" + ",\n".join(blocks) + "\n]\n")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent.parent
    ranges = json.loads((HERE / "assigned14.json").read_text())
    codes = [code for low, high in ranges for code in range(low, high + 1)]
    texts = torture_texts()
    if not (HERE / "wordpiece.json").exists():
        (HERE / "wordpiece.json").write_text(json.dumps(
            train(training_texts(root / "data/legal_train.jsonl", codes)), ensure_ascii=False,
            indent=0) + "\n", encoding="utf-8")
    data = json.loads((HERE / "wordpiece.json").read_text(encoding="utf-8"))
    write_rules(texts)
    minilm = reference(json.loads((root / "models/minilm/tokenizer.json").read_text()))
    tokenizers_ = {"wordpiece": reference(data),
                   "wordpiece-cased": reference(dict(data, normalizer=normalizer("cased"))),
                   "minilm": minilm}
    write_hashes({name: {key: short_case(t, text) for key, text in texts.items()}
                  for name, t in tokenizers_.items()})
    (HERE / "corpus_hashes_minilm.json").write_text(
        json.dumps(corpus(minilm, root), indent=1) + "\n")
    (HERE / "documents.json").write_text(json.dumps(documents(data)) + "\n")
    decoding = json.loads((HERE / "decode.json").read_text())
    for name in ("wordpiece", "minilm"):
        decoding[name] = decode_cases(tokenizers_[name])
    (HERE / "decode.json").write_text(json.dumps(decoding) + "\n")


if __name__ == "__main__":
    main()
