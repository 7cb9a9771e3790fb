#!/bin/bash
# A failure of one rank at the start of a run ends the job at once, with one line and one code on all
# ranks; so does a rank that dies. Later phases: test_train_faults.sh.
# Usage: test_faults.sh FINETUNE_FAULTS MPIEXEC SOURCE_DIR
set -u
finetune=$1 mpiexec=$2 source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
failures=0
ranks=3

cat >run.cfg <<EOF
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "t.jsonl"; seq_len = 16; validation_fraction = 0.2; };
training: { max_steps = 4; global_batch = 4; micro_batch = 2; eval_every = 2; };
checkpoint: { every_steps = 2; };
output: { dir = "out"; };
EOF
for i in $(seq 1 40); do
    echo "{\"text\": \"Licence number $i allows to use, copy and change the software in any form.\"}"
done >t.jsonl

run() { timeout 30 "$mpiexec" -q -np $ranks "$finetune" "$@" >out.txt 2>err.txt; }

fail() {
    echo "FAILED: $*"
    cat err.txt
    failures=$((failures + 1))
}

# try PHASE RANK KIND CODE: that code within 30 s; kind error: one error line, naming phase and rank
try() {
    local phase=$1 rank=$2 kind=$3 code=$4 got lines line="finetune: error: rank $2: "
    [ "$rank" -ne 0 ] || line="finetune: error: "
    line="${line}injected failure in $phase"
    export FT_FAULT=$phase:$rank:$kind
    run run.cfg
    got=$?
    unset FT_FAULT
    [ $got -eq "$code" ] || fail "$phase:$rank:$kind gave $got, expected $code"
    [ "$kind" = error ] || return
    lines=$(grep -c '^finetune: error: ' err.txt)
    [ "$lines" -eq 1 ] || fail "$phase:$rank gave $lines error lines"
    grep -qxF -- "$line" err.txt ||
        fail "$phase:$rank: the error line is another one"
}

# try_ranks PHASE RANK...: try on each, from a fresh output directory
try_ranks() {
    local phase=$1 rank
    shift
    for rank in "$@"; do
        rm -rf out
        try "$phase" "$rank" error 74
    done
}

try_ranks config 0
try_ranks config-parse 1 2
try_ranks output 0
for phase in output-seen startup; do
    try_ranks $phase 0 1 2
done

# a failed run leaves nothing that stands in the way: the next one goes on and ends well
rm -rf out
try evaluate 2 error 74
run run.cfg || fail "the run after a failed one"

# a rank that dies takes the job along
for rank in 0 1 2; do
    rm -rf out
    try step $rank exit 3
    rm -rf out
    try step $rank segv 139
done

# the program that is shipped does not obey FT_FAULT
finetune=$(dirname "$(dirname "$finetune")")/finetune
rm -rf out
export FT_FAULT=startup:0:exit
run run.cfg || fail "the shipped program obeys FT_FAULT"

[ $failures -eq 0 ]
