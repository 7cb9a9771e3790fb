# The jobs of slurm/transfer.sbatch; sourced by run.sh.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh

# ten parts of features, each of some tenths of a second: time to be interrupted in the middle
awk 'BEGIN {
    split("alpha beta gamma the rights of copy and holders shall", word, " ")
    srand(7)
    for (i = 0; i < 40000; i++) {
        text = "document " i ":"
        for (j = 0; j < 8; j++)
            text = text " " word[1 + int(5 * rand()) + (rand() < 0.7 ? 5 * (i % 2) : 5 * (1 - i % 2))]
        printf "{\"text\": \"%s\", \"label\": \"%s\"}\n", text, i % 2 ? "yes" : "no"
    }
}' >labelled.jsonl
cat >transfer.cfg <<EOF
mode = "transfer";
task = "classification";
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "labelled.jsonl"; seq_len = 48; };
transfer: { layer = -1; pooling = "mean"; l2 = 0.01; };
output: { dir = "unnamed"; };
EOF

# submit_transfer NAME [option of sbatch ...]: job number; log and output folder are called NAME
submit_transfer() {
    sbatch --parsable --time=20 --output="$1.log" "${@:2}" "$source/slurm/transfer.sbatch" transfer.cfg \
        output.dir="$1"
}

count_parts() { find "$1/cache" -name 'part-*.xxh3' 2>/dev/null | wc -l; }
has_part() { [ "$(count_parts "$1")" -ge 1 ]; }

# works_alone NAME THREADS: with as many, and to the head of a local run with as many, bit for bit (the last
# bits of a matrix product depend on the number of OpenBLAS's threads)
works_alone() {
    local threads="$2 thread"
    [ "$2" -eq 1 ] || threads+=s
    grep -q "1 rank x" "$1.log" || fail "$1: not one rank"
    grep -q "rank 0: node[1-4], core" "$1.log" || fail "$1: not on a node of the cluster"
    grep -q "rank 0 works alone with $threads on core" "$1.log" || fail "$1: not with $threads"
    cmp "$1/head.h5" "local-$2/head.h5" || fail "$1: another head than the local run's"
}

# goes_on NAME: what was finished before the interruption was not computed again
goes_on() {
    grep -q "texts computed in .*, [1-9][0-9]* reused" "$1.log" || fail "$1: no part was reused"
}

# --- one node, one rank, as many threads as the job has CPUs and the machine cores
cores=$(nproc)
for cpus in 1 2 4; do
    threads=$((cpus < cores ? cpus : cores))
    OMP_NUM_THREADS=$threads "$finetune" transfer.cfg output.dir=local-$threads >out 2>err || fail "local run"
done
pair=$((cores < 2 ? 1 : 2)) whole=$threads
ends "$(submit_transfer alone-1 --cpus-per-task=1)" alone-1 COMPLETED 0:0 0
works_alone alone-1 1
ends "$(submit_transfer alone-2)" alone-2 COMPLETED 0:0 0
works_alone alone-2 $pair
ends "$(submit_transfer alone-node --exclusive)" alone-node COMPLETED 0:0 0
works_alone alone-node "$whole"

# --- warned in the middle: stopped with 75, requeued, gone on with the finished parts
job=$(submit_transfer warned)
within 120 has_part warned || fail "warned: no part is finished"
scancel --batch --signal=USR1 "$job"
ends "$job" warned COMPLETED 0:0 1
grep -q "finetune ended with code 75" warned.log || fail "warned: no code 75"
grep -q "finetune ended with code 0" warned.log || fail "warned: no code 0"
goes_on warned
works_alone warned $pair
[ ! -e warned.restarts ] || fail "warned: file of restarts left behind"

# --- cancelled, or told to stop and end: not requeued; the same command goes on with the finished parts
for way in cancelled ended; do
    name=$way
    job=$(submit_transfer "$name")
    within 120 has_part "$name" || fail "$name: no part is finished"
    if [ $way = cancelled ]; then
        scancel "$job"
        ends "$job" "$name" CANCELLED "*" 0
    else
        scancel --batch --signal=TERM "$job"
        ends "$job" "$name" FAILED 75:0 0
    fi
    [ ! -e "$name/head.h5" ] || fail "$name: a head is there though the job was stopped"
    within 60 has_no_jobs || fail "$name: still in the queue"
    ends "$(submit_transfer "$name")" "$name" COMPLETED 0:0 0
    goes_on "$name"
    works_alone "$name" $pair
done

# --- more nodes than it can use, and a rank that is killed at each start
ends "$(submit_transfer wide --nodes=2 --ntasks=2)" wide FAILED 64:0 0
printf '#!/bin/bash\nkill -KILL $$\n' >dies
chmod +x dies
ends "$(FINETUNE=$work/dies submit_transfer mortal)" mortal FAILED 137:0 3
grep -q "given up" mortal.log || fail "mortal: does not say why it ends"
