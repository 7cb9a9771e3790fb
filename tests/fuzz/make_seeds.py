#!/usr/bin/env python3
"""Make the inputs that fuzzing starts from, small ones, of the golden files and of what they lack.

    python3 make_seeds.py FOLDER        FOLDER/<target>/*, and FOLDER/<target>.dict, which stand here

Nothing but Python's own library is needed.  What fuzzing made of them is in corpus/.
"""

import base64
import hashlib
import json
import pathlib
import re
import struct
import sys

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
OUT = pathlib.Path(sys.argv[1])
SEPARATOR = b"\x1e"


def put(target, data):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    data = data if isinstance(data, bytes) else data.encode()
    (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def put_parts(target, *parts):
    put(target, SEPARATOR.join(p if isinstance(p, bytes) else p.encode() for p in parts))


def safetensors_file(tensors, metadata=None, pad=0):
    """tensors: (name, dtype, shape, bytes of an element)"""
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, element in tensors:
        n = element
        for d in shape:
            n *= d
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode() + b" " * pad
    return struct.pack("<Q", len(text)) + text + bytes(i % 251 for i in range(at))


def seed_safetensors():
    put("safetensors", safetensors_file([("a", "F32", [2, 3], 4), ("b", "BF16", [4], 2), ("c", "F16", [2, 1, 2], 2)]))
    put("safetensors", safetensors_file([("x.weight", "I64", [2], 8), ("y", "I32", [], 4), ("z", "F32", [0, 2], 4)],
                                        {"format": "pt"}, 5))
    put("safetensors", safetensors_file([(d, d, [2], n) for d, n in (
        ("BOOL", 1), ("U8", 1), ("I8", 1), ("F8_E5M2", 1), ("F8_E4M3", 1), ("I16", 2), ("U16", 2), ("U32", 4),
        ("F64", 8), ("U64", 8))]))
    put("safetensors", safetensors_file([]))
    put("safetensors", safetensors_file([("a", "F32", [200, 100], 4)]))
    for path in ("llama-sharded/model.safetensors.index.json",):
        put("safetensors", (GOLDEN / path).read_bytes())
    for text in ('{"weight_map":{"a":"a.safetensors","b":"b.safetensors"}}',
                 '{"metadata":{"total_size":16},"weight_map":{"a":"a.safetensors"}}',
                 '{"weight_map":{"a":"b.safetensors","b":"b.safetensors"}}',
                 '{"weight_map":{"a":"../a.safetensors"}}', '{"weight_map":{}}'):
        put("safetensors", text)


class Gguf:
    def __init__(self, version=3):
        self.version, self.entries, self.tensors, self.data = version, [], [], b""

    @staticmethod
    def text(value):
        value = value if isinstance(value, bytes) else value.encode()
        return struct.pack("<Q", len(value)) + value

    def add(self, key, kind, value):
        formats = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
        if isinstance(value, list):
            body = struct.pack("<IIQ", 9, kind, len(value))
            body += b"".join(self.text(v) if kind == 8 else struct.pack("<" + formats[kind], v) for v in value)
        else:
            body = struct.pack("<I", kind)
            body += self.text(value) if kind == 8 else struct.pack("<" + formats[kind], value)
        self.entries.append(self.text(key) + body)
        return self

    def tensor(self, name, kind, dims, n_bytes):
        self.data += bytes(-len(self.data) % 32)
        info = self.text(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims)
        self.tensors.append(info + struct.pack("<IQ", kind, len(self.data)))
        self.data += bytes((7 * i + 60) % 251 for i in range(n_bytes))
        return self

    def file(self):
        head = b"GGUF" + struct.pack("<IQQ", self.version, len(self.tensors), len(self.entries))
        head += b"".join(self.entries) + b"".join(self.tensors)
        return head + bytes(-len(head) % 32) + self.data


def byte_alphabet():
    """Characters by which byte-level BPE writes the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, n = {b: chr(b) for b in shown}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + n)
            n += 1
    return [table[b] for b in range(256)]


BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
          10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
          16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
          23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2)}


def gguf_model(g, name, extra=()):
    g.add("general.architecture", 8, name)
    for key, value in (("embedding_length", 8), ("block_count", 1), ("attention.head_count", 2),
                       ("attention.head_count_kv", 1), ("feed_forward_length", 16), ("context_length", 32),
                       ("vocab_size", 8)):
        g.add(f"{name}.{key}", 4, value)
    g.add(f"{name}.attention.layer_norm_rms_epsilon", 6, 1e-5)
    g.add(f"{name}.attention.layer_norm_epsilon", 6, 1e-5)
    g.add(f"{name}.rope.freq_base", 6, 10000.0)
    for key, kind, value in extra:
        g.add(f"{name}.{key}", kind, value)
    return g


def seed_gguf():
    everything = Gguf()
    for kind, (elements, n_bytes) in BLOCKS.items():
        put("gguf", Gguf().tensor(f"t{kind}", kind, [2 * elements], 2 * n_bytes).file())
        everything.tensor(f"t{kind}", kind, [elements, 1], n_bytes)
    put("gguf", everything.file())
    put("gguf", Gguf(2).add("a", 4, 1).file())
    put("gguf", (GOLDEN / "gguf/unsupported.gguf").read_bytes())
    values = Gguf()
    for kind, value in ((0, 1), (1, -1), (2, 2), (3, -2), (4, 3), (5, -3), (6, 0.5), (7, True), (8, "text"), (10, 4),
                        (11, -4), (12, 0.25)):
        values.add(f"v{kind}", kind, value).add(f"w{kind}", kind, [value, value])
    put("gguf", values.add("general.alignment", 4, 32).file())
    names = ["llama", "gemma2", "gemma3", "gpt2", "gptneox", "olmo2", "phi3", "qwen2", "qwen3", "bert"]
    for name in names:
        g = gguf_model(Gguf(), name, [("rope.scaling.type", 8, "yarn"), ("rope.scaling.factor", 6, 2.0),
                                      ("rope.scaling.original_context_length", 4, 16),
                                      ("attention.key_length", 4, 4), ("attention.value_length", 4, 4),
                                      ("attention.sliding_window", 4, 8), ("rope.dimension_count", 4, 4),
                                      ("use_parallel_residual", 7, True), ("attn_logit_softcapping", 6, 50.0)])
        g.tensor("token_embd.weight", 0, [8, 8], 256).tensor("blk.0.attn_q.bias", 0, [8], 32)
        put("gguf", g.file())
    put("gguf", gguf_model(Gguf(), "llama", [("rope.scaling.type", 8, "linear"), ("expert_count", 4, 0)])
        .tensor("rope_freqs.weight", 0, [2], 8).tensor("output.weight", 1, [8, 8], 128).file())
    tokens = byte_alphabet() + ["ab", "abc", "<s>", "</s>"]
    for pre in ("gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "deepseek-v3", "deepseek-coder", "olmo", "gpt-4o"):
        g = Gguf().add("tokenizer.ggml.model", 8, "gpt2").add("tokenizer.ggml.pre", 8, pre)
        g.add("tokenizer.ggml.tokens", 8, tokens).add("tokenizer.ggml.merges", 8, ["a b", "ab c"])
        g.add("tokenizer.ggml.token_type", 5, [1] * 258 + [3, 4])
        g.add("tokenizer.ggml.bos_token_id", 4, 258).add("tokenizer.ggml.eos_token_id", 4, 259)
        g.add("tokenizer.ggml.add_bos_token", 7, True).add("tokenizer.chat_template", 8, "{{ messages }}")
        put("gguf", g.file())
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)] + list("\u2581abcdé") + ["ab", "\u2581a"]
    g = Gguf().add("tokenizer.ggml.model", 8, "llama").add("tokenizer.ggml.tokens", 8, tokens)
    g.add("tokenizer.ggml.scores", 6, [-float(i) for i in range(len(tokens))])
    g.add("tokenizer.ggml.token_type", 5, [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259))
    g.add("tokenizer.ggml.bos_token_id", 4, 1).add("tokenizer.ggml.eos_token_id", 4, 2)
    g.add("tokenizer.ggml.unknown_token_id", 4, 0).add("tokenizer.ggml.add_space_prefix", 7, True)
    g.add("tokenizer.ggml.add_eos_token", 7, True)
    put("gguf", g.file())
    for tokens, n_scores in ((["<unk>", "aaaa", "aaa", "aa", "a", "abab", "ab", "b", "ba", "bab", "aba"], 11),
                             (["<unk>", "a", "a"], 3), (["<unk>", "a"], 1), (["<unk>", "x" * 1100, "x"], 3)):
        g = Gguf().add("tokenizer.ggml.model", 8, "llama").add("tokenizer.ggml.tokens", 8, tokens)
        g.add("tokenizer.ggml.scores", 6, [-1.0] * n_scores)
        g.add("tokenizer.ggml.token_type", 5, [2] + [1] * (len(tokens) - 1))
        put("gguf", g.add("tokenizer.ggml.unknown_token_id", 4, 0).file())


def seed_config_json():
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
               {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
    pooling = {"word_embedding_dimension": 8, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    for path in sorted(GOLDEN.glob("*/config*.json")) + sorted(GOLDEN.glob("*/*/config.json")):
        config = json.loads(path.read_text())
        put_parts("config_json", json.dumps(config))
        put_parts("config_json", json.dumps(config), json.dumps(modules), json.dumps(pooling))
    put_parts("config_json", "{}", json.dumps(modules), json.dumps({"pooling_mode": "lasttoken"}))


def small_charsmap():
    """"\u00e9" becomes "e": token/charsmap.h describes the units."""
    units = [0xc2 << 10, 0xc3 | 0xaa << 10, 0xa9 | 1 << 8 | 1 << 10, 1 << 31]
    data = struct.pack("<5I", 16, *units) + b"e\0"
    return base64.b64encode(data).decode()


def small_tokenizer(parts, kind="BPE"):
    vocab = {"a": 0, "b": 1, "ab": 2, "\u2581": 3, "<unk>": 4, "##b": 5, "\u2581a": 6, "\u00e9": 7, "[UNK]": 8}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": vocab, "merges": [["a", "b"], "\u2581 a"]}
    if kind == "Unigram":
        model = {"type": "Unigram", "unk_id": 4, "byte_fallback": False,
                 "vocab": [[text, -1.5 - i] for i, text in enumerate(vocab)]}
    if kind == "WordPiece":
        model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                 "max_input_chars_per_word": 100, "vocab": vocab}
    token = {"id": 9, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [token, {
        "id": 10, "content": "\u00e9x", "single_word": True, "lstrip": True, "rstrip": True, "normalized": True,
        "special": False}], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Fuse"}, "model": model}
    for key, value in parts.items():
        if key == "model" and isinstance(value, dict):
            model.update({k: v for k, v in value.items() if k not in ("vocab", "merges") and k in model})
        else:
            whole[key] = value
    return json.dumps(whole, ensure_ascii=False)


def seed_tokenizer_json():
    text = "Hello, a ab w\u00f6rld\u00e9x 123 <s>\n\t  \u2581don't \u4e2d\U0001f600"
    config = json.dumps({"bos_token": "<s>", "eos_token": {"content": "<s>"}, "model_max_length": 512,
                         "chat_template": "{{ messages }}", "do_lower_case": True})
    put_parts("tokenizer_json", small_tokenizer({}), text)
    pipelines = json.loads((GOLDEN / "tokenizer/pipelines.json").read_text())["pipelines"]
    for row in pipelines:
        base = json.loads((GOLDEN / f"tokenizer/{row['base']}.json").read_text())
        kind = base["model"].get("type", "BPE")
        parts = {k: base[k] for k in ("normalizer", "pre_tokenizer", "decoder") if base.get(k)}
        whole = small_tokenizer({**parts, **row["parts"]}, kind)
        whole = re.sub(r'"precompiled_charsmap": "[^"]*"', f'"precompiled_charsmap": "{small_charsmap()}"', whole)
        put_parts("tokenizer_json", whole, text)
        put_parts("tokenizer_json", whole, text, config)
    for name in ("smollm2", "qwen2", "llama3", "gpt2", "roberta", "wordpiece", "spm", "unigram"):
        whole = json.loads((GOLDEN / f"tokenizer/{name}.json").read_text())
        model = whole.pop("model")
        keep = {k: v for k, v in whole.items() if k not in ("added_tokens", "post_processor")}
        whole = small_tokenizer({**keep, "model": model}, model["type"])
        whole = re.sub(r'"precompiled_charsmap": "[^"]*"', f'"precompiled_charsmap": "{small_charsmap()}"', whole)
        put_parts("tokenizer_json", whole, text)
    put_parts("tokenizer_json", small_tokenizer({"post_processor": {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                  {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [9], "tokens": ["<s>"]}}}}), text, config, "{}", "{}")
    for kind in ("BertProcessing", "RobertaProcessing"):
        put_parts("tokenizer_json", small_tokenizer({"post_processor": {
            "type": kind, "sep": ["<s>", 9], "cls": ["<s>", 9], "trim_offsets": True, "add_prefix_space": False}}), text)
    put_parts("tokenizer_json", "", text, config, "", "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\na\n##b\nab\n")
    for eos in ("7", "[2, 3]", "null", '"<s>"', "-1"):
        put_parts("tokenizer_json", small_tokenizer({}), text, "{}", '{"eos_token_id": %s}' % eos)
    whole = json.loads(small_tokenizer({
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel"}}))
    whole["model"]["vocab"] = {text: i for i, text in enumerate([*byte_alphabet(), "ab", "\u0120a"])}
    whole["model"]["merges"] = ["a b", "\u0120 a"]
    whole["added_tokens"] = [{**whole["added_tokens"][0], "id": 258}]
    put_parts("tokenizer_json", json.dumps(whole), text)
    named = {"chat_template": [{"name": "tool", "template": "a"}, {"name": "default", "template": "{{ b }}"}]}
    put_parts("tokenizer_json", small_tokenizer({}), text, json.dumps(named))
    put_parts("tokenizer_json", "", text, "{}")
    clusters = ("\u00e9\u0301 e\u0301\u0302\r\n \U0001f1e6\U0001f1fa\U0001f1e6 \u1100\u1161\u11a8 \uac00\u11a8 \uac01\u11a8"
                "\u1161\u1161\u11a8\u11a8 \U0001f468\u200d\U0001f469\u200d\u00e9 \u0600a \u0903 \u200b\u0008\ufe0f")
    normalizer = {"type": "Precompiled", "precompiled_charsmap": small_charsmap()}
    put_parts("tokenizer_json", small_tokenizer({"normalizer": normalizer}, "Unigram"), clusters)
    for scores in (["1e-400", "0e999", "-1.25e+2"], ["1e31", "0", "0"], ["-12345678901234567890123", "0.0000123456789012345678901", "1E5"]):
        vocab = ",".join(f'["{t}", {score}]' for t, score in zip(("a", "b", "\\u2581"), scores))
        put_parts("tokenizer_json", '{"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, '
                  '"post_processor": null, "decoder": {"type": "Fuse"}, "model": {"type": "Unigram", "unk_id": 0, '
                  f'"vocab": [{vocab}]}}}}', "a b ab")
    for key in ("model", "vocab"):
        put_parts("tokenizer_json", small_tokenizer({}, "Unigram").replace(f'"{key}"', f'"\\u{ord(key[0]):04x}{key[1:]}"'), "a")
    put_parts("tokenizer_json", re.sub(r'"vocab": \[.*\]\]', '"vocab": []', small_tokenizer({}, "Unigram")), "a")
    slow = {"type": "Split", "pattern": {"Regex": "(?:a|b|ab)*c"}, "behavior": "Isolated", "invert": False}
    put_parts("tokenizer_json", small_tokenizer({"pre_tokenizer": slow}), "ab" * 40)
    decoders = [{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}]
    put_parts("tokenizer_json", small_tokenizer({"decoder": {"type": "Sequence", "decoders": decoders}}), text)
    for regex in (r"\p{L}+|[^\s\p{N}a-f]?\d{1,3}(?!\S)|(?i:'s|'t)", r"(?<=a)b+?|[\]\-x]*y", r"\s+$|(?:ab|c)*d"):
        put_parts("tokenizer_json", small_tokenizer({"pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": regex}, "behavior": "MergedWithPrevious", "invert": False}}), text)


def seed_text():
    for name in ("alpaca", "messages", "prompt_messages", "prompts"):
        for line in (GOLDEN / f"chat/{name}.jsonl").read_text().splitlines()[:2]:
            put("jsonl", line + "\n")
        put("jsonl", (GOLDEN / f"chat/{name}.jsonl").read_text()[:1500])
    put("jsonl", '{"text": "one", "label": "a"}\n\n{"text": "two\\u00e9\\ud83d\\ude00", "label": 7}\r\n{"text":"","label":true}')
    put("jsonl", '\ufeff{"text": "\\u0000 zero", "label": -1.50e3}\n')
    put("jsonl", '{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":"b"}]}')
    put("jsonl", '{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"completion":[{"role":"assistant","content":"c"}]}')
    put("jsonl", '{"instruction":"i","input":null,"output":"o"}\n{"instruction":"i","output":"o"}')
    put("csv", 'text,label\none,a\n"two ""quoted"", x\nline",b\r\n')
    put("csv", '\ufefflabel,id,text\r\na,1,one\r\n\r\nb,2,"two"')
    put("csv", 'prompt,completion\np,c\n"p\n2",c\n')
    put("csv", 'instruction,input,output\ni,,o\ni,"x",o\n')
    put("csv", '"text","label"\n"' + "x" * 600 + '",y\n')
    put("utf8", "plain ascii, a run of more than thirty-two bytes of it \u00e9\u4e2d\U0001f600 e\u0301 \u1e9b\u0323 \uac00\u1100\u1161")
    put("utf8", b"\xc3\x28 \xa0\xa1 \xe2\x28\xa1 \xf0\x90\x28\xbc \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xef\xbf\xbd")
    put("utf8", "\ufb01\uff21\u00c5\u212b\u0130\u03a3 don't 12 3,4 \u0e33\u0915\u094d\u0937 \u200d\ufe0f \t\r\n\x00\x7f\x85")
    for line in (GOLDEN / "tokenizer/torture.jsonl").read_text().splitlines():
        text = json.loads(line)
        text = text["text"] if isinstance(text, dict) else text
        if len(text) < 400:
            put("utf8", text.encode("utf-8", "replace"))


def seed_manifest():
    digits = "0123456789abcdef" * 2
    for world in (1, 2):
        files = [{"name": f"shard-{i:05d}-of-{world:05d}.h5", "bytes": 100 + i, "xxh3_128": digits}
                 for i in range(world)] + [{"name": "index.h5", "bytes": 7, "xxh3_128": digits}]
        put("manifest", json.dumps({"format": "finetune checkpoint 1", "step": 100, "world_size": world,
                                    "slices": list(range(0, 10 * world + 1, 10)), "files": files,
                                    "self_xxh3_128": "0" * 32}, indent=1) + "\n")
    shard = {"n_tokens": 10, "n_documents": 2, "n_bytes": 40, "file_bytes": 3000, "xxh3_128": digits}
    head = {"format": "finetune-tokens", "version": 1, "key": digits, "data_hash": digits, "tokenizer_hash": digits,
            "n_skipped": 0}
    put("manifest", json.dumps({**head, "shards": [shard, shard]}))
    put("manifest", json.dumps({**head, "max_tokens": 16, "shards": [shard]}))
    put("manifest", json.dumps({**head, "max_tokens": 16, "instruct": digits,
                                "shards": [{**shard, "n_supervised": 3, "n_truncated": 1}]}))


def seed_configuration():
    root = GOLDEN.parent.parent
    for path in sorted(root.glob("configs/**/*.cfg")):
        text = path.read_text()
        put("configuration", text)
        put_parts("configuration", text, "training.lr=1e-3", "compare.transfer.transfer.l2=0.5")
    needed = 'model: { path = "m.gguf"; };\noutput: { dir = "out"; };\n'
    put_parts("configuration", needed, 'data.train=["a.jsonl", "b.csv"]', "seed=7", "training.warmup=100")
    put("configuration", needed + 'seed = 5000000000L; // comment\n/* 010 */ data = { train = ["a", "b"]; };\n'
        'compare: { last-layers: { training: { lr = 1e-4; }; }; transfer: { transfer: { pooling = "cls"; }; }; };\n')
    put("configuration", needed + 'training: { lr = 0x10; min_lr = .5; clip = 1e400; beta1 = 010; };\n# c\n')
    put("configuration", 'a = "x\\x41\\n\\"" "y"; b = (1, [true, FALSE], { c = -1.5e-3; }); @include "f"\n')



def dictionary(target, *patterns):
    """FOLDER/<target>.dict: the words that the sources of a parser compare with."""
    words = set()
    for pattern in patterns:
        for path in GOLDEN.parent.parent.joinpath("src").glob(pattern):
            words.update(re.findall(r'"([\w.<>#|/+-]{2,40})"', path.read_text()))
    lines = [f'"{word}"' for word in sorted(words) if not word.endswith((".h", ".c"))]
    (OUT / f"{target}.dict").write_text("\n".join(lines) + "\n")


def hostile():
    """Cases that reach no new edge, but that a broken check would let pass: FOLDER/hostile/<target>/*."""
    entry = '"%s":{"dtype":"F32","shape":[2],"data_offsets":[%d,%d]}'
    for first, second, size in ((0, 4, 16), (0, 12, 20), (4, 12, 20), (8, 0, 17), (8, 0, 15), (0, 0, 8)):
        text = ("{" + entry % ("a", first, first + 8) + "," + entry % ("b", second, second + 8) + "}").encode()
        put("hostile/safetensors", struct.pack("<Q", len(text)) + text + bytes(size))
    for text in ('{"weight_map":{"a":"b.safetensors","b":"a.safetensors"}}',
                 '{"weight_map":{"a":"a.safetensors","c":"b.safetensors"}}'):
        put("hostile/safetensors", text)
    for key in ("general.alignment", "a", "llama.rope.freq_base"):
        for value in (float("nan"), float("inf")):
            put("hostile/gguf", Gguf().add(key, 6, value).add("b", 6, [0.0, value]).add("x", 12, value).file())
    whole = Gguf().tensor("t", 8, [32], 34).file()
    for size in (len(whole) - 1, len(whole) - 34, len(whole) + 1):
        put("hostile/gguf", (whole + b"\0")[:size])
    put("hostile/gguf", Gguf().tensor("t", 0, [4], 16).tensor("t", 0, [4], 16).file())
    put("hostile/gguf", whole.replace(struct.pack("<Q", 32), struct.pack("<Q", 31)))
    put("hostile/gguf", whole.replace(struct.pack("<Q", 32), struct.pack("<Q", 2**40)))
    llama = json.loads((GOLDEN / "llama-tiny/config.json").read_text())
    for key, value in (("num_key_value_heads", 3), ("head_dim", 7), ("vocab_size", 2**31), ("num_hidden_layers", 1025),
                       ("eos_token_id", 10**6), ("bos_token_id", -5), ("rms_norm_eps", 1e999), ("rope_theta", 0)):
        put("hostile/config_json", json.dumps({**llama, key: value}))
    for at in (0, 7, 8, 15, 23, 24, 31, 32, 39, 63):
        for bad in (b"\x80", b"\xff", b"\xc3", b"\xf0\x9f\x98"):
            put("hostile/utf8", b"a" * at + bad + b"a" * (64 - at))
    for bad in ("c080", "c1bf", "e09fbf", "eda080", "edbfbf", "f08fbfbf", "f4908080", "f5808080", "fe", "efbfbf", "c2",
                "e0a0", "f09080"):
        put("hostile/utf8", b"x" + bytes.fromhex(bad))
    digits = "0123456789abcdef" * 2
    for slices, names in (([0, 20, 10], None), ([1, 10, 20], None), ([0, 10, 2**62], None), ([0, 10, -1], None),
                          ([0, 10, 20], "../x.h5")):
        files = [{"name": names or f"shard-{i:05d}-of-00002.h5", "bytes": 100, "xxh3_128": digits} for i in range(2)]
        files.append({"name": "index.h5", "bytes": 7, "xxh3_128": digits})
        put("hostile/manifest", json.dumps({"format": "finetune checkpoint 1", "step": 1, "world_size": 2,
                                            "slices": slices, "files": files, "self_xxh3_128": "0" * 32}, indent=1) + "\n")
    for text in ('text,label\n"a\n"b,c\n', 'text,label\n"a""\n","b\n"\n"c",d\n"e\n\n",f\n', "text,label\na\n", 'text,text\na,b\n',
                 'text,label\n"' + 'a\n' * 300 + '",b\nc,d\n', "text\r\na\rb\r\n", 'text,label\na,"b'):
        put("hostile/csv", text)
    for text in ('{"text":"a"}\n' * 40, '{"text":"' + "b" * 700 + '"}\n{"text":"c"}\n', '{"text":"a","text":"b"}\n',
                 '{"text":"\\ud800"}\n', '{"text":1}\n', '[' * 70 + ']' * 70, '{"text":"a"}x\n', '{"text":"a"}\r\r\n'):
        put("hostile/jsonl", text)
    needed = 'model: { path = "m.gguf"; };\noutput: { dir = "out"; };\n'
    for text in ("seed = 010;", "training: { lr = 1e; };", "training: { beta1 = 1.0; };", "seed = 5000000000;", 'a = "\\x00";',
                 "training: { micro_batch = 0; };", "checkpoint: { keep = 1; };", "training: { micro_batch = 2147483648L; };"):
        put("hostile/configuration", needed + text)


seed_safetensors()
seed_gguf()
seed_config_json()
seed_tokenizer_json()
seed_text()
seed_manifest()
seed_configuration()
hostile()
dictionary("safetensors", "format/safetensors.c", "format/weights.c")
dictionary("gguf", "model/config_gguf.c", "token/*gguf*.c", "token/gguf*.c", "model/family*.c", "format/gguf.c")
dictionary("config_json", "model/config*.c", "model/family*.c")
dictionary("tokenizer_json", "token/json_*.c", "token/tokenizer_*.c", "token/normalizer.c", "token/pretokenizer.c",
           "token/decoder.c")
dictionary("jsonl", "data/conversation.c", "data/document.c", "token/chat.c")
dictionary("manifest", "ckpt/manifest.c", "data/token_set.c")
dictionary("configuration", "config/*.c")
