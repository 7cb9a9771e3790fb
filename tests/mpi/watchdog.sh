#!/bin/bash
# What the watchdog says of ranks that wait for each other, and of one that does nothing.
# Usage: watchdog.sh MPIEXEC TEST_MPI_WATCHDOG
set -u
failures=0

# ends NP HOW PART: one line with this part, code 76
ends() {
    local out got
    out=$(timeout 60 "$1" -q -np "$2" "$3" "$4" 2>&1)
    got=$?
    [ $got -eq 76 ] && [ "$(grep -c '^finetune: error: ' <<<"$out")" -eq 1 ] && grep -qE "$5" <<<"$out" || {
        echo "FAILED: np $2 $4 gave $got: $out"
        failures=$((failures + 1))
    }
}
for np in 2 3; do
    ends "$1" $np "$2" apart \
        'all ranks have waited for each other for .* s: rank 0 on .* in phase one, rank 1 on .* in phase another'
    ends "$1" $np "$2" stuck "rank $((np - 1)) on .* hangs in phase another"
done
ends "$1" 1 "$2" stuck 'rank 0 on .* hangs in phase one'

[ $failures -eq 0 ]
