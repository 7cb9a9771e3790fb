#!/usr/bin/env python3
"""What finetune exports of every golden family, loaded by transformers: the same logits.

    build/tests/test_families FOLDER && python3 tests/golden/check_families.py FOLDER

Needs torch, transformers and, for heads that transformers has no class for, sentence-transformers.
Prints the largest difference of each family, relative to the largest logit; exit code 1 where one
is above 1e-5.
"""
import json
import pathlib
import sys

import torch
import transformers as tf
from safetensors.numpy import load_file

GOLDEN = pathlib.Path(__file__).resolve().parent / "families"
TOLERANCE = 1e-5


def decoder_logits(folder, reference):
    model = tf.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    windows = torch.from_numpy(reference["tokens"]).long()
    with torch.no_grad():
        return model(input_ids=windows[:, :-1]).logits, type(model).__name__


def dense_layers(folder):
    """The modules of sentence-transformers behind the pooling, by hand: there is no tokenizer."""
    layers = []
    for module in json.loads((folder / "modules.json").read_text())[2:]:
        place = folder / module["path"]
        tensors = load_file(place / "model.safetensors")
        layers.append({key: torch.from_numpy(value) for key, value in tensors.items()})
    return layers


def encoder_logits(folder, reference):
    has_class = "ForSequenceClassification" in json.loads(
        (folder / "config.json").read_text())["architectures"][0]
    kind = tf.AutoModelForSequenceClassification if has_class else tf.AutoModel
    model = kind.from_pretrained(folder, attn_implementation="eager").eval()
    tokens, starts = torch.from_numpy(reference["tokens"]).long(), reference["starts"]
    rows = []
    with torch.no_grad():
        for first, end in zip(starts[:-1], starts[1:]):
            ids = tokens[None, first:end]
            result = model(input_ids=ids, attention_mask=torch.ones_like(ids))
            if has_class:
                rows.append(result.logits)
                continue
            x = result.last_hidden_state.mean(1)
            for layer in dense_layers(folder):
                x = x @ layer["linear.weight"].T + layer["linear.bias"]
            rows.append(x)
    return torch.cat(rows), type(model).__name__


def main():
    failures = 0
    for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        reference = load_file(GOLDEN / folder.name / "reference.safetensors")
        logits, kind = (encoder_logits if "starts" in reference else decoder_logits)(
            folder, reference)
        expected = torch.from_numpy(reference["logits"])
        worst = float((logits - expected).abs().max() / expected.abs().max())
        failures += worst > TOLERANCE
        print(f"{folder.name:16} {kind:40} {worst:.1e}{'' if worst <= TOLERANCE else '  WRONG'}")
    return 1 if failures else 0


sys.exit(main())
