#!/bin/bash
# tools/bench_tokenizer: the same ids at every number of threads, and wrong arguments are refused.
# Usage: test_bench_tokenizer.sh BENCH_TOKENIZER MPIEXEC SOURCE_DIR
set -u
bench=$(realpath "$1") model=$3/tests/golden/gguf/llama-tiny.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

for i in $(seq 300); do
    printf '{"text": "the text number %d, of %s letters"}\n' "$i" "$(printf '%*s' $((i % 40)) x)"
done >"$work/texts.jsonl"
bytes=$(jq -j .text "$work/texts.jsonl" | wc -c)
for threads in 1 2 5; do
    "$bench" "$model" "$work/texts.jsonl" $threads 2 >"$work/out-$threads" || fail "$threads threads: code $?"
    tail -n 1 "$work/out-$threads" | jq -e ".texts == 300 and .bytes == $bytes and .threads == $threads and .mb_per_s > 0" \
        >/dev/null || fail "$threads threads: $(cat "$work/out-$threads")"
done
ids=$(for t in 1 2 5; do tail -n 1 "$work/out-$t" | jq .ids; done | sort -u)
[ "$(echo "$ids" | wc -l)" = 1 ] && [ "$ids" -gt 300 ] || fail "ids: $ids"

# refuse CODE WORDS ARGUMENT...
refuse() {
    local code=$1 words=$2
    shift 2
    "$bench" "$@" >/dev/null 2>"$work/err"
    [ $? = "$code" ] && grep -q "bench_tokenizer: error: .*$words" "$work/err" || fail "$*: $(cat "$work/err")"
}
refuse 64 usage "$model"
refuse 64 usage "$model" "$work/texts.jsonl" 0
refuse 64 usage "$model" "$work/texts.jsonl" 2x
refuse 64 usage "$model" "$work/texts.jsonl" 1 1001
refuse 65 "absent.jsonl" "$model" "$work/absent.jsonl"
refuse 65 "absent.gguf" "$work/absent.gguf" "$work/texts.jsonl"
: >"$work/empty.jsonl"
refuse 65 "no text" "$model" "$work/empty.jsonl"
exit $((failures > 0))
