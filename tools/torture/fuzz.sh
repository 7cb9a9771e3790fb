# fuzz [20 [TARGET...]]  parsers, each by libFuzzer for so many minutes of processor time at idle priority, on top of
#                 the committed corpus (tests/fuzz/README.md). Executions, seconds, edges, findings of each target,
#                 now and in all calls so far. Builds the preset "fuzz" first (clang).

# Work in build-fuzz/work/TARGET: corpus/ grows, findings/ holds inputs to look at, runs has a line for each run
# (executions, seconds, edges, findings). Each run is short, so that a new build is taken at the next one.
# FUZZ_NO_BUILD=1: what is built is run, for several calls at a time. Limits: 512 MB; for an input 2 s of processor
# time (tests/fuzz/fuzz.c), and 120 s, because at idle priority a process may have to wait.
#
# HDF5 believes what a file says once its checksums are right, and crashes. So h5 runs in a process of its own, which
# may end; what crashed in HDF5 without touching the program's memory goes to library/, not to findings/.
set -u
cd "$(dirname "$0")/../.." || exit 1
minutes=${1:-20}
if [ -z "${FUZZ_NO_BUILD:-}" ]; then
    [ -e build-fuzz/CMakeCache.txt ] || cmake --preset fuzz >/dev/null || exit 1
    cmake --build build-fuzz --parallel "$(nproc)" >build-fuzz/build.log || { tail build-fuzz/build.log; exit 1; }
fi
targets=("${@:2}")
[ $# -gt 1 ] || read -ra targets < <(sed -n 's/^set(FT_FUZZ_TARGETS \(.*\))/\1/p' tests/fuzz/CMakeLists.txt)
failures=0
FUZZ_FOLDER=$(mktemp -d -p /dev/shm ft-fuzz-XXXXXX) || exit 1 # processes that end by a finding leave files there
export FUZZ_FOLDER
trap 'rm -rf "$FUZZ_FOLDER"' EXIT

# files FOLDER: how many there are
files() { find "$1" -type f | wc -l; }

# sort_out TARGET: crashes of the HDF5 library leave the findings
sort_out() {
    local work=build-fuzz/work/$1 input runs
    for input in "$work"/findings/*; do
        [ -e "$input" ] || continue
        case $input in */oom-*) mv "$input" "$work/library/" && continue ;; esac # the target limits our own memory
        for runs in 1 3000; do # some crash only by what the library kept of earlier runs
            "build-fuzz/fuzz-$1" -rss_limit_mb=512 -runs=$runs "$input" >"$work/one.log" 2>&1 || break
        done
        grep -aq 'in mem_alloc\|tests/fuzz/fuzz_h5.c:.*broken\|fuzz.c:.*broken' "$work/one.log" && continue
        grep -aE '^    #[0-9]+ .*(libhdf5|/src/|/tests/fuzz/fuzz_)' "$work/one.log" | head -n 1 | grep -aq libhdf5 &&
            mv "$input" "$work/library/"
    done
}

# fuzz TARGET: one run, whose numbers go to the file `runs`
fuzz() {
    local target=$1 work=build-fuzz/work/$1 before after seconds options=()
    before=$(files "$work/findings")
    [ -e "tests/fuzz/$target.dict" ] && options+=(-dict="tests/fuzz/$target.dict")
    [ "$target" = h5 ] && options+=(-fork=1 -ignore_crashes=1)
    seconds=$({ TIMEFORMAT='%U %S'; time chrt -i 0 nice -n 19 "build-fuzz/fuzz-$target" -max_total_time=60 \
        -rss_limit_mb=512 -timeout=120 -report_slow_units=120 -print_final_stats=1 "${options[@]}" \
        -artifact_prefix="$work/findings/" "$work/corpus" "tests/fuzz/corpus/$target" >"$work/log" 2>&1; } 2>&1)
    [ "$target" = h5 ] && sort_out h5
    after=$(files "$work/findings")
    [ "$after" -gt "$before" ] && cp "$work/log" "$work/finding-$after.log"
    awk -v seconds="$seconds" -v findings=$((after - before)) '
        /cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
        /^#[0-9]+: cov/ { n = substr($1, 2) + 0 } # with -fork
        /^stat::number_of_executed_units/ && !/fork/ { if ($2 > n) n = $2 }
        END { split(seconds, s, " "); print n + 0, s[1] + s[2], edges + 0, findings }' "$work/log" >>"$work/runs"
}

sums() {
    awk '{ n += $1; s += $2; e = $3 > e ? $3 : e; f += $4 }
        END { printf "%d executions in %.0f s, %d edges, %d findings", n, s, e, f }'
}

for target in "${targets[@]}"; do
    work=build-fuzz/work/$target
    mkdir -p "$work/corpus" "$work/findings" "$work/library" "tests/fuzz/corpus/$target"
    touch "$work/runs"
    first=$(($(wc -l <"$work/runs") + 1))
    while awk -v first=$first -v most="$minutes" 'NR >= first { s += $2 } END { exit !(s < 60 * most) }' "$work/runs"; do
        fuzz "$target"
        [ "$(tail -n +$first "$work/runs" | awk '{ f += $4 } END { print f + 0 }')" -lt 10 ] || break
    done
    echo "$target: $(tail -n +$first "$work/runs" | sums); so far $(sums <"$work/runs")"
    [ "$(files "$work/findings")" -eq 0 ] || failures=1
done
exit $failures
