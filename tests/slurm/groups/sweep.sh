# slurm/sweep.sbatch: an array over a list of settings. Elements that are warned go back into the queue alone, the one
# whose job number stands for the whole array too, and end as those that were left alone.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
cat >list <<'EOF'
# learning rates
training.lr=1e-3
training.lr=3e-3 training.warmup=5

training.lr=5e-4
EOF
# sweep NAME: the array's number
sweep() {
    sbatch --parsable --array=1-3 --time=60 --output="$1-%a.log" "$source/slurm/sweep.sbatch" work.cfg list \
        output.dir="$1"
}
array=$(sweep calm)
for i in 1 2 3; do ends "${array}_$i" calm-$i COMPLETED 0:0 0; done
array=$(sweep hit)
for i in 1 2 3; do within 300 has_steps hit/$i 60 || fail "element $i does not start"; done
bare=$(scontrol show job -o "$array" | sed -n "s/^JobId=$array ArrayJobId=$array ArrayTaskId=\([0-9]*\) .*/\1/p")
echo "the array's own number is that of element $bare"
scancel --batch --signal=USR1 "${array}_2" "${array}_$bare"
for i in 1 2 3; do
    hits=$((i == 2 || i == bare))
    ends "${array}_$i" hit-$i COMPLETED 0:0 $hits
    [ "$(grep -c "resumed from the checkpoint" hit-$i.log)" -eq $hits ] || fail "element $i: resumed $hits times"
    same_run hit/$i calm/$i
done
[ "$(losses hit/1)" != "$(losses hit/2)" ] || fail "elements with other settings are equal"
ls -- *.restarts 2>/dev/null && fail "files of restarts left behind"

# --- an element for which there are no settings
job=$(sbatch --parsable --array=4 --output=none.log "$source/slurm/sweep.sbatch" work.cfg list output.dir=none)
ends "${job}_4" none FAILED 64:0 0
