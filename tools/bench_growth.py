#!/usr/bin/env python3
"""What a token costs as sequences, models and rank counts grow.

    python3 tools/bench_growth.py [length] [model] [ranks] [--model models/smollm2.gguf] [--json FILE]

length  build/tools/bench at growing sequence lengths, as many tokens a step at each of them
model   the same at one length for decoders of three sizes with random weights
ranks   build/finetune at 1 and 2 ranks of one thread, so many micro-batches on each rank at every count; and
        build/tools/bench at the same counts, whose ranks exchange nothing: what sharing the memory costs

`FLOP a token` counts matrix products; `rate` is theirs in the time of the whole step. Medians of few steps: on a
machine that does nothing else.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LENGTHS = (256, 512, 1024, 2048, 4096)
SIZES = ({"hidden_size": 320, "num_hidden_layers": 16, "num_attention_heads": 5, "num_key_value_heads": 5,
          "intermediate_size": 864},
         {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
          "intermediate_size": 1536},
         {"hidden_size": 960, "num_hidden_layers": 32, "num_attention_heads": 15, "num_key_value_heads": 5,
          "intermediate_size": 2560})
WARMUP = 1


def run(command, threads):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_ALLOW_RUN_AS_ROOT="1",
               OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\nfailed with code %d:\n%s" % (" ".join(command), done.returncode, done.stderr))
    return done.stdout


def bench(args, model, options, threads, ranks=1):
    """The JSON line of bench --only steps."""
    command = [str(pathlib.Path(args.build) / "tools/bench"), str(model), "--only", "steps", "--steps", str(args.steps)]
    if ranks > 1:
        command = ["mpirun", "-q", "-np", str(ranks), "--bind-to", "core"] + command
    return json.loads(run(command + [str(o) for o in options], threads).splitlines()[-1])


def row_of(name, got):
    rate = got["tokens_per_s"]
    return {"": name, "tokens/s": "%.1f" % rate, "ms a token": "%.3f" % (1000 / rate),
            "MFLOP a token": "%.0f" % (1000 * got["step_gflops"] / rate), "rate": "%.1f GFLOP/s" % got["step_gflops"],
            "attention": "%.1f %%" % (100 * got["attention_s"] / got["step_s"]),
            "AdamW": "%.1f %%" % (100 * got["adamw_s"] / got["step_s"]),
            "peak (activations)": "%.2f (%.2f) GiB" % (got["peak_gib"], got["activations_gib"])}


def grow_length(args):
    for length in LENGTHS:
        if length > args.tokens:
            break
        got = bench(args, args.model, ["--seq-len", length, "--micro-batch", args.tokens // length], args.threads)
        yield row_of("%d x %d" % (length, args.tokens // length), got), got


def grow_model(args):
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
                      "vocab_size": 49152, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
                      "rope_theta": 10000.0, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, **size}
            (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
            got = bench(args, folder, ["--seq-len", 512, "--micro-batch", 2, "--random-weights"], args.threads)
        name = "%.0f M (%d layers of %d)" % (got["parameters"] / 1e6, size["num_hidden_layers"], size["hidden_size"])
        yield row_of(name, got), got


def train(args, ranks, folder):
    """Seconds of a step of finetune, its tokens, and its timers."""
    out, micro_batches = folder / ("run%d" % ranks), args.micro_batches
    keys = {"output.dir": out, "data.cache": folder / "cache", "model.path": args.model, "model.precision": "fp32",
            "data.train": args.corpus, "data.test": "", "data.validation_fraction": "0.0", "data.seq_len": 512,
            "training.eval_every": 0, "training.micro_batch": 1, "training.max_steps": WARMUP + args.steps,
            "training.global_batch": micro_batches * ranks}
    command = ["mpirun", "-q", "-np", str(ranks), "--bind-to", "core", str(pathlib.Path(args.build) / "finetune"),
               args.config] + ["%s=%s" % item for item in keys.items()]
    run(command, 1)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    timers = json.loads((out / "timers.json").read_text())
    shutil.rmtree(out)
    return statistics.median(line["ms"] / 1000 for line in lines[WARMUP:]), lines[-1]["tokens"], timers


def grow_ranks(args):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-growth-"))
    first = None
    try:
        for ranks in (1, 2):
            alone = bench(args, args.model, ["--seq-len", 512, "--micro-batch", 1], 1, ranks)
            step, tokens, timers = train(args, ranks, folder)
            rate = tokens / step
            first = first or rate
            steps = WARMUP + args.steps
            phases = {key: value["max"] / steps for key, value in timers.items() if isinstance(value, dict)}
            yield {"": str(ranks), "tokens/s": "%.1f" % rate, "of one rank x ranks": "%.1f %%" % (
                       100 * rate / first / ranks), "step": "%.2f s" % step, "compute": "%.2f s" % phases["compute"],
                   "AdamW": "%.2f s" % phases["optimizer"], "exposed": "%.2f s" % phases["communication"],
                   "bench, no messages": "%.1f tokens/s a rank" % alone["tokens_per_s"]}, {
                       "ranks": ranks, "step_s": step, "tokens": tokens, "timers": timers, "bench": alone}
    finally:
        shutil.rmtree(folder)


def table(rows):
    keys = list(rows[0])
    lines = ["| %s |" % " | ".join(keys), "|%s" % ("---|" * len(keys))]
    return "\n".join(lines + ["| %s |" % " | ".join(row[key] for key in keys) for row in rows])


GROWTHS = {"length": grow_length, "model": grow_model, "ranks": grow_ranks}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", metavar="WHAT", help="of: %s (default: all)" % " ".join(GROWTHS))
    parser.add_argument("--model", default=str(ROOT / "models/smollm2.gguf"), help="decoder: GGUF or folder")
    parser.add_argument("--config", default=str(ROOT / "configs/legal.cfg"), help="of the run of `ranks`")
    parser.add_argument("--corpus", default=str(ROOT / "data/legal_train.jsonl"))
    parser.add_argument("--tokens", type=int, default=4096, help="length: tokens of a step")
    parser.add_argument("--micro-batches", type=int, default=4, help="ranks: of a step, on each rank")
    parser.add_argument("--steps", type=int, default=2, help="timed steps of a measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--json", help="file for all figures")
    args = parser.parse_args()
    args.model, args.config, args.corpus = map(os.path.abspath, (args.model, args.config, args.corpus))
    unknown = [w for w in args.what if w not in GROWTHS]
    if unknown:
        parser.error("unknown: %s" % " ".join(unknown))
    figures = {}
    for name in args.what or GROWTHS:
        rows, figures[name] = [list(part) for part in zip(*GROWTHS[name](args))]
        print("\n%s\n\n%s" % (name, table(rows)), flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
