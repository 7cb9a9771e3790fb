# soak [20 [2000]] so many starts of one run, 100 steps with 10 checkpoints each; then so many steps with a checkpoint
#                 every 10 in one process, some ten minutes: no growth of memory (under 1 MB an hour), open files,
#                 left files, shared memory
small_run
for _ in {1..40}; do cat train.jsonl; done >many.jsonl
mv many.jsonl train.jsonl
# what jobs leave behind: Open MPI's files in memory and elsewhere lie here
mkdir left
export TMPDIR=$work/left OMPI_MCA_btl_vader_backing_directory=$work/left
# sample DIR: seconds, process, resident KiB, open files of each rank, until the run is over
sample() {
    local pid begin=$EPOCHREALTIME
    while kill -0 $job 2>/dev/null; do
        for pid in $(ranks_of "$1"); do
            echo "$(seconds_between "$begin" "$EPOCHREALTIME") $pid \
$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status") $(find "/proc/$pid/fd" -type l | wc -l)"
        done 2>/dev/null
        sleep 1
    done
}
# growth FILE: largest slope of memory over ranks by least squares (MB/h), and fewest open files in the third and in
# the last quarter of the time (a sample may fall into a checkpoint, which has some more). The first third is not
# looked at. Memory that grows by right: the loss of each step, 8 bytes, twice.
growth() {
    awk 'NF == 4 { t[NR] = $1; p[NR] = $2; r[NR] = $3; f[NR] = $4; last = $1 }
        END {
            worst = -1e9
            for (i in t) if (t[i] > last / 3) {
                n[p[i]]++; x[p[i]] += t[i]; y[p[i]] += r[i]; xx[p[i]] += t[i]^2; xy[p[i]] += t[i] * r[i]
                if (t[i] < last / 2) continue
                quarter = t[i] < last * 3 / 4 ? 3 : 4
                if (!(quarter in files) || f[i] < files[quarter]) files[quarter] = f[i]
            }
            for (q in n) if (n[q] > 10) {
                s = (n[q] * xy[q] - x[q] * y[q]) / (n[q] * xx[q] - x[q]^2) * 3600 / 1024
                if (s > worst) worst = s
            }
            printf "%.3f %d %d %d\n", worst, files[3], files[4], last
        }' "$1"
}
files_of() { find "$1" -mindepth 1 | sed "s|^$1/||; s/step-[0-9]*/step/" | sort | uniq -c; }

# long_process STEPS
long_process() {
    local slope early late took patience=7200
    run 2 long training.max_steps="$1" checkpoint.every_steps=10 training.global_batch=700 training.micro_batch=64 \
        training.eval_every=500 &
    job=$!
    sample long >samples
    wait $job || lose long "code $?"
    tried=$((tried + 1))
    read -r slope early late took <<<"$(growth samples)"
    echo "one process: $took s, memory $slope MB an hour, open files $early, at the end $late"
    awk -v s="$slope" 'BEGIN { exit !(s < 1) }' || lose long "memory grows"
    [ "$late" -le "$early" ] || lose long "open files grow"
}

for ((n = 1; n <= ${1:-20}; n++)); do
    run 2 starts training.max_steps=$((100 * n)) checkpoint.every_steps=10 || lose starts "code $?"
    tried=$((tried + 1))
    [ $n -eq 1 ] && files_of starts >files.first
    sed -n 's/.*memory of a rank: \([0-9.]* GiB\) at most.*/\1/p' starts.err >>memory
done
files_of starts | diff files.first - || lose starts "the folder holds other files than after the first start"
echo "memory of a rank over the starts: $(sort -u memory | tr '\n' ' ')"

[ "${2:-2000}" -eq 0 ] || long_process "${2:-2000}"
left=$(find left -not -type d)
echo "files left behind: ${left:-none}"
[ -z "$left" ] || lose starts "files are left behind"
