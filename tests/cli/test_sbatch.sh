#!/bin/bash
# What the scripts in slurm/ make of exit codes, progress, signals and allocations: with an mpirun and Slurm's
# commands that only play their parts. The real Slurm: tests/slurm.
# Usage: test_sbatch.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
script=$3/slurm/finetune.sbatch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
mkdir bin
# mpirun: prints what it was told, as the program does; "step-N" in the file step is a new checkpoint, "part-N"
# in the file part a finished part of the features
cat >bin/mpirun <<'END'
#!/bin/bash
echo "finetune: finetune 0 (0), 4 ranks x 1 thread; output $PWD/out" >&2
echo "threads $OMP_NUM_THREADS: $*"
[ -n "${SLURM_JOB_END_TIME:-}" ] && echo "ends at $SLURM_JOB_END_TIME"
[ -s begun ] && echo "finetune: resumed from the checkpoint of step $(cat begun)" >&2
[ -s step ] && mkdir -p "out/checkpoints/$(cat step)" && touch "out/checkpoints/$(cat step)/manifest.json"
if [ -s part ]; then
    mkdir -p "a cache" && touch "a cache/$(cat part).h5" "a cache/$(cat part).xxh3"
    echo "finetune: features of a set: 9 texts are computed, 1.0 MiB written to a cache (3.5 MiB free)" >&2
fi
if [ -e hang ]; then exec tail -f /dev/null; fi
if [ -e wait ]; then
    trap 'exit 75' USR1
    touch ready
    for ((i = 0; i < 200; i++)); do sleep 0.1; done
fi
exit "$(cat code)"
END
# scontrol: a requeued script is ended by Slurm; a file called preempted is there where its nodes are taken away
cat >bin/scontrol <<'END'
#!/bin/bash
if [ "$1" = show ]; then
    echo "JobId=$4 EndTime=2026-01-01T00:00:00 PreemptTime=$(cat preempted 2>/dev/null || echo None) Reason=None"
    [ -e origin ] && sed "s|^|   Command=|" origin
    exit
fi
echo "$*" >>requeued
kill -TERM $PPID
END
# squeue: when the job ends
cat >bin/squeue <<'END'
#!/bin/bash
echo "$*" >asked
cat end 2>/dev/null || { echo "slurm_load_jobs error" >&2; exit 1; }
END
# sbatch: numbers the jobs; the second one fails where a file called refused is there
cat >bin/sbatch <<'END'
#!/bin/bash
echo "$*" >>submitted
n=$(wc -l <submitted)
if [ -e refused ] && [ "$n" -eq 2 ]; then echo "sbatch: error: no such partition" >&2; exit 1; fi
echo "$((100 + n));cluster"
END
printf '#!/bin/bash\necho "$*" >>cancelled\n' >bin/scancel
chmod +x bin/*
export PATH=$work/bin:$PATH FINETUNE=finetune FINETUNE_LAUNCHER=mpirun FINETUNE_HOME=$3
export SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_JOB_NODELIST=a,b SLURM_TASKS_PER_NODE="2(x2)"
unset SLURM_CPUS_PER_TASK SLURM_RESTART_COUNT SLURM_JOB_END_TIME SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID

fail() {
    echo "FAILED: $*"
    cat job.log
    failures=$((failures + 1))
}
start() { SLURM_CPUS_ON_NODE=${cpus:-2} bash "$script" run.cfg "$@" >>job.log 2>&1; }
requeues() { if [ -e requeued ]; then wc -l <requeued; else echo 0; fi; }
afresh() { rm -rf out "a cache" requeued job.log job.restarts step begun part wait ready preempted end asked; }

# --- codes that would come again: once, and the code of the program is the job's
for code in 0 1 64 65 70 73 74 143; do
    afresh
    echo $code >code
    start
    [ $? -eq $code ] || fail "code $code is not handed on"
    [ "$(requeues)" -eq 0 ] || fail "code $code is requeued"
done

# --- codes worth another start: three times when nothing is gained, then the code is the job's
gives_up_after_three() { # CODE WHAT
    local i
    afresh
    echo "$1" >code
    for i in 1 2 3; do
        start
        [ "$(requeues)" -eq $i ] || fail "$2: code $1 is not requeued after start $i"
    done
    start
    [ $? -eq "$1" ] || fail "$2: code $1 is not handed on"
    [ "$(requeues)" -eq 3 ] || fail "$2: code $1: requeued though the fourth start gains nothing either"
    grep -q "given up: 4 starts" job.log || fail "$2: code $1: reason not given"
    [ ! -e job.restarts ] || fail "$2: code $1: file left behind"
}
for code in 76 137 138 205; do gives_up_after_three $code finetune; done

# --- an mpirun that hangs, with no process under it, is ended after five looks, here of a moment each
afresh
touch hang
printf '#!/bin/bash\nexec /bin/sleep "${1/#60/0.1}"\n' >bin/sleep
chmod +x bin/sleep
start
[ "$(requeues)" -eq 1 ] || fail "a hanging mpirun is not ended, or the job not requeued"
grep -q "mpirun hangs" job.log || fail "a hanging mpirun is not named"
rm -f hang
afresh
echo 0 >code
touch wait # with a process under it: one that sleeps
start &
started=$!
/bin/sleep 2
pkill -USR1 -f "^bash $script run.cfg" # the end: see below
wait $started
grep -q "mpirun hangs" job.log && fail "an mpirun with living processes is ended"
rm -f bin/sleep wait

# --- stopped without a step gained: the time is too short, at once; and a job that begins at an older run's
# checkpoint has not gained that one
gives_up_at_once() { # WHAT
    start
    [ $? -eq 75 ] || fail "$1: code 75 is not handed on"
    [ "$(requeues)" -eq "${2:-0}" ] || fail "$1: requeued though it was stopped without anything gained"
    grep -q "given up: 1 starts.* more --time" job.log || fail "$1: reason not given"
}
afresh
echo 75 >code
gives_up_at_once nothing
afresh
echo step-00000009 | tee step >/dev/null
echo 9 >begun
gives_up_at_once "an older run"

# --- each step gained counts from one again
afresh
echo 205 >code
for i in 8 9 10 11 12; do
    echo step-0000000$i >step
    start
done
[ "$(requeues)" -eq 5 ] || fail "a job that gains steps is given up"
rm -f step
for i in 1 2 3 4; do start; done
[ "$(requeues)" -eq 8 ] || fail "a job that gains no more steps: $(requeues) starts"
grep -q "steps done: 12" job.log || fail "the step is not named"
afresh
echo 75 >code
for i in 8 9 10 11 12; do
    echo step-0000000$i >step
    [ $i -gt 8 ] && echo $((i - 1)) >begun
    start
done
[ "$(requeues)" -eq 5 ] || fail "a job that is stopped and gains steps is given up"
rm -f step
echo 12 >begun
gives_up_at_once "no more steps" 5

# --- pre-empted: always again, with 75 and nothing gained, and though Slurm sends TERM
afresh
echo 75 >code
echo 2026-01-01T00:00:00 >preempted
for i in 1 2 3 4 5; do start; done
[ "$(requeues)" -eq 5 ] || fail "a job that is pre-empted is given up"
echo 64 >code
start
[ "$(requeues)" -eq 5 ] || fail "code 64 is requeued because of a pre-emption"

# --- the end of the job's time, as squeue says it; of one element of an array
afresh
echo 0 >code
date -d "@$((EPOCHSECONDS + 3600))" +%FT%T >end
start
grep -q "^ends at $(date -d "$(cat end)" +%s)$" job.log || fail "the end of the time is not handed on"
grep -q -- "-j 7 " asked || fail "squeue is asked $(cat asked)"
SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 start
grep -q -- "-j 7_3 " asked || fail "squeue is asked $(cat asked)"
echo 137 >code
SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 start
grep -qx "requeue 7_3" requeued || fail "an array is requeued: $(cat requeued)"
echo 0 >code
for end in "" NONE N/A 2020-01-01T00:00:00; do
    afresh
    echo "$end" >end
    start
    grep -q "^ends at" job.log && fail "squeue says $end, and so says the job"
done

# --- signals: USR1 saves and requeues, TERM saves and ends
obeys_signals() {
    local signal expected=1 pid i
    for signal in USR1 TERM; do
        afresh
        echo 1 >code
        echo step-00000001 >step
        echo part-00001 >part
        touch wait
        SLURM_CPUS_ON_NODE=2 bash "$script" run.cfg >>job.log 2>&1 &
        pid=$!
        for ((i = 0; i < 100; i++)); do
            [ -e ready ] && break
            sleep 0.1
        done
        kill -$signal $pid
        wait $pid
        grep -q "ended with code 75" job.log || fail "$signal does not reach the program"
        [ "$(requeues)" -eq $expected ] || fail "$signal: $(requeues) requeues"
        expected=0
    done
}
obeys_signals

# --- threads: given, or the node's CPUs shared by its ranks; no binding where the cores are too few
afresh
echo 0 >code
cpus=9 start
grep -q "^threads 4: -q -np 4 " job.log || fail "9 CPUs for 2 ranks are not 4 threads each"
afresh
SLURM_CPUS_PER_TASK=3 start training.lr=1
grep -q "^threads 3: .* finetune run.cfg training.lr=1$" job.log || fail "3 threads are asked for"
afresh
SLURM_CPUS_PER_TASK=100000 cpus=200000 start
grep -q -- "--bind-to none" job.log || fail "200000 cores are bound"
afresh
SLURM_TASKS_PER_NODE=1 SLURM_NTASKS=1 SLURM_CPUS_PER_TASK=1 cpus=100000 start
grep -q -- "--map-by slot:PE=1 --bind-to core" job.log || fail "the only rank is not bound"

# --- usage
afresh
bash "$script" >job.log 2>&1
[ $? -eq 64 ] || fail "no configuration is no usage error"
FINETUNE_LAUNCHER=mpiexec start
[ $? -eq 64 ] || fail "an unknown launcher is no usage error"
grep -q "use mpirun or srun" job.log || fail "launchers are not named"

# --- transfer.sbatch: which codes are handed on, and which are worth another start
script=$3/slurm/transfer.sbatch
unset FINETUNE_LAUNCHER SLURM_NTASKS SLURM_TASKS_PER_NODE
export SLURM_JOB_NODELIST=a SLURM_JOB_NUM_NODES=1
for code in 0 1 64 65 70 73 74 143; do
    afresh
    echo $code >code
    start
    [ $? -eq $code ] || fail "transfer: code $code is not handed on"
    [ "$(requeues)" -eq 0 ] || fail "transfer: code $code is requeued"
done
for code in 137 138; do gives_up_after_three $code transfer; done
afresh
echo 75 >code
gives_up_at_once transfer

# --- transfer.sbatch: each part gained counts from one again
afresh
echo 75 >code
for i in 0 1 2 3 4; do
    echo part-0000$i >part
    start
done
[ "$(requeues)" -eq 5 ] || fail "transfer: a job that gains parts is given up"
start
[ "$(requeues)" -eq 5 ] || fail "transfer: a job that gains no more parts goes on"
grep -q "parts done: 5;" job.log || fail "transfer: the part is not named"

# --- transfer.sbatch: signals, cores and usage
obeys_signals
afresh
echo 0 >code
cpus=9 start transfer.head=mlp
grep -q "^threads 9: -q -np 1 --bind-to none finetune run.cfg transfer.head=mlp$" job.log ||
    fail "transfer: not one rank with all CPUs of the job"
bash "$script" >job.log 2>&1
[ $? -eq 64 ] || fail "transfer: no configuration is no usage error"
grep -q "usage: sbatch slurm/transfer.sbatch RUN.cfg" job.log || fail "transfer: no usage"
for name in finetune transfer prepare evaluate; do
    env -u SLURM_JOB_ID bash "$3/slurm/$name.sbatch" run.cfg >job.log 2>&1
    [ $? -eq 64 ] || fail "$name: a script started by hand is no usage error"
    grep -q "this is a batch job: sbatch slurm/$name.sbatch run.cfg" job.log || fail "$name: not told how"
    FINETUNE_HOME=$work bash "$3/slurm/$name.sbatch" run.cfg >job.log 2>&1
    [ $? -eq 64 ] || fail "$name: no common.sh is no usage error"
    grep -q "no slurm/common.sh in $work: set FINETUNE_HOME" job.log || fail "$name: not told where"
    echo 0 >code
    for i in 1 2; do echo "$3/slurm/$name.sbatch run.cfg"; done >origin # as submitted from elsewhere; an array
    env -u FINETUNE_HOME bash "$3/slurm/$name.sbatch" run.cfg >job.log 2>&1 || fail "$name: only from the checkout"
    rm origin
done
afresh
SLURM_JOB_NUM_NODES=2 start
[ $? -eq 64 ] || fail "transfer: two nodes are no usage error"
grep -q "^threads" job.log && fail "transfer: started on two nodes"

# --- prepare.sbatch and evaluate.sbatch: the verb, and nothing of an unfinished job is kept
export SLURM_NTASKS=2 SLURM_TASKS_PER_NODE=2
for name in prepare evaluate; do
    script=$3/slurm/$name.sbatch
    afresh
    echo 0 >code
    start data.cache=c
    grep -q " finetune $name run.cfg data.cache=c$" job.log || fail "$name: another command"
    gives_up_after_three 205 $name
    afresh
    echo 75 >code
    gives_up_at_once $name
done

# --- sweep.sbatch: the element's settings and folder
script=$3/slurm/sweep.sbatch
cat >list <<'END'
# rates
training.lr=1e-5

  training.lr=3e-5   training.epochs=2
END
sweep() { # ELEMENT ARGUMENTS...
    afresh
    SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$1 SLURM_CPUS_ON_NODE=2 bash "$script" "${@:2}" >job.log 2>&1
}
echo 0 >code
sweep 1 run.cfg list output.dir=runs seed=3 || fail "sweep: element 1"
grep -q " finetune run.cfg seed=3 training.lr=1e-5 output.dir=runs/1$" job.log || fail "sweep: element 1 runs otherwise"
sweep 2 run.cfg list output.dir=runs || fail "sweep: element 2"
grep -q " finetune run.cfg training.lr=3e-5 training.epochs=2 output.dir=runs/2$" job.log ||
    fail "sweep: element 2 runs otherwise"
for element in 0 3 ""; do
    sweep "$element" run.cfg list output.dir=runs
    [ $? -eq 64 ] || fail "sweep: element $element is no usage error"
    grep -q "list holds 2 settings; sbatch --array=1-2" job.log || fail "sweep: the array's size is not named"
done
sweep 1 run.cfg list
[ $? -eq 64 ] || fail "sweep: no output.dir is no usage error"
sweep 1 run.cfg list training.lr=1
[ $? -eq 64 ] || fail "sweep: something else in its place is no usage error"
sweep 1 run.cfg nolist output.dir=runs
[ $? -eq 65 ] || fail "sweep: no list is no input error"

# --- chain.sh: each after the one before; what was submitted is cancelled when the rest cannot be
unset SLURM_JOB_ID
chain() {
    rm -f submitted cancelled
    bash "$3/slurm/chain.sh" "${@:4}" >out 2>&1
}
chain "$@" --partition=long run.cfg training.lr=1 || fail "chain: $(cat out)"
printf '%s\n' "prepare 101" "train 102" "evaluate 103" | cmp - out || fail "chain: the numbers are not told"
after=--kill-on-invalid-dep=yes
cmp - submitted <<END || fail "chain: other jobs"
--parsable --partition=long $3/slurm/prepare.sbatch run.cfg training.lr=1
--parsable --partition=long --dependency=afterok:101 $after $3/slurm/finetune.sbatch run.cfg training.lr=1
--parsable --partition=long --dependency=afterok:102 $after $3/slurm/evaluate.sbatch run.cfg training.lr=1
END
TRAIN_OPTIONS="--nodes=8 --time=9" TRAIN_SCRIPT=mine.sbatch chain "$@" run.cfg
sed -n 2p submitted | grep -q -- "--parsable --nodes=8 --time=9 --dependency=afterok:101 $after mine.sbatch run.cfg" ||
    fail "chain: training with other options"
touch refused
chain "$@" run.cfg && fail "chain: no error though sbatch fails"
[ "$(cat cancelled)" = 101 ] || fail "chain: what was submitted stays"
grep -q "sbatch failed; cancelled: 101" out || fail "chain: does not say what it has done"
chain "$@" --partition=long
[ $? -eq 64 ] || fail "chain: no configuration is no usage error"

[ "$failures" -eq 0 ]
