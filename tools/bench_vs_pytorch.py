#!/usr/bin/env python3
"""finetune beside PyTorch on the same cores, inputs and machine: ours, theirs, ours, theirs ..., then medians.

    python3 tools/bench_vs_pytorch.py [decoder] [ddp] [encoder] [features] [tokenise] [--rounds 3] ...

For the reader who has PyTorch, transformers, tokenizers and, for `features`, sentence-transformers; no test does.

decoder   full fine-tuning of a causal language model, one process and all threads; theirs eager and compiled
ddp       the same on one process a core; theirs DistributedDataParallel over gloo; 1 and 4 micro-batches a step
encoder   full fine-tuning of an encoder classifier; theirs padded to seq_len, compiled too, and to the longest text
features  vectors of all texts by the frozen encoder; theirs encode() of sentence-transformers
tokenise  the decoder's corpus with 1 thread and with all; theirs the tokenizers package on one thread, reading and
          writing not counted; ours the whole of `finetune prepare`

Every measurement is a fresh process, and only one side runs at a time. Both sides read the same fp32 weights (for a
GGUF the folder that finetune writes of it) and the same texts in the same order, cut alike; `loss` is that of the
first step, to be equal where no new head is drawn at random. Ours is the program itself: steps from metrics.jsonl,
for `features` tokenising and forward pass from timers.json. `start` is the time from the start of the process to the
end of the first step, less one step; the first of its two figures is the first round's, in which torch.compile has
nothing in its cache. `exposed` is the share of communication that no work hides, `peak` the largest resident set of
a process. Ratios are medians of each round's own ratio.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
THEIRS = ROOT / "tools/pytorch_side.py"
WARMUP = 1  # steps that are not counted: compilation, the optimizer's memory, page faults
WORKS = ("decoder", "ddp", "encoder", "features", "tokenise")


class Failed(Exception):
    pass


@dataclasses.dataclass
class Side:
    """One program that does a piece of work, and what was measured of it, a value a round."""
    name: str
    options: dict
    steps: list = dataclasses.field(default_factory=list)
    starts: list = dataclasses.field(default_factory=list)
    peaks: list = dataclasses.field(default_factory=list)
    extra: list = dataclasses.field(default_factory=list)
    error: str = ""

    @property
    def is_ours(self):
        return self.name == "finetune"


@dataclasses.dataclass
class Work:
    name: str
    kind: str            # decoder, encoder, features or tokenise
    precision: str
    processes: int
    threads: int         # of each process
    micro_batch: int
    micro_batches: int   # of a step, on each process
    seq_len: int
    units: float         # tokens or texts a step, over all processes
    unit: str
    sides: list

    @property
    def sequences(self):
        return self.processes * self.micro_batch * self.micro_batches


# ---- processes

def environment(threads, **more):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1",
               OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return {**env, **more}


def watch(running, on_tick):
    """Waits for all processes: what the largest one had resident [bytes], processor time of all [s], exit codes."""
    peak, cpu, codes, left = 0, 0.0, [], {p.pid for p in running}
    while left:
        on_tick()
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            time.sleep(0.02)
        elif pid in left:
            left.remove(pid)
            codes.append(os.waitstatus_to_exitcode(status))
            peak = max(peak, usage.ru_maxrss * 1024)
            cpu += usage.ru_utime + usage.ru_stime
    return {"peak": peak, "cpu_s": cpu}, codes


def run(commands, envs, folder, on_tick=lambda: None):
    """Runs commands at the same time, to their end: (what they used, stdout of the first)."""
    files = [(folder / ("out%d" % i), folder / ("err%d" % i)) for i in range(len(commands))]
    running = []
    for command, env, (out, err) in zip(commands, envs, files):
        with open(out, "wb") as o, open(err, "wb") as e:
            running.append(subprocess.Popen(command, env=env, stdout=o, stderr=e, stdin=subprocess.DEVNULL))
    used, codes = watch(running, on_tick)
    if any(codes):
        last = [err.read_text(errors="replace").strip().splitlines()[-1:] for _, err in files]
        raise Failed("; ".join(line for lines in last for line in lines) or "exit codes %s" % codes)
    return used, files[0][0].read_text()


def run_theirs(work, arguments, folder, processes=1, threads=2, **more):
    command = [sys.executable, str(THEIRS), work, json.dumps(arguments)]
    envs = [environment(threads, **more)]
    if processes > 1:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = str(s.getsockname()[1])
        envs = [environment(threads, RANK=str(r), WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1",
                            MASTER_PORT=port, GLOO_SOCKET_IFNAME="lo", **more) for r in range(processes)]
    used, text = run([command] * processes, envs, folder)
    return used, json.loads(text.strip().splitlines()[-1])


# ---- ours

def write_config(path, mode, task, model, data, keys):
    lines = ["mode = \"%s\";" % mode, "task = \"%s\";" % task, "model: { path = \"%s\"; };" % model,
             "data: { train = [%s]; shuffle = false; };" % ", ".join("\"%s\"" % d for d in data)]
    path.write_text("\n".join(lines) + "\n")
    return [str(path)] + ["%s=%s" % item for item in keys.items()]


def our_command(work, arguments):
    program = str(pathlib.Path(work_args.build) / "finetune")
    if work.processes == 1:
        return [program] + arguments
    return ["mpirun", "-q", "-np", str(work.processes), "--bind-to", "core", program] + arguments


def our_training(work, setup, folder):
    out = folder / "run"
    keys = {"output.dir": out, "data.cache": setup["cache"], "data.seq_len": work.seq_len,
            "data.max_windows": setup["count"], "training.micro_batch": work.micro_batch,
            "training.global_batch": work.sequences, "training.max_steps": WARMUP + work_args.steps,
            "training.lr": "1e-6", "training.dropout": "0.0", "model.precision": work.precision}
    task = "causal-lm" if work.kind == "decoder" else "classification"
    config = write_config(folder / "run.cfg", "finetune", task, setup["model"], setup["data"], keys)
    if not setup.get("is_prepared"):
        program = str(pathlib.Path(work_args.build) / "finetune")
        run([[program, "prepare"] + config], [environment(work_args.threads)], folder)
        setup["is_prepared"] = True
    metrics, seen = out / "metrics.jsonl", []

    def look():
        if not seen and metrics.exists() and metrics.stat().st_size > 0:
            seen.append(time.time())

    started = time.time()
    used, _ = run([our_command(work, config)], [environment(work.threads)], folder, look)
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    seconds = [line["ms"] / 1000 for line in lines if "loss" in line]
    step = statistics.median(seconds[WARMUP:])
    return {"step": step, "steps": seconds, "loss": lines[0]["loss"], **used,
            "start": (seen[0] if seen else time.time()) - started - step,
            "timers": json.loads((out / "timers.json").read_text())}


def our_features(work, setup, folder):
    keys = {"output.dir": folder / "run", "data.cache": folder / "cache", "data.seq_len": work.seq_len,
            "transfer.layer": -1, "transfer.pooling": "mean", "transfer.l2": 0.03, "model.precision": work.precision}
    config = write_config(folder / "run.cfg", "transfer", "classification", setup["model"], setup["data"], keys)
    begin = time.perf_counter()
    used, _ = run([our_command(work, config)], [environment(work.threads)], folder)
    whole = time.perf_counter() - begin
    timers = json.loads((folder / "run/timers.json").read_text())
    return {"step": timers["data"]["max"] + timers["compute"]["max"], **used, "start": timers["model"]["max"],
            "whole_s": whole, "timers": timers}


def our_tokens(work, setup, folder):
    keys = {"output.dir": folder / "run", "data.cache": folder / "cache"}
    config = write_config(folder / "run.cfg", "finetune", "causal-lm", setup["model"], setup["data"], keys)
    program = str(pathlib.Path(work_args.build) / "finetune")
    begin = time.perf_counter()
    used, _ = run([[program, "prepare"] + config], [environment(work.threads)], folder)
    return {"step": time.perf_counter() - begin, "start": 0.0, **used}


def measure_ours(work, setup, folder):
    return OURS.get(work.kind, our_training)(work, setup, folder)


OURS = {"features": our_features, "tokenise": our_tokens}


# ---- theirs

def measure_theirs(work, side, setup, folder):
    arguments = {"kind": work.kind, "model": setup["model"], "data": setup["data"], "tokens": setup.get("tokens"),
                 "seq_len": work.seq_len, "micro_batch": work.micro_batch, "micro_batches": work.micro_batches,
                 "threads": work.threads, "precision": work.precision, "warmup": WARMUP, "steps": work_args.steps,
                 "lr": 1e-6, "labels": setup.get("labels", 0), "adamw": setup.get("adamw"), **side.options}
    started = time.time()
    used, result = run_theirs(work.kind if work.kind in OURS else "train", arguments, folder, work.processes,
                              work.threads, TORCHINDUCTOR_CACHE_DIR=setup["compiled"],
                              TOKENIZERS_PARALLELISM="false" if work.kind == "tokenise" else "true")
    start = result["first_end"] - started
    return {**result, **used, "start": start if work.kind in OURS else start - result["step"]}


# ---- set-up

def model_folder(path, top):
    """A folder that transformers can read: of a GGUF the one that a run of ours of one tiny step writes."""
    if pathlib.Path(path).is_dir():
        return str(path)
    folder = top / ("weights-of-%s" % pathlib.Path(path).stem)
    if not folder.exists():
        folder.mkdir()
        (folder / "text.txt").write_text("a b c d e f g h " * 8)
        keys = {"output.dir": folder / "run", "data.seq_len": 8, "training.max_steps": 1, "training.micro_batch": 1,
                "training.global_batch": 1, "training.lr": "1e-12", "model.precision": "fp32"}
        config = write_config(folder / "run.cfg", "finetune", "causal-lm", path, [folder / "text.txt"], keys)
        program = str(pathlib.Path(work_args.build) / "finetune")
        run([[program] + config], [environment(work_args.threads)], folder)
        shutil.rmtree(folder / "run/checkpoints")
    return str(folder / "run/final")


def prepare(work, top):
    """Inputs of both sides, and which AdamW theirs uses; nothing of it is timed."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=work.name + "-", dir=top))
    setup = {"cache": str(folder / "cache"), "compiled": str(folder / "inductor")}
    if work.kind in ("decoder", "tokenise"):
        setup.update(model=model_folder(work_args.decoder, top), data=[work_args.corpus])
    else:
        setup.update(model=work_args.encoder, data=work_args.texts)
    if work.kind in OURS:
        return setup
    setup["data"] = setup["data"][:1]
    setup["count"] = work.sequences * (WARMUP + work_args.steps)
    setup["tokens"] = str(folder / ("tokens.npy" if work.kind == "decoder" else "tokens.json"))
    wanted = {"model": setup["model"], "data": setup["data"], "seq_len": work.seq_len, "count": setup["count"],
              "out": setup["tokens"]}
    run_theirs("windows" if work.kind == "decoder" else "texts", wanted, folder)
    if work.kind == "encoder":
        setup["labels"] = len(json.loads(pathlib.Path(setup["tokens"]).read_text())["names"])
    chosen = {"kind": work.kind, "model": setup["model"], "labels": setup.get("labels", 0), "threads": work.threads}
    _, setup["adamw_seconds"] = run_theirs("adamw", chosen, folder, threads=work.threads)
    setup["adamw"] = setup["adamw_seconds"]["fastest"]
    return setup


def their_sides(name):
    eager = Side("PyTorch eager", {"compile": False, "padding": "max"})
    compiled = Side("PyTorch compiled", {"compile": True, "padding": "max"})
    if name == "features":
        return [Side("sentence-transformers", {})]
    if name == "tokenise":
        return [Side("tokenizers, one thread", {})]
    if name == "encoder":
        return [eager, compiled, Side("PyTorch eager, padded to the longest", {"compile": False, "padding": "longest"})]
    return [eager, compiled] if name == "decoder" else [eager]


def sides_of(args, name):
    chosen = [s for s in their_sides(name) if not args.only or any(word in s.name for word in args.only)]
    return [Side("finetune", {})] + chosen


def list_works(args, name, precision):
    """The pieces of work of one name: for ddp two, of 1 and of 4 micro-batches a step."""
    if name in ("encoder", "features"):
        micro_batch, seq_len = 32, 128 if name == "encoder" else 256
        yield Work(name, name, precision, 1, args.threads, micro_batch, 1, seq_len, micro_batch, "texts",
                   sides_of(args, name))
        return
    if name == "tokenise":
        for n in sorted({1, args.threads} if precision == args.precision[0] else ()):
            yield Work("tokenise, threads: %d" % n, name, "ids", 1, n, 1, 1, args.seq_len,
                       os.path.getsize(args.corpus) / 1e6, "MB", sides_of(args, name))
        return
    ranks = args.threads if name == "ddp" else 1
    for n in (1, 4) if name == "ddp" else (1,):
        title = name if ranks == 1 else "%s, %d processes, micro-batches a step: %d" % (name, ranks, n)
        yield Work(title, "decoder", precision, ranks, args.threads // ranks, args.micro_batch, n, args.seq_len,
                   ranks * n * args.micro_batch * args.seq_len, "tokens", sides_of(args, name))


def processor_has_bf16():
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


# ---- rounds and report

def measure(work, side, setup, top):
    folder = pathlib.Path(tempfile.mkdtemp(dir=top))
    try:
        got = measure_ours(work, setup, folder) if side.is_ours else measure_theirs(work, side, setup, folder)
        work.units = got.get("units", work.units)
        side.steps.append(got.pop("step"))
        side.starts.append(got.pop("start"))
        side.peaks.append(got.pop("peak"))
        side.extra.append(got)
    except Failed as error:
        side.error = str(error)
    finally:
        shutil.rmtree(folder)


def run_work(work, top):
    setup = prepare(work, top)
    for number in range(work_args.rounds):
        for side in work.sides:
            if not side.error:
                measure(work, side, setup, top)
            said = side.error or "%.2f s, start %.1f s, peak %.2f GiB" % (
                side.steps[-1], side.starts[-1], side.peaks[-1] / 2**30)
            print("%s %s, round %d, %s: %s" % (work.name, work.precision, number + 1, side.name, said), file=sys.stderr)
    return setup


def ratio(ours, theirs, key):
    """Median over rounds of theirs / ours."""
    pairs = list(zip(getattr(theirs, key), getattr(ours, key)))
    return statistics.median(a / b for a, b in pairs) if pairs else None


def exposed(timers):
    """Communication that no work hides, in percent of a step; averages over ranks and steps."""
    parts = {key: timers[key]["avg"] for key in ("data", "compute", "optimizer", "communication")}
    return 100 * parts["communication"] / sum(parts.values())


def rows_of(work):
    ours = work.sides[0]
    for side in work.sides:
        row = {"work": work.name, "precision": work.precision, "side": side.name, "error": side.error}
        if side.steps:
            step = statistics.median(side.steps)
            row.update(step_s=step, rate=work.units / step, unit=work.unit + "/s", peak_gib=max(side.peaks) / 2**30,
                       start_first_s=side.starts[0], start_later_s=statistics.median(side.starts[1:] or side.starts),
                       loss=side.extra[0].get("loss"))
            if side.is_ours and work.processes > 1:
                row["exposed"] = statistics.median(exposed(got["timers"]) for got in side.extra)
            if not side.is_ours and ours.steps:
                row.update(speedup=ratio(ours, side, "steps"), memory=1 / ratio(ours, side, "peaks"))
        yield {**row, "rounds": [dataclasses.asdict(side)]}


def cell(row, key, form):
    return form % row[key] if row.get(key) is not None else ""


def table(rows):
    heads = ["work", "side", "rate", "step", "ours is faster", "peak", "ours / theirs", "start, first / later", "loss",
             "exposed"]
    lines = ["| %s |" % " | ".join(heads), "|%s" % ("---|" * len(heads))]
    for row in rows:
        name = "%s, %s" % (row["work"], row["precision"])
        if "step_s" not in row:
            lines.append("| %s | %s | not measured: %s | | | | | | | |" % (name, row["side"], row["error"]))
            continue
        lines.append("| %s | %s | %.1f %s | %.3f s | %s | %.2f GiB | %s | %.1f / %.1f s | %s | %s |" % (
            name, row["side"], row["rate"], row["unit"], row["step_s"], cell(row, "speedup", "%.2f x"), row["peak_gib"],
            cell(row, "memory", "%.2f"), row["start_first_s"], row["start_later_s"], cell(row, "loss", "%.4f"),
            cell(row, "exposed", "%.1f %%")))
    return "\n".join(lines)


def skipped(name, precision):
    return {"work": name, "precision": precision, "side": "both", "error": "the processor has no bf16 "
            "(--emulated-bf16 measures all the same)"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help="of: %s (default: all)" % " ".join(WORKS))
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--emulated-bf16", action="store_true", help="bf16 on a processor without it too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="timed steps of a measurement")
    parser.add_argument("--threads", type=int, default=2, help="cores in use; for ddp: processes")
    parser.add_argument("--only", nargs="+", help="only those of their sides whose name holds such a word")
    parser.add_argument("--seq-len", type=int, default=512, help="decoder and ddp")
    parser.add_argument("--micro-batch", type=int, default=4, help="decoder and ddp")
    parser.add_argument("--decoder", default=str(ROOT / "models/smollm2.gguf"), help="GGUF or folder")
    parser.add_argument("--corpus", default=str(ROOT / "data/legal_train.jsonl"))
    parser.add_argument("--encoder", default=str(ROOT / "models/minilm"), help="folder")
    parser.add_argument("--texts", nargs="+", help="labelled; encoder uses the first, features all",
                        default=[str(ROOT / ("data/sentiment_%s.jsonl" % part)) for part in ("train", "test")])
    parser.add_argument("--build", default=str(ROOT / "build"), help="folder of finetune")
    parser.add_argument("--json", help="file for all figures")
    args = parser.parse_args()
    unknown = [w for w in args.works if w not in WORKS]
    if unknown:
        parser.error("unknown work: %s" % " ".join(unknown))
    args.decoder, args.corpus, args.encoder = map(os.path.abspath, (args.decoder, args.corpus, args.encoder))
    args.texts = list(map(os.path.abspath, args.texts))
    return args


def main():
    rows = []
    top = pathlib.Path(tempfile.mkdtemp(prefix="bench-vs-pytorch-"))
    try:
        for name in work_args.works or WORKS:
            for precision in work_args.precision:
                if name != "tokenise" and precision == "bf16" and not (work_args.emulated_bf16 or processor_has_bf16()):
                    rows.append(skipped(name, precision))
                    continue
                for work in list_works(work_args, name, precision):
                    run_work(work, top)
                    rows += rows_of(work)
    finally:
        shutil.rmtree(top)
    print(table(rows))
    if work_args.json:
        pathlib.Path(work_args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    work_args = parse()
    main()
