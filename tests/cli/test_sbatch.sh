#!/bin/bash
# What slurm/finetune.sbatch and slurm/transfer.sbatch make of exit codes, signals and allocations: with an
# mpirun and a scontrol that only play their parts. The real Slurm: tests/slurm/run.sh.
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
[ -s step ] && mkdir -p "out/checkpoints/$(cat step)" && touch "out/checkpoints/$(cat step)/manifest.json"
if [ -s part ]; then
    mkdir -p "a cache" && touch "a cache/$(cat part).h5" "a cache/$(cat part).xxh3"
    echo "finetune: features of a set: 9 texts are computed, 1.0 MiB written to a cache (3.5 MiB free)" >&2
fi
if [ -e wait ]; then
    trap 'exit 75' USR1
    touch ready
    for ((i = 0; i < 200; i++)); do sleep 0.1; done
fi
exit "$(cat code)"
END
# scontrol: a requeued script is ended by Slurm
cat >bin/scontrol <<'END'
#!/bin/bash
echo "$*" >>requeued
kill -TERM $PPID
END
chmod +x bin/*
export PATH=$work/bin:$PATH FINETUNE=finetune FINETUNE_LAUNCHER=mpirun
export SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_JOB_NODELIST=a,b SLURM_TASKS_PER_NODE="2(x2)"
unset SLURM_CPUS_PER_TASK SLURM_RESTART_COUNT

fail() {
    echo "FAILED: $*"
    cat job.log
    failures=$((failures + 1))
}
start() { SLURM_CPUS_ON_NODE=${cpus:-2} bash "$script" run.cfg "$@" >>job.log 2>&1; }
requeues() { if [ -e requeued ]; then wc -l <requeued; else echo 0; fi; }
afresh() { rm -rf out "a cache" requeued job.log job.restarts step part wait ready; }

# --- codes that would come again: once, and the code of the program is the job's
for code in 0 1 64 65 70 73 74 143; do
    afresh
    echo $code >code
    start
    [ $? -eq $code ] || fail "code $code is not handed on"
    [ "$(requeues)" -eq 0 ] || fail "code $code is requeued"
done

# --- codes worth another start: three times when no step is gained, then the code is the job's
for code in 75 76 137 138 205; do
    afresh
    echo $code >code
    for i in 1 2 3; do
        start
        [ "$(requeues)" -eq $i ] || fail "code $code is not requeued after start $i"
    done
    start
    [ $? -eq $code ] || fail "code $code is not handed on"
    [ "$(requeues)" -eq 3 ] || fail "code $code: requeued though the fourth start gains nothing either"
    grep -q "given up: 4 starts, none went beyond step 0" job.log || fail "code $code: reason not given"
    [ ! -e job.restarts ] || fail "code $code: file left behind"
done

# --- each step gained counts from one again
afresh
echo 205 >code
for i in 8 9 10 11 12; do
    echo step-0000000$i >step
    start
done
[ "$(requeues)" -eq 5 ] || fail "a job that gains steps is given up"
rm -f step
for i in 1 2 3; do start; done
[ "$(requeues)" -eq 7 ] || fail "a job that gains no more steps goes on"
grep -q "none went beyond step 12" job.log || fail "the step is not named"

# --- signals: USR1 saves and requeues, TERM saves and ends
obeys_signals() {
    local signal expected=1 pid i
    for signal in USR1 TERM; do
        afresh
        echo 1 >code
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
for code in 75 137 138; do
    afresh
    echo $code >code
    for i in 1 2 3; do
        start
        [ "$(requeues)" -eq $i ] || fail "transfer: code $code is not requeued after start $i"
    done
    start
    [ $? -eq $code ] || fail "transfer: code $code is not handed on"
    [ "$(requeues)" -eq 3 ] || fail "transfer: code $code: requeued though nothing is gained"
    grep -q "given up: 4 starts, none went beyond part 0" job.log || fail "transfer: reason not given"
    [ ! -e job.restarts ] || fail "transfer: code $code: file left behind"
done

# --- transfer.sbatch: each part gained counts from one again
afresh
echo 75 >code
for i in 0 1 2 3 4; do
    echo part-0000$i >part
    start
done
[ "$(requeues)" -eq 5 ] || fail "transfer: a job that gains parts is given up"
for i in 1 2 3; do start; done
[ "$(requeues)" -eq 7 ] || fail "transfer: a job that gains no more parts goes on"
grep -q "none went beyond part 5 " job.log || fail "transfer: the part is not named"

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
for name in finetune transfer; do
    env -u SLURM_JOB_ID bash "$3/slurm/$name.sbatch" run.cfg >job.log 2>&1
    [ $? -eq 64 ] || fail "$name: a script started by hand is no usage error"
    grep -q "this is a batch job: sbatch slurm/$name.sbatch run.cfg" job.log || fail "$name: not told how"
done
afresh
SLURM_JOB_NUM_NODES=2 start
[ $? -eq 64 ] || fail "transfer: two nodes are no usage error"
grep -q "^threads" job.log && fail "transfer: started on two nodes"

[ "$failures" -eq 0 ]
