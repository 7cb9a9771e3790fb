#!/bin/bash
# tools/bench on a tiny model: its figures are there, add up, and wrong options are refused.
# Usage: test_bench.sh BENCH MPIEXEC SOURCE_DIR
set -u
bench=$(realpath "$1") mpiexec=$2 model=$3/tests/golden/gguf/llama-tiny.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect FILTER: jq says true of the last line
expect() {
    tail -n 1 "$work/out" | jq -e "$1" >/dev/null || { fail "$1"; cat "$work/out" "$work/err"; }
}

parts=(--only products --only messages --only steps --steps 2 --seq-len 8 --micro-batch 2 --message 999)
for np in 1 2 3; do
    "$mpiexec" -q -np $np "$bench" "$model" "${parts[@]}" >"$work/out" 2>"$work/err" || fail "np $np: code $?"
    expect ".ranks == $np and .sgemm_gflops > 0 and .of_product > 0 and .triad_all_gbs == null"
    expect '.step_s >= .adamw_s and .forward_s > 0 and .attention_s > 0 and .tokens_per_s > 0'
    expect '(16 / .tokens_per_s / .step_s - 1 | fabs) < 0.01'
    expect "if $np == 1 then .latency_s == null else .large_bytes == 3996 and .large_s > 0 and .reduce_s > 0 and .gather_s > 0 end"
done
"$bench" "$model" --only steps --steps 1 --seq-len 8 --random-weights >"$work/out" 2>"$work/err" || fail "random weights"
expect '.sgemm_gflops == null and .peak_gib > 0'
if "$bench" "$model" --precision bf16 --steps 1 --seq-len 8 --only products --only steps >"$work/out" 2>"$work/err"; then
    expect '.precision == "bf16" and .bf16_gflops > 0 and .of_product > 0 and .attention_s > 0'
else
    grep -q "built without oneDNN" "$work/err" || { fail "bf16"; cat "$work/err"; }
fi

# refuse WORDS ARGUMENT...: code 64 and such a message
refuse() {
    local words=$1
    shift
    "$bench" "$@" >"$work/out" 2>"$work/err"
    [ $? -eq 64 ] || fail "code of: $*"
    grep -q -- "$words" "$work/err" || { fail "message of: $*"; cat "$work/err"; }
}
refuse "usage: bench MODEL"
refuse "usage: bench MODEL" "$model" --nonsense
refuse "--steps 0: a whole number from 1 to 64" "$model" --steps 0
refuse "--precision fp16: fp32 or bf16" "$model" --precision fp16
refuse "--only tea: products" "$model" --only tea
refuse "--seq-len 1000000: .* positions" "$model" --seq-len 1000000

[ $failures -eq 0 ]
