#!/bin/bash
# slurm/finetune.sbatch and slurm/transfer.sbatch on a real Slurm of two virtual nodes; starts and stops the
# cluster itself.
# shellcheck disable=SC2154 # finetune, source, work, failures: set by train_common.sh
# Usage: tests/slurm/run.sh FINETUNE MPIEXEC SOURCE_DIR [finetune|transfer]; as root. The last argument leaves
# out the other script's jobs. 77: this machine cannot do it.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/train_common.sh
. "$here/../cli/train_common.sh" # sets finetune, source, work, failures
jobs=${4:-all}
if [[ ! $jobs =~ ^(all|finetune|transfer)$ ]]; then
    echo "run.sh: $jobs is neither finetune nor transfer"
    exit 64
fi
export FINETUNE=$finetune
unset OMP_NUM_THREADS # the script's business

if [ "$(id -u)" != 0 ] || ! unshare --uts --pid --mount --ipc --fork --mount-proc true 2>/dev/null; then
    echo "skipped: needs root and namespaces"
    exit 77
fi
trap '"$here/cluster.sh" down; rm -rf "$work"' EXIT
"$here/cluster.sh" up || exit 1
eval "$("$here/cluster.sh" env)"

field() { scontrol show job -o "$1" | sed -n "s/.* $2=\([^ ]*\).*/\1/p"; }

# within SECONDS COMMAND...: repeats it until it succeeds
within() {
    local i
    for ((i = 0; i < 5 * $1; i++)); do
        "${@:2}" && return
        sleep 0.2
    done
    return 1
}

has_no_jobs() { [ -z "$(squeue -h)" ]; }
is_over() { [[ $(field "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }

# ends JOB NAME STATE CODE RESTARTS: waits for the end and compares; CODE is a pattern
ends() {
    within 240 is_over "$1" || fail "$2: job $1 does not end"
    local result
    result="$(field "$1" JobState) $(field "$1" ExitCode) $(field "$1" Restarts)"
    echo "job $1 ($2): $result"
    sed 's/^/    | /' "$2.log"
    # shellcheck disable=SC2053 # patterns
    [[ $result == $3\ $4\ $5 ]] || fail "$2: job $1 ended as $result, expected $3 $4 $5"
}

if [ "$jobs" != transfer ]; then
    # shellcheck source=tests/slurm/finetune.sh
    . "$here/finetune.sh"
fi
if [ "$jobs" != finetune ]; then
    # shellcheck source=tests/slurm/transfer.sh
    . "$here/transfer.sh"
fi
[ "$failures" -eq 0 ] && echo "all passed"
[ "$failures" -eq 0 ]
