#!/bin/bash
# Lists the files and texts that the tests have refused, each with its name, and counts them by kind. Exit code 1
# where a test fails or there are fewer than 250. Usage: tools/hostile.sh [BUILD_FOLDER (build)]
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/environment.sh
export OMP_NUM_THREADS=1
build=${1:-build} failed=0
list=$(mktemp)
trap 'rm -f "$list"' EXIT
for file in $(grep -rl 'check_hostile(' tests/unit tests/mpi); do
    name=$(basename "$file" .c)
    [[ $file == tests/mpi/* ]] && name=test_mpi_${name#test_}
    "$build/tests/$name" >"$list.one" 2>"$list.err" || { cat "$list.err"; echo "FAILED: $name"; failed=1; }
    grep '^hostile: ' "$list.one" >>"$list"
done
rm -f "$list.one" "$list.err"
sort -u "$list"
echo
sort -u "$list" | sed 's/^hostile: \([^:]*\): .*/\1/' | sort | uniq -c
n=$(sort -u "$list" | wc -l)
echo "$n cases, each refused with its code and a message that names what is wrong"
[ "$n" -ge 250 ] && [ $failed -eq 0 ]
