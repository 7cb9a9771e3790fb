#!/bin/bash
# What mode transfer says of data, settings and models that it cannot use, or can use all the same.
. "$(dirname "$0")/transfer_common.sh"
cut_documents 1 24 train.jsonl
cut_documents 1000 12 test.jsonl

# on both rank counts: CODE PART [section.key=value ...]
refused() {
    local code=$1 part=$2
    shift 2
    for np in 1 2; do
        rm -rf refused
        expect "$code" "$part" run $np refused "$@"
        [ -e refused/head.h5 ] && fail "$part: there is a head"
    done
}

# --- documents
{ head -n 3 train.jsonl; echo '{"text": "no label here"}'; tail -n 4 train.jsonl; } >missing.jsonl
refused 65 "missing.jsonl line 4, byte 1: no field \"label\"" data.train=missing.jsonl
grep -h positive train.jsonl >one.jsonl
refused 65 'only one label, "positive"' data.train=one.jsonl
{ cat train.jsonl; echo '{"text": "", "label": "positive"}'; } >empty.jsonl
for np in 1 2; do
    expect 0 "1 documents without text" run $np empty$np data.train=empty.jsonl
    says "training data: 24 documents" # the others count
done
{ cat train.jsonl; echo '{"text": "it rains", "label": "neutral"}'; } >single.jsonl
expect 0 '1 of 3 labels have one training document only: "neutral"' run 2 single data.train=single.jsonl
expect 0 "" run 1 single-folds data.train=single.jsonl transfer.l2=auto

# --- labels as they are written, from JSON and CSV
sed 's/"negative"/1/; s/"positive"/-0.50/' train.jsonl >numbers.jsonl
sed 's/"negative"/1/; s/"positive"/-0.50/' test.jsonl >numbers-test.jsonl
numbers="data.train=numbers.jsonl data.test=numbers-test.jsonl"
expect 0 "" run 2 numbers $numbers
expect 0 "" "$finetune" evaluate run.cfg output.dir=numbers $numbers
jq -e '.labels == ["-0.50", "1"] and .documents == 12' out >/dev/null || fail "numbers: $(cat out)"
{ echo "label,text"; jq -r '[.label, .text] | @csv' train.jsonl; } >train.csv
{ echo "label,text"; jq -r '[.label, .text] | @csv' test.jsonl; } >test.csv
expect 0 "" run 1 json
expect 0 "" run 2 csv data.train=train.csv
for name in labels out/weight out/bias; do # the files differ in the hash of their data alone
    cmp <(h5dump -d "/$name" json/head.h5 | tail -n +2) <(h5dump -d "/$name" csv/head.h5 | tail -n +2) ||
        fail "CSV gives another $name"
done
expect 0 "" "$finetune" evaluate run.cfg output.dir=csv data.train=train.csv data.test=test.csv
jq -e '.labels == ["negative", "positive"]' out >/dev/null || fail "CSV: $(cat out)"

# --- evaluate: a label that train lacks, no data, no run, --base
{ cat test.jsonl; echo '{"text": "it rains", "label": "neutral"}'; } >strange.jsonl
for i in 1 2; do echo '{"text": " ", "label": "positive"}'; done >empty-test.jsonl
for np in 1 2; do
    evaluate="$mpiexec -q -np $np $finetune evaluate run.cfg output.dir=json"
    expect 65 'strange.jsonl line 13, byte ' $evaluate data.test=strange.jsonl
    says 'label "neutral" is none of the 2 of the training data'
    expect 65 "empty-test.jsonl: no document with text (2 without tokens skipped)" $evaluate \
        data.test=empty-test.jsonl
    expect 64 "nothing to evaluate" $evaluate data.test=
    expect 65 "--base" $evaluate --base
    expect 65 "head.h5 does not exist" "$mpiexec" -q -np $np "$finetune" evaluate run.cfg output.dir=nowhere
done

# --- layers
refused 64 "transfer.layer = 7, but the model has the layers 1 to 6" transfer.layer=7
refused 64 "transfer.layer = -8, but the model has" transfer.layer=-8
refused 64 "transfer.layer = 0: layers count from 1" transfer.layer=0
expect 64 "transfer.layer = 7, but" "$finetune" check run.cfg output.dir=checked transfer.layer=7
for layer in 6 -1; do expect 0 "" run 1 layer$layer transfer.layer=$layer; done
cmp -s layer6/head.h5 layer-1/head.h5 || fail "layer 6 of 6 and -1 differ"

# --- models and tasks
refused 64 "data.seq_len = 513, but the model has 512 positions" data.seq_len=513
refused 64 'mode transfer needs task = "classification"' task=causal-lm
refused 64 "is an encoder" task=causal-lm mode=finetune
llama=model.path="$source/tests/golden/gguf/llama-tiny.gguf"
expect 0 "" run 1 llama $llama data.seq_len=16 transfer.layer=auto transfer.pooling=auto transfer.l2=auto
says "layer 2, last: accuracy"
expect 0 "" run 2 llama2 $llama data.seq_len=16 transfer.layer=auto transfer.pooling=auto transfer.l2=auto
cmp llama/head.h5 llama2/head.h5 || fail "llama: np 1 and np 2 differ"
expect 0 "" "$finetune" evaluate run.cfg output.dir=llama $llama data.seq_len=16
refused 64 "transfer.layer = last4, but the model has only 3 layers" $llama data.seq_len=16 transfer.layer=last4
head -n 6 train.jsonl >few.jsonl # SmolLM2: a decoder without a pad token
expect 0 "" run 2 smollm2 model.path="$source/models/smollm2.gguf" data.train=few.jsonl data.seq_len=16 \
    transfer.layer=-1 transfer.pooling=last

[ $failures -eq 0 ]
