#!/bin/bash
# From a fresh clone to a fine-tuned model: set-up, build, example model and texts, and the run of
# configs/quickstart.cfg on two ranks. Arguments are overrides: tools/quickstart.sh training.max_steps=5
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh

ranks=2
cores=$(nproc)
threads=$((cores / ranks))
[ "$threads" -ge 1 ] || threads=1

tools/setup.sh
build build finetune
python3 tools/fetch_examples.py --only smollm2 legal
export OMP_NUM_THREADS=$threads
# unbound: right on any mixture of cores, hardware threads and containers, if not the last percent
mpirun -q -np $ranks --bind-to none build/finetune configs/quickstart.cfg "$@"

# steps differ in their texts: the mean over a quarter of the run shows the trend
metrics=runs/quickstart/metrics.jsonl
if [ -e $metrics ]; then
    echo
    sed -n 's/.*"loss": \([^,]*\), "lr".*/\1/p' $metrics | awk '{ loss[NR] = $1 } END {
        q = int((NR + 3) / 4)
        for (i = 1; i <= q; i++) { first += loss[i] / q; last += loss[NR + 1 - i] / q }
        printf "Mean loss of the first %d steps: %.3f, of the last %d steps: %.3f\n", q, first, q, last }'
fi

echo
echo "The run is in runs/quickstart: metrics.jsonl (the loss of every step), checkpoints/, final/."
echo "Next: build/finetune evaluate configs/quickstart.cfg data.max_windows=32"
