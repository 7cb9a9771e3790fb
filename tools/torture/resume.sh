# resume [NAMES] a run that keeps the checkpoint of each step goes on from each of them, at the same number of ranks:
#                 final model and metrics have the same bits. NAMES: only rows whose names match
what=${1:-.}
cp "$finetune" . # a build meanwhile changes nothing
finetune=$work/finetune
mkdir bert
cp "$source"/tests/golden/heads/bert/* bert
{ printf '[%s]\n' PAD UNK CLS SEP MASK && printf '%s\n' document word {a..z} {0..9} one two three four five; } >bert/vocab.txt
cp "$source/tests/golden/gguf/llama-tiny.gguf" .
for i in {0..7}; do
    text=
    for j in {0..6}; do text="$text word$(((i * 7 + j * j + j * i) % 10))"; done
    echo "{\"text\": \"document $i:$text\"}"
    echo "{\"messages\": [{\"role\": \"user\", \"content\": \"say $i\"}, {\"role\": \"assistant\", \"content\": \"$text\"}]}" >&3
    for j in {0..3}; do echo "{\"text\": \"document $text $j\", \"label\": \"l$(((i + j) % 3))\"}" >&4; done
done >text.jsonl 3>talk.jsonl 4>labelled.jsonl

# steps end within epochs, batches divide nothing, every batch is accumulated
settings() { # TASK MODEL DATA
    cat <<END
task = "$1";
model: { path = "$2"; precision = "fp32"; };
data: { train = "$3"; validation = "$3"; cache = "cache"; seq_len = 16; };
training: { max_steps = 12; micro_batch = 1; global_batch = 7; lr = 1e-3; warmup = 3; eval_every = 5; };
checkpoint: { every_steps = 1; keep = 99; };
output: { dir = "unnamed"; };
END
}
settings causal-lm llama-tiny.gguf text.jsonl >text.cfg
settings instruct llama-tiny.gguf talk.jsonl >talk.cfg
settings classification bert labelled.jsonl >labelled.cfg
sed -i 's/seq_len = 16;/seq_len = 64; chat_template = "zephyr";/' talk.cfg

go() { timeout 300 mpirun -q -np 3 "$finetune" "$@" >"$out.out" 2>"$out.err"; }
metrics() { sed 's/, "ms": .*//' "$1/metrics.jsonl"; }

# from_step WHOLE STEP CFG SETTINGS...: a line in the file "cases"
from_step() {
    local whole=$1 step=$2 out=$1-$2 folder why=
    cp -r "$whole" "$out"
    rm -rf "$out/final"
    for folder in "$out"/checkpoints/step-*; do [ "$((10#${folder##*-}))" -le "$step" ] || rm -rf "$folder"; done
    go "${@:3}" output.dir="$out" || why=", code $?"
    grep -q "resumed from the checkpoint of step $step$" "$out.err" || why="$why, not from step $step"
    cmp -s {"$whole","$out"}/final/model.safetensors || why="$why, another model"
    [ "$(metrics "$whole")" = "$(metrics "$out")" ] || why="$why, other metrics"
    [ "$(readlink "$whole/best")" = "$(readlink "$out/best")" ] || why="$why, another best step"
    echo "$whole from step $step${why:+ lost$why}" >>cases
    [ -n "$why" ] || rm -rf "$out" "$out".*
}

# row NAME CFG [section.key=value ...]
row() {
    local name=$1 step out=$1
    shift
    [[ $name =~ $what ]] || return 0
    go "$@" output.dir="$name" || { cat "$name.err"; exit 1; }
    for step in $(cd "$name/checkpoints" && printf '%s\n' step-* | sed 's/^step-0*//'); do
        while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n; done
        from_step "$name" "$step" "$@" &
    done
    wait
    echo "$name: $(grep -c "^$name from" cases) tried, $(grep -c "^$name from.* lost" cases) lost"
    rm -rf "$name"
}

for zero in 1 0; do
    z=distributed.zero=$zero
    row text-zero$zero text.cfg $z
    row text-last-zero$zero text.cfg $z mode=last-layers model.trainable_layers=1
    for mode in finetune last-layers transfer-then-finetune; do
        row labelled-$mode-zero$zero labelled.cfg $z mode=$mode model.trainable_layers=1 training.dropout=0.2
    done
    for packing in true false; do row talk-packing-$packing-zero$zero talk.cfg $z data.packing=$packing; done
done
row text-dropout text.cfg training.dropout=0.2
row text-isolated text.cfg data.isolate_documents=true
row text-bf16-wire text.cfg distributed.wire=bf16
row text-one-bucket text.cfg distributed.overlap=false
row text-patience text.cfg training.eval_every=1 training.lr=0.3 training.patience=2
tried=$(wc -l <cases) lost=$(grep -c ' lost' cases)
grep ' lost' cases
