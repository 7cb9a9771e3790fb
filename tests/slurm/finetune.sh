# The jobs of slurm/finetune.sbatch; sourced by run.sh.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
steps=${FT_SLURM_STEPS:-1000} # long enough to be interrupted in the middle

# submit NAME LAUNCHER [section.key=value ...]: job number; log and output folder are called NAME
submit() {
    FINETUNE_LAUNCHER=$2 sbatch --parsable --time=20 --output="$1.log" "$source/slurm/finetune.sbatch" \
        run.cfg output.dir="$1" "${@:3}"
}

has_steps() { [ -e "$1/metrics.jsonl" ] && [ "$(wc -l <"$1/metrics.jsonl")" -ge "$2" ]; }

# --- the same losses as mpirun on this machine, whoever launches the ranks
OMP_NUM_THREADS=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 \
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 train 4 local || fail "local run"
for launcher in mpirun srun; do
    name=short-$launcher
    ends "$(submit "$name" $launcher)" "$name" COMPLETED 0:0 0
    for node in node1 node2; do
        [ "$(grep -c "rank [0-3]: $node, core" "$name.log")" -eq 2 ] || fail "$name: ranks on $node"
    done
    same_losses local "$name" 1e-5 || fail "$name: losses differ from the local run"
    [ "$(losses "$name" | wc -l)" -eq 20 ] || fail "$name: not 20 steps"
done

# --- warned, saved, requeued, finished: bit for bit the undisturbed run
for launcher in mpirun srun; do
    name=warned-$launcher straight=straight-$launcher
    ends "$(submit "$straight" $launcher training.max_steps="$steps")" "$straight" COMPLETED 0:0 0
    job=$(submit "$name" $launcher training.max_steps="$steps")
    within 60 has_steps "$name" 50 || fail "$name: does not start"
    scancel --batch --signal=USR1 "$job"
    ends "$job" "$name" COMPLETED 0:0 1
    grep -q "finetune ended with code 75" "$name.log" || fail "$name: no code 75"
    grep -q "resumed from the checkpoint of step" "$name.log" || fail "$name: not resumed"
    [ "$(losses "$name")" = "$(losses "$straight")" ] || fail "$name: losses differ"
    cmp "$name/final/model.safetensors" "$straight/final/model.safetensors" ||
        fail "$name: the model differs"
    [ ! -e "$name.restarts" ] || fail "$name: file of restarts left behind"
done

# --- cancelled: over for good, a valid checkpoint stays, the same command goes on from it
for launcher in mpirun srun; do
    name=cancelled-$launcher
    settings=(training.max_steps="$steps" checkpoint.every_steps=50)
    job=$(submit "$name" $launcher "${settings[@]}")
    within 60 has_steps "$name" 120 || fail "$name: does not start"
    scancel "$job"
    ends "$job" "$name" CANCELLED "*" 0
    within 60 has_no_jobs || fail "$name: still in the queue"
    sleep 10
    [ "$(field "$job" JobState)" = CANCELLED ] || fail "$name: did not stay cancelled"
    ls "$name/checkpoints"
    job=$(submit "$name" $launcher "${settings[@]}")
    ends "$job" "$name" COMPLETED 0:0 0
    grep -q "resumed from the checkpoint of step" "$name.log" || fail "$name: not resumed"
    [ "$(losses "$name")" = "$(losses straight-$launcher)" ] || fail "$name: losses differ"
done

# --- told to save and end: a last checkpoint, code 75, and not requeued
for launcher in mpirun srun; do
    name=saved-$launcher
    job=$(submit "$name" $launcher training.max_steps="$steps")
    within 60 has_steps "$name" 20 || fail "$name: does not start"
    scancel --batch --signal=TERM "$job"
    ends "$job" "$name" FAILED 75:0 0
    "$finetune" inspect "$name" | grep "step-" || fail "$name: no checkpoint"
done

# --- a launcher that does not speak MPI's protocol: N worlds of one rank write nothing. Open MPI sees that
# srun started it and refuses by itself (1); where it does not see it, finetune does (64)
cat >protocol.sbatch <<'END'
#!/bin/bash
srun --mpi=none "$FINETUNE" run.cfg output.dir=protocol
echo "Open MPI: code $?"
srun --mpi=none env -u SLURM_NODELIST "$FINETUNE" run.cfg output.dir=protocol
echo "finetune: code $?"
END
job=$(sbatch --parsable --nodes=2 --ntasks=2 --time=5 --output=protocol.log protocol.sbatch)
ends "$job" protocol COMPLETED 0:0 0
grep -q "^Open MPI: code 1$" protocol.log || fail "protocol: not refused by Open MPI"
grep -q "^finetune: code 64$" protocol.log || fail "protocol: not refused by finetune"
[ "$(grep -c "finetune: error: .* use mpirun, or srun --mpi=pmix" protocol.log)" -eq 1 ] ||
    fail "protocol: not one message"
[ ! -e protocol ] || fail "protocol: something was written"

# --- a rank that is killed at each start: requeued three times, then given up
cat >dies <<'END'
#!/bin/bash
kill -KILL $$
END
chmod +x dies
ends "$(FINETUNE=$work/dies submit dies mpirun)" dies FAILED 137:0 3
grep -q "given up" dies.log || fail "dies: does not say why it ends"
