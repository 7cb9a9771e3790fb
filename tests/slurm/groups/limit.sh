# The time limit is really hit: the program saves by itself shortly before, or when Slurm's USR1 warns it. Either
# way the job goes on until it is finished, as if there were no limit.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh

# steps for some 70 s of one run alone
ends "$(submit pace mpirun training.max_steps=200 training.schedule=constant)" pace COMPLETED 0:0 0
ms=$(sed -n 's/.*"ms": \([0-9]*\).*/\1/p' pace/metrics.jsonl | awk '{ sum += $1 } END { print int(sum / NR) + 1 }')
steps=$((70000 / ms < 20000 ? 70000 / ms : 20000))
echo "$ms ms a step, $steps steps"
settings=("training.max_steps=$steps" checkpoint.every_steps=0)
whole_run "${settings[@]}"

# URG, which says nothing to a script, in place of USR1: the program has only SLURM_JOB_END_TIME
declare -A jobs
for launcher in mpirun srun; do
    name=itself-$launcher
    jobs[$name]=$(submit "$name" $launcher --time=1 --signal=B:URG@1 "${settings[@]}")
    name=warned-$launcher
    jobs[$name]=$(submit "$name" $launcher --time=2 --signal=B:USR1@60 "${settings[@]}")
done
for launcher in mpirun srun; do
    name=itself-$launcher
    ends "${jobs[$name]}" "$name" COMPLETED 0:0 "[1-9]*"
    says "$name" "stopped by the time limit of the job after step" || fail "$name: not stopped by the limit"
    says "$name" "stopped by a signal" && fail "$name: stopped by a signal"
    same_run "$name"
    name=warned-$launcher
    ends "${jobs[$name]}" "$name" COMPLETED 0:0 "[1-9]*"
    says "$name" "stopped by a signal after step" || fail "$name: not warned"
    same_run "$name"
done
for name in itself-mpirun itself-srun warned-mpirun warned-srun; do
    echo "$name: $(grep -c "ended with code 75" "$name.log") times at the limit"
    [ "$(grep -c "ended with code 75" "$name.log")" -eq "$(field "${jobs[$name]}" Restarts)" ] ||
        fail "$name: came back for another reason"
done
