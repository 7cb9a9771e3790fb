#!/bin/bash
# Mode transfer as a user runs it: the same head at every rank count, features that are kept and used
# again, kills, signals and failures in every phase, and who may load a head.
. "$(dirname "$0")/transfer_common.sh"
auto="transfer.layer=auto transfer.pooling=auto transfer.l2=auto"
cut_documents 1 120 train.jsonl
cut_documents 1000 80 test.jsonl
cut_documents 2000 1000 many.jsonl

# rank_of JOB N: the process of rank N of an mpirun
rank_of() {
    for process in $(pgrep -P "$1"); do
        tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2" &&
            echo "$process"
    done
}

# ticks PROCESS: what it has computed so far
ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $12 + $13 }'; }

# wait_until COMMAND...: for 30 s at most
wait_until() {
    for _ in $(seq 3000); do
        "$@" && return
        sleep 0.01
    done
    fail "$* does not come true"
}

n_parts() { find "$1" -name 'part-*.h5' | wc -l; }
n_features() { find "$1" -maxdepth 1 -name 'features-*' 2>/dev/null | wc -l; }
has_features() { [ "$(n_features "$1")" -ge "$2" ]; }

# --- the same head at np 1 and 4, from fresh caches; the model's file stays as it is
model=$source/models/minilm/model.safetensors
before=$(sha256sum <"$model")
run 1 np1 $auto || fail "np 1 ended with $?"
says "120 texts computed" "5-fold" "last four layers, mean: accuracy" "layer 1, cls: accuracy"
hash=$(sed -n 's/.*frozen backbone: .* content hash //p' err)
[ ${#hash} -eq 32 ] || fail "the log prints no hash of the backbone"
h5dump -a /backbone np1/head.h5 | grep -qF "\"$hash\"" || fail "head.h5 does not name the hash $hash"
(
    "$mpiexec" -q -np 4 "$finetune" run.cfg output.dir=np4 data.cache=cache4 $auto >out4 2>err4
    echo $? >code4
) &
wait_until has_features cache4 1
job=$(pgrep -P $! -f "np4")
ranks=$(for r in 1 2 3; do rank_of "$job" $r; done)
start=$(date +%s%N) n_samples=0
declare -A first last
while [ ! -e code4 ]; do # as long as rank 0 works
    for process in $ranks; do
        now=$(ticks "$process") && [ -n "$now" ] || continue
        : "${first[$process]:=$now}"
        grep -q "backbone unchanged" err4 || last[$process]=$now end=$(date +%s%N)
    done
    n_samples=$((n_samples + 1))
    sleep 0.1
done
wait
[ "$(cat code4)" -eq 0 ] || fail "np 4 ended with $(cat code4): $(tail -n 3 err4)"
[ ${#last[@]} -eq 3 ] && [ "$n_samples" -gt 3 ] || fail "waiting ranks were not seen: $ranks"
for process in $ranks; do
    awk -v t=$((last[$process] - first[$process])) -v s=$((end - start)) -v hz="$(getconf CLK_TCK)" \
        'BEGIN { exit !(t / hz < 0.02 * s / 1e9 + 1.5 / hz) }' ||
        fail "a waiting rank used $((last[$process] - first[$process])) ticks in $((end - start)) ns"
done
cmp np1/head.h5 np4/head.h5 || fail "the heads of np 1 and np 4 differ"
[ "$(sha256sum <"$model")" = "$before" ] || fail "the model's file has changed"
[ -z "$(find np1 np4 -name '*.tmp*')" ] || fail "temporary files stay"

# --- another head, and other labels, on the same texts: no forward pass
run 1 plain || fail "another head"
says "all 120 texts reused"
grep -q "texts computed" err && fail "another head computes features"
cmp -s np1/head.h5 plain/head.h5 && fail "another head is the same"
sed 's/"positive"/"good"/' train.jsonl >relabelled.jsonl
run 2 relabelled data.train=relabelled.jsonl || fail "other labels"
says "all 120 texts reused"
cmp -s plain/head.h5 relabelled/head.h5 && fail "other labels are not in the head"
run 2 memory data.cache=cache-none transfer.cache=false || fail "transfer.cache=false"
says "kept in memory"
cmp plain/head.h5 memory/head.h5 || fail "without a cache the head is another"
[ "$(n_features cache-none)" -eq 0 ] || fail "transfer.cache=false writes features"

# --- evaluate: one JSON line; np 2 as np 1
expect 0 "80 texts computed" "$finetune" evaluate run.cfg output.dir=np1 $auto
cp out evaluated
[ "$(wc -l <out)" -eq 1 ] || fail "evaluate prints $(wc -l <out) lines"
jq -e '.documents == 80 and .loss > 0 and .accuracy > 0.6 and .macro_f1 > 0.6 and
    (.confusion | flatten | add) == 80 and .labels == ["negative", "positive"]' out >/dev/null ||
    fail "evaluate: $(cat out)"
jq -e '(.confusion[0][0] + .confusion[1][1]) / 80 == .accuracy' out >/dev/null || fail "confusion: $(cat out)"
expect 0 "all 80 texts reused" "$mpiexec" -q -np 2 "$finetune" evaluate run.cfg output.dir=np1 $auto
cmp out evaluated || fail "evaluate at np 2 differs"
echo "This was a waste of time." >text
expect 0 "" "$finetune" predict np1 text
jq -e '.label == "negative" and .probabilities.negative > 0.5' out >/dev/null || fail "predict: $(cat out)"

# --- a finished run says so; other settings, or a run of another mode, are refused
run 2 np1 $auto && says "this run is finished" || fail "a finished run ended with $?"
expect 64 'transfer.l2 = "auto", but' run 2 plain transfer.l2=auto
expect 64 "seed = 7" run 2 np1 $auto seed=7
cp np1/head.h5 head.saved
small="training.max_steps=1 training.global_batch=2 data.max_windows=4 data.seq_len=16"
expect 64 "np1/head.h5" run 2 np1 mode=finetune $small
says "this is a training run, but output.dir holds a run of mode transfer"
cmp -s np1/head.h5 head.saved || fail "a refused run touches the head"
grep -q '^mode = "transfer"' np1/resolved.cfg || fail "a refused run touches resolved.cfg"
run 1 tuned mode=finetune $small || fail "mode finetune"
expect 64 "tuned/checkpoints" run 2 tuned
says "this is a run of mode transfer, but output.dir holds a training run"
[ ! -e tuned/head.h5 ] && grep -q '^mode = "finetune"' tuned/resolved.cfg || fail "a refused run writes"
rm -rf tuned

# --- a head on another backbone is refused with both hashes
mkdir moved && cp -r "$source"/models/minilm/. moved
[ -e moved/model.safetensors ] && rm moved/model.safetensors
cp "$model" moved/model.safetensors
chmod u+w moved/model.safetensors # one bit of the last weight
byte=$(tail -c 2 moved/model.safetensors | head -c 1 | od -An -tu1)
printf "\\x$(printf %x $((byte ^ 1)))" | dd of=moved/model.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s moved/model.safetensors) - 2))
for np in 1 2; do
    expect 65 "$hash" "$mpiexec" -q -np $np "$finetune" evaluate run.cfg output.dir=np1 $auto model.path=moved
    other=$(sed -n 's/.*frozen backbone: .* content hash //p' err)
    [ "$other" != "$hash" ] && grep "error: " err | grep -qF "$other" || fail "the other hash is not named"
done
cp -r np1 elsewhere
sed -i "s|^\( *path = \).*|\1\"$work/moved\";|" elsewhere/resolved.cfg
expect 65 "$hash" "$finetune" predict elsewhere text
says "was made for another model"
[ -s out ] && fail "predict answers on another backbone"
rm -rf moved elsewhere

# --- kills: early while the training texts are computed, late when those are kept and others are not
validated="data.validation=test.jsonl"
run 1 undisturbed data.cache=cache-undisturbed $validated || fail "undisturbed run"
for victim in 0 3; do
    for moment in early late; do
        rm -rf killed cache-killed
        export FT_FAULT=features-write:0:sleep:1 # the machine may be fast: rank 0 waits to be killed
        [ $moment = late ] && FT_FAULT=features-write:0:sleep:2
        "$mpiexec" -q -np 4 "$finetune" run.cfg output.dir=killed data.cache=cache-killed $validated \
            >out 2>err &
        job=$!
        [ $moment = early ] && wait_until has_features cache-killed 1 || wait_until has_features cache-killed 2
        unset FT_FAULT
        kill -9 "$(rank_of $job $victim)" || fail "no rank $victim to kill"
        start=$SECONDS
        wait $job && fail "rank $victim was killed $moment, and the job ended well"
        [ $((SECONDS - start)) -le 15 ] || fail "the job ended $((SECONDS - start)) s after rank $victim"
        [ -e killed/head.h5 ] && fail "rank $victim, $moment: there is a head"
        run 4 killed data.cache=cache-killed $validated || fail "after the kill of rank $victim, $moment: $?"
        [ $moment = early ] || says "training data: all 120 texts reused" "validation data: 80 texts computed"
        cmp killed/head.h5 undisturbed/head.h5 || fail "rank $victim, $moment: another head"
        [ -z "$(find killed cache-killed -name '*.tmp*')" ] || fail "temporary files stay"
    done
done

# --- a signal: 75, what is finished stays, and the next run goes on
validated="data.validation=many.jsonl data.cache=cache-signal"
"$mpiexec" -q -np 2 "$finetune" run.cfg output.dir=signal $validated >out 2>err &
job=$!
wait_until has_features cache-signal 2
kill -USR1 $job
wait $job
code=$?
[ $code -eq 75 ] || fail "a signal ends with $code"
says "stopped by a signal while features were being computed"
[ "$(n_parts cache-signal)" -ge 1 ] && [ ! -e signal/head.h5 ] || fail "after the signal: parts and head"
run 2 signal $validated || fail "after the signal: $?"
says "training data: all 120 texts reused"
[ -e signal/head.h5 ] || fail "no head after the signal"

# --- a failure in any phase: one line, one code on every rank, and the next run is not harmed
# inject PHASE RANK CODE [section.key=value ...]
inject() {
    local phase=$1 rank=$2 code=$3
    shift 3
    rm -rf failed code.*
    FT_FAULT=$phase:$rank timeout 60 "$mpiexec" -q -np 3 bash -c \
        '"$0" "$@"; echo $? >code.$OMPI_COMM_WORLD_RANK' "$finetune" run.cfg output.dir=failed "$@" >out 2>err
    [ $? -eq 0 ] && [ "$(sort -u code.0 code.1 code.2)" = "$code" ] &&
        [ "$(grep -c '^finetune: error: ' err)" -eq 1 ] && grep -q "injected failure in $phase" err ||
        fail "$phase on rank $rank: codes $(cat code.* | paste -sd' '), expected $code once"
    [ -e failed/head.h5 ] && fail "$phase on rank $rank leaves a head"
}
inject output-seen 2 74
inject output 0 74
for phase in model-config tokenizer model-weights features export; do inject $phase 0 74; done
for phase in prepare-read prepare-write features-write; do
    inject $phase 0 74 data.cache=cache-failed
    [ "$(n_parts cache-failed)" -eq 0 ] || fail "$phase leaves a part"
    [ -z "$(find cache-failed -name '*.tmp*')" ] || fail "$phase leaves temporary files"
done
run 3 failed data.cache=cache-failed || fail "after failures: $?"
cmp failed/head.h5 plain/head.h5 || fail "another head after failures"

[ $failures -eq 0 ]
