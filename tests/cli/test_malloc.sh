#!/bin/bash
# Some of the allocations of a run that goes on from a checkpoint fail, on either rank: a message, a code, nothing
# lost. All of them: tools/torture.sh malloc. Usage: test_malloc.sh FINETUNE_MALLOC MPIEXEC SOURCE_DIR
. "$(dirname "$0")/train_common.sh"
mkdir before
sed -i 's,cache = "cache",validation = "validation.jsonl"; cache = "now/cache",; s,"unnamed","now/out",' run.cfg
loop=$finetune finetune=$(dirname "$(dirname "$finetune")")/finetune
train 2 now/out training.max_steps=2 training.eval_every=1 || fail "the run before"
mv now/out before/out && rm -rf now before/out/final
for rank in 0 1; do
    for mode in once always; do
        RESULT=now/out/final/model.safetensors timeout 120 "$mpiexec" -q -np 2 "$loop" $rank own $mode \
            $((3 + rank)) 1000000 $((199 - rank * 120)) run.cfg training.max_steps=4 training.eval_every=1 2>err ||
            fail "rank $rank, $mode"
        cat err
        grep -q "^tried [1-9].* lost 0;" err || fail "rank $rank, $mode: no account"
    done
done

[ $failures -eq 0 ]
