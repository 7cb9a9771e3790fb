# What the campaigns share; tools/torture.sh reads it first. A campaign counts in `tried`, `lost` and, where a run
# may be over before it is hit, `struck`.
export OMP_NUM_THREADS=1
tried=0 lost=0 struck=

# small_run: train.jsonl and run.cfg of a run of seconds
small_run() {
    local i j text
    for i in 0 1 2 3 4 5 6 7; do
        text=
        for j in 0 1 2 3 4 5 6; do text="$text word$(((i * 7 + j * j + j * i) % 10))"; done
        echo "{\"text\": \"document $i:$text\"}"
    done >train.jsonl
    cat >run.cfg <<END_OF_CFG
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "train.jsonl"; validation = "train.jsonl"; cache = "cache"; seq_len = 16; };
training: { max_steps = 400; micro_batch = 2; global_batch = 7; lr = 1e-3; warmup = 3; eval_every = 50; };
checkpoint: { every_steps = 20; keep = 3; };
output: { dir = "unnamed"; };
END_OF_CFG
}

# run NP DIR [section.key=value ...]: for `patience` seconds at most
run() {
    local np=$1 dir=$2
    shift 2
    timeout --kill-after=5 "${patience:-120}" mpirun -q -np "$np" "$finetune" run.cfg output.dir="$dir" "$@" \
        >"$dir.out" 2>"$dir.err"
}
# mpirun may hang when a rank dies in the moment in which it reports to it (PMIx 4.2: a lock in PMIx_server_finalize);
# no rank is left then, and it does not obey SIGTERM
hung=0
launcher_hung() { grep -q "PMIX ERROR: UNREACHABLE" "$1.err"; } # DIR
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
seconds_between() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }

# references NP...: undisturbed runs, and how long they take
declare -A seconds
references() {
    local np start
    for np in "$@"; do
        start=$EPOCHREALTIME
        run "$np" "whole-$np" || { cat "whole-$np.err"; exit 1; }
        seconds[$np]=$(seconds_between "$start" "$EPOCHREALTIME")
    done
}

# disturb SIGNAL CODES VICTIMS: one run of 2 to 4 ranks, disturbed at a random time, and started again until it is
# done. VICTIMS: a function that prints the processes of a folder's run of which one is hit.
disturb() {
    local np=$((2 + RANDOM % 3)) dir=$campaign-$tried pids code attempt
    run "$np" "$dir" 2>/dev/null & # bash would say that it was killed
    local job=$!
    pause "${seconds[$np]}"
    mapfile -t pids < <("$3" "$dir")
    [ ${#pids[@]} -gt 0 ] && kill "-$1" "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
    wait $job
    code=$?
    tried=$((tried + 1))
    [ $code -ne 0 ] && struck=$((struck + 1))
    [ $code -eq 137 ] && launcher_hung "$dir" && hung=$((hung + 1))
    [[ " $2 " == *" $code "* ]] || { lose "$dir" "code $code"; return; }
    for attempt in 1 2 3; do run "$np" "$dir" && break; done
    if same "whole-$np" "$dir"; then rm -rf "$dir" "$dir".*; else lose "$dir" "another result at np $np"; fi
}
