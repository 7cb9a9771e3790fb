# A node loses its power in the middle of a step: one of a job by mpirun and one of a job by srun, first a node
# beside the batch script's, then that one. Each job comes back on the nodes that are left, or when the node is back,
# and ends as if nothing had been.
# shellcheck shell=bash disable=SC2154 # finetune, source, work, here: set by run.sh
whole_run
declare -A jobs victims

is_idle() { [ "$(sinfo -h -N -p main -n "$1" -o '%t')" = idle ]; }

for which in other batch; do
    # --exclusive: the two jobs run on two nodes each
    for launcher in mpirun srun; do
        name=$which-$launcher
        jobs[$name]=$(submit "$name" $launcher --exclusive --cpus-per-task=1)
    done
    for launcher in mpirun srun; do
        name=$which-$launcher
        within 300 has_steps "$name" 110 || fail "$name: does not start"
        victims[$launcher]=$(field "${jobs[$name]}" BatchHost)
        if [ $which = other ]; then
            victims[$launcher]=$(scontrol show hostnames "$(field "${jobs[$name]}" NodeList)" |
                grep -vx "${victims[$launcher]}")
        fi
    done
    for launcher in mpirun srun; do
        echo "$which-$launcher on $(field "${jobs[$which-$launcher]}" NodeList) loses ${victims[$launcher]}"
        "$here/cluster.sh" crash "${victims[$launcher]}"
    done
    for launcher in mpirun srun; do
        within 300 has_restarted "${jobs[$which-$launcher]}" 1 || fail "$which-$launcher: not requeued"
    done
    # those that are left are enough for one job at a time
    for launcher in mpirun srun; do
        name=$which-$launcher
        ends "${jobs[$name]}" "$name" COMPLETED 0:0 1
        says "$name" "resumed from the checkpoint of step" || fail "$name: not resumed"
        grep -q "start 1, .*${victims[mpirun]}" "$name.log" && fail "$name: came back on a dead node"
        same_run "$name"
    done
    for launcher in mpirun srun; do "$here/cluster.sh" boot "${victims[$launcher]}" 9>&-; done
    for launcher in mpirun srun; do
        within 60 is_idle "${victims[$launcher]}" || fail "${victims[$launcher]} does not come back"
    done
done
says other-mpirun "finetune ended with code 205" || fail "other-mpirun: mpirun has not noticed"
