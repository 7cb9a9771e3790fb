#!/bin/bash
# Functions of at most 80 lines, median 20, 90th percentile 50; files of at most 600 lines,
# lines of at most 100 columns.
# A function is counted from the line of its name to its closing brace.
# Usage: sizes.sh SOURCE_DIR
set -u
cd "$1" || exit 1
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

lengths=$(find src include tools -name '*.[ch]' | sort | xargs awk '
    FNR == 1 { start = 0; inside = 0 }
    /^[A-Za-z_].*\(/ && !/;$/ && !inside { start = FNR; name = $0 }
    /^{$/ { inside = start > 0 }
    /^}/ {
        if (inside && $0 == "}")
            print FNR - start + 1, FILENAME ":" start, name
        start = inside = 0
    }' | sort -n)
n=$(wc -l <<<"$lengths")
[ "$n" -gt 300 ] || fail "only $n functions found"
at() { sed -n "$1p" <<<"$lengths" | cut -d' ' -f1; }
median=$(at $(((n + 1) / 2))) ninth=$(at $(((n * 9 + 9) / 10)))
echo "$n functions: median $median lines, 90th percentile $ninth, longest:"
tail -n 3 <<<"$lengths"
[ "$median" -le 20 ] || fail "the median function has $median lines, more than 20"
[ "$ninth" -le 50 ] || fail "the 90th percentile is $ninth lines, more than 50"
long=$(awk '$1 > 80' <<<"$lengths")
[ -z "$long" ] || fail "functions of more than 80 lines:"$'\n'"$long"

sizes=$(find src include tools -type f ! -name '*.pyc' -exec wc -l {} + | grep -v ' total$' | sort -n)
echo "longest files:"
tail -n 3 <<<"$sizes"
long=$(awk '$1 > 600' <<<"$sizes")
[ -z "$long" ] || fail "files of more than 600 lines:"$'\n'"$long"

wide=$(find src include tools tests -name '*.[ch]' | sort | LC_ALL=C.UTF-8 xargs awk 'length > 100 { print FILENAME ":" FNR }')
[ -z "$wide" ] || fail "lines of more than 100 columns:"$'\n'"$wide"

[ $failures -eq 0 ]
