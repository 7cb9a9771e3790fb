#!/bin/bash
# The example model learns from real text as conversations: its own chat template is recognised, and
# the loss of the first step is the one that transformers gave for the same batch.
# Usage: test_instruct_real.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$1 source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
reference=$source/tests/golden/chat/smollm2.json
model=$source/models/smollm2.gguf data=$source/data/legal_train.jsonl

for file in "$model" "$data"; do
    [ -f "$file" ] || {
        echo "FAILED: $file is missing: run python3 tools/fetch_examples.py, which makes it"
        exit 1
    }
done

# number KEY FILE: the number behind "KEY": in JSON
number() { sed -n 's/.*"'"$1"'": \([-+0-9.eE]*\).*/\1/p' "$2"; }

die() {
    echo "FAILED: $1"
    cat err
    exit 1
}

# the first line is asked for, the rest answered
sed -n 's/^{"text": "\([^"\\]*\)\\n\(.*\)"}$/{"messages": [{"role": "user", "content": "\1"}, {"role": "assistant", "content": "\2"}]}/p' \
    "$data" | head -n 8 >legal.jsonl
cat >run.cfg <<END
task = "instruct";
model: { path = "$model"; precision = "fp32"; };
data: { train = "legal.jsonl"; cache = "cache"; seq_len = $(number seq_len "$reference"); };
training: { max_steps = 2; micro_batch = 2; global_batch = 8; lr = 2e-5; };
output: { dir = "out"; };
END
OMP_NUM_THREADS=$(nproc) "$finetune" run.cfg 2>err || die "training ended with $?"
grep "supervised" err
grep -q "chat template chatml, recognised in the model's files, with the system message" err ||
    die "the template was not recognised"
tokens=$(number tokens "$reference") supervised=$(number supervised "$reference")
grep -q "$supervised tokens supervised, $((tokens - supervised)) masked" err ||
    die "not $supervised of $tokens tokens supervised"
grep -q "$(number truncated "$reference") conversations cut" err || die "others were cut"
expected=$(number loss <(grep '"loss"' "$reference"))
got=$(sed -n 's/.*"step": 1,.*"loss": \([^,]*\), "lr".*/\1/p' out/metrics.jsonl)
echo "loss of the first step $got, transformers $expected"
awk -v a="$got" -v b="$expected" '
    BEGIN { d = (a - b) / b; exit !(b > 0 && d <= 1e-4 && -d <= 1e-4) }' ||
    die "more than 1e-4 apart"
last=$(sed -n 's/.*"step": 2,.*"loss": \([^,]*\), "lr".*/\1/p' out/metrics.jsonl)
awk -v a="$last" -v b="$got" 'BEGIN { exit !(a > 0 && a < b) }' || die "the loss does not fall: $last"
"$finetune" check run.cfg model.path="$source/models/minilm" output.dir=none 2>err
[ $? = 64 ] && grep -q 'task = "instruct", but .* is an encoder' err || die "an encoder was taken"
