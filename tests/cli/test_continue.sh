#!/bin/bash
# predict of a run that continues texts: greedy and drawn continuations, their ends, long texts, any number of
# ranks, conversations, and options that make no sense.
. "$(dirname "$0")/train_common.sh"

printf 'the rights of\nalpha beta\n\n' >texts.txt
train 1 run data.isolate_documents=true || fail "training: $(cat err)"

# predict NAME ARGUMENT...: answers in the file NAME
predict() {
    local name=$1
    shift
    "$finetune" predict "$@" >"$name" 2>err
}

# --- a line a text, the empty one too; the same at any number of ranks, in any order
predict greedy run texts.txt --max-tokens 9 || fail "predict: $(cat err)"
[ "$(wc -l <greedy)" = 3 ] || fail "not one line a text: $(cat greedy)"
jq -es 'all(.[]; (.continuation | type) == "string" and (.tokens == 9 or (.complete and .tokens < 9)))' \
    greedy >/dev/null || fail "answers: $(cat greedy)"
"$mpiexec" -q -np 2 "$finetune" predict run texts.txt --max-tokens=9 >again 2>err
cmp -s greedy again || fail "two ranks continue otherwise: $(cat again err)"
tac texts.txt | predict again run - --max-tokens 9 && tac again | cmp -s - greedy ||
    fail "another order gives other continuations"
predict short run texts.txt --max-tokens 3 || fail "three tokens"
jq -r .continuation short >a
jq -r .continuation greedy >b
while IFS= read -r -u 3 piece && IFS= read -r -u 4 whole; do
    [[ $whole == "$piece"* ]] || fail "'$piece' does not begin '$whole'"
done 3<a 4<b

# --- drawn: by the seed, and another seed draws otherwise; the lowest top-p is the likeliest
for seed in 1 1 2; do
    predict drawn-$seed.new run texts.txt --max-tokens 40 --temperature 1.5 --seed $seed || fail "drawn"
    [ ! -e drawn-$seed ] || cmp -s drawn-$seed drawn-$seed.new || fail "one seed draws twice otherwise"
    mv drawn-$seed.new drawn-$seed
done
cmp -s drawn-1 drawn-2 && fail "two seeds draw the same"
predict top run texts.txt --max-tokens 9 --temperature 1 --top-p 0.000001 || fail "top-p"
cmp -s top greedy || fail "the smallest top-p does not take the likeliest: $(cat top)"

# --- texts end by themselves: among many drawn ones some do before the limit
for ((i = 0; i < 12; i++)); do echo "the rights $i"; done >many.txt
predict ends run many.txt --max-tokens 150 --temperature 3 || fail "many"
jq -es 'any(.[]; .complete) and any(.[]; .complete | not) and
        all(.[]; if .complete then .tokens < 150 else .tokens == 150 end)' ends >/dev/null ||
    fail "ends: $(cat ends)"

# --- of a text beyond the model's 256 positions the end is used, and it is said
for ((i = 0; i < 200; i++)); do printf 'alpha beta '; done >long.txt
predict long run long.txt --max-tokens 9 || fail "a long text: $(cat err)"
grep -q "1 text was longer than 247 tokens" err || fail "the cut is not said: $(cat err)"

# --- a terminal gets the text itself
if command -v script >/dev/null; then
    script -qec "$finetune predict run texts.txt --max-tokens 9 2>/dev/null" /dev/null </dev/null |
        tr -d '\r' >seen
    jq -r .continuation greedy | cmp -s - seen || fail "a terminal shows: $(cat seen)"
fi

# --- a conversation: the text is what the user says, and the answer is not what the bare text gives
for i in 1 2 3 4; do
    echo "{\"messages\": [{\"role\": \"user\", \"content\": \"alpha $i\"}, {\"role\": \"assistant\", \"content\": \"beta $i\"}]}"
done >talk.jsonl
train 1 talk task=instruct data.train=talk.jsonl data.chat_template=chatml data.seq_len=128 training.max_steps=5 ||
    fail "training on conversations: $(cat err)"
predict answers talk texts.txt --max-tokens 9 || fail "answers: $(cat err)"
[ "$(wc -l <answers)" = 3 ] || fail "not one answer a text: $(cat answers)"
predict bare run texts.txt --max-tokens 9 && cmp -s bare answers && fail "the chat template changes nothing"
printf '<|im_start|>user\nalpha beta<|im_end|>\n<|im_start|>assistant\n' >header.txt
jq -Rs '{text: .}' -c header.txt >header.jsonl
sed -i 's/^task = .*//' talk/resolved.cfg # the same weights, without a template
predict whole talk header.jsonl --max-tokens 9 || fail "a rendered text: $(cat err)"
[ "$(sed -n 2p answers)" = "$(cat whole)" ] || fail "an answer is not the continuation of the rendered text"

# --- what makes no sense
refuse() { # CODE TEXT ARGUMENT...
    local code=$1 part=$2
    shift 2
    "$finetune" predict "$@" >out 2>err </dev/null
    [ $? -eq "$code" ] && grep -qF -- "$part" err || fail "predict $*: $(cat err)"
}
refuse 64 "--max-tokens is a whole number" run texts.txt --max-tokens 0
refuse 64 "--max-tokens is a whole number" run texts.txt --max-tokens
refuse 64 "--max-tokens is 300, and the model has 256 positions" run texts.txt --max-tokens 300
refuse 64 "--temperature is a number" run texts.txt --temperature warm
refuse 64 "--top-p is a number" run texts.txt --top-p 1.5
refuse 64 "--seed is a whole number" run texts.txt --seed -1
refuse 64 "knows no option --tokens" run texts.txt --tokens 5
refuse 64 "usage: finetune predict" run texts.txt third.txt
refuse 65 "resolved.cfg does not exist" nowhere texts.txt
refuse 65 "no-such.txt" run no-such.txt

[ $failures -eq 0 ]
