# shellcheck shell=bash
# What the batch scripts of this folder share; they source it. It is no job of its own.
#
# What you may set in the environment of sbatch:
#     FINETUNE_HOME      the checkout                   (default: the one whose slurm/*.sbatch was submitted)
#     FINETUNE           the program                    (default: build/finetune of the checkout)
#     FINETUNE_LAUNCHER  mpirun, or srun (needs Slurm's pmix; transfer.sbatch: always mpirun)  (default: mpirun)
#
# What a job does when the program has ended:
#
#     0                  done: the job is over
#     75                 stopped by a signal or the time limit, work is saved: back into the queue if this start
#                        has brought it forward; else the time limit is too short, and the job is over
#     76, 137, 138, 205  a rank hangs, a rank was killed, warned too early, a node was lost: back into the queue,
#                        at most three times in a row without progress
#     any other          64, 65, 70, 73 ...: the same would happen again, the job is over with that code
#
# A job that Slurm takes its nodes from for another one (preemption) always goes back into the queue, one
# that scancel ends never.

program=${FINETUNE:-$home/build/finetune}
most_starts_without_progress=3

say() { printf '[%(%F %T)T] %s\n' -1 "$*"; }

# job_begins SCRIPT USAGE ARGUMENTS...: what every job needs; ends the script where it cannot be
job_begins() {
    local script=slurm/$1 usage=$2 end
    shift 2
    if [ $# -lt "$(wc -w <<<"${usage%%\[*}")" ]; then
        say "usage: sbatch $script $usage"
        exit 64
    fi
    if [ -z "${SLURM_JOB_ID:-}" ]; then
        say "this is a batch job: sbatch $script $*"
        exit 64
    fi
    # one element of an array: the bare number of one of them stands for all
    job=$SLURM_JOB_ID${SLURM_ARRAY_TASK_ID:+" ($SLURM_ARRAY_JOB_ID, element $SLURM_ARRAY_TASK_ID)"}
    job_id=${SLURM_ARRAY_TASK_ID:+${SLURM_ARRAY_JOB_ID:-}_$SLURM_ARRAY_TASK_ID}
    job_id=${job_id:-$SLURM_JOB_ID}
    # the program saves before the end of the job's time; not every Slurm says when that is
    end=$(SLURM_TIME_FORMAT=standard squeue -h -j "$job_id" -o %e 2>/dev/null)
    end=$(date -d "$end" +%s 2>/dev/null)
    if [[ $end =~ ^[0-9]+$ ]] && ((end > $(date +%s))); then export SLURM_JOB_END_TIME=$end; fi
    if [ "$(id -u)" = 0 ]; then # only where root submits jobs: Open MPI asks to be told twice
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}

# Sets `launcher`: as many ranks as the job has tasks. Ranks and threads come from the allocation; without
# --cpus-per-task the ranks of a node share the CPUs that the job has there (with --exclusive: all of the node).
launch_on_all_nodes() {
    local ranks=${SLURM_NTASKS:-1} node_ranks threads cores threads_per_core binding
    node_ranks=${SLURM_TASKS_PER_NODE:-$ranks} # "2(x4)": two on each of four nodes
    node_ranks=${node_ranks%%[!0-9]*}
    threads=${SLURM_CPUS_PER_TASK:-$((${SLURM_CPUS_ON_NODE:-1} / node_ranks))}
    [ "$threads" -ge 1 ] || threads=1
    export OMP_NUM_THREADS=$threads

    # Each rank is bound to cores of its own where the cores in sight are the job's and are enough. They are
    # more where Slurm keeps the jobs of a node no cores apart, and too few where it counts hardware threads as
    # CPUs or where nodes claim more CPUs than they have; then the system decides.
    cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc) # that this script may use: hardware threads
    threads_per_core=$(lscpu 2>/dev/null | sed -n 's/^Thread(s) per core: *\([1-9][0-9]*\)$/\1/p')
    cores=$((cores / ${threads_per_core:-1}))
    if [ "$cores" -le "${SLURM_CPUS_ON_NODE:-0}" ] && [ $((node_ranks * threads)) -le "$cores" ]; then
        binding=(--map-by "slot:PE=$threads" --bind-to core)
    else
        binding=(--map-by slot --bind-to none)
    fi
    case ${FINETUNE_LAUNCHER:-mpirun} in
    mpirun) # -q: no banner behind a code other than 0. Leave odls_base_sigkill_timeout alone: mpirun waits four
        # times as long before it hands on such a code (two nodes, code 75, with 1, 5 and 10 s: 5, 21 and 41 s);
        # with 120 s it outlives the time limit
        launcher=(mpirun -q -np "$ranks" "${binding[@]}") ;;
    srun) # -K1: when one rank dies the others are ended, they would wait for ever; srun binds by itself
        binding=(as Slurm is set up)
        launcher=(srun --mpi=pmix -K1 --cpus-per-task="$threads") ;;
    *)
        say "FINETUNE_LAUNCHER is $FINETUNE_LAUNCHER: use mpirun or srun"
        exit 64 ;;
    esac
    say "job $job, start ${SLURM_RESTART_COUNT:-0}, $ranks ranks x $threads threads on" \
        "$SLURM_JOB_NODELIST, by ${launcher[0]}, binding: ${binding[*]}"
}

# Sets `launcher`: one rank with all CPUs of the job. mpirun would bind it to a core; unbound, it takes as many
# of those in sight as the job has CPUs, and says so in the log: "rank 0 works alone with ... threads".
launch_one_rank() {
    if [ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ]; then
        say "$SLURM_JOB_NUM_NODES nodes: this job can use one only; leave --nodes and --ntasks out"
        exit 64
    fi
    export OMP_NUM_THREADS=${SLURM_CPUS_ON_NODE:-1}
    launcher=(mpirun -q -np 1 --bind-to none)
    say "job $job, start ${SLURM_RESTART_COUNT:-0}, 1 rank x $OMP_NUM_THREADS threads on" \
        "${SLURM_JOB_NODELIST:-?}, by mpirun, binding: none"
}

# --- Progress: each prints what there is now, and what there was when this start began, as far as it is known.
log=$(readlink /proc/$$/fd/2) # where the program writes its messages

# the newest checkpoint's step, in the output folder that the program's first line has named
progress_in_steps() {
    local folder manifest newest=0 begun=0 step
    folder=$(sed -n 's/^.*finetune: finetune .*; output //p' "$log" 2>/dev/null | tail -n 1)
    for manifest in "$folder"/checkpoints/step-*/manifest.json; do
        step=${manifest%/manifest.json}
        step=${step##*/step-}
        [[ $step =~ ^[0-9]+$ ]] && ((10#$step > newest)) && newest=$((10#$step))
    done
    step=$(sed -n -e '/finetune: finetune .*; output /s/.*/0/p' \
        -e 's/^.*finetune: resumed from the checkpoint of step \([0-9]*\).*/\1/p' "$log" 2>/dev/null | tail -n 1)
    [[ $step =~ ^[0-9]+$ ]] && begun=$((10#$step))
    echo "$newest $begun"
}

# finished parts of the features, in the folders that the program has named; a part's hash is written last
progress_in_parts() {
    local folder part n=0
    while read -r folder; do
        for part in "$folder"/part-*.xxh3; do [ -e "$part" ] && n=$((n + 1)); done
    done < <(sed -n 's/^.*features of .* MiB written to \(.*\) ([0-9.]* MiB free)$/\1/p' "$log" | sort -u)
    echo "$n 0"
}

# a job of which nothing is kept before its end
progress_in_nothing() { echo "0 0"; }

# preempted: whether Slurm is taking this job's nodes for another one
preempted() { scontrol show job -o "$job_id" 2>/dev/null | grep -q ' PreemptTime=[0-9]'; }

# may_go_on CODE UNIT: what is known of earlier starts is in a small file beside the log: how far they came, and
# how many of them in a row have not brought the run forward
may_go_on() {
    local code=$1 unit=$2 before=0 starts=0 now begun most=$most_starts_without_progress
    [ -f "$log" ] || return 1 # no log, no knowledge: better ended than turning for ever
    read -r now begun < <("progress_in_$unit")
    [ -e "$memory" ] && read -r before starts <"$memory"
    starts=$((starts + 1))
    if ((now > before && now > begun)); then starts=0; fi
    echo "$now $starts" >"$memory"
    if preempted; then return; fi
    [ "$code" -eq 75 ] && most=0
    if ((starts > most)) && [ "$unit" = nothing ]; then
        say "given up: $starts starts have not finished it; more --time, or more cores"
    elif ((starts > most)); then
        say "given up: $starts starts in a row brought nothing new, ${unit} done: $now;" \
            "more --time, or more cores"
    fi
    ((starts <= most))
}

# run_to_the_end UNIT ARGUMENTS...: the program with these arguments, by `launcher`; then what its code says.
# UNIT: steps, parts or nothing. Ends the script.
#
# It runs in the background, so that bash obeys a signal at once and not after the program's end.
# USR1 (from --signal, or scancel --batch --signal=USR1 JOB): save, and back into the queue.
# TERM (scancel --batch --signal=TERM JOB): save, and the end. Plain scancel and the time limit itself send it to
# all processes and kill them soon after: then a checkpoint may be too late and an older one is it.
# The program hears USR1 in both cases, which both launchers hand on to every rank; TERM would end them.
pid='' interrupted='' cancelled=''
# shellcheck disable=SC2317 # called by the traps
forward() {
    interrupted=1
    if [ -n "$pid" ]; then kill -USR1 "$pid" 2>/dev/null; fi
}
# mpirun may wait for ever when a rank dies in the moment in which it reports to it (a lock in PMIx 4.2): then nothing
# of the job is left but mpirun. watch_mpirun PID: ends one that has had no living child for five minutes
watch_mpirun() {
    local alone=0
    while sleep 60 && kill -0 "$1" 2>/dev/null; do
        alone=$((alone + 1))
        # shellcheck disable=SC2009 # pgrep of older systems knows no states
        if ps -o stat= --ppid "$1" | grep -q '^[^Z]'; then alone=0; fi
        if ((alone >= 5)); then
            say "mpirun hangs, none of its processes is left: killed"
            kill -KILL "$1"
        fi
    done
}
run_to_the_end() {
    local unit=$1 rc reason='' watcher=''
    shift
    memory=${log%.log}.restarts
    trap forward USR1
    trap 'cancelled=1; forward' TERM
    "${launcher[@]}" "$program" "$@" &
    pid=$!
    if [ "${launcher[0]}" = mpirun ]; then
        watch_mpirun "$pid" &
        watcher=$!
    fi
    while :; do
        interrupted=
        wait "$pid" # comes back early, with a code above 128, when a signal has been forwarded
        rc=$?
        [ -z "$interrupted" ] && break
    done
    [ -z "$watcher" ] || kill "$watcher" 2>/dev/null
    say "finetune ended with code $rc"
    case $rc in
    75) reason="stopped, work is saved" ;;
    76) reason="a rank did not answer" ;;
    137) reason="a rank was killed (out of memory? see the plan in the log)" ;;
    138) reason="the warning came before the program was ready for it" ;;
    205) reason="a node was lost" ;;
    esac
    if [ -z "$reason" ]; then
        : # done, or the same would happen again
    elif [ -n "$cancelled" ] && ! preempted; then
        say "ended by Slurm or scancel: the same sbatch command goes on from what is saved"
    elif may_go_on "$rc" "$unit"; then
        say "requeued: $reason"
        trap - TERM # Slurm ends this script now; if it ended by itself the job would be over
        scontrol requeue "$job_id" && sleep 120
        exit "$rc"
    fi
    [ -f "$memory" ] && rm -f "$memory"
    exit "$rc"
}
