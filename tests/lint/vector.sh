#!/bin/bash
# The kernels of math/ exist once per instruction set and call libmvec's vector expf (x86-64, GCC).
# Usage: vector.sh LIBRARY (the archive that holds the objects of math/)
set -u
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

for object in activation.c.o attention.c.o attention_short.c.o loss.c.o; do
    symbols=$(nm "$1" 2>/dev/null | awk -v object="$object:" '
        /:$/ { inside = $0 == object }
        inside && NF >= 2 { print $NF }')
    [ -n "$symbols" ] || fail "no $object in $1"
    for set in 'arch_x86_64_v3|avx2' 'arch_x86_64_v4|avx512f' default; do
        clones=$(grep -cE "\.($set)(\.|$)" <<<"$symbols")
        [ "$clones" -gt 0 ] || fail "$object: no clone for $set"
    done
    # the letter is the instruction set: b SSE, d AVX2, e AVX-512
    for vector in bN4 dN8; do
        grep -qx "_ZGV${vector}v_expf" <<<"$symbols" || fail "$object does not call _ZGV${vector}v_expf"
    done
    echo "$object: $(grep -E '^_ZGV' <<<"$symbols" | paste -sd' '), $(grep -cE '\.(arch_|avx)' <<<"$symbols") clones"
done

[ $failures -eq 0 ]
