# slow [100]      a rank stopped nine tenths of the time, watchdog 2 s: never tripped
small_run
for ((n = ${1:-100}; n > 0; n--)); do
    dir=slow-$tried
    run 2 "$dir" training.max_steps=100000 distributed.watchdog_s=2 &
    job=$!
    until [ -s "$dir/metrics.jsonl" ] || ! kill -0 $job 2>/dev/null; do sleep 0.05; done
    mapfile -t pids < <(ranks_of "$dir")
    victim=${pids[RANDOM % ${#pids[@]}]}
    for _ in 1 2 3; do
        kill -STOP "$victim" && sleep 1.35
        kill -CONT "$victim" && sleep 0.15
    done
    kill -USR1 "$victim"
    wait $job
    code=$?
    tried=$((tried + 1))
    if [ $code -eq 75 ]; then rm -rf "$dir" "$dir".*; else lose "$dir" "code $code"; fi
done
