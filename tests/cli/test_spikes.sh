#!/bin/bash
# Spikes: the same decision on all ranks, steps left out, documents named, decisions repeated on
# resume; and ranks whose parameters differ are found before a checkpoint is written.
. "$(dirname "$0")/train_common.sh"
cp "$source/tests/golden/gguf/llama-tiny.gguf" .

# hit FAULT NP DIR [section.key=value ...]: train with a fault; gives the program's code
hit() {
    local fault=$1 np=$2 dir=$3 got
    shift 3
    rm -rf "$dir"
    FT_FAULT=$fault timeout 60 "$mpiexec" -q -np "$np" "$finetune" run.cfg output.dir="$dir" "$@" >out 2>err
    got=$?
    lines=$(grep -c '^finetune: error: ' err)
    return $got
}

# what a run computed: metrics without times
numbers() { sed 's/, "ms": [^,]*, "tokens_per_s": [^,}]*//' "$1/metrics.jsonl"; }
# parameters and moments of its last checkpoint
state() {
    local last
    last=$(ls -d "$1"/checkpoints/step-* | tail -1)
    for i in "$last"/shard-*; do h5dump -d /params/model.norm.weight -d /adam_m/model.norm.weight \
        -y -m %.17g "$i" 2>/dev/null | grep -v HDF5; done
}
line_of() { grep "^{\"step\": $2," "$1/metrics.jsonl" | grep '"loss"'; }

steps="training.max_steps=60 training.spike_sigma=4"

# --- a loss that jumps on one rank: ignored, skipped, or the end, on all ranks
for np in 1 2 3; do
    last=$((np - 1))
    hit loss:$last:spike:50 $np ignored $steps || fail "np $np: an ignored spike ends the run"
    line_of ignored 50 | grep -q '"spike_sigma": [0-9.e+]*, "skipped": false, "samples": \[{"document": 0, "file": "[^"]*train.jsonl", "line": 1}' ||
        fail "np $np: no spike in the line of step 50: $(line_of ignored 50)"
    [ "$(grep -c spike_sigma ignored/metrics.jsonl)" -eq 1 ] || fail "np $np: not one spike"
    hit loss:$last:spike:50 $np skipped $steps training.on_spike=skip || fail "np $np: a skipped spike ends the run"
    line_of skipped 50 | grep -q '"skipped": true' || fail "np $np: step 50 is not skipped"
    grep -q 'warning: step 50: .* no update was made' err || fail "np $np: no warning"
    [ "$(grep -c '"loss"' skipped/metrics.jsonl)" -eq 60 ] || fail "np $np: not 60 steps"
    hit loss:$last:spike:50 $np stopped $steps training.on_spike=stop checkpoint.every_steps=40
    got=$?
    [ $got -eq 70 ] && [ "$lines" -eq 1 ] && grep -q 'the loss of step 50, .* standard deviations' err ||
        fail "np $np: a spike that shall end the run gave $got with $lines lines"
    line_of stopped 50 | grep -q '"samples"' || fail "np $np: the last line has no documents"
    [ -e stopped/checkpoints/step-00000040/manifest.json ] || fail "np $np: no checkpoint is left"
    hit loss:$last:nan:50 $np bad $steps
    got=$?
    [ $got -eq 70 ] && [ "$lines" -eq 1 ] && grep -q 'the loss of step 50 is not finite' err ||
        fail "np $np: a loss that is no number gave $got with $lines lines"
    for phase in loss gradient; do
        hit $phase:$last:nan:50 $np bad $steps training.on_spike=skip || fail "np $np: $phase is not skipped"
        line_of bad 50 | grep -q '"spike_sigma": null, "skipped": true' || fail "np $np: $phase: $(line_of bad 50)"
        line_of bad 51 | grep -q '"loss": [0-9.]*, ' || fail "np $np: no loss after the skipped one"
    done
    line_of bad 50 | grep -q '"grad_norm": null' || fail "np $np: a norm that is no number"
done

# --- a skipped step changes neither parameters nor moments: it is as if its data had not been seen
hit loss:0:spike:60 2 late $steps training.on_spike=skip || fail "late"
hit none:0 2 plain $steps checkpoint.every_steps=59 || fail "plain"
rm -rf plain/checkpoints/step-00000060
[ "$(state late)" = "$(state plain)" ] && [ -n "$(state late)" ] || fail "a skipped step changes the state"

# --- the run that goes on decides as the one that was not interrupted
keep="checkpoint.every_steps=20 checkpoint.keep=10"
hit loss:1:spike:50 2 whole $steps $keep training.on_spike=skip || fail "whole"
rm -rf again && cp -r whole again
rm -rf again/final again/checkpoints/step-00000060
FT_FAULT=loss:1:spike:10 timeout 60 "$mpiexec" -q -np 2 "$finetune" run.cfg output.dir=again $steps $keep \
    training.on_spike=skip >out 2>err || fail "again"
grep -q "resumed from the checkpoint of step 40" err || fail "not resumed from step 40"
[ "$(numbers whole)" = "$(numbers again)" ] || fail "another decision after a resume"
[ "$(state whole)" = "$(state again)" ] || fail "another state after a resume"
train 2 again $steps training.on_spike=stop
[ $? -eq 64 ] && grep -q "training.on_spike" err || fail "another training.on_spike is not refused"

# --- real data: one document of garbage among like ones, found by file and line
for i in $(seq 400); do echo "{\"text\": \"alpha beta gamma the rights of copy and holders shall\"}"; done >like.jsonl
sed -i '301s/.*/{"text": "\\u0001\\u00ff~^|zQ\\u0007]}{%$#@!\\u00e9\\u00e8\\u4e2d\\u6587\\ud83d\\ude00 0x9f 0x8e"}/' like.jsonl
for np in 1 2; do
    rm -rf garbage
    train $np garbage data.train=like.jsonl data.cache=likes data.shuffle=false training.max_steps=240 \
        training.global_batch=4 training.lr=1e-2 training.on_spike=skip || fail "np $np: garbage"
    grep '"skipped": true' garbage/metrics.jsonl | grep -q '/like.jsonl", "line": 301}' ||
        fail "np $np: the document is not named"
done

# --- ranks whose parameters differ: no checkpoint, and the culprit by name where there is a majority
host=$(hostname)
for np in 2 3 4; do
    for zero in 0 1; do
        hit replica:1:flip:2 $np flipped training.max_steps=20 checkpoint.every_steps=10 distributed.zero=$zero
        got=$?
        [ $got -eq 70 ] && [ "$lines" -eq 1 ] || fail "np $np: a flipped bit gave $got with $lines lines"
        grep -q "silent corruption: after step 20 the parameters of rank 1 ($host) differ from" err ||
            fail "np $np: the culprit is not named"
        if [ $np -eq 2 ]; then said="those of rank 0;"; else said="those of all other ranks;"; fi
        grep -q "$said" err || fail "np $np: $said"
        [ "$(ls flipped/checkpoints)" = step-00000010 ] || fail "np $np: $(ls flipped/checkpoints)"
        train $np flipped training.max_steps=20 checkpoint.every_steps=10 distributed.zero=$zero ||
            fail "np $np: no way on after a flipped bit"
        grep -q "resumed from the checkpoint of step 10" err || fail "np $np: not resumed"
    done
done
for how in model.precision=bf16 "mode=last-layers model.trainable_layers=1"; do
    for np in 2 3; do
        for fault in none:0 replica:0:flip:1; do
            hit $fault $np flipped training.max_steps=6 $how
            got=$?
            if [ $fault = none:0 ]; then wanted=0; else wanted=70; fi
            [ $got -eq $wanted ] || fail "$how np $np $fault gave $got"
        done
    done
done

[ $failures -eq 0 ]
