#!/usr/bin/env python3
"""Step time of data-parallel fine-tuning on 8 to 512 nodes, from what one node was measured to do.

    OMP_NUM_THREADS=2 build/tools/bench models/smollm2.gguf | tail -n 1 > bench.json
    python3 tools/predict_cluster.py bench.json [--rates 25 100] [--nodes 8 32 128 512] [--micro-batches 1 4]
    python3 tools/predict_cluster.py --check LINES          what tools/netns_check.sh has measured, beside the model

The model, for p nodes (one rank a node, or ranks that share their node's memory), links of w bytes/s in each direction
at once, a of latency and handling for each message, N weights of 4 bytes (gradients: 2 with --wire bf16):

    forward, backward   as measured, for each micro-batch
    reduction           gradients become final from the end of the buffer to its beginning while the last backward
                        pass runs; what precedes the first block (embeddings) at its very end. A bucket goes from each
                        node to its owner as soon as it is final. A link carries one bucket after the other: at the
                        sender its size / w, at the owner (p - 1) times that. Exposed: what is left when backward ends
    AdamW               each rank its 1/p of the weights
    sharing weights     every owner sends its part to p - 1 others, all at once: 4 N (p - 1) / p / w, all exposed

Left out: stragglers, other jobs' traffic, a network that cannot carry all links at once, reading data, checkpoints.
So it is a bound from below; --check says how near it comes where links are shaped to a known rate.
"""
import argparse
import json
import math
import sys

WIRE = {"fp32": 4, "bf16": 2}
PAYLOAD = 1448 / 1514  # of an Ethernet frame of 1500 bytes: TCP with time stamps


def cut_buckets(parameters, nodes, bucket):
    """(first element, elements, owner) from the end of the buffer to its beginning."""
    for owner in reversed(range(nodes)):
        first, end = parameters * owner // nodes, parameters * (owner + 1) // nodes
        for at in reversed(range(first, end, bucket)):
            yield at, min(bucket, end - at), owner


def reduction_end(parameters, nodes, rate, latency, backward, early, bucket, element):
    """When the last bucket's sum is there [s], counted from the start of the last backward pass.

    early: elements at the beginning of the buffer that are final only when the pass ends."""
    sender, owners, last = 0.0, [0.0] * nodes, 0.0
    for at, count, owner in cut_buckets(parameters, nodes, bucket):
        ready = backward if at < early else backward * (parameters - at) / (parameters - early)
        time = count * element / rate
        sender = max(ready, sender) + time * (nodes - 1) / nodes  # an owner sends nothing to itself
        owners[owner] = max(ready, owners[owner]) + (nodes - 1) * (time + latency)
        last = max(last, sender, owners[owner])
    return last


def sharing(parameters, nodes, rate, latency, bucket):
    own = math.ceil(parameters / nodes / bucket)
    return 4 * parameters * (nodes - 1) / nodes / rate + own * (nodes - 1) * latency


def predict(node, nodes, rate, latency, micro_batches, bucket, element):
    """Seconds of a step and of its parts; rate [byte/s], element: bytes of a gradient on the wire."""
    parameters = int(node["parameters"])
    compute = micro_batches * (node["forward_s"] + node["backward_s"])
    reduced = reduction_end(parameters, nodes, rate, latency, node["backward_s"], int(node["early_parameters"]),
                            bucket, element)
    parts = {"compute": compute, "reduction": max(0.0, reduced - node["backward_s"]), "adamw": node["adamw_s"] / nodes,
             "sharing": sharing(parameters, nodes, rate, latency, bucket)}
    parts["exposed"] = parts["reduction"] + parts["sharing"]
    parts["step"] = compute + parts["exposed"] + parts["adamw"]
    return parts


def print_prediction(args, node):
    alone = node["forward_s"] + node["backward_s"] + node["adamw_s"]
    print("One node: %.0f tokens in %.3f s (forward %.3f, backward %.3f, AdamW %.3f), %.1f M weights.\n" % (
        node["tokens_per_s"] * node["step_s"], alone, node["forward_s"], node["backward_s"], node["adamw_s"],
        node["parameters"] / 1e6))
    print("| network | micro-batches | nodes | step | exposed: reduction + sharing | share | tokens/s | efficiency |")
    print("|---|---|---|---|---|---|---|---|")
    for rate in args.rates:
        for count in args.micro_batches:
            for nodes in args.nodes:
                got = predict(node, nodes, rate * 1e9 / 8 * PAYLOAD, args.latency_us * 1e-6, count,
                              args.bucket_mb << 18, WIRE[args.wire])
                tokens = node["tokens_per_s"] * node["step_s"] * count
                one = count * (node["forward_s"] + node["backward_s"]) + node["adamw_s"]
                print("| %g Gb/s | %d | %d | %.3f s | %.3f + %.3f s | %.1f %% | %.0f | %.1f %% |" % (
                    rate, count, nodes, got["step"], got["reduction"], got["sharing"],
                    100 * got["exposed"] / got["step"], nodes * tokens / got["step"], 100 * one / got["step"]))


def read_node(args):
    with open(args.bench, encoding="utf-8") as file:
        node = json.loads(file.read().strip().splitlines()[-1])
    for key in ("forward_s", "backward_s", "adamw_s"):
        node[key] /= args.node_speed
    node["step_s"] /= args.node_speed
    node["tokens_per_s"] *= args.node_speed
    return node


# ---- the check

def step_on(line, free, args):
    """Seconds of a step of one micro-batch, its compute as without a limit on the link (free)."""
    ranks, rate = line["ranks"], line["rate_mbit"] * 1e6 / 8 * PAYLOAD
    per_step = {key: free["timers"][key]["avg"] / free["steps"] for key in ("data", "compute", "optimizer")}
    node = {"parameters": line["parameters"], "early_parameters": line["early_parameters"],
            "forward_s": per_step["data"] + per_step["compute"] / 3, "backward_s": per_step["compute"] * 2 / 3,
            "adamw_s": per_step["optimizer"] * ranks}
    return predict(node, ranks, rate, args.latency_us * 1e-6, 1, args.bucket_mb << 18, 4)["step"]


def comparisons(line, free, args):
    """(what, measured, predicted or None) of a line; free: the line of the same work on links without a limit."""
    if line["kind"] == "steps":
        return [("step of a run", line["step_s"], step_on(line, free, args) if line["rate_mbit"] else None)]
    ranks, count, rate = line["ranks"], int(line["large_bytes"]) // 4, line["rate_mbit"] * 1e6 / 8 * PAYLOAD
    rows = [("reduction of %.1f MB" % (line["large_bytes"] / 1e6), line["reduce_s"], None),
            ("sharing of %.1f MB" % (line["large_bytes"] / 1e6), line["gather_s"], None)]
    if rate == 0:
        return rows
    bucket, latency = args.bucket_mb << 18, args.latency_us * 1e-6
    predicted = (reduction_end(count, ranks, rate, latency, 0.0, 0, bucket, 4),
                 sharing(count, ranks, rate, latency, bucket))
    return [(what, measured, time) for (what, measured, _), time in zip(rows, predicted)]


def print_check(args):
    with open(args.check, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    free = {(line["kind"], line["ranks"]): line for line in lines if not line["rate_mbit"]}
    print("| nodes | link | what | measured | predicted | measured / predicted |")
    print("|---|---|---|---|---|---|")
    for line in lines:
        link = "%d Mb/s" % line["rate_mbit"] if line["rate_mbit"] else "no limit"
        for what, measured, predicted in comparisons(line, free[(line["kind"], line["ranks"])], args):
            print("| %d | %s | %s | %.3f s | %s | %s |" % (
                line["ranks"], link, what, measured, "%.3f s" % predicted if predicted else "",
                "%.2f" % (measured / predicted) if predicted else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bench", nargs="?", help="file with the JSON line of build/tools/bench")
    parser.add_argument("--check", metavar="LINES", help="file of tools/netns_check.sh")
    parser.add_argument("--rates", nargs="+", type=float, default=[25, 100], help="Gb/s of a node's link")
    parser.add_argument("--nodes", nargs="+", type=int, default=[8, 16, 32, 64, 128, 256, 512])
    parser.add_argument("--micro-batches", nargs="+", type=int, default=[1, 4], help="of a step, on each node")
    parser.add_argument("--latency-us", type=float, default=20.0, help="of a message: latency and handling")
    parser.add_argument("--bucket-mb", type=int, default=32, help="distributed.bucket_mb")
    parser.add_argument("--wire", choices=WIRE, default="fp32", help="gradients between nodes")
    parser.add_argument("--node-speed", type=float, default=1.0, help="a node computes so many times as fast")
    args = parser.parse_args()
    if args.check:
        print_check(args)
    elif args.bench:
        print_prediction(args, read_node(args))
    else:
        parser.error("a file of bench, or --check")


if __name__ == "__main__":
    sys.exit(main())
