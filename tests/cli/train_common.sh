# A small corpus and configuration for the tests of training; sourced by test_train*.sh.
# Usage: test_train*.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") mpiexec=$2 source=$3
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

# 23 windows of 16 tokens with a partial last one: sizes that divide nothing
words=(alpha beta gamma the rights of copy "and" holders shall)
for i in 0 1 2 3 4 5 6 7; do
    text=
    for j in 0 1 2 3 4 5 6; do text="$text ${words[$(((i * 7 + j * j + j * i) % 10))]}"; done
    echo "{\"text\": \"document $i:$text\"}"
done >train.jsonl
for i in 1 2 3; do
    echo "{\"text\": \"$i other things, quite unlike: xylophones jump over lazy quartz $i\"}"
done >validation.jsonl

cat >run.cfg <<EOF
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "train.jsonl"; cache = "cache"; seq_len = 16; };
training: { max_steps = 20; micro_batch = 2; global_batch = 7; lr = 1e-3; warmup = 3; };
output: { dir = "unnamed"; };
EOF

# train NP DIR [section.key=value ...]
train() {
    local np=$1 dir=$2
    shift 2
    "$mpiexec" -q -np "$np" "$finetune" run.cfg output.dir="$dir" "$@" >out 2>err
}

# losses DIR: step and loss of each step, as printed
losses() { sed -n 's/.*"step": \([0-9]*\),.*"loss": \([^,]*\), "lr".*/\1 \2/p' "$1/metrics.jsonl"; }

# same_losses A B TOLERANCE: equal steps, losses within the relative tolerance
same_losses() {
    paste <(losses "$1") <(losses "$2") | awk -v most="$3" '
        $1 != $3 || NF != 4 { bad = 1 }
        { d = $2 - $4; if (d < 0) d = -d; if (d > most * $4) bad = 1; n++ }
        END { exit bad || n == 0 }'
}
