#!/bin/sh
# A run whose rank count changes: each start loads what the last one saved. Usage: ckpt_resize.sh MPIEXEC PROGRAM
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
step=0
for n in 3 2 1 4 2; do
    "$1" -q -np "$n" "$2" "$folder" "$step"
    step=$((step + 1))
done
