#!/usr/bin/env python3
"""Make the golden tokenizers and their reference ids.

Needs tokenizers, gguf, xxhash, numpy, Python 3.11 (whose unicodedata is Unicode 14), and the files
of tools/fetch_examples.py.
    python3 make_tokenizers.py [ROOT]              ROOT holds models/ and data/; default: the checkout

gpt2.json smollm2.json llama3.json qwen2.json roberta.json
                      byte-level BPE of 1,500 tokens with the splitter, flags and spelling of its
                      family.  Trained here on documents and on random code points WITHOUT the
                      splitter, so that many merges run across its borders: a wrong split then
                      shows in the ids
torture.jsonl         {"name", "text"}: the texts that no short rule gives
torture_rules.json    the others.  {"name", "repeat", "count"}: `repeat` so many times.
                      {"name", "assigned": [lo, hi], "separator"}: all code points of
                      assigned14.json from lo to hi, ascending, `separator` between two of them
assigned14.json       [[lo, hi], ...]: every code point assigned in Unicode 14, surrogates left out
hashes_<tokenizer>.json  {tokenizer: {case: {"n", "xxh3_128", "decoded_xxh3_128", "same"}}}
                      n ids without the template; XXH3-128 over the ids as little-endian uint32, and
                      over the UTF-8 bytes of the ids decoded, special tokens kept; same: whether
                      that is the text again.  Tokenizer "smollm2.gguf" is that of models/smollm2.gguf, "llama-tiny.gguf" that of
                      gguf/llama-tiny.gguf (run make_gguf.py first)
decode.json           {tokenizer: [{"ids", "text", "text_skip_special"}]}: ids that no text gives
template.json         {tokenizer: [{"text", "ids"}]}: with the template
"""

import json
import pathlib
import random
import sys
import unicodedata

import tokenizers
import xxhash
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from make_corpus_hashes import gguf_tokenizer, ids_hash  # noqa: E402

SEED = 11
VOCABULARY = 1500
HERE = pathlib.Path(__file__).resolve().parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(use_regex=True, add_prefix_space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


def special(content, **flags):
    return AddedToken(content, special=True, normalized=False, **flags)


def plain(content, **flags):
    return AddedToken(content, special=False, normalized=flags.pop("normalized", False), **flags)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    byte_level(use_regex=False)])


FAMILIES = {
    # name: (pre-tokenizer, normalizer, added tokens)
    "gpt2": (byte_level(), None,
             [AddedToken("<|endoftext|>", special=True, normalized=True),
              special("<|sep|>", rstrip=True), plain("Foo Bar", single_word=True),
              plain("lower", normalized=True), plain("   "), plain("  ")]),
    "smollm2": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                         byte_level()]), None,
                [special(t) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>",
                                      "<reponame>", "<file_sep>", "<filename>", "<jupyter_code>")]),
    "llama3": (split(LLAMA3), None,
               [special(t) for t in ("<|begin_of_text|>", "<|end_of_text|>",
                                     "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")]),
    "qwen2": (split(QWEN2), normalizers.NFC(),
              [special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>"),
               plain("<tool_call>"), plain("</tool_call>"), plain("한글", normalized=True),
               plain("<\uff5csep\uff5c>", lstrip=True, rstrip=True)]),
    "roberta": (byte_level(add_prefix_space=True), None,
                [special("<s>"), special("<pad>"), special("</s>"), special("<unk>"),
                 special("<mask>", lstrip=True)]),
}


def with_whole_words(tokenizer):
    """Add two words that no merges lead to: found whole only because of ignore_merges."""
    data = json.loads(tokenizer.to_str())
    data["model"]["ignore_merges"] = True
    for word in ("\u0120copyleftness", "zyzzyva"):
        data["model"]["vocab"][word] = len(data["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(data))


def train(name, texts):
    pre, normalizer, added = FAMILIES[name]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level(use_regex=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False, initial_alphabet=byte_level().alphabet()))
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    if name == "llama3":
        tokenizer = with_whole_words(tokenizer)
    tokenizer.add_tokens(added)
    if name == "llama3":
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B:1",
                special_tokens=[("<|begin_of_text|>",
                                 tokenizer.token_to_id("<|begin_of_text|>"))])])
    elif name == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")))
    else:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def edit(name, tokenizer):
    """What the trainer cannot make: spellings of older files, entries to be ignored."""
    data = json.loads(tokenizer.to_str())
    model = data["model"]
    if name in ("gpt2", "roberta"):
        model["merges"] = [" ".join(merge) for merge in model["merges"]]
    if name == "gpt2":
        for key in ("ignore_merges", "byte_fallback"):
            model.pop(key, None)
    if name == "qwen2":
        data["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst",
                              "stride": 0}
        data["padding"] = {"strategy": {"Fixed": 16}, "direction": "Right",
                           "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
                           "pad_token": "!"}
    return data


def reference(data):
    """The tokenizer of a tokenizer.json, its own truncation and padding ignored."""
    data = dict(data, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(data))


def assigned_ranges():
    assert unicodedata.unidata_version == "14.0.0"
    ranges = []
    for code in range(0x110000):
        if unicodedata.category(chr(code)) in ("Cn", "Cs"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def rules(ranges):
    out = [{"name": f"mega_{name}", "repeat": text, "count": 1 << 20} for name, text in
           [("a", "a"), ("digit", "7"), ("space", " "), ("newline", "\n")]]
    out += [{"name": f"many_{name}", "repeat": text, "count": count} for name, text, count in
            [("crlf", "\r\n", 70000), ("ab", "ab ", 50000), ("e_acute", "e\u0301", 60000),
             ("tab", "\t", 100000), ("dot", ".", 100000), ("special", "<|endoftext|>", 5000),
             ("emoji", "\U0001F600", 40000), ("the", "the", 100000), ("apostrophe", "'s", 60000),
             ("mixed_space", " \n\t\u00a0\u3000", 30000), ("han", "\u6f22", 60000)]]
    out += [{"name": "assigned", "assigned": [0, 0x10FFFF], "separator": ""},
            {"name": "assigned_spaced", "assigned": [0, 0x10FFFF], "separator": " "},
            {"name": "assigned_a", "assigned": [0, 0xFFFF], "separator": "a"},
            {"name": "assigned_1", "assigned": [0, 0xFFFF], "separator": "1"},
            {"name": "assigned_dot", "assigned": [0, 0xFFFF], "separator": "."},
            {"name": "assigned_newline", "assigned": [0, 0xFFFF], "separator": "\n"}]
    for low in list(range(0, 0x10000, 0x1000)) + list(range(0x10000, 0x110000, 0x4000)):
        high = low + (0x1000 if low < 0x10000 else 0x4000) - 1
        if any(lo <= high and hi >= low for lo, hi in ranges):
            out.append({"name": f"assigned_{low:06x}", "assigned": [low, high], "separator": ""})
    return out


def rule_text(rule, codes):
    if "repeat" in rule:
        return rule["repeat"] * rule["count"]
    low, high = rule["assigned"]
    return rule["separator"].join(chr(code) for code in codes if low <= code <= high)


def fixed_texts():
    return {
        "empty": "", "nul": "a\0b\0\0 c", "space": " ", "word": "word", "leading": " leading",
        "leading2": "  two", "trailing": "trailing  ", "u180e": "a\u180eb \u180e \u180e\u180e c",
        "bom": "\ufeffhello \ufeff", "nel": "a\u0085b \u0085\u0085 c\u2028d\u2029e",
        "spaces": "a\u00a0b\u2003c\u3000d\u202fe\u205ff\u1680g\u2000h\u200bi\u2060j",
        "nbsp_runs": "a \u00a0 b\u00a0\u00a0c  \u3000 d", "vt_ff": "a\x0bb\x0cc\x1cd\x1de\x1ef\x1fg",
        "newlines": "a\n\n\nb\r\n\r\nc\r\r d \n e  \n\n  f\n   g\n\t\n h",
        "newline_end": "text\n\n", "space_newline_end": "text \n \n ", "only_mixed": " \n \t \r\n  ",
        "tabs": "\tif x:\n\t\treturn  y\t\t z", "space_before_number": "a  1  22   333    4444",
        "contractions": "I'm you're he's we've they'll she'd don't I'M YOU'RE HE'S WE'VE THEY'LL "
                        "SHE'D DON'T 's 't're 'ver 'sx ''s it\u2019s o'clock 'S'T'D x'lL",
        "long_s": "'\u017f a'\u017f \u212aelvin '\u212a", "turkish": "I\u0307 \u0130 \u0131 '\u0130",
        "digits": "0 1 12 123 1234 12345 3.14159 1,000,000 0x1F 2nd 1st a1b2 1a",
        "digits_unicode": "\u0663\u0664\u0665 \u0966\u0967 \u00b2\u00b3\u00bd \u2160\u2161 \u3007 "
                          "\u2460 \U0001D7D8\U0001D7D9 \u0e51\u0e52 12\u066312 \u4e00\u4e8c",
        "combining": "e\u0301e\u0301 a\u0308\u0301 \u0301x n\u0303o \u1e9b\u0323 q\u0307\u0323",
        "nfc": "\u00e9 e\u0301 \u212b A\u030a \u1100\u1161\u11a8 \ud55c\uae00 "
               "\u1112\u1161\u11ab\u1100\u1173\u11af \u0958 \ufb1d \u0344 \u2126 \u2adc",
        "hangul_token": "\u1112\u1161\u11ab\u1100\u1173\u11af x\ud55c\uae00y",
        "zwj": "\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466 a\u200db \u200c\u200d",
        "flags": "\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7 \u2764\ufe0f \U0001F44D\U0001F3FD 1\ufe0f\u20e3",
        "devanagari": "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
        "thai": "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
        "arabic": "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0640\u064b",
        "hebrew": "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "cjk": "\u4f60\u597d\uff0c\u4e16\u754c\u3002"
        "\u3053\u3093\u306b\u3061\u306f123", "russian": "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! "
        "\u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439", "greek": "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u03ba\u03cc\u03c3\u03bc\u03b5",
        "punctuation": "!?...,;:--- \u2014\u2026 \u00ab\u00bb \u201cq\u201d (a)[b]{c} <d> @#$%^&* "
                       "a-b a--b a_b __x__ /usr/lib C:\\x", "punctuation_newline": "a.\nb!\r\n\n c;\n\n\nd (\n)",
        "url": "https://www.example.org/a/b.html?x=1&y=%20#z user@example.org",
        "code": "int main(void) {\n    return x->y[i++] << 3;\n}\n",
        "copyright": "Copyright (c) 2004-2011, Foo\u00ae Inc.\u2122 All rights reserved. \u00a9\u00a7\u00b6",
        "specials": "<|endoftext|>a<|endoftext|><|endoftext|> b <|im_start|>user\nhi<|im_end|>\n"
                    "<|begin_of_text|><|start_header_id|>x<|end_header_id|>\n\n<|eot_id|>",
        "specials_spaces": "a  <|sep|>  b\n<|sep|>\n\n c <mask>  d  <mask> \n <mask>e <s>f</s> <unk>",
        "specials_partial": "<|endoftext| > <|endoftext <|endof<|endoftext|>text|> <|im_start|",
        "specials_nested": "<|<|endoftext|>|> <<|im_end|>> <tool_call>x</tool_call> <tool_call",
        "single_word": "Foo Bar, xFoo Bar Foo Barx Foo Bar Foo Bar.Foo Bar_Foo Bar\u00e9Foo Bar",
        "lower_token": "lower lowered flower LOWER", "runs_token": "a  b   c    d     e      f",
        "fullwidth_token": "a  <\uff5csep\uff5c>  b<\uff5csep\uff5c>\n\n\u3000c",
        "ignore_merges": "zyzzyva copyleftness copyleftness\nzyzzyva zyzzyva zyzzyvas azyzzyva 1zyzzyva",
        "last_code_points": "\U0010FFFD\U000F0000\ue000\ufffd\ufffc", "control": "\x01\x02\x7f\x80\x9f\xad",
        "math": "\U0001D400\U0001D7FF \u2211\u222b\u221a \u00b1\u00d7", "titlecase": "\u01c5\u01c8\u1f88 \u02b0\u02bc a\u02bcb",
        "deseret": "\U00010400\U00010428 \U0001E900", "noncharacter_free": "a\ufdcfb\ufdf0c",
    }


ALPHABET = list("abcxyzABCeEtTsSdDmMlLvVrR''''0123456789   \n\n\r\t..,-_()<>|/\\\"") + list(
    "\u00a0\u00ad\u00e9\u00df\u0130\u017f\u0301\u0308\u0345\u0663\u093e\u0e31\u1100\u1161\u11a8\u180e"
    "\u2003\u2009\u200b\u200c\u200d\u2019\u2028\u2029\u202f\u2160\u2460\u2060\u212a\u3000\u3042\u4e00"
    "\ufe0f\ufeff\uff11\uff21\uac00\U0001F600\U0001F3FD\U0001F1E9\U0001D7D8\U00010400\U000E0020"
    "\x0b\x0c\x1c\x1f\x85\x00")


def random_texts(codes):
    """Random strings: over an alphabet that tries the splitters, over specials, over everything."""
    generator = random.Random(SEED)
    pieces = ["<|endoftext|>", "<|im_start|>", "<|sep|>", "<mask>", "Foo Bar", "lower", "<s>",
              "<|eot_id|>", "<tool_call>", "\ud55c\uae00", "<\uff5csep\uff5c>", "   ", "  "]
    out = {}
    for i in range(100):
        out[f"random_{i:03d}"] = "".join(generator.choices(ALPHABET, k=generator.randint(1, 120)))
    for i in range(60):
        mixed = ALPHABET[:60] + pieces * 2
        out[f"random_special_{i:03d}"] = "".join(generator.choices(mixed, k=generator.randint(1, 60)))
    for i in range(60):
        out[f"random_unicode_{i:03d}"] = "".join(
            chr(generator.choice(codes)) if generator.random() < 0.7 else generator.choice(ALPHABET)
            for _ in range(generator.randint(1, 100)))
    return out


def text_hash(text):
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8"))


def case(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    decoded = tokenizer.decode(ids, skip_special_tokens=False)
    return {"n": len(ids), "xxh3_128": ids_hash(ids), "decoded_xxh3_128": text_hash(decoded),
            "same": decoded == text}


def decode_cases(name, tokenizer):
    """Byte tokens that are no UTF-8, cut characters, specials, ids out of order."""
    letters = {}
    plain_bytes = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    for byte in plain_bytes:
        letters[byte] = chr(byte)
    for i, byte in enumerate(b for b in range(256) if b not in plain_bytes):
        letters[byte] = chr(256 + i)
    sequences = [b"\xe2\x82", b"\xe2\x82\xac", b"a\xffb", b"\xc0\x80", b"\xf0\x9f\x98", b"\xf0\x9f\x98x",
                 b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x28\xa1", b"\x80\x80", b"\xf8\x88\x80\x80\x80",
                 b"ab\xc3", b"\xc3\xa9\xc3", b"\x00\x01", b"\xe1\x80\xe2\x80\x80", b"\xf1\x80\x80\xe1\x80\xc2"]
    generator = random.Random(SEED + 1)
    groups = [[tokenizer.token_to_id(letters[b]) for b in s
               if tokenizer.token_to_id(letters[b]) is not None] for s in sequences]
    groups += [[generator.randrange(tokenizer.get_vocab_size()) for _ in range(12)]
               for _ in range(20)]
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False),
             "text_skip_special": tokenizer.decode(ids, skip_special_tokens=True)} for ids in groups]


def training_texts(path, codes):
    """Half documents, half random code points, cut into short pieces."""
    generator = random.Random(SEED + 2)
    public = [c for c in codes if unicodedata.category(chr(c)) != "Co"]
    letters = [c for c in public if c < 0x3100] + [0x4E00 + i for i in range(200)]
    pieces = [letter * 64 for letter in "a7 \n\t."] * 4
    with open(path, encoding="utf-8") as file:
        for line, _ in zip(file, range(25)):
            text = json.loads(line)["text"]
            pieces += [text[i:i + 80] for i in range(0, min(len(text), 2000), 80)]
    for source, count in ((public, 300), (letters, 900)):
        pieces += ["".join(map(chr, generator.choices(source, k=40))) for _ in range(count)]
    pieces += ["".join(generator.choices(ALPHABET, k=60)) for _ in range(2500)]
    pieces += ["".join(generator.choices("0123456789", k=40)) for _ in range(150)]
    return pieces


def write_hashes(hashes):
    """One case a line, so that a change shows in a diff."""
    blocks = []
    for name, cases in hashes.items():
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in cases.items()]
        blocks.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    for name, block in zip(hashes, blocks):
        (HERE / f"hashes_{name}.json").write_text("{\n" + block + "\n}\n")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent.parent
    ranges = assigned_ranges()
    codes = [code for low, high in ranges for code in range(low, high + 1)]
    (HERE / "assigned14.json").write_text(json.dumps(ranges) + "\n")
    rule_list = rules(ranges)
    texts = fixed_texts() | random_texts(codes)
    (HERE / "torture_rules.json").write_text(
        "[\n" + ",\n".join(json.dumps(rule) for rule in rule_list) + "\n]\n")
    (HERE / "torture.jsonl").write_text(
        "".join(json.dumps({"name": k, "text": v}) + "\n" for k, v in texts.items()))
    texts |= {rule["name"]: rule_text(rule, codes) for rule in rule_list}

    pieces = training_texts(root / "data/legal_train.jsonl", codes)
    tokenizers_ = {}
    for name in FAMILIES:
        data = edit(name, train(name, pieces))
        (HERE / f"{name}.json").write_text(
            json.dumps(data, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
        tokenizers_[name] = reference(data)
    tokenizers_["smollm2.gguf"] = gguf_tokenizer(root / "models/smollm2.gguf")
    tokenizers_["llama-tiny.gguf"] = gguf_tokenizer(HERE.parent / "gguf/llama-tiny.gguf")

    write_hashes({name: {key: case(t, text) for key, text in texts.items()}
                  for name, t in tokenizers_.items()})
    (HERE / "decode.json").write_text(json.dumps(
        {name: decode_cases(name, t) for name, t in tokenizers_.items()}) + "\n")
    some = ["", "Hello world", " <mask> x", "copyleftness 123"]
    (HERE / "template.json").write_text(json.dumps(
        {name: [{"text": text, "ids": t.encode(text).ids} for text in some]
         for name, t in tokenizers_.items()}) + "\n")
    (HERE / "versions.json").write_text(json.dumps(
        {"seed": SEED, "tokenizers": tokenizers.__version__, "python": sys.version.split()[0],
         "unicodedata": unicodedata.unidata_version}) + "\n")


if __name__ == "__main__":
    main()
