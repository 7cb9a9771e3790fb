# By mpirun and by srun, on two nodes and on four: the losses of a local run, whoever launches the ranks.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
OMP_NUM_THREADS=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 \
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 train 4 local || fail "local run"
cp run.cfg work.cfg
for launcher in mpirun srun; do
    for nodes in 2 4; do
        name=$launcher-$nodes
        ends "$(submit "$name" $launcher --nodes=$nodes --ntasks-per-node=$((4 / nodes)))" "$name" COMPLETED 0:0 0
        for ((i = 1; i <= nodes; i++)); do
            [ "$(grep -c "rank [0-3]: node$i, core" "$name.log")" -eq $((4 / nodes)) ] || fail "$name: ranks on node$i"
        done
        same_losses local "$name" 1e-5 || fail "$name: losses differ from the local run"
        [ "$(losses "$name" | wc -l)" -eq 20 ] || fail "$name: not 20 steps"
        says "$name" "\(59\|60\) min .* s of the job's time are left" || fail "$name: does not know how much time it has"
    done
    says $launcher-2 "4 ranks x 1 threads on node\[1-2\], by $launcher, binding: " || fail "$launcher: binding not told"
    ends "$(submit $launcher-wide $launcher --nodes=2 --ntasks-per-node=1 --cpus-per-task=2)" $launcher-wide \
        COMPLETED 0:0 0
    says $launcher-wide "2 ranks x 2 threads" || fail "$launcher: not two threads a rank"
done

# --- a launcher that does not speak MPI's protocol: N worlds of one rank write nothing. Open MPI sees that
# srun started it and refuses by itself (1); where it does not see it, finetune does (64)
cat >protocol.sbatch <<'EOF'
#!/bin/bash
srun --mpi=none "$FINETUNE" run.cfg output.dir=protocol
echo "Open MPI: code $?"
srun --mpi=none env -u SLURM_NODELIST "$FINETUNE" run.cfg output.dir=protocol
echo "finetune: code $?"
EOF
job=$(sbatch --parsable --nodes=2 --ntasks=2 --time=5 --output=protocol.log protocol.sbatch)
ends "$job" protocol COMPLETED 0:0 0
says protocol "^Open MPI: code 1$" || fail "protocol: not refused by Open MPI"
says protocol "^finetune: code 64$" || fail "protocol: not refused by finetune"
[ "$(grep -c "finetune: error: .* use mpirun, or srun --mpi=pmix" protocol.log)" -eq 1 ] ||
    fail "protocol: not one message"
[ ! -e protocol ] || fail "protocol: something was written"

# --- a copy of the script, which belongs to no checkout
cp "$source/slurm/finetune.sbatch" alone.sbatch
job=$(sbatch --parsable --output=alone.log alone.sbatch run.cfg)
ends "$job" alone FAILED 64:0 0
says alone "no slurm/common.sh in $work: set FINETUNE_HOME" || fail "alone: not told what to do"
