"""The PyTorch side of tools/bench_vs_pytorch.py: one measurement, in a process of its own.

    python3 tools/pytorch_side.py WORK JSON

WORK is a function of WORKS below, JSON its arguments. The last line on stdout is the result, as JSON. Training is
what a user of transformers would write: fp32 weights, autocast for bf16, AdamW over all weights, clipping at 1.0.
"""
import contextlib
import json
import os
import statistics
import sys
import time

SOURCE_SECONDS = 5.0  # how long the choice of AdamW's implementation may take, about


def read_jsonl(paths):
    return [json.loads(line) for path in paths for line in open(path, encoding="utf-8")]


# ---- preparation: the same tokens as ours, before anything is timed

def windows(args):
    """Tokens of the first windows of a text corpus, cut as finetune does: (count, seq_len + 1) ids."""
    import numpy
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer
    tokenizer = Tokenizer.from_file(os.path.join(args["model"], "tokenizer.json"))
    eos = AutoTokenizer.from_pretrained(args["model"]).eos_token_id
    stream, length, count = [], args["seq_len"], args["count"]
    for document in read_jsonl(args["data"]):
        stream += tokenizer.encode(document["text"], add_special_tokens=False).ids + [eos]
        if len(stream) > count * length:
            break
    rows = [stream[i * length:i * length + length + 1] for i in range(count)]
    numpy.save(args["out"], numpy.array(rows, dtype=numpy.int64))
    return {"windows": len(rows)}


def texts(args):
    """Ids and labels of the first texts of a labelled corpus, in file order, cut at seq_len."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(args["model"], "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(args["seq_len"])
    documents = read_jsonl(args["data"])
    names = sorted({d["label"] for d in documents})
    chosen = documents[:args["count"]]
    ids = [e.ids for e in tokenizer.encode_batch([d["text"] for d in chosen])]
    with open(args["out"], "w", encoding="utf-8") as file:
        json.dump({"ids": ids, "labels": [names.index(d["label"]) for d in chosen], "names": names}, file)
    return {"texts": len(chosen), "tokens": sum(map(len, ids))}


def adamw(args):
    """Which of PyTorch's implementations of AdamW is the faster one on this model's weights."""
    import torch
    torch.set_num_threads(args["threads"])
    model = load_model(args)
    for p in model.parameters():
        p.grad = torch.full_like(p, 1e-3)
    seconds = {}
    for kind in ("fused", "foreach"):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-9, **{kind: True})
        optimizer.step()
        times, end = [], time.perf_counter() + SOURCE_SECONDS
        while len(times) < 10 and time.perf_counter() < end:
            begin = time.perf_counter()
            optimizer.step()
            times.append(time.perf_counter() - begin)
        seconds[kind] = statistics.median(times)
        del optimizer
    return {"fastest": min(seconds, key=seconds.get), "seconds": seconds}


# ---- models

def load_decoder(args):
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(args["model"], dtype=torch.float32)
    model.config.use_cache = False
    return model


def load_encoder(args):
    """Mean pooling and a linear layer on an encoder, without dropout."""
    import torch
    from transformers import AutoModel

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = AutoModel.from_pretrained(args["model"], dtype=torch.float32, add_pooling_layer=False,
                                                     hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
            self.head = torch.nn.Linear(self.encoder.config.hidden_size, args["labels"])

        def forward(self, ids, mask, labels):
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weight).sum(1) / weight.sum(1)
            return torch.nn.functional.cross_entropy(self.head(pooled).float(), labels)

    torch.manual_seed(1)
    return Classifier()


def load_model(args):
    return load_encoder(args) if args["kind"] == "encoder" else load_decoder(args)


def decoder_batches(args):
    """Keyword arguments of the model, micro-batch by micro-batch; the loss is then the mean over all positions."""
    import numpy
    import torch
    rows = torch.from_numpy(numpy.load(args["tokens"]))
    for part in rows.split(args["micro_batch"]):
        ids, targets = part[:, :-1].contiguous(), part[:, 1:].contiguous()
        yield {"input_ids": ids, "labels": ids, "shift_labels": targets}


def encoder_batches(args):
    import torch
    with open(args["tokens"], encoding="utf-8") as file:
        data = json.load(file)
    size = args["micro_batch"]
    for at in range(0, len(data["ids"]), size):
        ids = data["ids"][at:at + size]
        width = args["seq_len"] if args["padding"] == "max" else max(map(len, ids))
        yield {"ids": torch.tensor([row + [0] * (width - len(row)) for row in ids]),
               "mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids]),
               "labels": torch.tensor(data["labels"][at:at + size])}


# ---- training

def join_group(args):
    """This process' place among those of a data-parallel run, on a core of its own: (rank, processes)."""
    import torch
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if size > 1:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    torch.set_num_threads(args["threads"])
    if size > 1:
        torch.distributed.init_process_group("gloo")
    return rank, size


def loss_of(output):
    return output if not hasattr(output, "loss") else output.loss


def one_step(model, optimizer, batches, args, scope):
    """The loss of a step of several micro-batches; gradients are exchanged with the last one only."""
    import torch
    total, count = 0.0, len(batches)
    for i, batch in enumerate(batches):
        waits = hasattr(model, "no_sync") and i + 1 < count
        with model.no_sync() if waits else contextlib.nullcontext():
            with scope():
                loss = loss_of(model(**batch)) / count
            loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def train(args):
    """Median seconds of a step after the warm-up, the loss of the first step, and when that had ended."""
    import torch
    rank, size = join_group(args)
    model = load_model(args)
    model.train()
    parts = list((encoder_batches if args["kind"] == "encoder" else decoder_batches)(args))[rank::size]
    if size > 1:
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args["lr"], betas=(0.9, 0.95), weight_decay=0.1,
                                  **{args["adamw"]: True})
    runner = torch.compile(model) if args["compile"] else model

    def scope():
        if args["precision"] == "bf16":
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    n, seconds, losses, first_end = args["micro_batches"], [], [], 0.0
    for step in range(args["warmup"] + args["steps"]):
        begin = time.perf_counter()
        losses.append(one_step(runner, optimizer, parts[step * n:(step + 1) * n], args, scope))
        seconds.append(time.perf_counter() - begin)
        first_end = first_end or time.time()
    if size > 1:
        share = torch.tensor(losses[0] / size)
        torch.distributed.all_reduce(share)
        losses[0] = share.item()
        torch.distributed.barrier()  # who leaves early breaks the connections of who still works
        torch.distributed.destroy_process_group()
    return {"step": statistics.median(seconds[args["warmup"]:]), "steps": seconds, "loss": losses[0],
            "first_end": first_end}


def features(args):
    """Seconds of encode() over all texts; loading is not counted."""
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(args["threads"])
    model = SentenceTransformer(args["model"], device="cpu")
    model.max_seq_length = args["seq_len"]
    if args["precision"] == "bf16":
        model.bfloat16()
    chosen = [d["text"] for d in read_jsonl(args["data"])]
    begin, started = time.perf_counter(), time.time()
    model.encode(chosen, batch_size=32, show_progress_bar=False)
    return {"step": time.perf_counter() - begin, "units": len(chosen), "first_end": started}


def tokenise(args):
    """Seconds of the tokenizers package on one thread for all documents; reading them is not counted."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(args["model"], "tokenizer.json"))
    documents = [d["text"] for d in read_jsonl(args["data"])]
    begin, started = time.perf_counter(), time.time()
    count = sum(len(e.ids) for e in tokenizer.encode_batch(documents, add_special_tokens=False))
    return {"step": time.perf_counter() - begin, "tokens": count, "first_end": started}


WORKS = {work.__name__: work for work in (windows, texts, adamw, train, features, tokenise)}

if __name__ == "__main__":
    print(json.dumps(WORKS[sys.argv[1]](json.loads(sys.argv[2]))))
