# malloc [STRIDE [WHAT]]  each (STRIDE-th, 1) allocation of a command fails, alone or with all after it, of rank 0 or
#                 1: a code, a message, nothing live, no checkpoint set aside, the same bits from the next run. WHAT:
#                 only rows whose names match. Rows "fragile" are allocations inside HDF5 and libconfig, which may
#                 end the process: the next run counts. TMPDIR=/dev/shm makes it faster.
stride=${1:-1} what=${2:-.}
cp "$finetune" "$build/tests/finetune-malloc" . # a build meanwhile changes nothing
finetune=$work/finetune loop=$work/finetune-malloc
small_run
sed -i 's,"cache","now/cache",; s,"unnamed","now/out",; s,max_steps = 400,max_steps = 4,; s,eval_every = 50,eval_every = 2,
    s,every_steps = 20,every_steps = 2,' run.cfg
mkdir bert
cp "$source"/tests/golden/heads/bert/* bert
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' document word {a..z} {0..9} >bert/vocab.txt
seq 43 | tail -n "+$(($(wc -l <bert/vocab.txt) - 4))" >>bert/vocab.txt
for i in {0..15}; do echo "{\"text\": \"document word $i a\", \"label\": \"l$((i % 3 % 2))\"}"; done >labelled.jsonl
cat >transfer.cfg <<END_OF_CFG
mode = "transfer"; task = "classification";
model: { path = "bert"; precision = "fp32"; };
data: { train = "labelled.jsonl"; test = "labelled.jsonl"; cache = "now/cache"; seq_len = 16; };
transfer: { layer = -1; pooling = "mean"; l2 = 0.1; };
output: { dir = "now/out"; };
END_OF_CFG

# before NP RUN.cfg [section.key=value ...]: the folder "before" is what such a run leaves, or an empty one
before() {
    rm -rf now before
    mkdir -p now
    [ $# -eq 0 ] || mpirun -q -np "$1" "$finetune" "${@:2}" >out.txt 2>err.txt || { cat err.txt; exit 1; }
    rm -rf now/cache
    mv now before
}

# after_death NP: the next run of the command that died, and what it gives
after_death() {
    mpirun -q -np "$1" "$finetune" "${@:3}" >after.out 2>after.err && [ -z "$(find now -name '*corrupt*')" ] &&
        { [ -z "$2" ] || cmp -s "$2" right; }
}

# try NAME NP RANK WHOSE RESULT STRIDE COMMAND...
try() {
    local name=$1 np=$2 rank=$3 whose=$4 result=$5 step=$6 mode from k died counted right
    shift 6
    [[ $name =~ $what ]] || return 0
    rm -rf now && cp -r before now
    mpirun -q -np "$np" "$finetune" "$@" >right.out 2>right.err || { cat right.err; exit 1; }
    [ -z "$result" ] || cp "$result" right
    [ -z "$result" ] || export RESULT=$result
    for mode in once always; do
        from=1 died=0 counted=0 SECONDS=0
        until mpirun -q -np "$np" "$loop" "$rank" "$whose" $mode $from 1000000 "$step" "$@" >/dev/null 2>"$name.err"; do
            grep '^lost: ' "$name.err"
            lost=$((lost + $(grep -c '^lost: ' "$name.err")))
            grep -q '^tried' "$name.err" && break
            k=$(cat at)
            [ "$k" -ge $from ] || { lose "$name" "ends at once"; echo tried 0 >>"$name.err"; break; }
            died=$((died + 1)) counted=$((counted + (k - from) / step + 1)) from=$((k + step))
            [ "$whose" = fragile ] || lose "$name" "rank $rank, $mode: allocation $k"
            after_death "$np" "$result" "$@" || lose "$name" "after allocation $k, $mode, the next run"
        done
        counted=$((counted + $(sed -n 's/^tried \([0-9]*\) .*/\1/p' "$name.err")))
        tried=$((tried + counted))
        echo "$name, np $np, rank $rank, $mode: $counted of $(sed -n 's/^tried .* of \(.*\) alloc.*\(codes .*\)/\1, \2/p' \
            "$name.err"); $died deaths; $SECONDS s"
    done
    unset RESULT
}

model=now/out/final/model.safetensors
for np in 1 2; do
    before $np run.cfg training.max_steps=2
    rm -rf before/out/final
    for ((rank = 0; rank < np; rank++)); do try train $np $rank own $model "$stride" run.cfg; done
done
try fragile-train 2 1 fragile $model $((stride * 211)) run.cfg
before
try transfer 1 0 own now/out/head.h5 $((stride * 3)) transfer.cfg
before 1 run.cfg
try evaluate 1 0 own "" $((stride * 3)) evaluate run.cfg
try export 1 0 own now/exported/model.safetensors $((stride * 3)) export now/out now/exported
try gguf 1 0 own now/exported.gguf $((stride * 3)) export now/out now/exported.gguf
before 1 transfer.cfg
try predict 1 0 own "" $((stride * 3)) predict now/out labelled.jsonl
