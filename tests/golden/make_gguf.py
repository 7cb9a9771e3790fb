#!/usr/bin/env python3
"""Make the golden GGUF files: gguf/types.gguf, gguf/dequant.safetensors, gguf/llama-tiny.gguf.

Needs gguf, safetensors, numpy; run after make_llama.py, in tests/golden:
    python3 make_gguf.py

types.gguf             tensors <type>.random (quantised from random values, where gguf can), <type>.raw
                       (random bytes with finite scales: every code, negative zero, subnormals) and,
                       for the quantised types, <type>.extreme (zero, largest and smallest scales)
quantize.safetensors   <type>.values and what gguf.quantize makes of them (<type>.bytes), for the types
                       that are written: random, zeros, ties, subnormals, the largest f16
dequant.safetensors    the same names, as gguf.dequantize gives them, f32, to compare bit for bit
llama-tiny.gguf        llama-tiny/ in F32 as llama.cpp's converter stores it (Q and K rows permuted),
                       with a byte-level BPE tokenizer: 256 bytes, <|endoftext|>, 15 merges
unsupported.gguf       one TQ2_0 tensor: to be refused by name
"""

import pathlib

import gguf
import numpy as np
from safetensors.numpy import load_file, save_file

SEED = 7
HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "gguf"
TYPES = {name: gguf.GGMLQuantizationType[name.upper()] for name in (
    "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
    "iq4_nl", "iq4_xs")}
# where a block has its f16 numbers
SCALES = {"q8_0": [0], "q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2], "q2_k": [80, 82], "q3_k": [108],
          "q4_k": [0, 2], "q5_k": [0, 2], "q6_k": [208], "iq4_nl": [0], "iq4_xs": [0]}
CAN_QUANTISE = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1")
WRITTEN = ("f16", "bf16", "q8_0")
EXTREME = np.array([0.0, -0.0, 65504.0, -65504.0, 6.1035e-05, 5.96e-08, -5.96e-08, 1.0], np.float16)


def finite_halves(random, count):
    """`count` finite f16 bit patterns, as bytes."""
    bits = random.integers(0, 1 << 16, count * 2, dtype=np.uint16)
    return bits[(bits & 0x7C00) != 0x7C00][:count].view(np.uint8)


def raw_bytes(random, name, rows, columns):
    kind = TYPES[name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
    if name == "f32":
        bits = random.integers(0, 1 << 32, rows * columns * 2, dtype=np.uint32)
        return bits[(bits & 0x7F800000) != 0x7F800000][:rows * columns].view(np.uint8)
    if name == "bf16":
        bits = random.integers(0, 1 << 16, rows * columns * 2, dtype=np.uint16)
        return bits[(bits & 0x7F80) != 0x7F80][:rows * columns].view(np.uint8)
    if name == "f16":
        return finite_halves(random, rows * columns)
    halves = finite_halves(random, rows * columns // block * len(SCALES[name])).reshape(
        rows, columns // block, -1)
    put_scales(data, name, halves)
    return data


def put_scales(data, name, halves):
    """Bytes of the f16 numbers of each block into their places."""
    for i, at in enumerate(SCALES[name]):
        data[:, :, at:at + 2] = halves[:, :, 2 * i:2 * i + 2]


def extreme_bytes(random, name):
    """A block for every (scale, minimum) of EXTREME; of large blocks for fewer."""
    block, size = gguf.GGML_QUANT_SIZES[TYPES[name]]
    some = EXTREME if block == 32 else EXTREME[[1, 2, 5]]
    count = len(SCALES[name])
    scales = np.array(np.meshgrid(*[some] * count, indexing="ij")).reshape(count, -1).T.copy()
    data = random.integers(0, 256, (len(scales), 1, size), dtype=np.uint8)
    put_scales(data, name, scales.view(np.uint8).reshape(len(scales), 1, -1))
    return data


def make_types():
    random = np.random.default_rng(SEED)
    writer = gguf.GGUFWriter(OUT / "types.gguf", "llama")
    values = {}

    def add(name, kind, data):
        """`data`: bytes of a matrix, rows first."""
        rows = data.shape[0]
        data = np.ascontiguousarray(data).reshape(rows, -1).view(np.uint8)
        if kind == gguf.GGMLQuantizationType.F32:
            data = data.view(np.float32)
        elif kind == gguf.GGMLQuantizationType.F16:
            data = data.view(np.float16)
        writer.add_tensor(name, data, raw_dtype=kind)
        values[name] = np.ascontiguousarray(gguf.dequantize(data, kind), dtype=np.float32)

    for name, kind in TYPES.items():
        if name in CAN_QUANTISE:
            normal = random.standard_normal((8, 96)).astype(np.float32)
            add(f"{name}.random", kind, gguf.quantize(normal, kind))
        rows, columns = (2, 512) if gguf.GGML_QUANT_SIZES[kind][0] == 256 else (6, 64)
        add(f"{name}.raw", kind, raw_bytes(random, name, rows, columns).reshape(rows, -1))
        if name in SCALES:
            add(f"{name}.extreme", kind, extreme_bytes(random, name))
    finish(writer)
    save_file(values, OUT / "dequant.safetensors")


def make_quantize():
    random = np.random.default_rng(SEED + 1)
    blocks = [random.standard_normal((24, 32)), random.standard_normal((4, 32)) * 1e-6,
              random.standard_normal((4, 32)) * 1e4, np.zeros((1, 32)),
              np.arange(-16, 16).reshape(1, 32) * 0.5 * 127 / 16,     # ties between codes
              np.full((1, 32), 65504.0), np.full((1, 32), -5.96e-08),
              1 + np.arange(32).reshape(1, 32) * 2.0**-12,            # ties between halves
              random.standard_normal((2, 32)) * 1e-39]
    values = np.concatenate(blocks).astype(np.float32)
    tensors = {}
    for name in WRITTEN:
        some = np.clip(values, -65504, 65504)
        if name == "q8_0":
            some = some[:-2]                                          # no inverse of their scale
        tensors[f"{name}.values"] = some
        tensors[f"{name}.bytes"] = gguf.quantize(some, TYPES[name]).view(np.uint8).view(np.int8)
    # the reader of the tests knows I32 and I64 raw
    tensors = {key: value if value.dtype == np.float32 else np.ascontiguousarray(value).reshape(-1)[
        :value.size // 4 * 4].view(np.int32) for key, value in tensors.items()}
    save_file(tensors, OUT / "quantize.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permute(rows, heads):
    count, width = rows.shape
    return rows.reshape(heads, 2, count // heads // 2, width).swapaxes(1, 2).reshape(count, width)


def byte_letters():
    """GPT-2's letter for each byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in plain]
    table = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [table[b] for b in range(256)]


def make_llama_tiny():
    tensors = load_file(HERE / "llama-tiny/model.safetensors")
    writer = gguf.GGUFWriter(OUT / "llama-tiny.gguf", "llama")
    writer.add_name("llama-tiny")
    writer.add_block_count(3)
    writer.add_context_length(256)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(8)
    writer.add_value_length(8)
    writer.add_rope_dimension_count(8)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(272)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    merges = ["Ġ t", "h e", "Ġt he", "i n", "e r", "Ġ a", "o n", "r e", "Ġ o", "Ġo f", "i s",
              "in g", "t i", "ti on", "1 2"]
    tokens = byte_letters() + ["<|endoftext|>"] + [merge.replace(" ", "") for merge in merges]
    assert len(tokens) == 272
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token == "<|endoftext|>" else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(256)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 3)
    for name, value in tensors.items():
        if name.endswith("q_proj.weight"):
            value = permute(value, 4)
        elif name.endswith("k_proj.weight"):
            value = permute(value, 2)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)),
                          np.ascontiguousarray(value))
    finish(writer)


def make_unsupported():
    writer = gguf.GGUFWriter(OUT / "unsupported.gguf", "llama")
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((2, 66), np.uint8),
                      raw_dtype=gguf.GGMLQuantizationType.TQ2_0)
    finish(writer)


def main():
    OUT.mkdir(exist_ok=True)
    make_types()
    make_quantize()
    make_llama_tiny()
    make_unsupported()


if __name__ == "__main__":
    main()
