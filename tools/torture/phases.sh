# phases [STRIDE] each phase of a run fails in each way on the first, second and last of 3 ranks (every STRIDE-th case,
#                 1): within 10 s one message and the documented code; the same command then gives the right bits.
#                 TMPDIR=/dev/shm makes it faster.
stride=${1:-1}
cp "$build/finetune" "$build/tests/finetune-faults" . # a build meanwhile changes nothing
finetune=$work/finetune faulty=$work/finetune-faults
small_run
sed -i 's,max_steps = 400,max_steps = 6,; s,eval_every = 50,eval_every = 2,; s,every_steps = 20,every_steps = 1,
    s,keep = 3,keep = 2,' run.cfg
mkdir bert
cp "$source"/tests/golden/heads/bert/* bert
{ printf '[%s]\n' PAD UNK CLS SEP MASK && printf '%s\n' document word {a..z} {0..9} one two three four five; } >bert/vocab.txt
for i in {0..15}; do echo "{\"text\": \"document word $i a\", \"label\": \"l$((i % 3 % 2))\"}"; done >labelled.jsonl
cat >transfer.cfg <<END_OF_CFG
mode = "transfer"; task = "classification";
model: { path = "bert"; precision = "fp32"; };
data: { train = "labelled.jsonl"; cache = "cache"; seq_len = 16; };
transfer: { layer = -1; pooling = "mean"; l2 = 0.1; };
output: { dir = "out"; };
END_OF_CFG
sed -i 's,"unnamed","out",' run.cfg
sed -i "s,\"\(train.jsonl\|labelled.jsonl\|bert\)\",\"$work/\1\",g" run.cfg transfer.cfg # not links to them

# What a case works in: a folder "train" as a run of 3 ranks stopped at step 3 left it; finished runs for the verbs.
mpirun -q -np 3 "$finetune" run.cfg training.max_steps=3 >out.txt 2>&1 || { cat out.txt; exit 1; }
rm -rf out/final cache
mkdir train transfer export predict
mv out train
mpirun -q -np 1 "$finetune" transfer.cfg >out.txt 2>&1 || { cat out.txt; exit 1; }
mv out predict
rm -rf cache
cp -r train/out export
declare -A command=([train]="run.cfg" [transfer]="transfer.cfg" [export]="export out exported" [predict]="predict out labelled.jsonl")
declare -A result=([train]=out/final/model.safetensors [transfer]=out/head.h5 [export]=exported/model.safetensors [predict]=answers)

# go FOLDER PROGRAM ERR [section.key=value]: the folder's command there
go() { (cd "$1" && timeout 120 mpirun -np 3 "$2" ${command[${1%%-*}]} "${@:4}" >answers 2>"$3"); }
for what in train transfer export predict; do
    ln -s "$work"/*.cfg "$work/labelled.jsonl" $what
    cp -r $what $what-right
    go $what-right "$finetune" err || { cat $what-right/err; exit 1; }
done

# one_case WHAT PHASE RANK KIND: in the background; its line in the file "cases"
one_case() {
    local what=$1 phase=$2 rank=$3 kind=$4 dir=$1-$2-$3-$4 start code took lines limit= why=
    cp -r "$what" "$dir"
    start=$EPOCHREALTIME
    # a dead rank is mpirun's to say; where a machine is busy, a watchdog of 2 s is as quick
    case $what-$kind in train-loop | train-stop | transfer-loop | transfer-stop) limit=distributed.watchdog_s=2 ;; esac
    FT_FAULT=$phase:$rank:$kind go "$dir" "$faulty" err $limit
    code=$?
    took=$(seconds_between "$start" "$EPOCHREALTIME")
    lines=$(grep -c -e '^finetune: error: ' -e 'exited on signal' -e 'non-zero status' "$dir/err")
    case $kind in
    error) codes=74 ;; malloc) codes="70 74" ;; exit) codes=3 ;; segv) codes=139 ;; kill) codes=137 ;;
    nan) codes=70 ;; *) codes=76 ;;
    esac
    # an old checkpoint that cannot be deleted is a warning; not every allocation is needed, and a step makes none
    [ $code -eq 0 ] && [[ "$phase-$kind" =~ ^retention-error$|-malloc$ ]] && codes=0 lines=1
    # mpirun adds its own lines to a code that we gave
    [ $code -eq 0 ] || case $kind in exit | segv | kill) ;; *) lines=$(grep -c '^finetune: error: ' "$dir/err") ;; esac
    [[ " $codes " == *" $code "* ]] || why="code $code"
    [ "$lines" -eq 1 ] || why="$why; $lines messages"
    rm -f "$dir/answers"
    [ -e "$dir/${result[$what]}" ] && [ "$what" = export ] && why="$why; there is a result"
    go "$dir" "$finetune" err2 && cmp -s "$dir/${result[$what]}" "$what-right/${result[$what]}" ||
        why="$why; the next run is not right"
    [ -z "$(find "$dir" -name '*corrupt*' -o -name '*.tmp*' -o -name '*.old' -o -name '*.del')" ] || why="$why; something is left"
    echo "$phase $kind $rank $took ${why:+lost$why}" | tr ';' ',' >>cases
    [ -n "$why" ] || rm -rf "$dir"
}

n=0
# cases WHAT KINDS RANKS PHASE...
cases() {
    local what=$1 kinds=$2 ranks=$3 phase kind rank
    for phase in "${@:4}"; do
        for kind in $kinds; do
            for rank in $ranks; do
                [ $((n++ % stride)) -eq 0 ] || continue
                while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n; done
                one_case "$what" "$phase" "$rank" "$kind" &
            done
        done
    done
}

ends="error malloc exit segv kill" all="$ends loop stop" dies="exit segv kill loop stop"
cases train "$ends" 0 config # which says how long the watchdog waits
cases train "$ends" "1 2" config-parse
cases train "$all" 0 output checkpoint-commit retention
cases train "$all" "0 1 2" output-seen startup model-config tokenizer prepare-read prepare-write plan model-weights \
    allocate checkpoint-load step evaluate checkpoint-write export
cases train "$dies" "0 1 2" exchange
cases train nan "0 1 2" loss gradient
cases transfer "$all" 0 features features-write export model-weights
cases transfer "$all" "0 1 2" startup
cases export "$ends" 0 export-written # without a RUN.cfg there is no watchdog
cases predict "$ends" 0 predict
wait
tried=$(wc -l <cases) lost=$(grep -c ' lost' cases)
grep ' lost' cases
sort cases | awk '{ key = sprintf("%-18s %-6s", $1, $2); n[key]++; bad[key] += / lost/; if ($4 > slow[key]) slow[key] = $4 }
    END { for (key in n) printf "%s  %d tried, %d lost, slowest %5.1f s\n", key, n[key], bad[key], slow[key] }' | sort
