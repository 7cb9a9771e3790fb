#!/bin/bash
# Classification as a user runs it: equal losses at every rank count, bitwise resume in every mode
# that is data-parallel, and what the settings of classification do.
. "$(dirname "$0")/classify_common.sh"
number='[-0-9.e+]*'
keep="checkpoint.every_steps=4 checkpoint.keep=9"
modes="finetune last-layers transfer-then-finetune"
validate="data.validation=validation.jsonl training.eval_every=2 training.max_steps=60 \
training.lr=5e-3 training.patience=4"
# file order and no dropout: step 1 is the first 7 documents at the initial weights
plain="training.max_steps=2 training.dropout=0.0 data.shuffle=false"
keys=(seed=42 training.class_weights=balanced training.label_smoothing=0.3 training.head_lr=0.1
    transfer.head=mlp transfer.pooling=mean transfer.pooling=cls seed=7)
# shellcheck disable=SC2086 # settings are words
start_all() {
    for np in 2 3 4; do
        start $np np$np
        start $np zero$np distributed.zero=0
    done
    OMP_NUM_THREADS=2 start 1 threads
    for np in 1 4; do start $np few$np training.global_batch=3; done # a rank without work
    for mode in $modes; do start 3 whole-$mode mode=$mode $keep; done
    start 1 suffix mode=last-layers training.max_steps=1
    for metric in loss accuracy macro_f1; do
        start 2 best-$metric training.best_metric=$metric $validate
    done
    for i in "${!keys[@]}"; do start 2 key$i $plain "${keys[i]}"; done
    start 1 decoder1 model.path=llama-tiny.gguf
}
train 1 np1 || fail "np 1 ended with $?" # makes the token shards
grep -q "31 documents of up to 20 tokens, 5 steps an epoch of 7 sequences, 12 steps in all" err ||
    fail "no word about documents and steps"
start_all
finish

# --- equal losses at np 1 to 4 with dropout, sizes that divide nothing, both ways of keeping moments
[ "$(losses np1 | wc -l)" -eq 12 ] || fail "not 12 steps"
for run in np2 np3 np4 zero2 zero3 zero4; do
    same_losses np1 $run 1e-5 || fail "losses of $run differ from np 1"
done
same_losses np1 threads 0 || fail "losses depend on the number of threads"
grep -q "1 ranks have no work" few4.err || fail "no warning about a rank without work"
same_losses few1 few4 1e-5 || fail "losses with an idle rank differ"

# --- lines of metrics.jsonl: documents of each step and all their tokens; labels.json
[ "$(grep -cE "^\{\"step\": [0-9]+, \"epoch\": $number, \"loss\": $number, \"lr\": $number, \
\"grad_norm\": $number, \"documents\": [37], \"tokens\": [0-9]+, \"ms\": $number, \
\"tokens_per_s\": $number\}$" np1/metrics.jsonl)" -eq 12 ] || fail "form of the lines of metrics.jsonl"
[ "$(head -5 np1/metrics.jsonl | value documents | paste -s)" = $'7\t7\t7\t7\t3' ] ||
    fail "an epoch has not all documents"
[ "$(head -5 np1/metrics.jsonl | value tokens | awk '{ n += $1 } END { print n }')" -eq \
    "$(sed -n 's/.*training data: 31 documents, \([0-9]*\) tokens.*/\1/p' np2.err)" ] ||
    fail "tokens of an epoch"
[ "$(tr -d ' \n' <np1/labels.json)" = '["may\"beé","no","yes"]' ] || fail "labels.json"

# --- resume from the middle of an epoch (5 steps each), in every mode
# broken NEW WHOLE: what is left of a run that was killed after step 4
broken() {
    cp -r "$2" "$1"
    rm -rf "$1"/checkpoints/step-000000{08,12} "$1"/final
}
for mode in $modes; do
    broken broken-$mode whole-$mode
    broken other-$mode whole-$mode
    # shellcheck disable=SC2086
    start 3 broken-$mode mode=$mode $keep
    # shellcheck disable=SC2086
    start 2 other-$mode mode=$mode $keep
done
start 1 head1 mode=transfer-then-finetune
start 1 further model.path=whole-finetune/final training.max_steps=1
start 3 decoder3 model.path=llama-tiny.gguf
start 2 decoder-mean model.path=llama-tiny.gguf transfer.pooling=mean
start 2 decoder-head model.path=llama-tiny.gguf mode=transfer-then-finetune
# shellcheck disable=SC2086
cp -r best-accuracy again && start 2 again training.best_metric=accuracy $validate
finish
# state_of DIR: what the last checkpoint holds, without the folder's name
state_of() {
    for group in params adam_m adam_v history; do
        h5dump -g /$group "$1/checkpoints/step-00000012/index.h5" 2>/dev/null | tail -n +2
    done
}
for mode in $modes; do
    grep -q "resumed from the checkpoint of step 4" broken-$mode.err || fail "$mode: not from step 4"
    [ "$(losses whole-$mode)" = "$(losses broken-$mode)" ] || fail "$mode: losses differ after resume"
    cmp -s {whole,broken}-$mode/final/model.safetensors || fail "$mode: final models differ"
    state_of whole-$mode >a && state_of broken-$mode >b
    [ "$(wc -l <a)" -gt 100 ] && cmp -s a b || fail "$mode: parameters, moments or history differ"
    same_losses whole-$mode other-$mode 1e-5 || fail "$mode: losses differ after resume at np 2"
done
same_losses whole-finetune np3 0 || fail "checkpoints change the losses"
same_losses whole-finetune whole-last-layers 1e-5 && fail "mode last-layers changes nothing"
same_losses whole-finetune whole-transfer-then-finetune 1e-5 && fail "the head is not solved first"
same_losses head1 whole-transfer-then-finetune 1e-5 || fail "np 1 solves another head"

# --- transfer-then-finetune that fails while the head is solved, or right behind it, and again
for at in features:0 step:2; do
    FT_FAULT=$at start 3 killed-$at mode=transfer-then-finetune data.cache=fresh-$at
done
finish 74
for at in features:0 step:2; do
    start 3 killed-$at mode=transfer-then-finetune data.cache=fresh-$at
done
finish
for at in features:0 step:2; do
    [ "$(losses killed-$at)" = "$(losses whole-transfer-then-finetune)" ] || fail "losses after $at differ"
    cmp -s {killed-$at,whole-transfer-then-finetune}/final/model.safetensors || fail "$at: final models differ"
done

# --- last-layers: what is frozen stands in no checkpoint, learns nothing, and needs no moments
h5dump -n whole-last-layers/checkpoints/step-00000012/index.h5 2>/dev/null |
    sed -n 's/.*\/params\/\(.*\)/\1/p' | sort >names
grep -q "encoder.layer.1.attention.self.query.weight" names && grep -q "^classifier.weight" names ||
    fail "what learns is missing in a checkpoint of last-layers: $(paste -s names)"
grep -qE "embeddings|layer\.0\." names && fail "a checkpoint of last-layers holds frozen tensors"
# tensor FOLDER NAME: its bytes in model.safetensors, as hexadecimal digits
tensor() {
    local file=$1/model.safetensors header place
    header=$((8 + $(od -An -tu8 -N8 "$file")))
    place=$(head -c $header "$file" | tail -c +9 |
        sed -n "s/.*\"\(bert\.\)\{0,1\}$2\": *{[^}]*\"data_offsets\": *\[\([0-9]*\), *\([0-9]*\)\].*/\2 \3/p")
    # shellcheck disable=SC2086 # two numbers
    set -- $place
    tail -c +$((header + $1 + 1)) "$file" | head -c $(($2 - $1)) | od -An -tx1 -v
}
for name in embeddings.word_embeddings.weight encoder.layer.0.output.dense.weight; do
    [ "$(tensor bert $name | wc -l)" -gt 10 ] || fail "no tensor $name"
    [ "$(tensor bert $name)" = "$(tensor whole-last-layers/final $name)" ] || fail "frozen $name changed"
    [ "$(tensor bert $name)" != "$(tensor whole-finetune/final $name)" ] || fail "finetune leaves $name"
done
name=encoder.layer.1.output.dense.weight
[ "$(tensor bert $name)" != "$(tensor whole-last-layers/final $name)" ] || fail "$name does not learn"
awk -v learn="$(sed -n 's/.* \([0-9]*\) of [0-9]* parameters learn.*/\1/p' suffix.err)" \
    -v bytes="$(sed -n 's/.*optimizer state: \([0-9]*\) bytes.*/\1/p' suffix.err)" \
    'BEGIN { exit !(learn > 1000 && bytes >= 8 * learn && bytes <= 8 * learn + 128) }' ||
    fail "optimizer bytes are not those of what learns"

# --- final/ says its labels; a run's evaluation is the same line at any rank count
grep -q '"BertForSequenceClassification"' whole-finetune/final/config.json &&
    tr -d ' \n' <whole-finetune/final/config.json |
    grep -qF '"id2label":{"0":"may\"beé","1":"no","2":"yes"}' || fail "config.json of final/"
[ -e whole-finetune/final/tokenizer.json ] || fail "final/ has no tokenizer"
for np in 1 3; do
    "$mpiexec" -q -np $np "$finetune" evaluate run.cfg output.dir=whole-finetune \
        data.test=validation.jsonl >line$np 2>err || fail "evaluate at np $np"
done
cmp -s line1 line3 && [ "$(value documents <line1)" = 17 ] || fail "evaluate at np 3"

# --- best checkpoint by each metric, early stopping
for metric in loss accuracy macro_f1; do
    run=best-$metric
    [ "$(grep -cE "^\{\"step\": [0-9]+, \"epoch\": $number, \"eval_loss\": $number, \"eval_accuracy\": $number, \
\"eval_macro_f1\": $number, \"eval_documents\": 17\}$" $run/metrics.jsonl)" -ge 5 ] || fail "lines of evaluations"
    # the first step of the highest value, of a loss the lowest
    order=-k2,2gr
    [ $metric = loss ] && order=-k2,2g
    sed -n "s/.*\"step\": \([0-9]*\),.*\"eval_$metric\": \([^,]*\),.*/\1 \2/p" $run/metrics.jsonl >evals
    best=$(sort -s $order evals | head -1 | cut -d' ' -f1) last=$(losses $run | wc -l)
    [ "$(readlink $run/best)" = "checkpoints/step-$(printf %08d "$best")" ] ||
        fail "best is $(readlink $run/best), not step $best by $metric: $(paste -s evals)"
    [ "$last" -eq $((best + 8)) ] || { [ "$last" -eq 60 ] && [ "$best" -gt 52 ]; } ||
        fail "patience 4 after step $best stopped at $last"
done
last=$(losses best-accuracy | wc -l)
[ "$last" -lt 60 ] || fail "patience never stopped a run: nothing to test"
[ "$(losses again | wc -l)" -eq "$last" ] && grep -q "this run is finished: step $last" again.err ||
    fail "a run that patience has ended does not say so, or goes on"

# --- the keys of classification are in force, by the losses of the first two steps
step() { losses "key$1" | sed -n "$2s/.* //p"; }
for i in 1 2 4 5 7; do
    [ "$(step 0 1)" != "$(step $i 1)" ] || fail "${keys[i]} does not change the first loss"
done
[ "$(step 0 1)" = "$(step 3 1)" ] && [ "$(step 0 2)" != "$(step 3 2)" ] || fail "training.head_lr"
[ "$(step 0 2)" = "$(step 6 2)" ] || fail "pooling auto is not cls through the pooler"
[ "$(step 0 1)" != "$(losses np1 | sed -n '1s/.* //p')" ] || fail "dropout and order change nothing"

# --- a decoder without a pad token: last real token of each document
same_losses decoder1 decoder3 1e-5 || fail "losses of a decoder at np 3 differ"
same_losses decoder1 decoder-mean 1e-5 && fail "pooling of a decoder changes nothing"
grep -q '"LlamaForSequenceClassification"' decoder1/final/config.json || fail "config.json of a decoder"
awk -v a="$(losses decoder1 | sed -n '1s/.* //p')" -v b="$(losses decoder-head | sed -n '1s/.* //p')" \
    'BEGIN { exit !(b < 0.7 * a) }' || fail "the solved head of a decoder is no better start"

# --- other labels are other data, for a head too
train 2 head mode=transfer || fail "mode transfer"
train 2 head mode=transfer && grep -q "this run is finished" err || fail "a finished transfer does not say so"
sed -i '4s/"label": ".*"/"label": "no"/' train.jsonl
train 2 whole-finetune training.max_steps=20
[ $? -eq 64 ] && grep -q "data.train: its content" err || fail "changed labels are not refused"
train 2 head mode=transfer
[ $? -eq 64 ] && grep -q "data.train: its content" err || fail "changed labels are not refused by a head"

[ $failures -eq 0 ]
