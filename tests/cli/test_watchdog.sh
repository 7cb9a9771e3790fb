#!/bin/bash
# A rank that hangs is named and the job ends with 76; a slow one, a job that is suspended, and ranks that
# wait for rank 0's own work are left alone.
. "$(dirname "$0")/classify_common.sh"
limit=3
latest=$((limit + 2 + 6)) # the last part for machines that have other work

# rank_of JOB N: the process of rank N of an mpirun
rank_of() {
    for process in $(pgrep -P "$1"); do
        tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2" &&
            echo "$process"
    done
}

now() { date +%s.%N; }
lives() { [ -n "$(ps -o stat= -p "$1" | grep -v Z)" ]; }

# wait_until COMMAND...: for 60 s at most
wait_until() {
    for _ in $(seq 1200); do
        "$@" && return
        sleep 0.05
    done
    fail "$* does not come true"
}
has_steps() { [ -e "$1/metrics.jsonl" ] && [ "$(wc -l <"$1/metrics.jsonl")" -ge "$2" ]; }

# begin NP DIR [section.key=value ...]: a run in the background; its mpirun in $job, messages in DIR.err
begin() {
    local np=$1 dir=$2
    shift 2
    timeout 120 "$mpiexec" -q -np "$np" "$finetune" run.cfg output.dir="$dir" data.cache="$dir/cache" \
        distributed.watchdog_s=$limit "$@" >"$dir.out" 2>"$dir.err" &
    job=$!
    wait_until pgrep -P $job >/dev/null
    job_mpirun=$(pgrep -P $job)
}

# named DIR CODE RANK PHASE SINCE PROCESS...: one line that names them, code 76, in time, nobody left
named() {
    local dir=$1 code=$2 rank=$3 phase=$4 since=$5 took lines process
    shift 5
    took=$(awk -v a="$since" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }')
    lines=$(grep -c '^finetune: error: ' "$dir.err")
    echo "$dir: rank $rank, phase $phase, ended after $took s at a limit of $limit s"
    cp "$dir.err" err
    [ "$code" -eq 76 ] && [ "$lines" -eq 1 ] || fail "$dir ended with $code and $lines error lines"
    grep -q "^finetune: error: rank $rank on [^ ]* hangs.* in phase $phase[ :].*watchdog_s = $limit)" err ||
        fail "$dir: no word of rank $rank in phase $phase"
    awk -v t="$took" -v most=$latest -v least=$limit 'BEGIN { exit !(t <= most && t > least - 0.6) }' ||
        fail "$dir ended after $took s"
    for process in "$@"; do
        lives "$process" && fail "$dir: process $process is left: $(ps -o pid,stat,args -p "$process")"
    done
}

# --- a process that is stopped while it trains
stop_one() {
    local np=$1 rank=$2 dir=stop-$1-$2 since processes victim
    begin "$np" "$dir" training.max_steps=1000000
    wait_until has_steps "$dir" 20
    sleep 2 # by then the others have heard that it is at the steps
    processes=$(pgrep -P "$job_mpirun")
    victim=$(rank_of "$job_mpirun" "$rank")
    kill -STOP "$victim"
    since=$(now)
    wait $job
    named "$dir" $? "$rank" step "$since" $processes
}

# --- work that does not move: asleep as in a file system that is stuck, or in an endless loop
# hang PHASE_OF_FAULT KIND NP RANK PHASE [section.key=value ...]
hang() {
    local fault=$1 kind=$2 np=$3 rank=$4 phase=$5 dir=hang-$1-$2-$3-$4 since processes
    shift 5
    export FT_FAULT=$fault:$rank:$kind
    begin "$np" "$dir" training.max_steps=4 checkpoint.every_steps=1 "$@"
    unset FT_FAULT
    since=$(now)
    processes=$(pgrep -P "$job_mpirun")
    wait $job
    named "$dir" $? "$rank" "$phase" "$since" $processes
}

# --- nine tenths of the time stopped: slow, and not ended
slow() {
    local rank=$1 dir=slow-$1 victim n=0
    begin 2 "$dir" training.max_steps=1000000 distributed.watchdog_s=2
    wait_until has_steps "$dir" 20
    victim=$(rank_of "$job_mpirun" "$rank")
    while [ $n -lt 8 ] && kill -STOP "$victim"; do
        sleep 0.9
        kill -CONT "$victim"
        sleep 0.1
        n=$((n + 1))
    done
    kill -USR1 "$victim" # signals still reach the run
    wait $job
    local code=$?
    cp "$dir.err" err
    [ $code -eq 75 ] && ! grep -q 'error' err || fail "a slow rank $rank: $n turns, code $code"
}

# --- switched off: stopped for longer than the limit, then goes on
off() {
    local dir=off victim
    begin 2 "$dir" training.max_steps=1000000 distributed.watchdog_s=0
    wait_until has_steps "$dir" 20
    victim=$(rank_of "$job_mpirun" 1)
    kill -STOP "$victim"
    sleep $((limit + 3))
    lives $job || fail "switched off, and the job ended"
    kill -CONT "$victim"
    kill -USR1 "$victim"
    wait $job
    local code=$?
    cp "$dir.err" err
    [ $code -eq 75 ] || fail "switched off: code $code"
}

# --- rank 0 works alone for many times the limit, the others wait
# begin_transfer DIR: such a run, in the background, until it is stopped
begin_transfer() {
    begin 2 "$1" mode=transfer transfer.layer=-1 transfer.pooling=mean transfer.head=mlp \
        training.epochs=100000 training.max_steps=0
    wait_until grep -q 'works alone' "$1.err"
}

# end_transfer DIR: it still works; a signal ends it
end_transfer() {
    local code
    kill -TERM "$(rank_of "$job_mpirun" 0)"
    wait $job
    code=$?
    cp "$1.err" err
    [ $code -eq 75 ] && ! grep -q 'error' err || fail "mode transfer, $1: code $code"
}

alone() {
    limit=1
    begin_transfer alone
    sleep 6
    end_transfer alone
}

# --- the job as a whole is suspended and goes on, rank 0 a little later
suspend() {
    local processes
    begin_transfer suspend
    sleep 1
    processes=$(pgrep -P "$job_mpirun")
    kill -STOP $processes
    sleep $((2 * limit + 1))
    kill -CONT "$(rank_of "$job_mpirun" 1)"
    sleep 0.7
    kill -CONT $processes
    sleep 1
    end_transfer suspend
}

# in_turn COMMAND...: in the background, a few at a time, in a folder of its own
in_turn() {
    local own="$work/own-$*"
    while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n; done
    mkdir "$own" && cp -r run.cfg train.jsonl validation.jsonl bert "$own"
    touch "$own/failed"
    ( cd "$own" || exit 1
      export TMPDIR=$own
      failures=0
      "$@"
      [ $failures -eq 0 ] && rm failed ) &
}

all_cases() {
    local np rank
    for np in 2 3; do
        for ((rank = 0; rank < np; rank++)); do in_turn stop_one $np $rank; done
    done
    in_turn hang prepare-read sleep 2 1 data
    in_turn hang checkpoint-write sleep 2 1 checkpoint
    in_turn hang checkpoint-write loop 2 0 checkpoint
    in_turn hang evaluate sleep 3 2 evaluate data.validation=validation.jsonl training.eval_every=1
    in_turn hang step loop 1 0 step
    in_turn slow 0
    in_turn slow 1
    in_turn off
    in_turn suspend
    in_turn alone
}

if [ $# -gt 3 ]; then # one case by hand: test_watchdog.sh FINETUNE MPIEXEC SOURCE_DIR stop_one 2 1
    in_turn "${@:4}"
else
    all_cases
fi
wait
[ -d "$work/own-${*:4}" ] || [ "$(ls -d "$work"/own-* | wc -l)" -eq 15 ] || fail "not all cases ran"
! ls "$work"/own-*/failed 2>/dev/null && [ $failures -eq 0 ]
