# Tiny labelled texts, an encoder and a decoder for the tests of classification; sourced by
# test_classify*.sh and test_compare.sh. Usage: test_*.sh FINETUNE MPIEXEC SOURCE_DIR
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/train_common.sh"
. "$source/tools/environment.sh"
export OMP_NUM_THREADS=1

# a golden encoder has no tokenizer: 43 words behind the five special tokens
mkdir bert
cp "$source"/tests/golden/heads/bert/* bert
words=(alpha beta gamma the rights of copy and holders shall)
{
    printf '[%s]\n' PAD UNK CLS SEP MASK
    printf '%s\n' "${words[@]}" {a..z} 0 1 2 3 4 5 6
} >bert/vocab.txt
cp "$source/tests/golden/gguf/llama-tiny.gguf" .

# documents FROM TO: lines of 1 to 24 words; some are cut at 20 tokens, labels in unequal numbers
documents() {
    local i j text label
    for ((i = $1; i < $2; i++)); do
        text=
        for ((j = 0; j < 1 + i * 11 % 24; j++)); do text="$text ${words[(i * 7 + j * j + j * i) % 10]}"; done
        label=no
        ((i % 3 == 0)) && label='may\"be é'
        ((i % 5 == 0)) && label=yes
        echo "{\"text\": \"$label$text\", \"label\": \"$label\"}"
    done
}
documents 0 31 >train.jsonl
documents 31 48 >validation.jsonl

cat >run.cfg <<EOF
task = "classification";
model: { path = "bert"; precision = "fp32"; trainable_layers = 1; };
data: { train = "train.jsonl"; cache = "cache"; seq_len = 20; };
training: { max_steps = 12; micro_batch = 2; global_batch = 7; lr = 1e-3; warmup = 3; dropout = 0.1; };
output: { dir = "unnamed"; };
EOF

# value KEY: the number that the JSON on stdin has for the key, of each line
value() { sed -n "s/.*\"$1\": \([^,}]*\)[,}].*/\1/p"; }

# start NP DIR [section.key=value ...]: a run in the background, a few at a time; messages in DIR.err.
# Most of a small run's time is waiting, for processes to start and for the disk.
started=()
start() {
    local np=$1 dir=$2
    shift 2
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
    started+=("$dir")
    mkdir -p "t/${#started[@]}" # Open MPI's own files
    {
        TMPDIR=$work/t/${#started[@]} "$mpiexec" -q -np "$np" "$finetune" run.cfg output.dir="$dir" "$@" \
            </dev/null >"$dir.out" 2>"$dir.err"
        echo $? >"$dir.code"
    } &
}

# finish [CODE]: all that was started has ended with this code, 0 by default
finish() {
    local dir
    wait
    for dir in "${started[@]}"; do
        cp "$dir.err" err
        [ "$(cat "$dir.code")" -eq "${1:-0}" ] || fail "run $dir ended with $(cat "$dir.code")"
    done
    started=()
}
