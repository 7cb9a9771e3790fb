#!/bin/bash
# Exit codes, texts and rank counts of the program as a user sees them.
# Usage: test_cli.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$1 mpiexec=$2 source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
failures=0

# expect CODE PART COMMAND...: exit code, and a part of stdout or stderr ("" = any)
expect() {
    local code=$1 part=$2 got
    shift 2
    "$@" >out 2>err
    got=$?
    if [ $got -ne "$code" ] || ! cat out err | grep -qF -- "$part"; then
        echo "FAILED: $* gave $got, expected $code with: $part"
        cat out err
        failures=$((failures + 1))
    fi
}

# expect_lines N PART: PART stands in exactly N lines of the last command's stderr
expect_lines() {
    local n
    n=$(grep -cF -- "$2" err)
    if [ "$n" -ne "$1" ]; then
        echo "FAILED: $n lines with: $2, expected $1"
        cat err
        failures=$((failures + 1))
    fi
}

run() { "$mpiexec" -q -np "$@"; }

cat >run.cfg <<'EOF'
model: { path = "m.gguf"; };
data: { train = "t.jsonl"; };
output: { dir = "out"; };
EOF
sed 's/model/modle/' run.cfg >bad.cfg
cp bad.cfg bad # a file without the ending is RUN.cfg too

expect 0 "finetune RUN.cfg" "$finetune" --help
expect 0 "Exit codes" "$finetune" -h
expect 0 "finetune check" "$finetune" --help check
expect 0 "finetune check" "$finetune" check --help
expect 64 "unknown verb chekc; the nearest one is check" "$finetune" --help chekc
expect 0 "finetune 0." "$finetune" --version
expect 74 "cannot write to standard output" bash -c "\"$finetune\" --help >/dev/full"
expect 64 "nothing to do" "$finetune"
expect 64 "unknown verb evalute; the nearest one is evaluate" "$finetune" evalute run.cfg
expect 64 "unknown verb" "$finetune" ""
expect 64 "name the configuration file" "$finetune" check
expect 64 "bad.cfg:1: unknown key modle" "$finetune" check bad.cfg
expect 64 "bad.cfg:1: unknown key modle" "$finetune" bad.cfg
expect 64 "bad:1: unknown key modle" "$finetune" bad
expect 64 "configuration file: cannot open none.cfg: No such file" "$finetune" none.cfg
expect 64 "configuration file: cannot open none.cfg: No such file" "$finetune" check none.cfg
expect 64 "override training.lr: write section.key=value" "$finetune" check run.cfg training.lr
expect 64 "nearest known one is training.lr" "$finetune" check run.cfg training.rl=1
expect 64 "training.lr = 0" "$finetune" check run.cfg training.lr=0
expect 65 "$work/m.gguf" "$finetune" check run.cfg
expect 65 "/x.gguf" "$finetune" check run.cfg model.path=/x.gguf

# one answer and one error line however many ranks; the same code
expect 0 "finetune RUN.cfg" run 2 "$finetune" --help
[ "$(grep -c 'finetune --help' out)" -eq 1 ] || { echo "FAILED: --help twice"; failures=1; }
for np in 1 2 3; do
    expect 64 "unknown key modle" run $np "$finetune" check bad.cfg
    expect_lines 1 "finetune: error:"
    expect 65 "m.gguf" run $np "$finetune" check run.cfg
    expect_lines 1 "finetune: error:"
done
expect_lines 1 "3 ranks x 1 thread"
expect_lines 1 "finetune: rank 2: "
expect_lines 1 "BLAS: OpenBLAS"
OMP_NUM_THREADS=1000 expect 65 "1000 threads but may run on" "$finetune" check run.cfg
expect_lines 1 "cores for 1000 threads of all its ranks"

# a launcher that does not speak this MPI's protocol: 64, and one line
expect 64 "each sees a world of 1" \
    env OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 OMPI_MCA_ess=singleton "$finetune" check run.cfg
expect 64 "each sees a world of 1" env SLURM_STEP_ID=0 SLURM_NTASKS=4 "$finetune" check run.cfg

# every key that the configuration knows is explained, and the shipped files are valid
expect 0 "" "$finetune" --help-config
for key in mode seed model.path data.train training.lr training.best_metric distributed.zero \
    checkpoint.keep output.dir; do
    grep -q "^$key " out || { echo "FAILED: --help-config lacks $key"; failures=1; }
done
n_keys=$(grep -cE '^    \{"' "$source/src/config/keys.c")
n_help=$(grep -cE '^[a-z][a-z0-9_.]* ( \(no default\)|= )' out)
[ "$n_keys" -eq "$n_help" ] || { echo "FAILED: $n_keys keys, $n_help explained"; failures=1; }
for file in "$source"/configs/*.cfg; do
    expect 65 "/none.gguf" "$finetune" check "$file" model.path=/none.gguf
done

[ $failures -eq 0 ]
