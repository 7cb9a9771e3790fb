#!/bin/bash
# Set-up, example files, build, and every test. Arguments go to ctest: tools/test.sh -L unit
# With --slurm in front also the jobs of slurm/ on a real Slurm, which is installed where it is missing and runs
# on this machine alone (tests/slurm/README.md); as root, half an hour more.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh

which=(-LE slurm)
if [ "${1:-}" = --slurm ]; then
    which=()
    shift
    tests/slurm/cluster.sh install
fi
tools/setup.sh
python3 tools/fetch_examples.py
build build
ctest --test-dir build --output-on-failure --parallel 2 "${which[@]}" "$@"
