#!/bin/bash
# A failure of one rank in any phase ends the job at once: one line, one code on all ranks, no hang.
# Usage: test_faults.sh FINETUNE_FAULTS MPIEXEC SOURCE_DIR
set -u
finetune=$1 mpiexec=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
ranks=3

cat >run.cfg <<'EOF'
model: { path = "m.gguf"; };
data: { train = "t.jsonl"; };
output: { dir = "out"; };
EOF

# try PHASE RANK KIND CODE PART ARGUMENTS...: within 20 s, that code, one error line with that part
try() {
    local phase=$1 rank=$2 kind=$3 code=$4 part=$5 got lines
    shift 5
    FT_FAULT=$phase:$rank:$kind timeout 20 "$mpiexec" -q -np $ranks "$finetune" "$@" >out 2>err
    got=$?
    lines=$(grep -c '^finetune: error: ' err)
    if [ $got -ne "$code" ] || ! grep -qF -- "$part" err ||
        { [ "$kind" = error ] && [ "$lines" -ne 1 ]; }; then
        echo "FAILED: $phase:$rank:$kind gave $got with $lines error lines, expected $code: $part"
        cat err
        failures=$((failures + 1))
    fi
}

# phases that every rank goes through, and those of rank 0 alone
try config 0 error 74 "finetune: error: injected failure in config" check run.cfg
for rank in 1 2; do
    try config-parse $rank error 74 "error: rank $rank: injected failure in config-parse" check run.cfg
done
for rank in 0 1 2; do
    try startup $rank error 74 "injected failure in startup" check run.cfg
    try startup $rank exit 3 "" check run.cfg
    try startup $rank segv 139 "" check run.cfg
done

# the program that is shipped does not obey FT_FAULT
shipped=$(dirname "$(dirname "$finetune")")/finetune
FT_FAULT=startup:0:exit "$shipped" check run.cfg >out 2>err
[ $? -eq 65 ] || { echo "FAILED: $shipped obeys FT_FAULT"; failures=1; }

[ $failures -eq 0 ]
