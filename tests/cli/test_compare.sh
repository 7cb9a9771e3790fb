#!/bin/bash
# The verb compare: four methods on one split, stopped and started again, and what is refused.
. "$(dirname "$0")/classify_common.sh"
documents 0 60 >train.jsonl
documents 60 100 >test.jsonl
cat >compare.cfg <<EOF
task = "classification";
model: { path = "bert"; precision = "fp32"; trainable_layers = 1; };
data: { train = "train.jsonl"; test = "test.jsonl"; seq_len = 20; };
training: { epochs = 2; micro_batch = 4; global_batch = 8; lr = 1e-3; };
compare: {
  last-layers: { training: { lr = 2e-3; max_steps = 9; }; };
  finetune: { training: { max_steps = 1000; }; };
};
output: { dir = "out"; };
EOF
methods=(bag-of-words transfer last-layers finetune)

# compare NP [section.key=value ...]
compare() {
    local np=$1
    shift
    "$mpiexec" -q -np "$np" "$finetune" compare compare.cfg "$@" >out.txt 2>err
}

# --- a signal while the last method trains: 75, and what was done is kept
"$mpiexec" -q -np 2 "$finetune" compare compare.cfg compare.last-layers.training.lr=4e-3 >out.txt 2>err &
pid=$!
for i in $(seq 600); do
    [ -s out/compare/finetune/metrics.jsonl ] && break
    kill -0 $pid || break
    sleep 0.05
done
kill -USR1 $pid
wait $pid
[ $? -eq 75 ] || fail "a signal does not end compare with 75"
grep -q "stopped by a signal after step .* of 1000" err || fail "no word about the stop"
[ ! -s out.txt ] || fail "a stopped compare prints a table"
[ "$(grep -c '"name": ' out/compare.json)" -eq 3 ] || fail "compare.json of a stopped compare"
spent=$(value wall_s <out/compare/finetune/cost.json)
awk -v s="$spent" 'BEGIN { exit !(s > 0) }' || fail "what the stopped method has cost is lost: $spent"
echo '{"wall_s": 1000.0, "core_s": 2000.0, "peak_bytes": 3000000000}' >out/compare/finetune/cost.json

# --- started again it goes on: only the last method, from its checkpoint
compare 2 compare.last-layers.training.lr=4e-3 || fail "compare after a signal ended with $?"
[ "$(grep -c "is done already" err)" -eq 3 ] && grep -q "resumed from the checkpoint of step" err ||
    fail "compare does not go on where it was stopped"
cp out.txt table

# --- the table, and compare.json: four methods in order, numbers that belong together
[ "$(cut -c1-12 table | sed -n '1,5p' | tr -s ' \n' ' ')" = "method ${methods[*]} " ] || fail "rows of the table"
grep -q "^40 test documents; in parentheses: 95 % bootstrap intervals; p: McNemar" table || fail "legend of the table"
[ "$(tail -n +8 table | wc -w)" -ge 10 ] || fail "no advice in words"
[ "$(sed -n 's/.*"name": "\(.*\)".*/\1/p' out/compare.json | paste -sd' ')" = "${methods[*]}" ] ||
    fail "methods of compare.json"
grep -qiE "nan|inf[^o]" table out/compare.json && fail "a figure is not finite"
[ "$(value documents <out/compare.json | sort -u)" = 40 ] || fail "documents of compare.json"
for key in accuracy_low accuracy accuracy_high macro_f1_low macro_f1 macro_f1_high mcnemar_p wall_s \
    core_s peak_bytes stored_bytes; do
    value $key <out/compare.json >"figure.$key"
    # 40 documents cost less than a day and a gigabyte
    awk -v key=$key '$1 < 0 || (key ~ /accuracy|f1|_p$/ && $1 > 1) { bad = 1 }
        key ~ /_s$|bytes/ && ($1 <= 0 || $1 > (key ~ /_s$/ ? 86400 : 4e9)) { bad = 1 }
        END { exit bad || NR != 4 }' "figure.$key" || fail "$key: $(paste -s "figure.$key")"
done
paste figure.accuracy{_low,,_high} figure.macro_f1{_low,,_high} |
    awk '$1 > $2 || $2 > $3 || $4 > $5 || $5 > $6 { bad = 1 } END { exit bad }' || fail "intervals"
[ "$(grep -c '"a_only": ' out/compare.json)" -eq 6 ] || fail "not all pairs were tested"
cheapest=$(sed -n 's/.*"cheapest": "\(.*\)".*/\1/p' out/compare.json)
paste -d' ' figure.core_s <(printf '%s\n' "${methods[@]}") | sort -g | head -1 | grep -q " $cheapest$" ||
    fail "$cheapest is not the cheapest"
paste figure.wall_s figure.core_s figure.peak_bytes | awk 'NR == 4 { exit !($1 > 1000 && $2 > 2000 && $3 == 3e9) }' ||
    fail "what the first part has cost is not counted"
# what must be kept: 4 bytes for each parameter, or for those that learn, or for the head
paste -s figure.stored_bytes | awk '{ exit !($4 > $3 && $3 > $2) }' || fail "bytes to store"
[ "$(sed -n 4p figure.stored_bytes)" -eq \
    $((4 * $(sed -n 's/.* \([0-9]*\) parameters, content hash.*/\1/p' err | head -1))) ] ||
    fail "bytes to store of finetune"

# --- each method is an ordinary run with its own settings: the group's, or the command line's
setting() { sed -n "/^training: {/,/^}/s/^  $2 = \(.*\);/\1/p" "out/compare/$1/resolved.cfg"; }
[ "$(setting last-layers lr)" = 0.004 ] || fail "compare.last-layers.training.lr of the command line"
[ "$(setting finetune lr)" = 0.001 ] && [ "$(setting transfer lr)" = 0.001 ] || fail "lr of the others"
[ "$(setting last-layers max_steps)" = 9 ] && [ "$(setting finetune max_steps)" = 1000 ] &&
    [ "$(losses out/compare/last-layers | wc -l)" -eq 9 ] || fail "max_steps of the groups"
for method in transfer last-layers finetune; do
    grep -q "^mode = \"$method\";" out/compare/$method/resolved.cfg || fail "mode of $method"
    "$finetune" evaluate out/compare/$method/resolved.cfg >line 2>err || fail "evaluate of $method"
    number=$([ $method = transfer ] && echo 2 || { [ $method = last-layers ] && echo 3 || echo 4; })
    [ "$(value accuracy <line)" = "$(sed -n ${number}p figure.accuracy)" ] || fail "accuracy of $method"
done

# --- a third time there is nothing to do: the same table
compare 1 compare.last-layers.training.lr=4e-3 || fail "compare, a third time"
[ "$(grep -c "is done already" err)" -eq 4 ] || fail "something was done again"
cmp -s out.txt table || fail "the table has changed"

# --- other settings are no continuation of a run
compare 2
[ $? -eq 64 ] && grep -q "training.lr = 0.002, but the checkpoint was made with 0.004" err ||
    fail "another lr of a method that has run is not refused"

# --- other test documents: all is judged anew; the bag of words goes on from nothing and costs what it costs now
documents 60 98 >test.jsonl
echo '{"wall_s": 1000.0, "core_s": 2000.0, "peak_bytes": 3000000000}' >out/compare/bag-of-words/cost.json
compare 2 compare.last-layers.training.lr=4e-3 || fail "compare on other test documents ended with $?"
[ "$(value documents <out/compare.json | sort -u)" = 38 ] || fail "other test documents are not used"
value wall_s <out/compare.json | awk 'NR == 1 { exit !($1 < 900) }' || fail "the bag of words pays twice"

# --- a folder holds one kind of run
mkdir -p plain/checkpoints
compare 2 output.dir=plain
[ $? -eq 64 ] && grep -q "this is a comparison, but output.dir holds a training run" err && [ ! -e plain/resolved.cfg ] ||
    fail "compare in the folder of a training run"
"$mpiexec" -q -np 2 "$finetune" compare.cfg >/dev/null 2>err
[ $? -eq 64 ] && grep -q "this is a training run, but output.dir holds a comparison" err ||
    fail "a training run in the folder of compare"

# refused PART [section.key=value ...]: 64, before anything runs
refused() {
    local part=$1
    shift
    compare 2 output.dir=refused "$@"
    [ $? -eq 64 ] && grep -qF -- "$part" err && [ ! -e refused/compare ] || fail "not refused: $*"
}
refused "compare.last-layer is no method" compare.last-layer.training.lr=1e-3
refused "nearest known one is training.lr" compare.finetune.training.lrr=1e-3
refused "data.train is the same for all methods" compare.finetune.data.train=train.jsonl
refused "compare.finetune: training.min_lr = 0.5 is above" compare.finetune.training.min_lr=0.5
refused "data.test is missing" data.test=
refused "data.train is missing" data.train=
refused 'compare needs task = "classification"' task=causal-lm

[ $failures -eq 0 ]
