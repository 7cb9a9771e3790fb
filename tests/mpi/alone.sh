#!/bin/bash
# Rank 0 alone, seen from outside: its death ends the job soon, and it stays within the cores of its
# launcher. Usage: alone.sh MPIEXEC PROGRAM
set -u
mpiexec=$1 program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

fail() {
    echo "FAILED: $*"
    cat "$folder"/out "$folder"/err
    failures=$((failures + 1))
}

# killed RANK_0_OR_OTHER: the process that is killed while rank 0 works
killed() {
    : >"$folder/out" # the new job may do that too late: what the last one wrote would be read
    "$mpiexec" -q -np 3 "$program" hang >"$folder/out" 2>"$folder/err" &
    local job=$! victim="" start
    for _ in $(seq 200); do
        victim=$(head -n 1 "$folder/out")
        [ -n "$victim" ] && break
        sleep 0.1
    done
    if [ "$1" = other ]; then # another rank: a child of the same mpirun
        victim=$(pgrep -P "$job" -f "$program" | grep -vx "$victim" | tail -n 1)
    fi
    [ -n "$victim" ] || { fail "no process to kill"; kill "$job"; return; }
    start=$SECONDS
    kill -9 "$victim"
    wait "$job" && fail "$1 was killed, and the job ended well"
    [ $((SECONDS - start)) -le 15 ] || fail "the job ended $((SECONDS - start)) s after $1 was killed"
}
killed first
killed other

first=$(awk '/^Cpus_allowed_list/ { split($2, part, /[-,]/); print part[1] }' /proc/self/status)
for np in 1 4; do # one core for the launcher is one core for rank 0, although four ranks are there
    taskset -c "$first" "$mpiexec" -q -np $np --bind-to none "$program" cores 1 \
        >"$folder/out" 2>"$folder/err" || fail "taskset, np $np"
    grep -q "rank 0 works alone with 1 thread on core $first\$" "$folder/err" || fail "log, np $np"
done
n=$(env -u OMP_NUM_THREADS nproc)
if [ "$n" -gt 1 ]; then # bound to a core each, OpenMP told to use one thread: rank 0 still gets all
    OMP_NUM_THREADS=1 "$mpiexec" -q -np 2 --bind-to core "$program" cores "$n" \
        >"$folder/out" 2>"$folder/err" || fail "bound to a core"
    "$mpiexec" -q -np 1 --cpu-set "$first" "$program" cores 1 >"$folder/out" 2>"$folder/err" ||
        fail "--cpu-set"
    SLURM_CPUS_ON_NODE=1 "$mpiexec" -q -np 2 "$program" cores 1 >"$folder/out" 2>"$folder/err" &&
        fail "SLURM_CPUS_ON_NODE=1: the cores are still all there, so the check must fail"
    grep -q "works alone with 1 thread on cores" "$folder/err" || fail "SLURM_CPUS_ON_NODE=1"
fi
[ $failures -eq 0 ]
