# slurm/chain.sh: tokenising, training that is interrupted once, evaluation; and a chain whose first job fails.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
whole_run
OMP_NUM_THREADS=1 "$finetune" evaluate work.cfg output.dir=whole data.test=validation.jsonl >expected 2>err ||
    fail "evaluation of the undisturbed run"

# chain NAME [section.key=value ...]: sets prepare, train and evaluate to the jobs' numbers
chain() {
    PREPARE_OPTIONS="--nodes=2" EVALUATE_OPTIONS="--nodes=1 --ntasks-per-node=1 --cpus-per-task=1" \
        "$source/slurm/chain.sh" --time=60 --output="$1-%x.log" work.cfg output.dir="$1" \
        data.test=validation.jsonl "${@:2}" >numbers || fail "$1: chain.sh failed"
    cat numbers
    prepare=$(sed -n 's/^prepare //p' numbers)
    train=$(sed -n 's/^train //p' numbers)
    evaluate=$(sed -n 's/^evaluate //p' numbers)
}
chain run
within 300 has_steps run 60 || fail "run: does not start"
[ "$(field "$prepare" JobState)" = COMPLETED ] || fail "training has begun before tokenising was done"
[ "$(field "$evaluate" JobState)" = PENDING ] || fail "evaluation has begun before training was done"
scancel --batch --signal=USR1 "$train"
ends "$prepare" run-prepare COMPLETED 0:0 0
ends "$train" run-finetune COMPLETED 0:0 1
ends "$evaluate" run-evaluate COMPLETED 0:0 0
says run-finetune "token shards reused" || fail "run: training has tokenised again"
same_run run
grep '^{' run-evaluate.log | cmp - expected || fail "run: evaluated to something else"

# --- the first job fails: the others never run
chain broken data.train=missing.jsonl
ends "$prepare" broken-prepare FAILED 65:0 0
for job in "$train" "$evaluate"; do
    within 120 is_over "$job" || fail "broken: job $job is still there"
    [ "$(field "$job" JobState)" = CANCELLED ] || fail "broken: job $job is $(field "$job" JobState)"
done
for name in finetune evaluate; do [ ! -e broken-$name.log ] || fail "broken: $name ran"; done
[ ! -e broken/checkpoints ] || fail "broken: something was trained"

# --- training fails: no evaluation
chain refused training.lr=-1
ends "$prepare" refused-prepare FAILED 64:0 0
within 60 has_no_jobs || fail "refused: still in the queue"
