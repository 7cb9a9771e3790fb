#!/bin/bash
# The example models, trained for a moment and exported: the loss and the answers stay what they are.
# Usage: test_export_real.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
failures=0

fail() {
    echo "FAILED: $*"
    [ -e err ] && tail -n 20 err
    failures=$((failures + 1))
}

for model in smollm2.gguf minilm/config.json; do
    [ -f "$source/models/$model" ] || {
        echo "FAILED: models/$model is missing: run python3 tools/fetch_examples.py, which makes it"
        exit 1
    }
done

# value KEY: the number that the JSON on stdin has for the key
value() { sed -n "s/.*\"$1\": \([^,}]*\)[,}].*/\1/p"; }
loss() { "$finetune" evaluate "$@" 2>err | value loss; }
near() { awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && b > 0 && d <= most) }'; }

head -n 12 "$source/data/legal_test.jsonl" >test.jsonl
head -n 40 "$source/data/legal_train.jsonl" >train.jsonl
cat >lm.cfg <<END
model: { path = "$source/models/smollm2.gguf"; precision = "fp32"; }; # bf16 alone moves the loss by 0.003
data: { train = "train.jsonl"; test = "test.jsonl"; cache = "cache"; seq_len = 64; max_windows = 8; };
training: { max_steps = 2; micro_batch = 1; global_batch = 1; lr = 1e-4; };
output: { dir = "lm"; };
END
"$finetune" lm.cfg >out 2>err || fail "training ended with $?"
trained=$(loss lm.cfg)
# each model is removed at once: half a gigabyte
for form in "hf 1e-4 --type fp32" "half.gguf 0.002 --type f16" "small.gguf 0.02 --type q8_0"; do
    read -r to most option type <<<"$form"
    "$finetune" export lm "$to" "$option" "$type" >out 2>err || fail "export of $to ended with $?"
    exported=$(loss lm.cfg --base model.path="$to" output.dir=none)
    near "$trained" "$exported" "$most" || fail "loss $exported of $to, $trained of the trained model"
    rm -rf "$to"
done

head -n 200 "$source/data/sentiment_train.jsonl" >train.jsonl
cat >head.cfg <<END
mode = "transfer"; task = "classification";
model: { path = "$source/models/minilm"; };
data: { train = "train.jsonl"; cache = "cache"; seq_len = 64; };
transfer: { layer = -1; pooling = "mean"; l2 = 0.01; };
output: { dir = "head"; };
END
"$finetune" head.cfg >out 2>err || fail "mode transfer ended with $?"
"$finetune" export head mean >out 2>err || fail "export of a head ended with $?"
grep -q '"kind": "sentence-transformers"' out || { cat out; fail "kind of a mean head"; }
grep -q '"max_seq_length": 64' mean/sentence_bert_config.json && [ -f mean/2_Dense/model.safetensors ] || fail "folder"
"$finetune" head.cfg transfer.layer=3 output.dir=below >out 2>err || fail "a head on layer 3 ended with $?"
"$finetune" export below three >out 2>err || fail "export of a head on layer 3 ended with $?"
grep -q '"num_hidden_layers": 3' three/config.json || fail "layers of a head on layer 3"
"$finetune" head.cfg transfer.layer=last4 output.dir=wide >out 2>err || fail "a head on four layers ended with $?"
"$finetune" export wide none >out 2>err
code=$?
[ $code -eq 64 ] && grep -q "the head reads 4 layers side by side" err && [ ! -e none ] ||
    fail "export of a head on four layers gave $code"

[ $failures -eq 0 ]
