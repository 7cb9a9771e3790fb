#!/usr/bin/env python3
"""Reference loss of the example model: smollm2_reference.json.

Needs torch, transformers, tokenizers, gguf, numpy, and the files of tools/fetch_examples.py.
    python3 make_smollm2_reference.py [ROOT]       ROOT holds models/ and data/; default: the checkout

The weights are the GGUF's, dequantised to float32 by the gguf package; the documents of
legal_test.jsonl are encoded in order, each followed by EOS, and cut into windows of seq_len + 1
tokens at stride seq_len; each window is evaluated by itself, in float32.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "tokenizer"))
from make_corpus_hashes import gguf_tokenizer  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SEQ_LEN, WINDOWS, STORED = 256, 32, 4


def unpermute(rows, heads):
    """llama.cpp stores Q and K rows with the two halves of each head interleaved; undo it."""
    count, width = rows.shape
    return rows.reshape(heads, count // heads // 2, 2, width).swapaxes(1, 2).reshape(count, width)


def load_model(path):
    reader = gguf.GGUFReader(path)

    def field(key):
        return reader.fields[key].contents()

    heads, kv = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    layers = field("llama.block_count")
    tensors = {t.name: gguf.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, layers)
    config = transformers.LlamaConfig(
        vocab_size=tensors["token_embd.weight"].shape[0],
        hidden_size=field("llama.embedding_length"), num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv,
        intermediate_size=field("llama.feed_forward_length"),
        rms_norm_eps=field("llama.attention.layer_norm_rms_epsilon"),
        max_position_embeddings=field("llama.context_length"),
        rope_parameters={"rope_type": "default", "rope_theta": field("llama.rope.freq_base")},
        tie_word_embeddings="output.weight" not in tensors)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = tensors[names.get_name(name, try_suffixes=(".weight",))]
            if name.endswith("q_proj.weight"):
                value = unpermute(value, heads)
            elif name.endswith("k_proj.weight"):
                value = unpermute(value, kv)
            parameter.copy_(torch.from_numpy(np.array(value, dtype=np.float32)))
    return model.eval(), field("tokenizer.ggml.eos_token_id")


def token_windows(tokenizer, path, eos):
    stream = []
    need = WINDOWS * SEQ_LEN + 1
    with open(path, encoding="utf-8") as file:
        for line in file:
            stream += tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids
            stream.append(eos)
            if len(stream) >= need:
                break
    return [stream[i * SEQ_LEN:(i + 1) * SEQ_LEN + 1] for i in range(WINDOWS)]


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent
    model, eos = load_model(root / "models/smollm2.gguf")
    tokenizer = gguf_tokenizer(root / "models/smollm2.gguf")
    losses = []
    with torch.no_grad():
        for window in token_windows(tokenizer, root / "data/legal_test.jsonl", eos):
            ids = torch.tensor([window])
            logits = model(input_ids=ids[:, :-1]).logits[0]
            losses.append(float(torch.nn.functional.cross_entropy(logits, ids[0, 1:])))
    result = {"seq_len": SEQ_LEN, "windows": WINDOWS, "loss": float(np.mean(losses)),
              "window_losses": losses[:STORED], "torch": torch.__version__,
              "transformers": transformers.__version__}
    (HERE / "smollm2_reference.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
