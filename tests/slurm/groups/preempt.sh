# Another job takes the nodes: with 30 s of grace, in which the program saves and the job goes back into the queue,
# and without, where the last periodic checkpoint counts.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
whole_run
declare -A jobs

# one that is warned before it has anything to show
cat >early <<'EOF'
#!/bin/bash
[ "${SLURM_RESTART_COUNT:-0}" -ge 1 ] && exit 0
trap 'exit 75' USR1
touch early-is-ready
for ((i = 0; i < 3000; i++)); do sleep 0.1; done
EOF
chmod +x early

for partition in scavenger bare; do
    for launcher in mpirun srun; do
        name=$partition-$launcher
        jobs[$name]=$(submit "$name" $launcher --partition=$partition)
    done
    if [ $partition = scavenger ]; then
        jobs[early]=$(FINETUNE=$work/early submit early mpirun --partition=$partition --nodes=1 --ntasks-per-node=1)
        within 100 test -e early-is-ready || fail "early: does not start"
    fi
    for launcher in mpirun srun; do
        within 300 has_steps $partition-$launcher 110 || fail "$partition-$launcher: does not start"
    done
    first=$(sbatch --parsable --nodes=4 --exclusive --time=5 --output=first.log --wrap "echo here; sleep 5")
    for launcher in mpirun srun; do
        name=$partition-$launcher
        ends "${jobs[$name]}" "$name" COMPLETED 0:0 1
        says "$name" "resumed from the checkpoint of step" || fail "$name: not resumed"
        same_run "$name"
    done
    ends "$first" first COMPLETED 0:0 0
done
for launcher in mpirun srun; do
    says scavenger-$launcher "finetune ended with code 75" || fail "scavenger-$launcher: not saved"
done
ends "${jobs[early]}" early COMPLETED 0:0 1
