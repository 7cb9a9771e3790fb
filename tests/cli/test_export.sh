#!/bin/bash
# Runs of all kinds as folders and GGUF files: the program reads back what it wrote and finds the trained
# model, or keeps nothing. Usage: test_export.sh FINETUNE MPIEXEC SOURCE_DIR
. "$(dirname "${BASH_SOURCE[0]}")/classify_common.sh"

# expect CODE PART COMMAND...: exit code, and a part of stderr ("" = any); stdout goes to out
expect() {
    local code=$1 part=$2 got
    shift 2
    timeout 120 "$@" >out 2>err </dev/null
    got=$?
    [ $got -eq "$code" ] && { [ -z "$part" ] || grep -qF -- "$part" err; } || fail "$* gave $got, expected $code with: $part"
}

# export_ok KIND LIMIT RUN OUT [OPTION...]: is written, of that kind; the logits differ by at most LIMIT of the
# largest, and in the mean; nothing but OUT is left
export_ok() {
    local kind=$1 limit=$2 run=$3 to=$4
    shift 4
    expect 0 "read back: the largest of" "$finetune" export "$run" "$to" "$@"
    grep -qF "\"kind\": \"$kind\"" out || { cat out; fail "export $to is not of kind $kind"; }
    paste <(value largest_difference <out) <(value largest_logit <out) <(value rms_difference <out) <(value rms_logit <out) |
        awk -v most="$limit" '{ exit !($2 > 0 && $4 > 0 && $1 <= most * $2 && $3 <= most * $4) }' || { cat out; fail "differences of $to"; }
    [ -e "$to" ] && [ -z "$(find . -maxdepth 1 -name '*.tmp' -o -maxdepth 1 -name '*.tmp.gguf')" ] || fail "export of $to left something behind"
}

# loss CFG [OVERRIDE...]: what evaluate says
loss() { "$finetune" evaluate "$@" 2>err | value loss; }

# near A B MOST
near() { awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && b > 0 && d <= most) }'; }

# --- a decoder from a GGUF file: both forms, all types, the loss of the trained model
cat >lm.cfg <<END
model: { path = "llama-tiny.gguf"; precision = "fp32"; };
data: { train = "train.jsonl"; test = "validation.jsonl"; cache = "cache"; seq_len = 16; };
training: { max_steps = 6; micro_batch = 2; global_batch = 4; lr = 1e-2; };
checkpoint: { every_steps = 2; keep = 2; };
output: { dir = "lm"; };
END
expect 0 "" "$finetune" lm.cfg
trained=$(loss lm.cfg)
for type in fp32 bf16 fp16; do
    case $type in fp32) most=1e-6 ;; bf16) most=0.03 ;; *) most=0.003 ;; esac
    export_ok LlamaForCausalLM $most lm hf-$type --type $type
    near "$trained" "$(loss lm.cfg --base model.path=hf-$type output.dir=none)" $most || fail "loss of hf-$type"
    export_ok GGUF $most lm $type.gguf --format=gguf --type=$type
    near "$trained" "$(loss lm.cfg --base model.path=$type.gguf output.dir=none)" $most || fail "loss of $type.gguf"
done
export_ok GGUF 0.1 lm q8_0.gguf --type q8_0
near "$trained" "$(loss lm.cfg --base model.path=q8_0.gguf output.dir=none)" 0.03 || fail "loss of q8_0.gguf"
export_ok GGUF 0.003 lm default.gguf
cmp -s default.gguf fp16.gguf && fail "general.name is not the file's own"
grep -q '"eos_token_id": 256' hf-fp32/generation_config.json || fail "generation_config.json"
for part in 'base model | `llama-tiny.gguf`, content hash `' 'training data | `train.jsonl`; content hash `' \
    'after step 6 ' 'AutoModelForCausalLM' 'licence of the base model'; do
    grep -qF "$part" hf-fp32/README.md || { cat hf-fp32/README.md; fail "model card: $part"; }
done
expect 0 "" "$finetune" inspect q8_0.gguf
grep -q "^tokenizer  *byte-level BPE" out || { cat out; fail "inspect of what was exported"; }

# --- from a folder: the tokenizer goes from tokenizer.json into the GGUF, the chat template with it
cp -r hf-fp32 base
sed -i 's/^{/{\n  "chat_template": "{{ messages }} \\"é\\"",/' base/tokenizer_config.json
echo '{"eos_token_id": 256, "temperature": 0.6}' >base/generation_config.json
expect 0 "" "$finetune" lm.cfg model.path=base output.dir=lm2
export_ok GGUF 1e-6 lm2 lm2.gguf --type f32
near "$(loss lm.cfg model.path=base output.dir=lm2)" "$(loss lm.cfg --base model.path=lm2.gguf output.dir=none)" 1e-6 ||
    fail "loss of lm2.gguf"
grep -qaF '{{ messages }} "é"' lm2.gguf || fail "the chat template is not in the GGUF"
export_ok LlamaForCausalLM 1e-6 lm2 lm2.hf
cmp -s base/generation_config.json lm2.hf/generation_config.json || fail "generation_config.json is not carried over"
grep -qF '{{ messages }} \"é\"' lm2.hf/tokenizer_config.json || fail "the chat template is not carried over"

# --- which weights
export_ok LlamaForCausalLM 1e-6 lm step4 --step 4
cmp -s step4/model.safetensors hf-fp32/model.safetensors && fail "--step 4 gives the last step's weights"
grep -qF "after step 4 " step4/README.md || fail "model card of step 4"
expect 65 "step-00000003 does not exist; finetune inspect" "$finetune" export lm none --step 3
expect 65 "has no best checkpoint" "$finetune" export lm none --best
expect 0 "" "$finetune" lm.cfg data.validation=validation.jsonl training.eval_every=2 output.dir=evaluated
export_ok LlamaForCausalLM 1e-6 evaluated best --best
cmp -s best/model.safetensors evaluated/final/model.safetensors || fail "the best weights are not those of final/"
grep -q "validation: loss | [0-9.]*" best/README.md || fail "metrics in the model card"
cp -r lm moved
rm -r moved/checkpoints
export_ok LlamaForCausalLM 1e-6 moved from-final
grep -qF "weights: $work/moved/final" err || fail "weights of final/ are not named"
cmp -s from-final/model.safetensors hf-fp32/model.safetensors || fail "weights of final/"
rm -r moved/final
expect 65 "holds no checkpoint and no final/" "$finetune" export moved none
[ ! -e none ] || fail "a refused export left something"

# --- classifications: what transformers has, and what it has not. Each with a cache of its own: they run at once
for mode in finetune transfer; do
    for pooling in cls mean; do
        start 1 $mode-$pooling mode=$mode transfer.pooling=$pooling transfer.layer=-1 data.cache=c-$mode-$pooling
    done
done
start 1 mlp mode=transfer transfer.head=mlp transfer.solver=adamw transfer.pooling=mean transfer.layer=-1 data.cache=c-mlp
start 1 below mode=transfer transfer.pooling=cls transfer.layer=1 data.cache=c-below
start 1 wide mode=transfer transfer.pooling=mean transfer.layer=last4 data.cache=c-wide
start 1 decoder model.path=llama-tiny.gguf transfer.pooling=last data.cache=c-decoder
start 1 decoder-head model.path=llama-tiny.gguf mode=transfer transfer.pooling=last transfer.layer=-1 data.cache=c-decoder-head
start 1 decoder-below model.path=llama-tiny.gguf mode=transfer transfer.pooling=last transfer.layer=1 data.cache=c-decoder-below
wait
for run in "${started[@]}"; do
    [ "$(cat "$run.code")" -eq 0 ] || [ "$run" = wide ] || { cp "$run.err" err; fail "run $run ended with $(cat "$run.code")"; }
done
started=()
for mode in finetune transfer; do
    export_ok BertForSequenceClassification 1e-5 $mode-cls $mode-cls.hf
    grep -qF "transformers has this very head (pooling cls, linear)" err || fail "why a class of transformers"
    export_ok sentence-transformers 1e-5 $mode-mean $mode-mean.hf
    grep -qF "no class with this head (pooling mean, linear)" err || fail "why sentence-transformers"
    grep -q '"max_seq_length": 20' $mode-mean.hf/sentence_bert_config.json || fail "length of $mode-mean.hf"
    grep -q '"model_max_length": 20' $mode-cls.hf/tokenizer_config.json || fail "length of $mode-cls.hf"
done
grep -qF '"may\"be é": 0' finetune-cls.hf/config.json || fail "labels of finetune-cls.hf"
export_ok sentence-transformers 1e-5 mlp mlp.hf
export_ok sentence-transformers 1e-5 below below.hf
grep -q '"num_hidden_layers": 1,' below.hf/config.json || fail "blocks above the head's layer are not left out"
export_ok BertForSequenceClassification 0.03 finetune-cls bf16.hf --type bf16
export_ok LlamaForSequenceClassification 1e-5 decoder decoder.hf
export_ok sentence-transformers 1e-5 decoder-head decoder-head.hf # its head has a bias
expect 64 "before its last norm" "$finetune" export decoder-below none
expect 64 "no place for its head" "$finetune" export decoder none.gguf
expect 64 "has no checkpoints" "$finetune" export transfer-cls none --best
expect 64 "has no checkpoints" "$finetune" export transfer-cls none --step 3
if [ "$(cat wide.code)" -eq 0 ]; then
    expect 64 "layers side by side" "$finetune" export wide none
fi
rm finetune-cls/final/model.safetensors
rm -r finetune-cls/checkpoints
expect 65 "final" "$finetune" export finetune-cls none

# --- ranks, permissions, places
expect 0 "" "$mpiexec" -q -np 2 "$finetune" export lm ranks.gguf --type q8_0
[ "$(wc -l <out)" -eq 1 ] || fail "two ranks print $(wc -l <out) lines"
cmp -s <(tail -c 1000 ranks.gguf) <(tail -c 1000 q8_0.gguf) || fail "two ranks write another file"
(umask 027 && "$finetune" export lm deep/er/masked 2>err >out) || fail "a missing folder is not made"
[ "$(stat -c %a deep/er/masked deep/er/masked/model.safetensors deep/er/masked/config.json | xargs)" = "750 640 640" ] ||
    fail "permissions: $(stat -c %a deep/er/masked/*)"
expect 73 "hf-fp32 exists: name another place" "$finetune" export lm hf-fp32
expect 73 "hf-fp32 exists: name another place" "$finetune" export lm hf-fp32///
expect 73 "q8_0.gguf exists" "$finetune" export lm q8_0.gguf
ln -s nowhere dangling
expect 73 "dangling exists" "$finetune" export lm dangling
expect 73 "cannot create folder" "$finetune" export lm train.jsonl/x
mkdir slashed.tmp && touch slashed.tmp/old # of an export that was killed
export_ok LlamaForCausalLM 1e-6 lm slashed/
[ ! -e slashed/old ] || fail "files of a killed export"

# --- wrong arguments and runs
expect 64 "usage: finetune export" "$finetune" export
expect 64 "usage: finetune export" "$finetune" export lm
expect 64 "usage: finetune export" "$finetune" export lm a b
expect 64 "no option --fast" "$finetune" export lm none --fast
expect 64 "--format is hf or gguf, not onnx" "$finetune" export lm none --format onnx
expect 64 "ends in .gguf" "$finetune" export lm none --format gguf
expect 64 "would be taken for a GGUF file" "$finetune" export lm none.gguf --format hf
expect 64 "--type is fp32, bf16, fp16 or (GGUF) q8_0, not q4_k" "$finetune" export lm none.gguf --type q4_k
expect 64 "is of GGUF alone" "$finetune" export lm none --type q8_0
expect 64 "--type is" "$finetune" export lm none --type
expect 64 "--step is a whole number" "$finetune" export lm none --step x
expect 64 "--step is a whole number" "$finetune" export lm none --step -1
expect 64 "--step is a whole number" "$finetune" export lm none --step 99999999999999999999
expect 64 "exclude each other" "$finetune" export lm none --step 3 --best
expect 65 "resolved.cfg does not exist" "$finetune" export cache none
expect 65 "is a file; name the folder of a run" "$finetune" export lm.cfg none
expect 74 "cannot write to standard output" bash -c "'$finetune' export lm full.gguf >/dev/full"
cp -r lm torn
truncate -s -100 torn/checkpoints/step-00000006/shard-00000-of-00001.h5
expect 65 "shard-00000-of-00001.h5" "$finetune" export torn none --step 6
for path in none none.gguf none.tmp none.tmp.gguf; do
    [ ! -e $path ] || fail "a refused export left $path"
done

# --- a failure after the writing leaves nothing
for out in none none.gguf; do
    expect 74 "injected failure" env FT_FAULT=export-written:0 "$finetune" export lm $out
    [ -z "$(ls -d none* 2>/dev/null)" ] || fail "a failed export left $(ls -d none*)"
done

# damage OUT FILE SEEK BYTES PART: while the export waits before it reads back, bytes of what it wrote change (SEEK
# from the end); it refuses with PART and keeps nothing
damage() {
    local to=$1 file=$2 seek=$3 bytes=$4 part=$5 pid code
    FT_FAULT=export-written:0:stop "$finetune" export lm "$to" >out 2>err </dev/null &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        grep -q '^State:.T' /proc/$pid/status 2>/dev/null && break
        sleep 0.1
    done
    [ -f "$file" ] || fail "$file is not there while $to is written"
    printf "$bytes" | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") - seek)) conv=notrunc 2>/dev/null
    kill -CONT $pid
    wait $pid
    code=$?
    [ $code -ne 0 ] && grep -qF -- "$part" err || fail "a damaged $file: $code, expected a refusal with: $part"
    [ -z "$(ls -d none* 2>/dev/null)" ] || fail "a refused export left $(ls -d none*)"
}
damage none none.tmp/model.safetensors 1 '\x47' "the written model is not the trained one"
damage none.gguf none.tmp.gguf 97 '\x70' "the written model is not the trained one"
damage none none.tmp/model.safetensors 2 '\xff\x7f' "is not finite"
damage none none.tmp/config.json 20 '"x"' "config.json"

[ $failures -eq 0 ]
