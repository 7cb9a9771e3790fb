#!/usr/bin/env python3
"""Make the golden tokenizers of SentencePiece's kinds, and the reference ids of pipelines built from them.

Needs tokenizers, sentencepiece, protobuf, gguf, xxhash, numpy, what make_tokenizers.py has written, and the files of
tools/fetch_examples.py.
    python3 make_pipelines.py [ROOT]               ROOT holds data/; default: the checkout
    python3 make_pipelines.py --corpora [ROOT]     then: the reference ids of the example texts (ten minutes)

spm.json              BPE of 2,400 tokens with byte fallback, by SentencePiece; the parts around it as Llama 2's
spm.gguf              its vocabulary with scores, as llama.cpp writes it (tokenizer.ggml.model = "llama"); nothing else
unigram.json          Unigram of 2,400 tokens by SentencePiece, whose map of characters (precompiled_charsmap) is made of
                      a part of NFKC and of rules that try it; the parts around it as XLM-R's
unigram64.json        Unigram of 2,400 tokens by `tokenizers`, with scores of 17 digits.  Kept where it is there: the
                      trainer breaks ties by chance
pipelines.json        "pipelines": [{"name", "base", "parts"}]: a tokenizer is the file `base` with these top-level
                      members replaced; members of "model" one by one, where merges "text" stands for "a b" in place of
                      ["a", "b"], vocab "some" for the tokens without <0xA0> and above; a precompiled_charsmap "unigram"
                      for that of unigram.json
                      "totals": {name: {"n", "xxh3_128", "decoded_xxh3_128"}} over the ids of the texts of torture.jsonl
                      and torture_rules.json in order, those of at most 20,000 bytes, and over the decoded texts with a
                      line feed behind each
                      "cases": {name: {case: "n ids decoded"}}: the first twelve digits of the hashes, of some, all texts
                      "template": {name: [{"text", "ids"}]}
                      "decode": {name: [{"ids", "text"}]}: ids that no text gives
corpus_hashes_pipelines.json
                      {name: {set: {"ids", "xxh3_128"}}}: all documents in order, of some
"""

import base64
import io
import json
import pathlib
import random
import sys
import tempfile
import unicodedata

import gguf
import numpy as np
import sentencepiece
import xxhash
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from make_corpus_hashes import ids_hash  # noqa: E402
from make_tokenizers import ALPHABET, SEED, rule_text  # noqa: E402

VOCABULARY = 2400
LONG = 20000  # bytes of a text that only the pipelines of CASES see
META = "\u2581"
CORPORA = ("legal_train", "legal_test", "sentiment_train", "sentiment_test")
CASES = ("llama2", "mistral", "gemma", "xlmr", "albert", "t5")


def train_sentencepiece(pieces, kind, **options):
    """One thread, sentences in order: the same model each time."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(pieces), model_writer=out, model_type=kind, vocab_size=VOCABULARY,
        num_threads=1, minloglevel=2, character_coverage=1.0, max_sentence_length=100000,
        input_sentence_size=0, shuffle_input_sentence=False, hard_vocab_limit=False, **options)
    return sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())


def charsmap_rules(path):
    """source<TAB>target, code points in hexadecimal: compositions, compatible letters, deletions, expansions."""
    rules = {}
    for code in [*range(0xA0, 0x250), *range(0x1E00, 0x1F00), *range(0x2000, 0x2200), *range(0x2460, 0x2500),
                 *range(0x3000, 0x3100), *range(0x3300, 0x3360), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF61)]:
        normal = unicodedata.normalize("NFKC", chr(code))
        if normal != chr(code):
            rules[chr(code)] = normal
        decomposed = unicodedata.normalize("NFD", normal)
        if len(decomposed) == 2 and len(normal) == 1:
            rules[decomposed] = normal
    for code in [*range(1, 9), 0xB, *range(0xE, 0x20), 0x7F, 0x8F, 0x9F, 0xAD]:
        rules[chr(code)] = ""
    for code in (9, 0xA, 0xC, 0xD, 0x1680, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0x3000):
        rules[chr(code)] = " "
    rules["\U0001F600"] = ":-)"
    rules["\u0600"] = "#"
    rules["\u0915\u093e"] = "ka"
    with open(path, "w", encoding="utf-8") as file:
        for source, target in sorted(rules.items()):
            file.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in source), " ".join("%X" % ord(c) for c in target)))


def merges_of(scores):
    """As transformers converts a SentencePiece vocabulary without merges."""
    merges = []
    for token, score in scores.items():
        local = [(token[:i], token[i:], score) for i in range(1, len(token))
                 if token[:i] in scores and token[i:] in scores]
        merges += sorted(local, key=lambda m: (scores[m[0]], scores[m[1]]))
    merges.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    return [[left, right] for left, right, _ in merges]


def special(ident, content, **flags):
    return {"id": ident, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **flags}


def template(before, after):
    tokens = dict(before + after)
    pieces = ([{"SpecialToken": {"id": t, "type_id": 0}} for t, _ in before]
              + [{"Sequence": {"id": "A", "type_id": 0}}]
              + [{"SpecialToken": {"id": t, "type_id": 0}} for t, _ in after])
    return {"type": "TemplateProcessing", "single": pieces, "pair": pieces + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in tokens.items()}}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


PREPEND = {"type": "Prepend", "prepend": META}
TO_META = {"type": "Replace", "pattern": {"String": " "}, "content": META}
FROM_META = {"type": "Replace", "pattern": {"String": META}, "content": " "}
FALLBACK, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
STRIP_FIRST = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
SPACES = {"type": "WhitespaceSplit"}


def metaspace(scheme="always", split=True, **more):
    return {"type": "Metaspace", "replacement": META, "prepend_scheme": scheme, "split": split, **more}


def old_metaspace(prefix):
    return {"type": "Metaspace", "replacement": META, "str_rep": META, "add_prefix_space": prefix}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def regex(pattern):
    return {"Regex": pattern}


def file_of(model, added, normalizer, pre_tokenizer, decoder, post_processor):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder, "model": model}


def write_file(name, data):
    """One token or merge a line."""
    text = json.dumps(data, ensure_ascii=False)
    vocab = data["model"]["vocab"]
    assert json.loads(text) == data and len(vocab) > 1000
    (HERE / f"{name}.json").write_text(text.replace('], ["', '],\n["') + "\n", encoding="utf-8")


def make_spm(proto):
    scores = {p.piece: p.score for p in proto.pieces}
    vocab = {p.piece: i for i, p in enumerate(proto.pieces)}
    normal = {p.piece: p.score for p in proto.pieces if p.type in (1, 4)}
    assert len(scores) == len(vocab) and [p.piece for p in proto.pieces[:3]] == ["<unk>", "<s>", "</s>"]
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
             "vocab": vocab, "merges": merges_of(normal)}
    added = [special(i, t) for i, t in enumerate(("<unk>", "<s>", "</s>"))]
    write_file("spm", file_of(model, added, sequence("normalizers", PREPEND, TO_META), None,
                              sequence("decoders", FROM_META, FALLBACK, FUSE, STRIP_FIRST), template([("<s>", 1)], [])))
    write_gguf(proto)


def write_gguf(proto):
    writer = gguf.GGUFWriter(HERE / "spm.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([p.piece.encode() for p in proto.pieces])
    writer.add_token_scores([p.score for p in proto.pieces])
    writer.add_token_types([p.type for p in proto.pieces])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def make_unigram(proto):
    charsmap = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
    pieces = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    pieces += [[p.piece, p.score] for p in proto.pieces[3:]] + [["<mask>", 0.0]]
    model = {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False}
    added = [special(i, pieces[i][0]) for i in range(4)] + [special(len(pieces) - 1, "<mask>", lstrip=True)]
    write_file("unigram", file_of(model, added, {"type": "Precompiled", "precompiled_charsmap": charsmap},
                                  sequence("pretokenizers", SPACES, old_metaspace(True)), metaspace(),
                                  template([("<s>", 0)], [("</s>", 2)])))
    return charsmap


def make_unigram64(pieces):
    path = HERE / "unigram64.json"
    if path.exists():
        return
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(pieces, trainers.UnigramTrainer(
        vocab_size=VOCABULARY, show_progress=False, special_tokens=["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
        unk_token="<unk>", max_piece_length=16))
    model = json.loads(tokenizer.to_str())["model"]
    used = {token for token, _ in model["vocab"]}
    model["vocab"] += [[f"<0x{b:02X}>", -20.0 - b / 7] for b in range(256) if f"<0x{b:02X}>" not in used]
    write_file("unigram64", file_of(model, [], None, metaspace(), metaspace(), None))


def pipelines(charsmap):
    """name, base, replaced parts."""
    precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    albert_added = [special(0, "<pad>"), special(1, "<unk>"), special(2, "[CLS]"), special(3, "[SEP]"),
                    special(4, "[MASK]", lstrip=True)]
    steps = {"two": sequence("normalizers", {"type": "NFKC"}, {"type": "Lowercase"}),
             "strip": {"type": "Strip", "strip_left": True, "strip_right": False},
             "strips": {"type": "Strip", "strip_left": True, "strip_right": True}}
    named = lambda kind, **more: {"type": kind, **more}  # noqa: E731
    bert = named("BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    out = [
        ("llama2", "spm", {}),
        ("mistral", "spm", {"normalizer": None, "pre_tokenizer": metaspace("first", False)}),
        ("gemma", "spm", {"normalizer": TO_META, "pre_tokenizer": split({"String": " "}, "MergedWithPrevious"),
                          "decoder": sequence("decoders", FROM_META, FALLBACK, FUSE)}),
        ("xlmr", "unigram", {}),
        ("albert", "unigram64", {
            "added_tokens": albert_added,
            "normalizer": sequence("normalizers", {"type": "Replace", "pattern": {"String": "``"}, "content": "\""},
                                   {"type": "Replace", "pattern": {"String": "''"}, "content": "\""}, named("NFKD"),
                                   named("StripAccents"), named("Lowercase"), precompiled),
            "post_processor": template([("[CLS]", 2)], [("[SEP]", 3)])}),
        ("t5", "unigram64", {
            "normalizer": sequence("normalizers", precompiled, named("Strip", strip_left=False, strip_right=True),
                                   {"type": "Replace", "pattern": regex(" {2,}"), "content": META}),
            "model": {"byte_fallback": True}}),
        ("merges_as_text", "spm", {"model": {"merges": "text"}}),
        ("no_fuse", "spm", {"model": {"byte_fallback": False, "fuse_unk": False}}),
        ("fuse", "spm", {"model": {"byte_fallback": False}}),
        ("no_unknown", "spm", {"model": {"byte_fallback": False, "unk_token": None}}),
        ("ignore_merges", "spm", {"model": {"ignore_merges": True}, "pre_tokenizer": metaspace("always", True)}),
        ("some_bytes", "spm", {"model": {"vocab": "some"}}),
        ("normalized_tokens", "spm", {"added_tokens": [
            special(0, "<unk>"), special(1, "<s>", normalized=True), special(2, "</s>", rstrip=True),
            special(100000, "the", normalized=True, special=False), special(100001, " of", normalized=True, special=False),
            special(100002, "lower", single_word=True, special=False)]}),
        ("metaspace_always", "spm", {"normalizer": None, "pre_tokenizer": metaspace("always", False)}),
        ("metaspace_never", "spm", {"normalizer": None, "pre_tokenizer": metaspace("never")}),
        ("metaspace_old", "spm", {"normalizer": None, "pre_tokenizer": old_metaspace(True), "decoder": old_metaspace(True)}),
        ("metaspace_first_stripped", "spm", {"normalizer": steps["strip"], "pre_tokenizer": metaspace("first", True)}),
        ("metaspace_first_words", "spm", {"normalizer": None, "pre_tokenizer": sequence("pretokenizers", SPACES, metaspace("first"))}),
        ("metaspace_first_accents", "spm", {"normalizer": sequence("normalizers", named("NFD"), named("StripAccents")),
                                            "pre_tokenizer": metaspace("first")}),
        ("metaspace_first_nmt", "unigram", {"normalizer": named("Nmt"), "pre_tokenizer": metaspace("first")}),
        ("metaspace_first_map", "unigram", {"pre_tokenizer": metaspace("first")}),
        ("nfc", "spm", {"normalizer": named("NFC")}), ("nfd", "spm", {"normalizer": named("NFD")}),
        ("nfkc", "spm", {"normalizer": named("NFKC")}), ("nfkd", "spm", {"normalizer": named("NFKD")}),
        ("nmt_map", "unigram", {"normalizer": sequence("normalizers", named("Nmt"), precompiled)}),
        ("lowercase", "spm", {"normalizer": steps["two"]}), ("strips", "unigram", {"normalizer": steps["strips"]}),
        ("bert_rules", "unigram64", {"normalizer": sequence("normalizers", bert, TO_META), "pre_tokenizer": None}),
        ("replace_regex", "unigram64", {"normalizer": {"type": "Replace", "pattern": regex(r"[\s\p{P}]+"), "content": " "}}),
        ("whitespace", "spm", {"pre_tokenizer": named("Whitespace")}),
        ("bert_words", "spm", {"pre_tokenizer": named("BertPreTokenizer")}),
        ("digits", "spm", {"pre_tokenizer": named("Digits", individual_digits=False)}),
        ("digits_each", "spm", {"pre_tokenizer": sequence("pretokenizers", named("Digits", individual_digits=True), metaspace())}),
        ("gpt2_prefix", "gpt2", {"pre_tokenizer": named("ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True)}),
        ("gpt2_unsplit", "gpt2", {"pre_tokenizer": named("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False)}),
        ("gpt2_nfkc", "gpt2", {"normalizer": named("NFKC")}),
        ("gpt4o", "llama3", {"pre_tokenizer": sequence("pretokenizers", split(regex(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
            r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "Isolated"), named(
                "ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False))}),
        ("deepseek", "qwen2", {"pre_tokenizer": sequence(
            "pretokenizers", split(regex(r"[\r\n]"), "Isolated"), split(regex(r"\s?\p{L}+"), "Isolated"),
            split(regex(r"\s?\p{P}+"), "Isolated"), split(regex("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), "Isolated"),
            split(regex(r"\s+$"), "Isolated"), named("Digits", individual_digits=True),
            named("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False))}),
        ("words_pattern", "unigram", {"pre_tokenizer": sequence(
            "pretokenizers", split(regex(r"\w+(?:['" "\u2019" r"]\w+)?|[^\w\s]{2,3}?|.(?=\d)|\n++"), "Contiguous"), metaspace())}),
    ]
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            out.append((f"split_{behavior}_{invert}", "spm", {"normalizer": None, "pre_tokenizer": split(regex(r"\d|-|[\s_]"), behavior, invert)}))
        out.append((f"punctuation_{behavior}", "unigram", {"pre_tokenizer": sequence("pretokenizers", named("Punctuation", behavior=behavior), metaspace())}))
    return [{"name": name, "base": base, "parts": parts} for name, base, parts in out]


def build(pipeline):
    data = json.loads((HERE / f"{pipeline['base']}.json").read_text(encoding="utf-8"))
    data["truncation"] = data["padding"] = None
    for key, value in pipeline["parts"].items():
        if key != "model":
            data[key] = value
            continue
        for inner, new in value.items():
            if new == "text":
                new = [" ".join(merge) for merge in data["model"]["merges"]]
            elif new == "some":
                new = {t: i for t, i in data["model"]["vocab"].items() if not (t.startswith("<0x") and t >= "<0xA0>")}
                data["model"]["merges"] = [m for m in data["model"]["merges"] if "".join(m) in new]
            data["model"][inner] = new
    if any(token["id"] >= 100000 for token in data["added_tokens"]):
        n = len(data["model"]["vocab"])
        for token in data["added_tokens"]:
            known = data["model"]["vocab"].get(token["content"])
            token["id"] = known if known is not None else n
            n += known is None
    return data


def text_hash(text):
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8"))


def decode_cases(tokenizer):
    generator = random.Random(SEED + 5)
    size = tokenizer.get_vocab_size()
    pieces = [[f"<0x{b:02X}>" for b in text] for text in (b"\xe2\x82\xac", b"\xe2\x82", b"a\xff", b"\xf0\x9f\x98\x80\xf0\x9f")]
    groups = [[i for i in map(tokenizer.token_to_id, p) if i is not None] for p in pieces]
    groups += [[generator.randrange(size) for _ in range(12)] for _ in range(12)]
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)} for ids in groups if ids]


def write_corpora(root):
    charsmap = json.loads((HERE / "unigram.json").read_text(encoding="utf-8"))["normalizer"]["precompiled_charsmap"]
    result = {}
    for pipeline in pipelines(charsmap):
        name = pipeline["name"]
        if name not in CASES:
            continue
        tokenizer = Tokenizer.from_str(json.dumps(build(pipeline)))
        result[name] = {}
        for corpus in CORPORA:
            parts = []
            with open(root / f"data/{corpus}.jsonl", encoding="utf-8") as file:
                for line in file:
                    parts.append(np.asarray(tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids, "<u4"))
            joined = np.concatenate(parts)
            result[name][corpus] = {"ids": len(joined), "xxh3_128": ids_hash(joined)}
            print(name, corpus, result[name][corpus], flush=True)
        (HERE / "corpus_hashes_pipelines.json").write_text(json.dumps(result, indent=1) + "\n")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--corpora"]
    root = pathlib.Path(arguments[0]) if arguments else HERE.parent.parent.parent
    if "--corpora" in sys.argv:
        return write_corpora(root)
    ranges = json.loads((HERE / "assigned14.json").read_text())
    codes = [code for low, high in ranges for code in range(low, high + 1)]
    generator = random.Random(SEED + 4)
    alphabet = set(ALPHABET) | {chr(c) for c in [*range(0x20, 0x7F), *range(0xA0, 0x100)]}
    plain = []
    for name, count in (("legal_train", 300), ("sentiment_train", 2000)):
        with open(root / f"data/{name}.jsonl", encoding="utf-8") as file:
            for line, _ in zip(file, range(count)):
                text = " ".join(json.loads(line)["text"][:1500].split())
                plain += [text[i:i + 200] for i in range(0, len(text), 200)]
    plain = [p for p in plain if set(p) <= alphabet]
    plain += ["".join(generator.choices(sorted(alphabet - set("\0\n\r")), k=50)) for _ in range(400)]
    folder = tempfile.TemporaryDirectory()
    rules = pathlib.Path(folder.name) / "rules.tsv"
    charsmap_rules(rules)
    make_spm(train_sentencepiece(plain, "bpe", byte_fallback=True, normalization_rule_name="identity",
                                 remove_extra_whitespaces=False, user_defined_symbols=["<sep>"]))
    charsmap = make_unigram(train_sentencepiece(plain, "unigram", normalization_rule_tsv=str(rules)))
    make_unigram64(plain)

    texts = {}
    for line in (HERE / "torture.jsonl").read_text().splitlines():
        entry = json.loads(line)
        texts[entry["name"]] = entry["text"]
    for rule in json.loads((HERE / "torture_rules.json").read_text()):
        texts[rule["name"]] = rule_text(rule, codes)
    result = {"pipelines": pipelines(charsmap), "totals": {}, "cases": {}, "template": {}, "decode": {}}
    for pipeline in result["pipelines"]:
        name = pipeline["name"]
        data = build(pipeline)
        if "added_tokens" in pipeline["parts"]:
            pipeline["parts"]["added_tokens"] = data["added_tokens"]
        tokenizer = Tokenizer.from_str(json.dumps(data))
        ids, decoded, cases = [], [], {}
        for key, text in texts.items():
            is_long = len(text.encode()) > LONG
            if is_long and name not in CASES:
                continue
            one = tokenizer.encode(text, add_special_tokens=False).ids
            back = tokenizer.decode(one, skip_special_tokens=False)
            cases[key] = f"{len(one)} {ids_hash(one)[:12]} {text_hash(back)[:12]}"
            if not is_long:
                ids += one
                decoded.append(back + "\n")
        result["totals"][name] = {"n": len(ids), "xxh3_128": ids_hash(ids), "decoded_xxh3_128": text_hash("".join(decoded))}
        if name == "normalized_tokens":  # `tokenizers` decodes their normal form since 0.23; before, and here, their text
            del result["totals"][name]["decoded_xxh3_128"]
        print(name, result["totals"][name], flush=True)
        if name not in CASES:
            continue
        result["cases"][name] = cases
        some = ["", "Hello world", " <mask> x</s> y", "12 \u00e9e\u0301"]
        result["template"][name] = [{"text": text, "ids": tokenizer.encode(text).ids} for text in some]
        result["decode"][name] = decode_cases(tokenizer)
    for pipeline in result["pipelines"]:  # the map once, in unigram.json
        text = json.dumps(pipeline["parts"]).replace(json.dumps(charsmap), json.dumps("unigram"))
        pipeline["parts"] = json.loads(text)
    blocks = [f" {json.dumps(key)}: " + json.dumps(value, ensure_ascii=False).replace("}, {", "},\n  {").replace('", "', '",\n   "')
              for key, value in result.items()]
    (HERE / "pipelines.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
