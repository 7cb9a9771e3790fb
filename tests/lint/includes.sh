#!/bin/bash
# A file includes only lower layers or its own folder (a private header there by its bare name); one file
# calls MPI, one folder calls the BLAS.
# Usage: includes.sh SOURCE_DIR
set -u
cd "$1" || exit 1
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

mapfile -t files < <(find src include -name '*.[ch]' | sort)
[ ${#files[@]} -gt 50 ] || fail "only ${#files[@]} files in src and include"

awk '
    BEGIN {
        n = split("base=0 config=1 format=1 math=1 comm=1 token=2 model=2 data=3 optim=3 ckpt=4 train=5 cli=6",
                  pairs, " ")
        for (i = 1; i <= n; i++) {
            split(pairs[i], pair, "=")
            rank[pair[1]] = pair[2]
        }
    }
    FNR == 1 {
        split(FILENAME, part, "/")
        own = part[2]
        if (!(own in rank))
            complain("folder " own " is no layer")
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        n_included++
        layer = quoted[2]
        if (!sub("/.*", "", layer)) # a private header beside the file
            layer = own
        if (!(layer in rank))
            complain("\"" quoted[2] "\": " layer " is no layer")
        else if (layer != own && rank[layer] + 0 >= rank[own] + 0)
            complain(own " (rank " rank[own] ") includes \"" quoted[2] "\" (rank " rank[layer] ")")
    }
    function complain(what) {
        print FILENAME ":" FNR ": " what
        bad = 1
    }
    END {
        print n_included + 0 " includes"
        exit bad || n_included < 100
    }
' "${files[@]}" || fail "include direction"

# only_in PLACE PATTERN: no file outside PLACE (a file or folder) holds PATTERN in code
only_in() {
    local place=$1 pattern=$2 found
    found=$(grep -nE -- "$pattern" "${files[@]}" | grep -v "^$place" | grep -vE '^[^:]*:[0-9]+: *(/\*|\*|//)')
    [ -z "$found" ] || fail "outside $place:"$'\n'"$found"
}
only_in src/comm/comm.c '#[[:space:]]*include[[:space:]]*[<"]mpi'
only_in src/comm/comm.c '\bMPI_[A-Z]'
only_in src/math/ '\b(cblas|openblas)_'
grep -q '#include <mpi.h>' src/comm/comm.c || fail "src/comm/comm.c does not include <mpi.h>"

[ $failures -eq 0 ]
