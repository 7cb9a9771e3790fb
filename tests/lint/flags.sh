#!/bin/bash
# Nothing is built with -ffast-math or its parts: they make isfinite(NaN) true, and the guard of the
# loss relies on it. Usage: flags.sh SOURCE_DIR BUILD_DIR
set -u
source=$1 build=$2
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

forbidden='-Ofast|-ffast-math|-funsafe-math-optimizations|-ffinite-math-only|-fassociative-math'
commands=$build/compile_commands.json
n=$(grep -c '"command"' "$commands")
[ "$n" -gt 100 ] || fail "only $n compile commands in $commands"
grep -nE -- "$forbidden" "$commands" && fail "a file is compiled with a forbidden flag"

# what is written down, comments aside
cd "$source" || exit 1
found=$(find . -path './build*' -prune -o \( -name CMakeLists.txt -o -name '*.cmake' \
    -o -name CMakePresets.json -o -name '*.sh' \) -print | grep -v '^./tests/lint/flags.sh$' |
    xargs grep -nE -- "$forbidden" | grep -vE '^[^:]*:[0-9]+:[^"]*#')
[ -z "$found" ] || fail "a forbidden flag:"$'\n'"$found"
found=$(grep -rnE --include='*.[ch]' 'optimize *\(|pragma +(GCC +(optimize|push_options)|STDC)' \
    src include tests tools)
[ -z "$found" ] || fail "flags changed inside a source file:"$'\n'"$found"

# a program linked with them would set flush-to-zero before main
nm "$build/finetune" | grep -q ' set_fast_math$' && fail "finetune is linked with crtfastmath.o"

[ $failures -eq 0 ]
