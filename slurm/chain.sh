#!/bin/bash
# Three Slurm jobs, one after another: tokenising, training, evaluation:
#
#     slurm/chain.sh my-run.cfg
#     slurm/chain.sh --partition=long --account=x my-run.cfg training.lr=1e-5
#     TRAIN_OPTIONS="--nodes=8 --time=2-00:00" slurm/chain.sh my-run.cfg
#     TRAIN_SCRIPT=slurm/transfer.sbatch slurm/chain.sh my-transfer.cfg
#
# A job begins when the one before it has ended well, however often that went back into the queue; where one
# fails those after it are removed from the queue. The jobs' numbers go to standard output. Options before
# RUN.cfg go to sbatch for all three, in the form --name=value; what follows RUN.cfg goes to finetune each time.
#
# Environment: PREPARE_OPTIONS, TRAIN_OPTIONS, EVALUATE_OPTIONS: of sbatch for one of them; TRAIN_SCRIPT
# (slurm/finetune.sbatch); and what slurm/common.sh names.
set -euo pipefail

home=${FINETUNE_HOME:-$(cd "$(dirname "$0")/.." && pwd)}
options=()
while [[ ${1:-} == -* ]]; do
    options+=("$1")
    shift
done
if [ $# -lt 1 ]; then
    echo "usage: slurm/chain.sh [--option-of-sbatch=value ...] RUN.cfg [section.key=value ...]" >&2
    exit 64
fi
submitted=()
give_up() {
    echo "slurm/chain.sh: sbatch failed${submitted[*]:+; cancelled: ${submitted[*]}}" >&2
    [ ${#submitted[@]} -eq 0 ] || scancel "${submitted[@]}"
    exit 1
}

# submit NAME SCRIPT OPTIONS ARGUMENTS...: after the jobs submitted before; OPTIONS: words
submit() {
    local name=$1 script=$2 words job
    read -r -a words <<<"$3"
    shift 3
    if [ ${#submitted[@]} -gt 0 ]; then
        words+=(--dependency="afterok:${submitted[-1]}" --kill-on-invalid-dep=yes)
    fi
    job=$(sbatch --parsable "${options[@]}" "${words[@]}" "$script" "$@") || give_up
    submitted+=("${job%%;*}") # "number;cluster" where there are several clusters
    echo "$name ${job%%;*}"
}

submit prepare "$home/slurm/prepare.sbatch" "${PREPARE_OPTIONS:-}" "$@"
submit train "${TRAIN_SCRIPT:-$home/slurm/finetune.sbatch}" "${TRAIN_OPTIONS:-}" "$@"
submit evaluate "$home/slurm/evaluate.sbatch" "${EVALUATE_OPTIONS:-}" "$@"
