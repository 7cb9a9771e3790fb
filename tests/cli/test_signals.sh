#!/bin/bash
# A signal in any phase ends the program soon with 75 on all ranks; training goes on from where it was,
# and its numbers are those of an undisturbed run.
. "$(dirname "$0")/train_common.sh"
cp "$source/tests/golden/gguf/llama-tiny.gguf" .
soon=8 # [s] from the signal to the end of mpirun, on a busy machine

# much to evaluate: some seconds of it on one core
for i in $(seq 6000); do
    echo "{\"text\": \"$i other things, quite unlike: xylophones jump over lazy quartz, and ${words[$((i % 10))]} again $i\"}"
done >much.jsonl
numbers() { sed 's/, "ms": [^,]*, "tokens_per_s": [^,}]*//' "$1/metrics.jsonl"; }
now() { date +%s.%N; }

# start NP COMMAND...: in the background
start() {
    local np=$1
    shift
    : >err # what the run before said is not waited for
    "$mpiexec" -q -np "$np" "$finetune" "$@" >out 2>err &
    pid=$!
}

# until CONDITION...: waits for it, 20 s at most
until_so() {
    for _ in $(seq 400); do
        "$@" && return 0
        sleep 0.05
    done
    fail "waited in vain for: $*"
    return 1
}

# ranks_of PID: the ranks' own processes
ranks_of() { pgrep -P "$1" -f finetune; }

# send SIGNAL WHOM WHAT: all: through mpirun; last: to the last rank alone. Expects 75 soon.
send() {
    local signal=$1 whom=$2 what=$3 at took said code
    at=$(now)
    if [ "$whom" = all ]; then kill -"$signal" $pid; else kill -"$signal" "$(ranks_of $pid | tail -1)"; fi
    for _ in $(seq 300); do # mpirun itself takes a second or two to end behind its ranks
        grep -q "start it again to go on" err && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.02
    done
    said=$(awk -v a="$at" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }')
    wait $pid
    code=$?
    took=$(awk -v a="$at" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }')
    echo "$what, $signal to $whom: stopped after $said s, ended with $code after $took s"
    [ $code -eq 75 ] || fail "$what, $signal to $whom: ended with $code"
    awk -v t="$took" -v most=$soon 'BEGIN { exit !(t < most) }' || fail "$what: took $took s"
    [ "$(grep -c '^finetune: error: ' err)" -eq 0 ] || fail "$what: an error line"
    grep -q "start it again to go on" err || fail "$what: no word about the stop"
}
has_line() { [ -s "$1/metrics.jsonl" ] && [ "$(grep -c '"loss"' "$1/metrics.jsonl")" -ge "$2" ]; }
has_shards() { [ "$(find saved/checkpoints -name 'shard-*' 2>/dev/null | wc -l)" -eq 2 ]; }
is_evaluating() { has_line "$1" "$2" && sleep 0.3; }

# --- within an evaluation in training, in the middle and at the end
settings="data.validation=much.jsonl training.max_steps=6 training.eval_every=3 data.cache=cache"
for np in 1 2; do
    rm -rf whole
    train $np whole $settings || fail "np $np: whole"
    for case in "USR1 all 3" "USR1 last 6"; do
        set -- $case
        rm -rf cut
        start $np run.cfg output.dir=cut $settings
        until_so is_evaluating cut $3
        send $1 $2 "np $np, evaluation after step $3"
        [ "$(grep -c eval_loss cut/metrics.jsonl)" -eq $(($3 / 3 - 1)) ] ||
            fail "np $np: the evaluation was over: the test shows nothing"
        [ -e cut/checkpoints/step-0000000$3/manifest.json ] || fail "np $np: no checkpoint of step $3"
        train $np cut $settings || fail "np $np: going on after $case"
        [ "$(numbers whole)" = "$(numbers cut)" ] || fail "np $np: other numbers after $case"
        for f in whole/final/model.safetensors; do cmp "$f" "cut/final/${f##*/}" || fail "np $np: $f"; done
    done
done

# --- the evaluation's line is there, the checkpoint that follows it is not: it is made again, once
rm -rf cut
start 2 run.cfg output.dir=cut $settings
until_so is_evaluating cut 3
send USR1 all "evaluation once more"
grep eval_loss whole/metrics.jsonl | head -1 >>cut/metrics.jsonl
train 2 cut $settings || fail "going on with a line too many"
[ "$(numbers whole)" = "$(numbers cut)" ] || fail "an evaluation stands there twice"

# --- between the parts of a save: the checkpoint is finished, then the end
rm -rf saved
FT_FAULT=checkpoint-commit:0:stop start 2 run.cfg output.dir=saved checkpoint.every_steps=5
until_so has_shards
sleep 0.3
first=$(ranks_of $pid | head -1)
for p in $(ranks_of $pid); do kill -USR1 "$p"; done
kill -CONT "$first"
send USR1 all "a checkpoint"
[ "$(ls saved/checkpoints)" = step-00000005 ] || fail "after a signal in a save: $(ls saved/checkpoints)"

# --- tokenising: nothing is left in the cache; hashing and prepare too
for i in $(seq 40); do cat much.jsonl; done >long.jsonl
for np in 1 2; do
    for whom in all last; do
        rm -rf fresh
        start $np prepare run.cfg output.dir=none data.train=long.jsonl data.cache=fresh
        until_so test -d fresh
        sleep 0.2
        send USR1 $whom "np $np, prepare"
        [ -z "$(ls fresh)" ] || fail "np $np: prepare leaves $(ls fresh)"
    done
    rm -rf fresh out-tokens
    start $np run.cfg output.dir=out-tokens data.train=long.jsonl data.cache=fresh
    until_so test -d fresh
    send TERM last "np $np, tokenising for training"
    [ -z "$(ls fresh)" ] || fail "np $np: tokenising leaves $(ls fresh)"
    [ ! -e out-tokens/checkpoints ] || fail "np $np: a checkpoint of nothing"
done

# --- predict: at work, and while it waits for a text
for i in $(seq 12); do
    echo "{\"text\": \"$i ${words[$((i % 2))]} of it\", \"label\": \"${words[$((i % 2))]}\"}"
done >labels.jsonl
train 1 classes task=classification data.train=labels.jsonl data.cache=classes-cache training.max_steps=2 ||
    fail "a classifier"
mkfifo pipe
exec 7<>pipe
echo "alpha of it" >&7
start 2 predict classes pipe
until_so test -s out
send USR1 all "predict that waits"
for i in 1 2 3 4 5 6 7 8; do cat long.jsonl; done >longer.jsonl
start 1 predict classes longer.jsonl
until_so test -s out
send USR1 all "predict at work"

# --- evaluate; for compare see test_compare.sh
for np in 1 2; do
    for whom in all last; do
        start $np evaluate run.cfg output.dir=none data.test=much.jsonl
        until_so grep -q "weights:" err
        sleep 0.3
        send USR1 $whom "np $np, evaluate"
        [ ! -s out ] || fail "np $np: evaluate prints $(cat out)"
    done
done

[ $failures -eq 0 ]
