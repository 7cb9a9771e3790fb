#!/bin/bash
# One group of tests of the jobs in slurm/, on a real Slurm of four virtual nodes; starts and stops the cluster.
# shellcheck disable=SC2154 # finetune, source, work, failures: set by train_common.sh
# Usage: tests/slurm/run.sh FINETUNE MPIEXEC SOURCE_DIR GROUP; as root. GROUP: a file of this folder, see
# README.md. 77: this machine cannot do it.
here=$(cd "$(dirname "$0")" && pwd)
group=${4:-}
if [ ! -f "$here/groups/$group.sh" ]; then
    echo "run.sh: name a group: $(cd "$here/groups" && echo *.sh | sed 's/\.sh//g')"
    exit 64
fi
if ! "$here/cluster.sh" can; then
    echo "skipped"
    exit 77
fi
exec 9>>/run/lock/finetune-slurm-tests && flock 9 || exit 1 # one cluster: another run's end is waited for
# shellcheck source=tests/cli/train_common.sh
. "$here/../cli/train_common.sh" # sets finetune, source, work, failures
unset TMPDIR                     # nodes have their own
unset OMP_NUM_THREADS            # the scripts' business
export FINETUNE=$finetune # FINETUNE_HOME: found by the scripts themselves
steps=800 # of a run that is to be interrupted: some ten seconds of two idle cores

trap '"$here/cluster.sh" down; rm -rf "$work"' EXIT
[ "$group" = crash ] && export FT_SLURM_TIMEOUT=30
"$here/cluster.sh" up 9>&- || exit 1
eval "$("$here/cluster.sh" env)"

# 756 windows of 64 tokens: a step is work of some hundredths of a second
awk 'BEGIN {
    split("alpha beta gamma the rights of copy and holders shall be granted without fee", word, " ")
    srand(7)
    for (i = 0; i < 300; i++) {
        text = "document " i ":"
        for (j = 0; j < 30; j++) text = text " " word[1 + int(14 * rand())]
        printf "{\"text\": \"%s\"}\n", text
    }
}' >work.jsonl
cat >work.cfg <<EOF
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "work.jsonl"; seq_len = 64; };
training: { max_steps = $steps; micro_batch = 16; global_batch = 32; lr = 1e-3; };
checkpoint: { every_steps = 50; };
output: { dir = "unnamed"; };
EOF

# field JOB NAME: as scontrol shows it
field() { scontrol show job -o "$1" | sed -n "1s/.* $2=\([^ ]*\).*/\1/p"; }

# within SECONDS COMMAND...: repeats it until it succeeds
within() {
    local end=$((SECONDS + $1))
    while ((SECONDS <= end)); do
        "${@:2}" && return
        sleep 0.2
    done
    return 1
}

has_no_jobs() { [ -z "$(squeue -h)" ]; }
is_over() { [[ $(field "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED)$ ]]; }
has_restarted() { [[ $(field "$1" Restarts) -ge $2 ]]; } # JOB TIMES
last_step() { losses "$1" 2>/dev/null | tail -n 1 | cut -d' ' -f1 | grep . || echo 0; }
has_steps() { [ -e "$1/metrics.jsonl" ] && [ "$(last_step "$1")" -ge "$2" ]; } # NAME STEPS
says() { grep -q -- "$2" "$1.log" 2>/dev/null; }                               # NAME PATTERN

# submit NAME LAUNCHER [--option=of-sbatch | section.key=value ...]: the job's number; log and output folder
# are called NAME
submit() {
    local name=$1 launcher=$2 argument options=() settings=()
    for argument in "${@:3}"; do
        if [[ $argument == -* ]]; then options+=("$argument"); else settings+=("$argument"); fi
    done
    FINETUNE_LAUNCHER=$launcher sbatch --parsable --time=60 --output="$name.log" "${options[@]}" \
        "$source/slurm/finetune.sbatch" work.cfg output.dir="$name" "${settings[@]}"
}

# ends JOB NAME STATE CODE RESTARTS: waits for the end and compares; CODE and RESTARTS are patterns
ends() {
    within 900 is_over "$1" || fail "$2: job $1 does not end"
    local result
    result="$(field "$1" JobState) $(field "$1" ExitCode) $(field "$1" Restarts)"
    echo "job $1 ($2): $result, after $SECONDS s"
    # shellcheck disable=SC2053 # patterns
    [[ $result == $3\ $4\ $5 ]] || {
        sed 's/^/    | /' "$2.log"
        fail "$2: job $1 ended as $result, expected $3 $4 $5"
    }
}

# same_run NAME [REFERENCE]: to the last bit that of the run without a disturbance
same_run() {
    local reference=${2:-whole}
    [ "$(losses "$1")" = "$(losses "$reference")" ] || fail "$1: losses differ from $reference"
    cmp "$1/final/model.safetensors" "$reference/final/model.safetensors" || fail "$1: the model differs"
    [ ! -e "$1.restarts" ] || fail "$1: file of restarts left behind"
}

# whole_run [section.key=value ...]: the run without a disturbance
whole_run() { ends "$(submit whole mpirun "$@")" whole COMPLETED 0:0 0; }

# shellcheck source=/dev/null
. "$here/groups/$group.sh"
[ "$failures" -eq 0 ] && echo "$group: all passed in $SECONDS s"
[ "$failures" -eq 0 ]
