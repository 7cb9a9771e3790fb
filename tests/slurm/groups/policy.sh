# Which exit code brings a job back into the queue, with and without progress: a program that only plays finetune's
# part ends with a code, at each start or until it has got far enough. All jobs at once, by mpirun and by srun.
# shellcheck shell=bash disable=SC2154 # finetune, source, work: set by run.sh
cat >player <<'EOF'
#!/bin/bash
# player CFG output.dir=NAME CODE PROGRESS: with PROGRESS yes a checkpoint at each start, and done at the sixth
name=${2#*=} code=$3 start=${SLURM_RESTART_COUNT:-0}
echo "finetune: finetune 0 (0), 1 rank x 1 thread; output $PWD/$name" >&2
if [ "$4" = yes ]; then
    [ "$start" -ge 5 ] && exit 0
    mkdir -p "$name/checkpoints/step-0000000$((start + 1))"
    touch "$name/checkpoints/step-0000000$((start + 1))/manifest.json"
fi
[ "$code" -eq 137 ] && kill -KILL $$
[ "$code" -eq 138 ] && kill -USR1 $$
exit "$code"
EOF
chmod +x player
export FINETUNE=$work/player
declare -A jobs
# code, progress, launcher, then what is expected: state, code and restarts
cases='
0 no mpirun COMPLETED 0:0 0
1 yes mpirun FAILED 1:0 0
64 no mpirun FAILED 64:0 0
64 yes srun FAILED 64:0 0
65 no srun FAILED 65:0 0
65 yes mpirun FAILED 65:0 0
70 no mpirun FAILED 70:0 0
70 yes srun FAILED 70:0 0
73 no srun FAILED 73:0 0
73 yes mpirun FAILED 73:0 0
74 no mpirun FAILED 74:0 0
74 yes mpirun FAILED 74:0 0
75 no mpirun FAILED 75:0 0
75 no srun FAILED 75:0 0
75 yes mpirun COMPLETED 0:0 5
75 yes srun COMPLETED 0:0 5
76 no mpirun FAILED 76:0 3
76 no srun FAILED 76:0 3
76 yes mpirun COMPLETED 0:0 5
137 no mpirun FAILED 137:0 3
137 no srun FAILED 137:0 3
137 yes srun COMPLETED 0:0 5
138 no mpirun FAILED 138:0 3
205 no mpirun FAILED 205:0 3
205 yes mpirun COMPLETED 0:0 5'
while read -r code progress launcher _; do
    name=$code-$progress-$launcher
    jobs[$name]=$(submit "$name" "$launcher" --nodes=1 --ntasks-per-node=1 "$code" "$progress")
done < <(grep . <<<"$cases")
while read -r code progress launcher state ended restarts; do
    name=$code-$progress-$launcher
    ends "${jobs[$name]}" "$name" "$state" "$ended" "$restarts"
    [ ! -e "$name.restarts" ] || fail "$name: file of restarts left behind"
done < <(grep . <<<"$cases")
for name in 75-no-mpirun 137-no-srun; do says $name "given up" || fail "$name: does not say why it ends"; done
