# stop [50]       SIGSTOP of a random rank at a random time, watchdog 3 s: the job ends with 76 within 2 s of the
#                 limit and names the rank
small_run
references 2 3 4
limit=3 slowest=0
rank_of_process() { tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; }

# stop_one: one run that is stopped once it trains, because before that mpirun itself may still be at work
stop_one() {
    local np=$((2 + RANDOM % 3)) dir=$campaign-$tried pids victim rank start took code
    run "$np" "$dir" distributed.watchdog_s=$limit training.max_steps=100000 checkpoint.every_steps=1000 &
    local job=$!
    until [ -s "$dir/metrics.jsonl" ] || ! kill -0 $job 2>/dev/null; do sleep 0.05; done
    pause 3
    mapfile -t pids < <(ranks_of "$dir")
    victim=${pids[RANDOM % ${#pids[@]}]}
    rank=$(rank_of_process "$victim")
    kill -STOP "$victim"
    start=$EPOCHREALTIME
    while [ -n "$(ranks_of "$dir")" ]; do sleep 0.02; done
    took=$(seconds_between "$start" "$EPOCHREALTIME")
    wait $job
    code=$?
    tried=$((tried + 1))
    slowest=$(printf '%s\n' "$slowest" "$took" | sort -g | tail -n 1)
    if [ $code -ne 76 ] || ! grep -q "error: rank $rank on [^ ]* hangs" "$dir.err"; then
        lose "$dir" "code $code, rank $rank not named"
    elif awk -v t="$took" -v most=$((limit + 2)) 'BEGIN { exit !(t > most) }'; then
        lose "$dir" "ended after $took s"
    else
        rm -rf "$dir" "$dir".*
    fi
}
for ((n = ${1:-50}; n > 0; n--)); do stop_one; done
echo "slowest end: $slowest s after SIGSTOP, at a limit of $limit s"
