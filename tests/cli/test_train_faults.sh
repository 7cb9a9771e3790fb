#!/bin/bash
# A failure of one rank in any phase of a run ends the job at once: one line, one code, no hang.
. "$(dirname "$0")/train_common.sh"
cp "$source/tests/golden/gguf/llama-tiny.gguf" .
train 3 base checkpoint.every_steps=5 training.max_steps=20 || fail "base run"

# try PHASE RANK DIR [section.key=value ...]
try() {
    local phase=$1 rank=$2 dir=$3 got lines
    shift 3
    FT_FAULT=$phase:$rank timeout 20 "$mpiexec" -q -np 3 "$finetune" run.cfg output.dir="$dir" "$@" \
        >out 2>err
    got=$?
    lines=$(grep -c '^finetune: error: ' err)
    [ $got -eq 74 ] && [ "$lines" -eq 1 ] && grep -q "injected failure in $phase" err ||
        fail "$phase on rank $rank gave $got with $lines error lines"
    [ "$rank" -eq 0 ] || grep -q "error: rank $rank: " err || fail "$phase: rank $rank is not named"
}

for rank in 0 1 2; do
    for phase in model-config tokenizer plan model-weights allocate step export checkpoint-write; do
        rm -rf out-$phase
        try $phase $rank out-$phase training.max_steps=2
    done
    for how in "distributed.overlap=false" "distributed.zero=0" "distributed.bucket_mb=1"; do
        rm -rf out-step
        try step $rank out-step training.max_steps=2 $how
    done
    rm -rf out-step # as on three nodes
    FT_NODE_RANKS=1 try step $rank out-step training.max_steps=2
    rm -rf out-evaluate
    try evaluate $rank out-evaluate data.validation=validation.jsonl training.eval_every=1
    for phase in prepare-read prepare-write; do
        rm -rf out-$phase fresh
        try $phase $rank out-$phase data.cache=fresh
        [ -z "$(ls fresh 2>/dev/null)" ] || fail "$phase on rank $rank leaves $(ls fresh)"
    done
    cp -r base again && rm -rf again/final
    try checkpoint-load $rank again
    rm -rf again
done
rm -rf out-commit # rank 0 alone commits
try checkpoint-commit 0 out-commit training.max_steps=2
[ -z "$(ls out-commit/checkpoints 2>/dev/null)" ] || fail "a failed commit leaves a checkpoint"
# a checkpoint that cannot be written leaves the older ones valid
cp -r base again && rm -rf again/final again/checkpoints/step-00000020
try checkpoint-write 1 again
train 3 again && grep -q "resumed from the checkpoint of step 15" err || fail "no resume after a failed write"

# died between the checkpoint of the best step and the link to it: the next run sets the link
train 2 linked data.validation=validation.jsonl training.eval_every=2 training.max_steps=4 || fail "run with evaluations"
[ "$(readlink linked/best)" = checkpoints/step-00000004 ] || fail "the last step is not the best one: $(readlink linked/best)"
mv linked/final right && ln -sfn checkpoints/step-00000002 linked/best
train 2 linked data.validation=validation.jsonl training.eval_every=2 training.max_steps=4 || fail "run after that"
[ "$(readlink linked/best)" = checkpoints/step-00000004 ] && cmp right/model.safetensors linked/final/model.safetensors ||
    fail "an old link best is believed: $(readlink linked/best)"

[ $failures -eq 0 ]
