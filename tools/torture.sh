#!/bin/bash
# Long campaigns of what tests/ tries shortly: runs that are killed, signalled, slowed, locked out. Each line of
# the result says what was tried, how often, and how often something was lost; the folder of a loss is kept.
#
#     tools/torture.sh CAMPAIGN [N]        kill 300 | signal 200 | lock 50 | slow 100 | soak 20
#     tools/torture.sh fuzz [MINUTES [TARGET...]]      parsers: tools/torture/fuzz.sh
#
# kill    kill -9 of a random rank at a random time, 2 to 4 ranks, then the same command again: final model and
#         losses have the bits of the undisturbed run
# signal  SIGTERM or SIGUSR1 to a random rank at a random time: code 75 (or 0 at the end), then as above
# lock    two jobs at once in one output folder: one goes on, the other ends with 73
# slow    a rank stopped nine tenths of the time, watchdog 2 s: never tripped
# soak    N times 100 steps with 10 checkpoints, one run: memory, descriptors, files, shared memory
#
# Environment: BUILD (build), SEED (1).
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/environment.sh
[ "${1:-}" = fuzz ] && exec tools/torture/fuzz.sh "${@:2}"
source=$PWD build=${BUILD:-build} campaign=${1:-} RANDOM=${SEED:-1}
finetune=$(realpath "$build/finetune") || exit 64
export OMP_NUM_THREADS=1
work=$(mktemp -d)
cd "$work" || exit 1
tried=0 lost=0 struck=0 # struck: a process was still there to be hit

for i in 0 1 2 3 4 5 6 7; do
    text=
    for j in 0 1 2 3 4 5 6; do text="$text word$(((i * 7 + j * j + j * i) % 10))"; done
    echo "{\"text\": \"document $i:$text\"}"
done >train.jsonl
cat >run.cfg <<END
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "train.jsonl"; validation = "train.jsonl"; cache = "cache"; seq_len = 16; };
training: { max_steps = 400; micro_batch = 2; global_batch = 7; lr = 1e-3; warmup = 3; eval_every = 50; };
checkpoint: { every_steps = 20; keep = 3; };
output: { dir = "unnamed"; };
END

run() { # NP DIR [section.key=value ...]
    local np=$1 dir=$2
    shift 2
    timeout 120 mpirun -q -np "$np" "$finetune" run.cfg output.dir="$dir" "$@" >"$dir.out" 2>"$dir.err"
}
losses() { sed -n 's/.*"step": \([0-9]*\),.*"\(eval_\)\{0,1\}loss": \([^,]*\),.*/\1 \2\3/p' "$1/metrics.jsonl"; }
ranks_of() { pgrep -f "^$finetune run.cfg output.dir=$1( |\$)"; }
same() { # A B
    cmp -s "$1/final/model.safetensors" "$2/final/model.safetensors" && [ "$(losses "$1")" = "$(losses "$2")" ]
}
lose() { # DIR WHAT
    lost=$((lost + 1))
    echo "lost: $2 ($work/$1)"
    tail -n 5 "$1.err"
}
pause() { sleep "$(awk -v r=$RANDOM -v most="$1" 'BEGIN { print 0.05 + most * r / 32768 }')"; }

# references NP...: undisturbed runs, and how long they take
declare -A seconds
references() {
    local np start
    for np in "$@"; do
        start=$EPOCHREALTIME
        run "$np" "whole-$np" || { cat "whole-$np.err"; exit 1; }
        seconds[$np]=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
    done
}

# disturb SIGNAL CODES: one run, disturbed at a random time, and started again until it is done
disturb() {
    local np=$((2 + RANDOM % 3)) dir=run-$tried pids code attempt
    run "$np" "$dir" &
    local job=$!
    pause "${seconds[$np]}"
    mapfile -t pids < <(ranks_of "$dir")
    [ ${#pids[@]} -gt 0 ] && kill "-$1" "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
    wait $job
    code=$?
    tried=$((tried + 1))
    [ $code -ne 0 ] && struck=$((struck + 1))
    [[ " $2 " == *" $code "* ]] || { lose "$dir" "code $code"; return; }
    for attempt in 1 2 3; do run "$np" "$dir" && break; done
    if same "whole-$np" "$dir"; then rm -rf "$dir" "$dir".*; else lose "$dir" "another result at np $np"; fi
}

case $campaign in
kill)
    references 2 3 4
    for ((n = ${2:-300}; n > 0; n--)); do disturb KILL "0 1 137"; done ;;
signal)
    references 2 3 4
    for ((n = ${2:-200}; n > 0; n--)); do
        if ((RANDOM % 2)); then disturb USR1 "0 75 138"; else disturb TERM "0 75 143"; fi
    done ;;
lock)
    for ((n = ${2:-50}; n > 0; n--)); do
        dir=both-$tried
        timeout 120 mpirun -q -np 2 "$finetune" run.cfg output.dir="$dir" training.max_steps=100 >a.out 2>a.err &
        timeout 120 mpirun -q -np 2 "$finetune" run.cfg output.dir="$dir" training.max_steps=100 >b.out 2>b.err
        second=$?
        wait $!
        first=$?
        tried=$((tried + 1))
        # the one that comes late may find the run finished, which is no error
        cat a.err b.err >"$dir.err"
        if [ "$((first + second))" -eq 73 ] && grep -q "is in use" "$dir.err"; then
            rm -rf "$dir" "$dir.err"
        elif [ "$((first + second))" -eq 0 ] && grep -q "finished" "$dir.err"; then
            rm -rf "$dir" "$dir.err"
        else
            lose "$dir" "codes $first and $second"
        fi
    done ;;
slow)
    for ((n = ${2:-100}; n > 0; n--)); do
        dir=slow-$tried
        run 2 "$dir" training.max_steps=100000 distributed.watchdog_s=2 &
        job=$!
        sleep 1
        mapfile -t pids < <(ranks_of "$dir")
        victim=${pids[RANDOM % ${#pids[@]}]}
        for i in 1 2 3; do
            kill -STOP "$victim" && sleep 1.35
            kill -CONT "$victim" && sleep 0.15
        done
        kill -USR1 "$victim"
        wait $job
        code=$?
        tried=$((tried + 1))
        if [ $code -eq 75 ]; then rm -rf "$dir" "$dir".*; else lose "$dir" "code $code"; fi
    done ;;
soak)
    before=$(find /dev/shm -name "*finetune*" | wc -l)
    for ((n = 1; n <= ${2:-20}; n++)); do
        run 2 soak training.max_steps=$((100 * n)) checkpoint.every_steps=10 || lose soak "code $?"
        tried=$((tried + 1))
        sed -n 's/.*memory of a rank: \([0-9.]* GiB\) at most.*/\1/p' soak.err
    done
    echo "files in the run's folder: $(find soak -type f | wc -l); in shared memory $(($(find /dev/shm -name "*finetune*" |
        wc -l) - before)) more; temporary $(find /tmp -maxdepth 1 -newer run.cfg -name "ft-*" | wc -l)" ;;
*)
    sed -n '2,17s/^# \{0,1\}//p' "$source/tools/torture.sh"
    exit 64 ;;
esac
[ $struck -gt 0 ] && echo "$struck of them were hit before their end"
echo "$campaign: $tried tried, $lost lost"
[ "$lost" -eq 0 ] && rm -rf "$work"
[ "$lost" -eq 0 ]
