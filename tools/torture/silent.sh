# silent [STRIDE] each (STRIDE-th, 1) bit of one f32 of the parameters or moments that ranks hold copies of is turned
#                 over on one rank when a checkpoint is due: 70, the rank by name where there are 3, no checkpoint of
#                 that state; the next run gives the right bits
stride=${1:-1}
small_run
cp "$build/finetune" "$build/tests/finetune-faults" . # a build meanwhile changes nothing
right=$work/finetune faulty=$work/finetune-faults
sed -i 's,max_steps = 400,max_steps = 6,; s,eval_every = 50,eval_every = 0,; s,every_steps = 20,every_steps = 2,
    s,validation = "train.jsonl"; ,,' run.cfg
host=$(hostname)

# one_case WHAT NP RANK BIT ZERO: in the background; a line in the file "cases"
one_case() {
    local what=$1 np=$2 rank=$3 bit=$4 zero=$5 dir=$1-np$2-$3-$4-zero$5 code why=
    finetune=$faulty FT_FAULT=$what:$rank:flip$bit:2 run "$np" "$dir" distributed.zero="$zero"
    code=$?
    [ $code -eq 70 ] || why=", code $code"
    [ "$(grep -c '^finetune: error: ' "$dir.err")" -eq 1 ] || why="$why, not one message"
    [ "$np" -lt 3 ] || grep -q "after step 4 the parameters of rank $rank ($host) differ" "$dir.err" || why="$why, not named"
    [ "$(ls "$dir/checkpoints")" = step-00000002 ] || why="$why, $(ls "$dir/checkpoints" | paste -s)"
    finetune=$right run "$np" "$dir" distributed.zero="$zero" || why="$why, no next run"
    same "whole-$np-$zero" "$dir" || why="$why, another result"
    echo "$what np $np zero $zero, rank $rank bit $bit${why:+ lost$why}" >>cases
    [ -n "$why" ] || rm -rf "$dir" "$dir".*
}

finetune=$right
for np in 2 3; do
    for zero in 0 1; do run $np whole-$np-$zero distributed.zero=$zero || { cat whole-$np-$zero.err; exit 1; }; done
done
n=0
for ((bit = 0; bit < 32; bit++)); do
    for row in "replica 2 1" "replica 2 0" "replica-m 2 0" "replica-v 2 0" "replica 3 1" "replica 3 0" "replica-m 3 0" \
        "replica-v 3 0"; do
        read -r what np zero <<<"$row"
        [ $((n++ % stride)) -eq 0 ] || continue
        while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n; done
        one_case "$what" "$np" $((n % np)) $bit "$zero" &
    done
done
wait
tried=$(wc -l <cases) lost=$(grep -c ' lost' cases)
grep ' lost' cases
sed 's/, rank .*//' cases | sort | uniq -c
