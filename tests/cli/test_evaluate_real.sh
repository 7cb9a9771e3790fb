#!/bin/bash
# The example model's loss on real text is the one that the reference implementation computed.
# Usage: test_evaluate_real.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$1 source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
reference=$source/tests/golden/smollm2_reference.json
model=$source/models/smollm2.gguf data=$source/data/legal_test.jsonl
tolerance=0.0005

for file in "$model" "$data"; do
    [ -f "$file" ] || {
        echo "FAILED: $file is missing: run python3 tools/fetch_examples.py, which makes it"
        exit 1
    }
done

# number KEY FILE: the number behind "KEY": in JSON
number() { sed -n 's/.*"'"$1"'": \([-+0-9.eE]*\).*/\1/p' "$2"; }

cat >run.cfg <<END
model: { path = "$model"; precision = "fp32"; };
data: { test = "$data"; cache = "cache"; };
output: { dir = "out"; };
END
OMP_NUM_THREADS=$(nproc) "$finetune" evaluate run.cfg \
    data.seq_len="$(number seq_len "$reference")" \
    data.max_windows="$(number windows "$reference")" >out.json 2>err || {
    echo "FAILED: evaluate ended with $?"
    cat err
    exit 1
}
grep -q "\"tokens\": $(($(number seq_len "$reference") * $(number windows "$reference")))}" out.json || {
    echo "FAILED: not the reference's number of tokens"
    cat out.json
    exit 1
}
expected=$(number loss "$reference") got=$(number loss out.json)
echo "loss $got, reference $expected"
awk -v a="$got" -v b="$expected" -v most=$tolerance '
    BEGIN { d = a - b; exit !(b > 0 && d <= most && -d <= most) }' || {
    echo "FAILED: more than $tolerance apart"
    exit 1
}
