#!/usr/bin/env python3
"""Make the golden Llama models: llama-tiny/, llama-tied/, llama-sharded/.

Needs torch, transformers, safetensors, numpy (versions used: versions.json).  Run in tests/golden:
    python3 make_llama.py

Every folder: config.json and model*.safetensors as transformers' save_pretrained writes them, and
  reference.safetensors  tokens (B,T+1) int32, logits (B,T,V), loss (1); tokens2, logits2, loss2:
                         the same for an uneven second batch
  grads.safetensors      grad/<name>: d loss / d parameter for `tokens`
  adamw.safetensors      step_tokens (10,B,T+1) int32, adamw_losses (10) before each update,
                         adamw_norms (10) before clipping, adamw/<name>: parameters after ten steps
A row of tokens is a window: inputs are row[:-1], targets row[1:]; loss is the mean over all targets.
llama-tied/config.old.json is config.json in the spelling of transformers 4.
llama-sharded/ holds the weights of llama-tied in several files, and no references of its own.
"""

import json
import pathlib
import platform
import shutil

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM

SEED = 20240229
HERE = pathlib.Path(__file__).resolve().parent
B, T, STEPS = 2, 24, 10
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8}
DECAY, CLIP = 0.1, 1.0

TINY = LlamaConfig(
    vocab_size=272, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, intermediate_size=48, max_position_embeddings=256,
    rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=256, eos_token_id=256,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, initializer_range=0.15)

# A rope_theta of 100: with a usual one the slowest pairs hardly turn within T positions, so the
# gradient of their k_proj.bias is rounding noise, which AdamW would blow up to whole steps.
TIED = LlamaConfig(
    vocab_size=272, hidden_size=48, num_hidden_layers=2, num_attention_heads=3,
    num_key_value_heads=1, head_dim=24, intermediate_size=48, max_position_embeddings=512,
    rms_norm_eps=1e-6, tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
    bos_token_id=256, eos_token_id=[257, 256],
    rope_parameters={"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0,
                     "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 64}, initializer_range=0.15)


def make_model(config, seed):
    """A model whose every parameter, norms and biases included, is random and not negligible."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):
                parameter.copy_(1.0 + 0.2 * torch.randn_like(parameter))
            elif name.endswith(".bias"):
                parameter.copy_(0.2 * torch.randn_like(parameter))
    return model


def load(folder, dtype=torch.float32):
    return LlamaForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").train()


def loss_of(model, windows):
    logits = model(input_ids=windows[:, :-1].long()).logits
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), windows[:, 1:].reshape(-1).long())
    return loss, logits


def parameters_of(model):
    return {name: p.detach().float().numpy().copy() for name, p in model.named_parameters()}


def random_windows(generator, *shape):
    return torch.randint(0, 272, shape, generator=generator, dtype=torch.int32)


def reference(folder, generator):
    windows, windows2 = random_windows(generator, B, T + 1), random_windows(generator, 3, 8)
    model = load(folder)
    loss, logits = loss_of(model, windows)
    loss.backward()
    loss2, logits2 = loss_of(model, windows2)
    save_file({"tokens": windows.numpy(), "logits": logits.detach().numpy(),
               "loss": loss.detach().reshape(1).numpy(), "tokens2": windows2.numpy(),
               "logits2": logits2.detach().numpy(), "loss2": loss2.detach().reshape(1).numpy()},
              folder / "reference.safetensors")
    save_file({f"grad/{name}": p.grad.numpy() for name, p in model.named_parameters()},
              folder / "grads.safetensors")


def train(folder, batches, dtype):
    """Ten AdamW steps; (losses, norms, parameters)."""
    model = load(folder, dtype)
    groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": DECAY},
              {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, **ADAMW)
    losses, norms = [], []
    for batch in batches:
        optimizer.zero_grad()
        loss, _ = loss_of(model, batch)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)))
        losses.append(float(loss.detach()))
        optimizer.step()
    return losses, norms, parameters_of(model)


def adamw(folder, generator):
    batches = random_windows(generator, STEPS, B, T + 1)
    losses, norms, parameters = train(folder, batches, torch.float32)
    _, _, double = train(folder, batches, torch.float64)
    worst = max(float(np.abs(parameters[n] - double[n]).max() / np.abs(double[n]).max())
                for n in parameters)
    print(f"{folder.name}: losses {losses[0]:.4f} ... {losses[-1]:.4f}, norms "
          f"{min(norms):.3f} ... {max(norms):.3f}, float32 differs from float64 by {worst:.1e}")
    save_file({"step_tokens": batches.numpy(), "adamw_losses": np.array(losses, np.float32),
               "adamw_norms": np.array(norms, np.float32),
               **{f"adamw/{name}": value for name, value in parameters.items()}},
              folder / "adamw.safetensors")
    return worst


def old_spelling(folder):
    """config.json as transformers 4 wrote it: rope_theta + rope_scaling + torch_dtype."""
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    (folder / "config.old.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def main():
    torch.set_num_threads(1)
    noise = {}
    for number, (name, config, dtype) in enumerate(
            [("llama-tiny", TINY, torch.float32), ("llama-tied", TIED, torch.bfloat16)]):
        folder = fresh(name)
        model = make_model(config, SEED + number).to(dtype)
        model.save_pretrained(folder)
        if name == "llama-tied":
            model.save_pretrained(fresh("llama-sharded"), max_shard_size="24KB")
        generator = torch.Generator().manual_seed(SEED + 100 + number)
        reference(folder, generator)
        noise[name] = adamw(folder, generator)
        old_spelling(folder)
    for leftover in HERE.glob("llama-*/generation_config.json"):
        leftover.unlink()
    for file in HERE.glob("llama-*/*.safetensors"):
        file.chmod(0o644)
    (HERE / "versions.json").write_text(json.dumps({
        "seed": SEED, "python": platform.python_version(), "torch": torch.__version__,
        "transformers": transformers.__version__, "numpy": np.__version__,
        "adamw_float32_against_float64": noise}, indent=2) + "\n")


if __name__ == "__main__":
    main()
