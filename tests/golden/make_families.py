#!/usr/bin/env python3
"""Make the golden families: a tiny random model of each, in families/<name>/.

Needs torch, transformers, safetensors, numpy (versions used: versions.json).  Run in tests/golden:
    python3 make_families.py [name ...]

Every folder: config.json and model.safetensors as transformers' save_pretrained writes them, and
reference.safetensors
  decoders  tokens (B,T+1) int32, rows being windows: inputs row[:-1], targets row[1:]
            logits (B,T,V), loss (1): the mean over all targets
  encoders  documents of unequal length: tokens (n), starts (S+1), labels (S) int32, init/<name>: the
            head's parameters, logits (S,K), loss (1): the sum over the documents
  grad/<name>   d loss / d parameter
All of it in float64, without dropout. Windows are longer than the reach of local layers, and in the
models with scaled rotation longer than what they were made for.
"""

import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers as tf
from safetensors.numpy import save_file
from torch import nn

SEED = 20251127
OUT = pathlib.Path(__file__).resolve().parent / "families"
B, T, V, K = 2, 24, 28, 3
LENGTHS = [5, 1, 17, 9, 12]
LABELS = [0, 2, 1, 1, 2]

COMMON = {"vocab_size": V, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
          "intermediate_size": 20, "max_position_embeddings": 64, "bos_token_id": 1,
          "eos_token_id": 2, "pad_token_id": 0}
GROUPED = {**COMMON, "num_key_value_heads": 2}
# slow pairs must turn within T positions: see make_llama.py
THETA = {"rope_type": "default", "rope_theta": 100.0}


def scaled(kind, **more):
    return tf.LlamaConfig(**{**GROUPED, "max_position_embeddings": 16, "num_hidden_layers": 1},
                          rope_parameters={**THETA, "rope_type": kind, **more})


def both(local_theta):
    return {"full_attention": dict(THETA),
            "sliding_attention": {"rope_type": "default", "rope_theta": local_theta}}


DECODERS = {
    "llama-linear": scaled("linear", factor=3.0),
    "llama-dynamic": scaled("dynamic", factor=2.0),
    "llama-yarn": scaled("yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=4.0,
                         beta_slow=0.5),
    "mistral": tf.MistralConfig(**GROUPED, sliding_window=7, rope_parameters=dict(THETA)),
    "qwen2": tf.Qwen2Config(**GROUPED, use_sliding_window=True, sliding_window=6,
                            max_window_layers=1, rope_parameters=dict(THETA)),
    "qwen3": tf.Qwen3Config(**GROUPED, head_dim=6, tie_word_embeddings=True,
                            rope_parameters=dict(THETA)),
    "gemma2": tf.Gemma2Config(**GROUPED, head_dim=4, sliding_window=6, query_pre_attn_scalar=5,
                              attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
                              rope_parameters=dict(THETA)),
    "gemma3": tf.Gemma3TextConfig(**{**GROUPED, "num_hidden_layers": 3}, head_dim=4,
                                  sliding_window=6, query_pre_attn_scalar=9,
                                  layer_types=["sliding_attention", "full_attention",
                                               "sliding_attention"],
                                  rope_parameters=both(30.0)),
    "phi3": tf.Phi3Config(**GROUPED, sliding_window=9,
                          rope_parameters={**THETA, "partial_rotary_factor": 0.5}),
    "olmo2": tf.Olmo2Config(**GROUPED, rope_parameters=dict(THETA)),
    "gpt2": tf.GPT2Config(vocab_size=V, n_embd=16, n_layer=2, n_head=4, n_positions=32,
                          bos_token_id=1, eos_token_id=2),
    "gpt_neox": tf.GPTNeoXConfig(**COMMON, rope_parameters={**THETA, "partial_rotary_factor": 0.5}),
    "gpt_neox-serial": tf.GPTNeoXConfig(**{**COMMON, "num_hidden_layers": 1},
                                        use_parallel_residual=False, attention_bias=False,
                                        rope_parameters={**THETA, "partial_rotary_factor": 1.0}),
}

SHORT = {**COMMON, "max_position_embeddings": 20, "num_labels": K}
ENCODERS = {
    "roberta": (tf.RobertaForSequenceClassification,
                tf.RobertaConfig(**{**SHORT, "pad_token_id": 1, "bos_token_id": 0},
                                 type_vocab_size=1)),
    "distilbert": (tf.DistilBertForSequenceClassification,
                   tf.DistilBertConfig(vocab_size=V, dim=16, n_layers=2, n_heads=4, hidden_dim=20,
                                       max_position_embeddings=20, num_labels=K)),
    "electra": (tf.ElectraForSequenceClassification, tf.ElectraConfig(**SHORT, embedding_size=8)),
    "albert": (tf.AlbertForSequenceClassification,
               tf.AlbertConfig(**{**SHORT, "num_hidden_layers": 3}, embedding_size=8)),
    "modernbert": (None, tf.ModernBertConfig(**{**COMMON, "num_hidden_layers": 3},
                                             cls_token_id=1, sep_token_id=2, local_attention=8,
                                             rope_parameters=both(30.0))),
}


def randomise(model, seed):
    """Every parameter, norms and biases included, is random and not negligible."""
    torch.manual_seed(seed)
    centre = 0.0 if "Gemma" in type(model).__name__ else 1.0
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                p.copy_(0.2 * torch.randn_like(p))
            elif p.dim() == 1:
                p.copy_(centre + 0.2 * torch.randn_like(p))
            else:
                p.copy_(0.25 * torch.randn_like(p))
    return model


class Mean(nn.Module):
    """A backbone under a mean over the tokens and a linear layer."""

    def __init__(self, backbone):
        super().__init__()
        self.model, self.classifier = backbone, nn.Linear(16, K)

    def forward(self, input_ids, attention_mask):
        h = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(h.dtype)
        return self.classifier((h * mask).sum(1) / mask.sum(1))


def gradients(model):
    """By the names of saved files: one model's output layer is renamed on the way out."""
    is_neox = "GPTNeoX" in type(model).__name__
    return {"grad/" + (name.replace("lm_head", "embed_out") if is_neox else name):
            p.grad.float().numpy().copy() for name, p in model.named_parameters()}


def save(name, model, out):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    (model.model if isinstance(model, Mean) else model).float().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_file(out, folder / "reference.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{name}: loss {float(out['loss'][0]):.4f}")


def make_decoder(name, config, seed):
    config._attn_implementation = "eager"
    model = randomise(tf.AutoModelForCausalLM.from_config(config), seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randint(3, V, (B, T + 1), generator=generator)
    logits = model(input_ids=windows[:, :-1]).logits
    loss = nn.functional.cross_entropy(logits.reshape(-1, V), windows[:, 1:].reshape(-1))
    loss.backward()
    out = {"tokens": windows.int().numpy(), "logits": logits.detach().float().numpy(),
           "loss": loss.detach().float().reshape(1).numpy(), **gradients(model)}
    save(name, model, out)


def make_encoder(name, kind, config, seed):
    """Each document by itself: padding must not be seen."""
    config._attn_implementation = "eager"
    model = kind(config) if kind else Mean(tf.AutoModel.from_config(config))
    model = randomise(model, seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(3, V, (1, length), generator=generator) for length in LENGTHS]
    results = [model(input_ids=ids, attention_mask=torch.ones_like(ids)) for ids in texts]
    logits = torch.cat([r if torch.is_tensor(r) else r.logits for r in results])
    labels = torch.tensor(LABELS)
    loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
    loss.backward()
    out = {"tokens": torch.cat(texts, 1)[0].int().numpy(),
           "starts": np.cumsum([0] + LENGTHS).astype(np.int32), "labels": labels.int().numpy(),
           "logits": logits.detach().float().numpy(),
           "loss": loss.detach().float().reshape(1).numpy(), **gradients(model)}
    for key, p in model.named_parameters():
        if key.startswith(("classifier", "pre_classifier")):
            out[f"init/{key}"] = p.detach().float().numpy().copy()
    save(name, model, out)


def main():
    wanted = sys.argv[1:]
    for i, (name, config) in enumerate(DECODERS.items()):
        if not wanted or name in wanted:
            make_decoder(name, config, SEED + i)
    for i, (name, (kind, config)) in enumerate(ENCODERS.items()):
        if not wanted or name in wanted:
            make_encoder(name, kind, config, SEED + 100 + i)


main()
