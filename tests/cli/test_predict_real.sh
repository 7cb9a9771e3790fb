#!/bin/bash
# The example encoder learns two labels from a few texts and gives them to new ones.
# Usage: test_predict_real.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
failures=0

fail() {
    echo "FAILED: $*"
    [ -e err ] && tail -n 20 err
    failures=$((failures + 1))
}

[ -f "$source/models/minilm/config.json" ] || {
    echo "FAILED: models/minilm is missing: run python3 tools/fetch_examples.py, which makes it"
    exit 1
}

n=0
for thing in soup bread coffee garden; do
    for what in "The $thing was wonderful, we loved it:good" "What an excellent $thing:good" \
        "I hated this $thing, it was terrible:bad" "The worst $thing of my life:bad"; do
        n=$((n + 1))
        file=train.jsonl
        [ $thing = garden ] && file=test.jsonl
        echo "{\"text\": \"${what%:*}\", \"label\": \"${what#*:}\"}" >>$file
    done
done
cat >run.cfg <<END
mode = "last-layers"; task = "classification";
model: { path = "$source/models/minilm"; precision = "fp32"; trainable_layers = 1; };
data: { train = "train.jsonl"; test = "test.jsonl"; cache = "cache"; seq_len = 32; };
training: { max_steps = 15; micro_batch = 12; global_batch = 12; lr = 1e-3; };
output: { dir = "run"; };
END
"$finetune" run.cfg >out 2>err || fail "training ended with $?"
"$finetune" evaluate run.cfg >scores 2>err || fail "evaluate ended with $?"
"$finetune" predict run test.jsonl >out 2>err || fail "predict ended with $?"
[ "$(sed 's/{"label": \("[a-z]*"\).*/\1/' out | paste -s -d,)" = '"good","good","bad","bad"' ] || {
    cat out
    fail "labels of new texts"
}
grep -q '"accuracy": 1.0, ' scores || { cat scores; fail "evaluate does not say the same"; }

# an empty text is the template alone: it gets an answer
printf 'What an excellent garden\n\nThe worst garden of my life\n' |
    "$finetune" predict run >lines 2>err || fail "predict of a pipe ended with $?"
[ "$(sed 's/{"label": \("[a-z]*"\).*/\1/' lines | sed '2d' | paste -s -d,)" = '"good","bad"' ] ||
    fail "labels of lines"
sed -n 2p lines | grep -q '"label": "[a-z]*", "probabilities": {"bad": ' || fail "empty line"

# mode transfer: a head on the last four layers of the frozen encoder; the loss that evaluate says
transfer="mode=transfer transfer.layer=last4 output.dir=head"
"$finetune" run.cfg $transfer >out 2>err || fail "mode transfer ended with $?"
"$finetune" evaluate run.cfg $transfer >scores 2>err || fail "evaluate of mode transfer ended with $?"
"$finetune" predict head test.jsonl >out 2>err || fail "predict of mode transfer ended with $?"
paste <(sed 's/.*"label": "\([a-z]*\)"}/\1/' test.jsonl) out |
    awk -v loss="$(sed 's/{"loss": \([^,]*\),.*/\1/' scores)" '
        { sum -= log(substr($0, match($0, "\"" $1 "\": [0-9]") + length($1) + 4) + 0) }
        END { d = sum / NR - loss; exit NR != 4 || d > 1e-5 || d < -1e-5 }' || {
    cat out scores
    fail "probabilities of mode transfer"
}
"$finetune" inspect head/head.h5 >out 2>err || fail "inspect of the head ended with $?"
grep -q '^head  *linear on layers 3 4 5 6,' out && grep -qF 'labels            2: "bad", "good"' out &&
    grep -q '^sequence length  *32' out || { cat out; fail "inspect of the head"; }

"$finetune" inspect run >out 2>err || fail "inspect ended with $?"
grep -q 'mode last-layers' out && grep -qF 'labels            2: "bad", "good"' out || fail "inspect"
"$finetune" inspect "$source/models/minilm" >out 2>err || fail "inspect of the model ended with $?"
grep -q '^family  *bert, encoder' out && grep -q '^pooling  *mean' out &&
    grep -q '^tokenizer  *WordPiece' out && ! grep -q '^rope' out || { cat out; fail "inspect"; }

[ $failures -eq 0 ]
