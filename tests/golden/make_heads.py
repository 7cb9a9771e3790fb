#!/usr/bin/env python3
"""Make the golden classifiers: heads/, and the sentence embeddings of the example encoder.

Needs torch, transformers, safetensors, numpy (versions used: versions.json), and models/minilm for
minilm_reference.*.  Run in tests/golden:
    python3 make_heads.py

heads/bert, heads/llama        small random backbones: config.json and model.safetensors, no head
heads/bert-prefixed            heads/bert as BertForPreTraining is saved: "bert." before the names,
                               and cls.* and a position_ids beside them
heads/<case>.safetensors       S documents of unequal length through a backbone with a head:
  tokens (n) int32, starts (S+1) int32, labels (S) int32
  smoothing (1), weights (K) where there are class weights
  init/<name>                  the head's parameters
  hidden<l> (n, C)             hidden_states[l], l = 1 ... L (cases that end in -cls and -last)
  logits (S, K), loss (1)      the SUM of the losses
  grad/<name>                  d loss / d parameter
  adamw_losses (5), adamw/<name>   five AdamW steps on the mean: losses before each, parameters after
minilm_reference.json          20 texts and their ids
minilm_reference.safetensors   embeddings (20, 384): mean over the tokens, L2-normalised

Everything in heads/ is computed in float64 with right-padding and an attention mask, and without
dropout.
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from transformers import (AutoModel, AutoTokenizer, BertConfig, BertForPreTraining,
                          BertForSequenceClassification, BertModel, LlamaConfig,
                          LlamaForSequenceClassification, LlamaModel)

SEED = 20250317
HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "heads"
K, LENGTHS, STEPS = 3, [5, 1, 17, 9, 12], 5
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8}
DECAY, CLIP = 0.1, 1.0

BERT = BertConfig(
    vocab_size=48, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
    intermediate_size=40, max_position_embeddings=20, type_vocab_size=2, layer_norm_eps=1e-12,
    hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.2, classifier_dropout=0.3,
    initializer_range=0.2)
LLAMA = LlamaConfig(
    vocab_size=48, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
    num_key_value_heads=1, head_dim=8, intermediate_size=32, max_position_embeddings=64,
    rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    rope_parameters={"rope_type": "default", "rope_theta": 100.0}, initializer_range=0.15)

TEXTS = [
    "A short one.", "The quick brown fox jumps over the lazy dog.", "Nothing", "What a film!",
    "I would not see it again, and neither should you.", "Café naïve façade Ångström",
    "It rained for three days; on the fourth the river rose.", "12.5 % of 3,000 is 375",
    "The tenant shall give notice in writing at least thirty days before leaving.",
    "don't stop believing", "UPPER lower MiXeD", "Zürich, São Paulo and Łódź", "a b c d e f g",
    "supercalifragilisticexpialidocious", "An encoder reads a text in both directions at once.",
    "Good acting, weak plot, beautiful pictures, and far too long by half an hour.",
    "E = mc^2", "Hello, world! " * 12, "漢字 and kana", "the end"]


def randomise(model, seed):
    """Every parameter, norms and biases included, is random and not negligible."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("norm.weight") or name.endswith("LayerNorm.weight"):
                p.copy_(1.0 + 0.2 * torch.randn_like(p))
            elif name.endswith("bias"):
                p.copy_(0.2 * torch.randn_like(p))
            else:
                p.copy_(0.15 * torch.randn_like(p))
    return model


class Pooled(nn.Module):
    """A backbone, one vector a document, and a head."""

    def __init__(self, prefix, backbone, pooling, head):
        super().__init__()
        self.add_module(prefix, backbone)
        self.prefix, self.pooling = prefix, pooling
        for name, module in head.items():
            self.add_module(name, module)
        self.head = list(head)[-1]

    def forward(self, input_ids, attention_mask):
        h = getattr(self, self.prefix)(input_ids=input_ids,
                                       attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(h.dtype)
        if self.pooling == "mean":
            pooled = (h * mask).sum(1) / mask.sum(1)
        else:
            pooled = h[torch.arange(len(h)), attention_mask.sum(1) - 1]
        return getattr(self, self.head)(pooled)


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dense, self.out_proj = nn.Linear(width, width), nn.Linear(width, K)

    def forward(self, x):
        return self.out_proj(torch.tanh(self.dense(x)))


def logits_of(model, ids, mask):
    out = model(input_ids=ids, attention_mask=mask)
    return out if torch.is_tensor(out) else out.logits


def make_case(name, model, seed, smoothing=0.0, weights=None):
    """References of one model; its backbone is in float64 already."""
    model = model.double().eval()
    generator = torch.Generator().manual_seed(seed)
    longest, n = max(LENGTHS), len(LENGTHS)
    ids, mask = torch.zeros(n, longest, dtype=torch.long), torch.zeros(n, longest, dtype=torch.long)
    for i, length in enumerate(LENGTHS):
        ids[i, :length] = torch.randint(3, 48, (length,), generator=generator)
        mask[i, :length] = 1
    labels = torch.tensor([0, 2, 1, 1, 2])
    weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    out = {"tokens": ids[mask.bool()].int().numpy(),
           "starts": np.cumsum([0] + LENGTHS).astype(np.int32), "labels": labels.int().numpy(),
           "smoothing": np.array([smoothing], np.float32)}
    if weights is not None:
        out["weights"] = np.array(weights, np.float32)
    for key, p in model.named_parameters():
        if key.startswith(("classifier", "score")):
            out[f"init/{key}"] = p.detach().float().numpy().copy()

    def loss_of():
        logits = logits_of(model, ids, mask)
        return logits, nn.functional.cross_entropy(logits, labels, weight=weight, reduction="sum",
                                                   label_smoothing=smoothing)

    if name.endswith(("-cls", "-last")):
        states = model.base_model(input_ids=ids, attention_mask=mask,
                                  output_hidden_states=True).hidden_states
        for layer in range(1, len(states)):
            out[f"hidden{layer}"] = states[layer][mask.bool()].detach().float().numpy()
    logits, loss = loss_of()
    loss.backward()
    out["logits"] = logits.detach().float().numpy()
    out["loss"] = loss.detach().float().reshape(1).numpy()
    for key, p in model.named_parameters():
        out[f"grad/{key}"] = p.grad.float().numpy().copy()
    total = float(n if weight is None else weight[labels].sum())
    groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": DECAY},
              {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer, losses = torch.optim.AdamW(groups, **ADAMW), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of()[1] / total
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        losses.append(float(loss.detach()))
        optimizer.step()
    out["adamw_losses"] = np.array(losses, np.float32)
    for key, p in model.named_parameters():
        out[f"adamw/{key}"] = p.detach().float().numpy().copy()
    save_file(out, OUT / f"{name}.safetensors")
    print(f"{name}: loss {float(out['loss'][0]):.4f}, steps {losses[0]:.4f} ... {losses[-1]:.4f}")


def set_backbone(model, backbone):
    model.load_state_dict(backbone.state_dict())
    return model


def make_prefixed(backbone):
    """The same weights as a pretraining checkpoint of old has them."""
    folder = OUT / "bert-prefixed"
    model = BertForPreTraining(BERT)
    set_backbone(model.bert, backbone)
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.embeddings.position_ids"] = np.arange(20, dtype=np.int64).reshape(1, 20)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def make_backbones():
    bert = randomise(BertModel(BERT), SEED)
    bert.save_pretrained(OUT / "bert")
    make_prefixed(bert)
    llama = randomise(LlamaModel(LLAMA), SEED + 1)
    llama.save_pretrained(OUT / "llama")
    return bert, llama


def make_cases(bert, llama):
    eager = {"attn_implementation": "eager"}
    classifier = randomise(BertForSequenceClassification(
        BertConfig(**{**BERT.to_dict(), "num_labels": K})), SEED + 2)
    set_backbone(classifier.bert, bert)
    make_case("bert-cls", classifier, SEED + 10, 0.1, [0.5, 2.0, 1.25])
    backbone = set_backbone(BertModel(BERT, add_pooling_layer=False), _without_pooler(bert))
    head = randomise(nn.ModuleDict({"classifier": nn.Linear(24, K)}), SEED + 3)
    make_case("bert-mean", Pooled("bert", backbone, "mean", head), SEED + 11)
    backbone = set_backbone(BertModel(BERT, add_pooling_layer=False), _without_pooler(bert))
    head = randomise(nn.ModuleDict({"classifier": Mlp(24)}), SEED + 4)
    make_case("bert-mlp", Pooled("bert", backbone, "last", head), SEED + 12, 0.05)
    decoder = randomise(LlamaForSequenceClassification(
        LlamaConfig(**{**LLAMA.to_dict(), "num_labels": K})), SEED + 5)
    set_backbone(decoder.model, llama)
    make_case("llama-last", decoder, SEED + 13)
    head = randomise(nn.ModuleDict({"score": nn.Linear(24, K, bias=False)}), SEED + 6)
    make_case("llama-mean", Pooled("model", set_backbone(LlamaModel(LLAMA), llama), "mean", head),
              SEED + 14, 0.0, [1.0, 0.25, 3.0])


class _without_pooler:
    def __init__(self, model):
        self.model = model

    def state_dict(self):
        return {k: v for k, v in self.model.state_dict().items() if not k.startswith("pooler.")}


def make_embeddings():
    folder = HERE.parent.parent / "models" / "minilm"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    model = model.double().eval()
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    rows = []
    with torch.no_grad():
        for row in ids:
            h = model(input_ids=torch.tensor([row])).last_hidden_state[0].mean(0)
            rows.append((h / h.norm()).float().numpy())
    save_file({"embeddings": np.stack(rows)}, HERE / "minilm_reference.safetensors")
    (HERE / "minilm_reference.json").write_text(json.dumps(
        [{"text": text, "ids": row} for text, row in zip(TEXTS, ids)], ensure_ascii=False,
        indent=1) + "\n")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    make_cases(*make_backbones())
    make_embeddings()
    for file in [*OUT.rglob("*.safetensors"), HERE / "minilm_reference.safetensors"]:
        file.chmod(0o644)


if __name__ == "__main__":
    main()
