#!/usr/bin/env python3
"""Reference values of the kernels in math/: kernels.h.

Needs torch.
    python3 make_kernels.py

Inputs are float32; PyTorch computes in float64 from them, so that only our own rounding differs.
Gradients are those of sum(y * dy), for the loss those of the sum of the losses.
"""

import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20261125


def rounded(*shape, scale=1.0, shift=0.0):
    return (torch.randn(*shape) * scale + shift).float().double()


def array(name, values, kind="float"):
    numbers = [f"{v:d}" if kind == "int32_t" else f"{v:.9e}f" for v in values.flatten().tolist()]
    lines, line = [], "   "
    for number in numbers:
        if len(line) + len(number) + 2 > 100:
            lines.append(line)
            line = "   "
        line += f" {number},"
    body = "\n".join(lines + [line])
    return f"static const {kind} golden_{name}[{len(numbers)}] = {{\n{body}\n}};\n"


def gelu():
    x = torch.cat([torch.linspace(-9, 9, 73), torch.randn(39) * 2, torch.tensor([-14.0, 14.0])])
    x = x.float().double().requires_grad_()
    y = F.gelu(x)
    y.sum().backward()
    return [array("gelu_x", x), array("gelu_y", y), array("gelu_slope", x.grad)]


def layernorm(n=3, c=45):
    x, delta, dy = rounded(n, c, scale=2, shift=5), rounded(n, c), rounded(n, c)
    w, b = rounded(c, scale=0.3, shift=1).requires_grad_(), rounded(c).requires_grad_()
    total = (x + delta).float().double().requires_grad_()
    y = F.layer_norm(total, (c,), w, b, eps=1e-12)
    (y * dy).sum().backward()
    named = dict(x=x, delta=delta, w=w, b=b, dy=dy, y=y, dx=total.grad, dw=w.grad, db=b.grad)
    return [array(f"layernorm_{name}", value) for name, value in named.items()]


def class_loss(n=6, k=5):
    labels = torch.tensor([0, 4, -1, 2, 2, 1])
    logits, weights = rounded(n, k, scale=3), rounded(k).abs()
    out = [array("loss_logits", logits), array("loss_weights", weights)]
    out.append(array("loss_labels", labels, "int32_t"))
    for case, weight, smoothing in (("plain", None, 0.0), ("weights", weights, 0.0),
                                    ("smooth", None, 0.1), ("both", weights, 0.1)):
        z = logits.clone().requires_grad_()
        options = dict(weight=weight, label_smoothing=smoothing, ignore_index=-1)
        F.cross_entropy(z, labels, reduction="sum", **options).backward()
        losses = F.cross_entropy(logits, labels, reduction="none", **options)
        out += [array(f"loss_{case}_rows", losses), array(f"loss_{case}_slope", z.grad)]
    return out


def main():
    torch.manual_seed(SEED)
    parts = gelu() + layernorm() + class_loss()
    text = (f"/* Made by make_kernels.py with torch {torch.__version__}, seed {SEED}. */\n"
            "#ifndef FT_TESTS_GOLDEN_KERNELS_H\n#define FT_TESTS_GOLDEN_KERNELS_H\n\n"
            "#include <stdint.h>\n\n/* clang-format off */\n" + "".join(parts) +
            "/* clang-format on */\n\n#endif\n")
    (HERE / "kernels.h").write_text(text)


if __name__ == "__main__":
    main()
