#!/bin/bash
# Labels of new texts: from files and pipes, in order and in time, and what is wrong with a text or a run.
# Usage: test_predict.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") mpiexec=$2 source=$3
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

# expect CODE PART COMMAND...: exit code, and a part of stderr ("" = any); stdout goes to out
expect() {
    local code=$1 part=$2 got
    shift 2
    "$@" >out 2>err
    got=$?
    [ $got -eq "$code" ] && { [ -z "$part" ] || grep -qF -- "$part" err; } || fail "$* gave $got, expected $code with: $part"
}

# expect_answers N: so many lines in out
expect_answers() { [ "$(wc -l <out)" -eq "$1" ] || fail "$(wc -l <out) answers, expected $1"; }

# close_to A B: the same labels, and probabilities but for rounding
close_to() {
    paste -d'\n' "$1" "$2" | tr -d '{},' | awk '
        NR % 2 { n = split($0, a, " "); next }
        { m = split($0, b, " "); if (n != m || n < 4) bad = 1
          for (i = 1; i <= n; i++) {
              d = a[i] - b[i]; if (d < 0) d = -d
              if (a[i] ~ /^[0-9]/ ? d > 1e-5 : a[i] != b[i]) bad = 1 } }
        END { exit bad || NR == 0 }'
}

# check_answers FILE: to texts.jsonl; probabilities add up to 1, the likeliest label, and accuracy and loss as
# evaluate says in the file scores
check_answers() {
    paste -d'\t' <(sed 's/.*"l": \(".*"\)}/\1/' texts.jsonl) "$1" |
        awk -F'\t' -v accuracy="$(number accuracy)" -v loss="$(number loss)" '
            function probability(name) { return substr(rest, index(rest, name ": ") + length(name) + 2) + 0 }
            { n = index($2, ", \"probabilities\": {")
              label = substr($2, 11, n - 11); rest = substr($2, n + 19)
              right += label == $1; losses -= log(probability($1)); sum = top = 0
              k = split(rest, part, /": |, |}/)
              for (i = 2; i < k; i += 2) { sum += part[i]; if (part[i] > top) top = part[i] }
              if (k < 7 || sum < 1 - 1e-12 || sum > 1 + 1e-12 || probability(label) != top) bad = 1 }
            END { d = right / NR - accuracy; e = losses / NR - loss
                  exit bad || NR != 12 || d > 1e-9 || d < -1e-9 || e > 1e-5 || e < -1e-5 }' ||
        fail "labels, probabilities, accuracy or loss are not what evaluate says: $(cat scores)"
}

# number KEY: of the JSON line in scores
number() { sed -n 's/.*"'"$1"'": \([^,]*\),.*/\1/p' scores; }

# 12 texts of three labels, one of which JSON writes with escapes
words=(alpha beta gamma the rights of copy and holders shall)
labels=(no yes 'may\"be é')
for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
    text=
    for ((j = 0; j < 1 + i % 4; j++)); do text="$text${words[(i * 7 + j * j + j * i) % 10]}"; done
    echo "$text" >>texts.txt
    echo "{\"t\": \"$text\", \"l\": \"${labels[i % 3]}\"}" >>texts.jsonl
done
cat >run.cfg <<END
task = "classification";
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "texts.jsonl"; test = "texts.jsonl"; text_field = "t"; label_field = "l";
        cache = "cache"; seq_len = 16; };
training: { max_steps = 6; micro_batch = 3; global_batch = 4; lr = 1e-2; };
output: { dir = "run"; };
END
expect 0 "" "$finetune" run.cfg
expect 0 "" "$finetune" evaluate run.cfg
mv out scores

# --- a .jsonl file: in order, probabilities add up to 1, the likeliest label, the accuracy of evaluate
expect 0 "12 texts answered" "$finetune" predict run texts.jsonl
expect_answers 12
cp out answers
check_answers answers
grep -qF '"may\"be é": ' answers || fail "a label is not escaped as in JSON"

# --- lines: of a file, of a pipe, with CR LF, with a byte-order mark, without the last line's end
expect 0 "12 texts answered" "$finetune" predict run texts.txt
cmp -s out answers || fail "lines of a file give other answers"
{ printf '\xef\xbb\xbf' && sed 's/$/\r/' texts.txt | head -c -2; } >crlf.txt
expect 0 "12 texts answered" "$finetune" predict run - <crlf.txt
cmp -s out answers || fail "standard input with CR LF gives other answers"
expect 0 "0 texts answered" "$finetune" predict run </dev/null
expect_answers 0

# --- more texts than are computed at a time: still in order; the same answers of any number of ranks
for i in $(seq 250); do cat texts.txt; done >many.txt
expect 0 "3000 texts answered" "$finetune" predict run many.txt
for i in $(seq 250); do cat answers; done >expected
close_to out expected || fail "answers of many texts"
expect 0 "3000 texts answered" "$mpiexec" -q -np 3 "$finetune" predict run many.txt
close_to out expected || fail "answers of 3 ranks"
expect 0 "12 texts answered" "$mpiexec" -q -np 2 "$finetune" predict run <texts.txt
close_to out answers || fail "standard input of 2 ranks"

# --- whoever writes a line gets its answer before the next one
coproc talk { "$finetune" predict run 2>err; }
to=${talk[1]} from=${talk[0]} pid=$talk_PID
for i in 1 2 3; do
    sed -n ${i}p texts.txt >&"$to"
    read -r -t 60 answer <&"$from" || {
        fail "no answer to line $i while the pipe is open"
        break
    }
    echo "$answer" >now
    sed -n ${i}p answers >then
    close_to now then || fail "another answer to line $i alone"
done
exec {to}>&-
wait "$pid" || fail "predict in a conversation ended with $?"

# --- texts without tokens (this tokenizer has no template), and texts that are cut
printf 'alpha\n\nbeta\n' >holes.txt
expect 0 "1 text without tokens" "$finetune" predict run holes.txt
expect_answers 3
[ "$(sed -n 2p out)" = '{"label": null, "probabilities": null}' ] || fail "answer to an empty line"
echo '{"t": ""}' >empty.jsonl
expect 0 "1 text without tokens" "$finetune" predict run empty.jsonl
expect_answers 1
echo "the rights of copy and holders shall" | cat - texts.txt >cut.txt
expect 0 "1 text cut to data.seq_len = 16" "$finetune" predict run cut.txt

# --- bad texts: file, line and byte; what was before them is answered
printf 'alpha\nbeta\nbad \xff\ngamma\n' >bad.txt
expect 65 "bad.txt line 3, byte 5: invalid UTF-8 (byte 0xff)" "$finetune" predict run bad.txt
expect_answers 2
expect 65 "standard input line 3, byte 5: invalid UTF-8" "$finetune" predict run <bad.txt
expect_answers 2
{ head -n 2 texts.jsonl && printf '{"t": "\xc3"}\n'; } >bad.jsonl
expect 65 "bad.jsonl line 3, byte 8: invalid UTF-8" "$finetune" predict run bad.jsonl
expect_answers 2
{ head -n 1 texts.jsonl && echo '{"t": 1' && head -n 1 texts.jsonl; } >bad.jsonl
expect 65 "bad.jsonl line 2, byte " "$finetune" predict run bad.jsonl
expect_answers 1
echo '{"text": "alpha"}' >bad.jsonl
expect 65 'bad.jsonl line 1, byte 1: no field "t"' "$finetune" predict run bad.jsonl

# --- wrong arguments, files and runs
expect 64 "usage: finetune predict" "$finetune" predict
expect 64 "usage: finetune predict" "$finetune" predict run texts.txt texts.txt
expect 64 "no option --best" "$finetune" predict run --best
expect 65 "cannot open none.txt: No such file" "$finetune" predict run none.txt
expect 65 "none.jsonl" "$finetune" predict run none.jsonl
expect 65 "cache is a folder" "$finetune" predict run cache
expect 65 "none/resolved.cfg does not exist: name the output.dir" "$finetune" predict none texts.txt
expect 65 "run.cfg is a file; name the folder of a run" "$finetune" predict run.cfg texts.txt
expect 74 "cannot write to standard output" bash -c "\"$finetune\" predict run texts.txt >/dev/full"
cp -r run other
expect 64 "this one labels them" "$finetune" predict run texts.txt --max-tokens 5
rm -r other/checkpoints
expect 65 "other holds no checkpoint: nothing was learnt there yet" "$finetune" predict other texts.txt
rm other/labels.json
expect 65 "labels.json does not exist" "$finetune" predict other texts.txt

# --- a run that was moved; what inspect says of it
mv run moved
expect 0 "moved/checkpoints/step-00000006" "$finetune" predict moved texts.txt
cmp -s out answers || fail "a moved run gives other answers"
expect 0 "" "$finetune" inspect moved
grep -q "run, mode finetune, task classification" out &&
    grep -qF 'labels            3: "may"be é", "no", "yes"' out || fail "inspect of a run"
grep -q "step-00000006: step 6" out || fail "inspect of a run does not list its checkpoint"

# --- mode transfer: the head on the frozen model that it was made for
sed -i 's/^task/mode = "transfer"; task/; s/"run"/"head"/' run.cfg
expect 0 "" "$finetune" run.cfg
expect 0 "" "$finetune" evaluate run.cfg
mv out scores
expect 0 "weights: $work/head/head.h5 on " "$finetune" predict head texts.jsonl
expect_answers 12
check_answers out
expect 0 "" "$finetune" inspect head
grep -q "run, mode transfer, task classification" out && grep -q "^head  *linear on layer" out &&
    grep -qF 'labels            3: "may"be é", "no", "yes"' out || fail "inspect of a head"
expect 0 "" "$finetune" inspect head/head.h5
grep -q "^backbone  *hash [0-9a-f]\{32\}" out || fail "inspect does not name the backbone"
cp out out.head
cp -r head foreign
cp "$source/tests/golden/gguf/llama-tiny.gguf" altered.gguf
printf '\x55' | dd of=altered.gguf bs=1 seek=$(($(stat -c %s altered.gguf) - 4)) conv=notrunc 2>/dev/null
sed -i "s|path = \".*llama-tiny.gguf\"|path = \"$work/altered.gguf\"|" foreign/resolved.cfg
expect 65 "foreign/head.h5" "$finetune" predict foreign texts.txt
hash=$(sed -n 's/^backbone *hash //p' out.head)
grep -qF "$hash" err || fail "the refusal of another backbone does not name the head's own"
rm foreign/head.h5
expect 65 "head.h5" "$finetune" predict foreign texts.txt

[ $failures -eq 0 ]
