#!/bin/bash
# Kills the computation of features at random moments, and looks whether the next run reuses what was
# finished and gives the bits of a run that nobody disturbed. Usage: features_kill.sh MPIEXEC PROGRAM TRIALS
set -u
mpiexec=$1 program=$2 trials=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
RANDOM=42
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# run CACHE: the hash of all features, how many documents went through the backbone, the seconds
run() { "$mpiexec" -q -np 1 "$program" "$1" 2>"$folder/err"; }

read -r expected computed seconds < <(run "$folder/undisturbed") || fail "the undisturbed run"
[ "$computed" = 9000 ] || fail "$computed documents computed, not 9000"
n_partial=0 n_leftovers=0
for trial in $(seq "$trials"); do
    cache=$folder/$trial
    run "$cache" >"$folder/out" &
    for _ in $(seq 1000); do # until it begins
        compgen -G "$cache/features-*" >/dev/null && break
        sleep 0.01
    done
    sleep "$(awk -v s="$seconds" -v r=$RANDOM 'BEGIN { printf "%.3f", s * r / 32768 }')"
    victim=$(pgrep -f "^$program $cache\$")
    [ -n "$victim" ] && kill -9 $victim
    wait
    scratch=$(grep -m 1 -x '/tmp/ft-corpus-......' "$folder/err") && rm -rf "$scratch"
    leftovers=$(find "$cache" -name '*.tmp.*' 2>/dev/null | wc -l)
    n_leftovers=$((n_leftovers + leftovers))
    read -r hash computed _ < <(run "$cache")
    [ "$hash" = "$expected" ] || fail "trial $trial: other features after the kill: $hash"
    [ "${computed:-0}" -gt 0 ] && [ "$computed" -lt 9000 ] && n_partial=$((n_partial + 1))
    [ "$(find "$cache" -name '*.tmp.*' | wc -l)" -eq 0 ] || fail "trial $trial: temporary files stay"
    for part in "$cache"/features-*/part-*.h5; do
        cmp -s "$part" "$(echo "$folder"/undisturbed/features-*)/${part##*/}" || fail "trial $trial: ${part##*/}"
    done
    rm -rf "$cache"
done
echo "$trials trials: $n_partial reused a part of the cache, $n_leftovers files were left half-written"
[ $failures -eq 0 ]
