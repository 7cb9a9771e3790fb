# scontrol requeue, ten times in one run, by either launcher: the run comes out as if nothing had been.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
times=${FT_SLURM_REQUEUES:-10}
whole_run training.max_steps=$((2 * steps))
declare -A jobs reached
for launcher in mpirun srun; do
    jobs[$launcher]=$(submit $launcher $launcher training.max_steps=$((2 * steps)) checkpoint.every_steps=10)
    reached[$launcher]=0
done
for ((i = 1; i <= times; i++)); do
    for launcher in mpirun srun; do # a new checkpoint, so that each start has brought something
        within 300 has_steps $launcher $((reached[$launcher] + 25)) || fail "$launcher: no progress in start $i"
        scontrol requeue "${jobs[$launcher]}"
    done
    for launcher in mpirun srun; do
        within 120 has_restarted "${jobs[$launcher]}" $i || fail "$launcher: not requeued the ${i}th time"
        reached[$launcher]=$(last_step $launcher)
    done
    echo "requeued $i times: at step ${reached[mpirun]} and ${reached[srun]}, $SECONDS s"
done
for launcher in mpirun srun; do
    ends "${jobs[$launcher]}" $launcher COMPLETED 0:0 "$times"
    [ "$(grep -c "resumed from the checkpoint of step" $launcher.log)" -eq "$times" ] ||
        fail "$launcher: not resumed $times times"
    same_run $launcher
done
