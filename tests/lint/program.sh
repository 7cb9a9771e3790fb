#!/bin/bash
# The built program: hardened, and bound to the OpenMP build of OpenBLAS wherever it is started.
# Usage: program.sh FINETUNE OPENBLAS_FOLDER
set -u
program=$1 folder=$2
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

header=$(readelf -hW "$program") dynamic=$(readelf -dW "$program") segments=$(readelf -lW "$program")
symbols=$(readelf --dyn-syms -W "$program")
grep -qE 'Type: +DYN' <<<"$header" || fail "not position-independent (PIE)"
grep -q 'GNU_RELRO' <<<"$segments" || fail "no RELRO"
grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || fail "no BIND_NOW"
grep -qE 'GNU_STACK .* RW +0x' <<<"$segments" || fail "the stack is executable"
grep -q '__stack_chk_fail' <<<"$symbols" || fail "no stack protector"
entries=$(sed -n 's/.*(RU*N*PATH).*\[\(.*\)\]/\1/p' <<<"$dynamic" | tr ':' '\n' | xargs realpath)
grep -qxF "$(realpath "$folder")" <<<"$entries" || fail "$folder is not in the RUNPATH"
loaded=$(env -u LD_LIBRARY_PATH ldd "$program" | awk '$1 ~ /^libopenblas/ { print $3 }')
[ "$(realpath "$(dirname "$loaded")")" = "$(realpath "$folder")" ] ||
    fail "libopenblas is loaded from $loaded, not from $folder"
ldd "$program" | grep -q 'not found' && fail "a library is not found"
echo "libopenblas: $loaded"

[ $failures -eq 0 ]
