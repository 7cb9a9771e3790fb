# Signals by hand: USR1 to the batch script (what Slurm sends before the time limit), TERM to it, and plain scancel.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
whole_run
declare -A jobs

# --- warned, saved, requeued, finished: bit for bit the undisturbed run; told to save and end, not requeued;
# cancelled: over for good
for launcher in mpirun srun; do
    for what in warned saved cancelled; do
        name=$what-$launcher
        jobs[$name]=$(submit "$name" $launcher)
    done
    for what in warned saved cancelled; do
        name=$what-$launcher
        within 200 has_steps "$name" 60 || fail "$name: does not start"
        case $what in
        warned) scancel --batch --signal=USR1 "${jobs[$name]}" ;;
        saved) scancel --batch --signal=TERM "${jobs[$name]}" ;;
        cancelled) scancel "${jobs[$name]}" ;;
        esac
    done
done
for launcher in mpirun srun; do
    name=warned-$launcher
    ends "${jobs[$name]}" "$name" COMPLETED 0:0 1
    says "$name" "finetune ended with code 75" || fail "$name: no code 75"
    says "$name" "stopped by a signal after step" || fail "$name: not stopped by the signal"
    says "$name" "resumed from the checkpoint of step" || fail "$name: not resumed"
    same_run "$name"
    ends "${jobs[saved-$launcher]}" saved-$launcher FAILED 75:0 0
    ends "${jobs[cancelled-$launcher]}" cancelled-$launcher CANCELLED "*" 0
done
within 60 has_no_jobs || fail "still in the queue: $(squeue)"

# --- the same command goes on from what is saved
for launcher in mpirun srun; do
    for what in saved cancelled; do
        name=$what-$launcher
        [ "$(field "${jobs[$name]}" Restarts)" -eq 0 ] || fail "$name: has come back"
        "$finetune" inspect "$name" >inspected 2>&1
        grep -q "step-" inspected || fail "$name: no checkpoint"
        jobs[$name]=$(submit "$name" $launcher)
    done
done
for launcher in mpirun srun; do
    for what in saved cancelled; do
        name=$what-$launcher
        ends "${jobs[$name]}" "$name" COMPLETED 0:0 0
        says "$name" "resumed from the checkpoint of step" || fail "$name: not resumed"
        same_run "$name"
    done
done
