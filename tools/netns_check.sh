#!/bin/bash
# The communication part of tools/predict_cluster.py against links of a known rate: 2 and 4 network namespaces on
# this machine, each on a virtual link of its own to one switch, both directions shaped by tc tbf; Open MPI over TCP
# between them.
#
#     tools/netns_check.sh [MODEL]           as root; two minutes; tools/predict_cluster.py --check prints
#     RATES="200 1000" ELEMENTS=4194304 NODES="2 4" tools/netns_check.sh      [Mb/s], f32 elements of the message
#     CONFIG=configs/legal.cfg tools/netns_check.sh models/smollm2.gguf       steps of a training run too, at np 2
#
# All traffic stays between the namespaces: the switch has no address and no way out. They are removed at the end
# whatever happens. This machine's cores are shared by all ranks, so that rates it cannot fill show its own limit.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh

model=${1:-models/smollm2.gguf}
rates=${RATES:-"100 200 500 1000"}
elements=${ELEMENTS:-8388608}
nodes=${NODES:-"2 4"}
limit=120 # seconds that one measurement may take
prefix=ftnet$$
work=$(mktemp -d)
PATH=$PATH:/usr/sbin:/sbin

# the last byte of a node's address is its number; 192.0.2.0/24 is set aside for documentation and tests
address() { echo "192.0.2.$1"; }

remove() {
    local name
    for name in $(ip netns list | awk '{ print $1 }' | grep "^$prefix-" || true); do
        ip netns pids "$name" | xargs -r kill -KILL 2>/dev/null || true
        ip netns delete "$name" || true
    done
    rm -rf "$work"
}
trap remove EXIT

# create N: namespaces $prefix-1 ... N, and the switch $prefix-0
create() {
    local i
    ip netns add "$prefix-0"
    ip -n "$prefix-0" link add switch type bridge
    ip -n "$prefix-0" link set switch up
    for ((i = 1; i <= $1; i++)); do
        ip netns add "$prefix-$i"
        ip -n "$prefix-$i" link add link0 type veth peer name "port$i" netns "$prefix-0"
        ip -n "$prefix-0" link set "port$i" master switch up
        ip -n "$prefix-$i" address add "$(address "$i")/24" dev link0
        ip -n "$prefix-$i" link set link0 up
        ip -n "$prefix-$i" link set lo up
    done
}

# shape N RATE [Mb/s]: what a node sends, and what the switch sends to it. The bucket holds 2 ms of the rate and
# two of the largest packets that the kernel passes on in one piece.
shape() {
    local i burst=$(($2 * 250 + 131072))
    for ((i = 1; i <= $1; i++)); do
        tc -n "$prefix-$i" qdisc replace dev link0 root tbf rate "$2mbit" burst "$burst" latency 100ms
        tc -n "$prefix-0" qdisc replace dev "port$i" root tbf rate "$2mbit" burst "$burst" latency 100ms
    done
}

# mpirun starts its daemons with this in place of ssh: HOST COMMAND...
cat >"$work/agent" <<AGENT
#!/bin/bash
node=\${1##*.}
shift
exec ip netns exec $prefix-\$node unshare --uts bash -c 'hostname node'\$node'; eval "\$*"' bash "\$@"
AGENT
chmod +x "$work/agent"

# job N COMMAND...: one rank a node, one thread each
job() {
    local i n=$1 hosts=
    shift
    for ((i = 1; i <= n; i++)); do
        hosts+=${hosts:+,}$(address "$i")
    done
    OMP_NUM_THREADS=1 timeout "$limit" ip netns exec "$prefix-1" unshare --uts \
        bash -c 'hostname node1; exec "$@"' bash \
        mpirun -q -np "$n" -host "$hosts" --bind-to none -x OMP_NUM_THREADS \
        --mca plm rsh --mca plm_rsh_agent "$work/agent" --mca oob_tcp_if_include link0 \
        --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include link0 "$@"
}

# messages N RATE: one line for predict_cluster.py
messages() {
    job "$1" build/tools/bench "$model" --only messages --message "$elements" | tail -n 1 |
        sed "s/^{/{\"kind\": \"messages\", \"rate_mbit\": $2, /" | tee -a "$work/lines" >&2
}

# steps N RATE: the median of three steps of a run after the first, and its phases
steps() {
    local run=$work/run
    job "$1" build/finetune "$CONFIG" output.dir="$run" data.cache="$work/cache" model.path="$model" \
        data.seq_len=128 data.max_windows=64 data.validation_fraction=0.0 training.eval_every=0 \
        training.micro_batch=1 training.global_batch="$1" training.max_steps=4 model.precision=fp32 >&2
    jq -cs --argjson ranks "$1" --argjson rate "$2" --argjson size "$size" --slurpfile timers "$run/timers.json" \
        '{kind: "steps", ranks: $ranks, rate_mbit: $rate, steps: length,
          step_s: (.[1:] | map(.ms) | sort | .[1] / 1000), timers: $timers[0]} + $size' \
        "$run/metrics.jsonl" | tee -a "$work/lines" >&2
    rm -rf "$run"
}

# both N RATE
both() {
    messages "$1" "$2"
    [ -z "${CONFIG:-}" ] || [ "$1" != 2 ] || steps "$1" "$2"
}

[ "$(id -u)" = 0 ] || { echo "netns_check.sh: needs root, for network namespaces" >&2; exit 1; }
if [ -n "${CONFIG:-}" ]; then
    size=$(build/tools/bench "$model" --only steps --steps 1 --seq-len 8 --micro-batch 1 | tail -n 1 |
        jq -c '{parameters, early_parameters}')
fi
for n in $nodes; do
    create "$n"
    both "$n" 0 # no limit: what the machine itself can pass
    for rate in $rates; do
        shape "$n" "$rate"
        both "$n" "$rate"
    done
    for name in $(ip netns list | awk '{ print $1 }' | grep "^$prefix-"); do
        ip netns delete "$name"
    done
done
python3 tools/predict_cluster.py --check "$work/lines"
