#!/bin/bash
# Training as a user runs it: equal losses at every rank count, bitwise resume, signals, and the files.
. "$(dirname "$0")/train_common.sh"

# --- equal losses at np 1 to 4, sizes that divide nothing, both ways of keeping moments
for np in 1 2 3 4; do
    train $np np$np || fail "np $np ended with $?"
    same_losses np1 np$np 1e-5 || fail "losses at np $np differ from np 1"
done
grep -q "23 windows" err || fail "the corpus has not 23 windows"
[ "$(losses np1 | wc -l)" -eq 20 ] || fail "not 20 steps"
# whatever is summed when and kept where: the same bits at one number of ranks
for how in zero=0 overlap=false "zero=0 distributed.overlap=false" bucket_mb=1 wire=bf16; do
    rm -rf how
    train 3 how distributed.$how || fail "$how"
    [ "$(losses np3)" = "$(losses how)" ] || fail "$how: losses differ"
    cmp -s {np3,how}/final/model.safetensors || fail "$how: final models differ"
done
# as on three nodes, and on two; with gradients sent as bf16
for ranks in 1 2; do
    rm -rf nodes half
    FT_NODE_RANKS=$ranks train 3 nodes || fail "nodes of $ranks"
    same_losses np1 nodes 1e-5 || fail "nodes of $ranks: losses differ"
    FT_NODE_RANKS=$ranks train 3 half distributed.wire=bf16 || fail "wire bf16, nodes of $ranks"
    same_losses np1 half 2e-3 || fail "wire bf16, nodes of $ranks: losses differ"
    [ "$(losses nodes)" != "$(losses half)" ] || fail "wire bf16, nodes of $ranks: nothing is rounded"
done
for phase in model data compute communication optimizer checkpoint export; do
    [ "$(jq ".$phase.max > 0 and .$phase.min <= .$phase.max" np3/timers.json)" = true ] ||
        fail "timers.json: $phase is $(jq -c ".$phase" np3/timers.json)"
    grep -q "^finetune: *$phase .* %" err || fail "no line about $phase at the end"
done
for np in 1 4; do # a rank without work
    train $np few$np training.global_batch=3 || fail "global batch 3 at np $np"
done
grep -q "have no work" err || fail "no warning about a rank without work"
same_losses few1 few4 1e-5 || fail "losses with an idle rank differ"
awk -v a="$(losses np1 | head -1 | cut -d' ' -f2)" -v b="$(losses np1 | tail -1 | cut -d' ' -f2)" \
    'BEGIN { exit !(b < 0.9 * a) }' || fail "the loss does not fall"

# --- optimizer memory is divided by the ranks (rounded to 16 elements)
for np in 1 2 4; do
    train $np m$np training.max_steps=1
    sed -n 's/.*optimizer state: \([0-9]*\) bytes.*/\1/p' err
done | paste -s | awk '{ exit !($1 > 0 && $2 > $1/2 - 256 && $2 < $1/2 + 256 && $3 > $1/4 - 256 && $3 < $1/4 + 256) }' ||
    fail "optimizer bytes are not N, N/2, N/4"

# --- isolated documents and file order give another, equally reproducible run
train 1 isolated1 data.isolate_documents=true data.shuffle=false || fail "isolate_documents"
train 3 isolated3 data.isolate_documents=true data.shuffle=false || fail "isolate_documents at np 3"
same_losses isolated1 isolated3 1e-5 || fail "isolated losses differ"
train 1 ordered data.shuffle=false || fail "data.shuffle=false"
same_losses np1 ordered 1e-5 && fail "data.shuffle=false changes nothing"
same_losses ordered isolated1 1e-5 && fail "isolate_documents changes nothing"

# --- resume, from the middle of an epoch (4 steps each): losses and final model bit for bit
for zero in 0 1; do
    keep="checkpoint.every_steps=5 checkpoint.keep=9 distributed.zero=$zero"
    rm -rf whole broken
    train 3 whole $keep || fail "whole run"
    cp -r whole broken
    rm -rf broken/checkpoints/step-000000{10,15,20} broken/final
    train 3 broken $keep || fail "resumed run"
    grep -q "resumed from the checkpoint of step 5" err || fail "did not resume from step 5"
    [ "$(losses whole)" = "$(losses broken)" ] || fail "zero $zero: losses differ after resume"
    cmp -s {whole,broken}/final/model.safetensors || fail "zero $zero: final models differ"
    for tensor in params adam_m adam_v history; do
        h5dump -g /$tensor whole/checkpoints/step-00000020/index.h5 2>/dev/null | tail -n +2 >a
        h5dump -g /$tensor broken/checkpoints/step-00000020/index.h5 2>/dev/null | tail -n +2 >b
        cmp -s a b || fail "zero $zero: $tensor differ after resume"
    done
done
# at another rank count the run goes on with the same losses but for rounding
rm -rf broken/checkpoints/step-000000{10,15,20} broken/final
train 2 broken $keep || fail "resume at another rank count"
same_losses whole broken 1e-5 || fail "losses differ after resume at another rank count"

# --- a finished run says so; other settings are refused with both values
train 2 whole || fail "a finished run does not end with 0"
grep -q "this run is finished" err || fail "a finished run does not say so"
train 2 whole training.lr=0.5
[ $? -eq 64 ] && grep -q "training.lr = 0.5, but the checkpoint was made with 0.001" err ||
    fail "another training.lr is not refused"

# --- the damaged newest checkpoint is set aside, an older one serves
rm -rf broken && cp -r whole broken && rm -rf broken/final
printf x | dd of=broken/checkpoints/step-00000020/shard-00001-of-00003.h5 bs=1 seek=3000 \
    conv=notrunc 2>/dev/null
train 3 broken $keep || fail "damaged newest checkpoint"
grep -q "shard-00001-of-00003.h5" err && grep -q "resumed from the checkpoint of step 15" err ||
    fail "damage is not named, or step 15 not used"
[ "$(losses whole)" = "$(losses broken)" ] || fail "losses differ after falling back"

# --- a signal: checkpoint within a step, 75, and the same run in the end
rm -rf stopped straight
train 2 straight training.max_steps=3000 || fail "straight run"
"$mpiexec" -q -np 2 "$finetune" run.cfg output.dir=stopped training.max_steps=3000 >out 2>err &
pid=$!
for i in $(seq 200); do [ -s stopped/metrics.jsonl ] && break; sleep 0.05; done
kill -USR1 $pid
wait $pid
[ $? -eq 75 ] || fail "a signal does not end with 75"
grep -q "stopped by a signal after step .* start it again to go on" err || fail "no word about the stop"
[ "$(find stopped/checkpoints -name manifest.json | wc -l)" -eq 1 ] || fail "not one checkpoint"
[ "$(losses stopped | wc -l)" -lt 3000 ] || fail "the signal came too late to test anything"
train 2 stopped training.max_steps=3000 || fail "after the signal"
[ "$(losses straight)" = "$(losses stopped)" ] || fail "losses differ after a signal"

# --- validation: best checkpoint kept and exported, early stopping
train 2 best data.validation=validation.jsonl training.eval_every=5 training.lr=0.05 \
    training.max_steps=200 training.patience=3 || fail "run with validation"
[ -L best/best ] && [ -e best/best/manifest.json ] || fail "best is no link to a checkpoint"
[ "$(losses best | wc -l)" -lt 200 ] || fail "patience did not stop the run"
grep -q '"eval_loss"' best/metrics.jsonl || fail "no evaluation lines"
lowest=$(sed -n 's/.*"eval_loss": \([^,]*\),.*/\1/p' best/metrics.jsonl | sort -g | head -1)
value=$("$finetune" evaluate run.cfg output.dir=best data.test=validation.jsonl 2>err |
    sed 's/.*"loss": \([^,]*\),.*/\1/')
awk -v a="$lowest" -v b="$value" 'BEGIN { d = a - b; exit !(d < 1e-5 && d > -1e-5) }' ||
    fail "evaluate gives $value, the best evaluation was $lowest"
final=$("$finetune" evaluate run.cfg output.dir=none data.test=validation.jsonl \
    model.path=best/final 2>err | sed 's/.*"loss": \([^,]*\),.*/\1/')
awk -v a="$value" -v b="$final" 'BEGIN { d = a - b; exit !(d < 1e-6 && d > -1e-6) }' ||
    fail "final/ gives $final, the best checkpoint $value"
base=$("$finetune" evaluate run.cfg --base output.dir=best data.test=validation.jsonl 2>err |
    sed 's/.*"loss": \([^,]*\),.*/\1/')
awk -v a="$base" -v b="$value" 'BEGIN { exit !(a > b + 0.1) }' || fail "--base gives $base"

# --- a run that cannot fit is refused before it allocates, with the numbers
train 2 big training.micro_batch=65536 data.seq_len=256
[ $? -eq 64 ] && grep -q "this run needs .* GiB" err || fail "too large a run is not refused"
train 2 big training.micro_batch=65536 data.seq_len=2048 model.path="$source/models/smollm2.gguf"
[ $? -eq 64 ] && grep -q "tokens at a time" err || fail "too many tokens are not refused"

# --- every word of inspect and h5dump
for path in "$source/tests/golden/llama-tiny" whole whole/checkpoints/step-00000020 \
    whole/checkpoints/step-00000020/shard-00000-of-00003.h5 cache/*/; do
    "$finetune" inspect "$path" >out 2>err || fail "inspect $path"
    [ -s out ] || fail "inspect $path prints nothing"
done
h5dump -d /params/model.embed_tokens.weight whole/checkpoints/step-00000020/index.h5 2>err |
    grep -q "( 272, 32 )" || fail "h5dump does not show a whole tensor"

[ $failures -eq 0 ]
