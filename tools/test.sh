#!/bin/bash
# Set-up, example files, build, and every test. Arguments go to ctest: tools/test.sh -L unit
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh

tools/setup.sh
python3 tools/fetch_examples.py
build build
ctest --test-dir build --output-on-failure --parallel 2 "$@"
