# lock [50]       two jobs at once in one output folder: one goes on, the other ends with 73
small_run
for ((n = ${1:-50}; n > 0; n--)); do
    dir=both-$tried
    timeout 120 mpirun -q -np 2 "$finetune" run.cfg output.dir="$dir" training.max_steps=100 >a.out 2>a.err &
    timeout 120 mpirun -q -np 2 "$finetune" run.cfg output.dir="$dir" training.max_steps=100 >b.out 2>b.err
    second=$?
    wait $!
    first=$?
    tried=$((tried + 1))
    # the one that comes late may find the run finished, which is no error
    cat a.err b.err >"$dir.err"
    if [ "$((first + second))" -eq 73 ] && grep -q "is in use" "$dir.err"; then
        rm -rf "$dir" "$dir.err"
    elif [ "$((first + second))" -eq 0 ] && grep -q "finished" "$dir.err"; then
        rm -rf "$dir" "$dir.err"
    else
        lose "$dir" "codes $first and $second"
    fi
done
