#!/bin/bash
# Long campaigns of what tests/ tries shortly. Each line of the result says what was tried, how often, and how
# often something was lost; the folder of a loss is kept.
#
#     tools/torture.sh CAMPAIGN [ARGUMENT]       no campaign: the list of them
#
# Environment: BUILD (build), SEED (1).
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/environment.sh
source=$PWD build=$(realpath "${BUILD:-build}") campaign=${1:-} RANDOM=${SEED:-1}
if [ ! -f "tools/torture/$campaign.sh" ] || [ "$campaign" = common ]; then
    sed -n '2,/^$/s/^# \{0,1\}//p' tools/torture.sh
    # the first lines of a campaign's file say what it does
    for file in tools/torture/*.sh; do
        [ "$file" = tools/torture/common.sh ] || sed '/^#/!Q; s/^# \{0,1\}//' "$file"
    done
    exit 64
fi
[ "$campaign" = fuzz ] && exec bash tools/torture/fuzz.sh "${@:2}" # it has a build of its own
finetune=$build/finetune
[ -x "$finetune" ] || { echo "$finetune does not exist: build it first (README.md)"; exit 64; }
work=$(mktemp -d)
cd "$work" || exit 1
shift
. "$source/tools/torture/common.sh"
. "$source/tools/torture/$campaign.sh"
[ -n "$struck" ] && echo "$struck of them were hit before their end"
[ "$hung" -gt 0 ] && echo "$hung times mpirun hung when all ranks had ended, and was killed"
echo "$campaign: $tried tried, $lost lost"
[ "$lost" -eq 0 ] && cd / && rm -rf "$work"
[ "$lost" -eq 0 ]
