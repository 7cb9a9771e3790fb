#!/bin/bash
# Instruction data: the loss of a step is that of transformers on the same conversations, in each
# form, cut or whole, packed or not, at every number of ranks; a run resumes; errors are told.
# Usage: test_instruct.sh FINETUNE MPIEXEC SOURCE_DIR
. "$(dirname "$0")/train_common.sh"
golden=$source/tests/golden/chat

cat >run.cfg <<EOF2
task = "instruct";
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "$golden/messages.jsonl"; cache = "cache"; seq_len = 256; chat_template = "zephyr"; };
training: { max_steps = 1; micro_batch = 2; global_batch = 64; lr = 1e-3; schedule = "constant";
            warmup = 0.0; };
output: { dir = "unnamed"; };
EOF2

# golden FORM SEQ_LEN KEY: a number of losses.json
golden() {
    awk -v form="\"$1\":" -v length_of="\"seq_len\": $2," -v key="\"$3\":" '
        $1 == form { inside = 1 } inside && index($0, length_of) { found = 1 }
        found && $1 == key { gsub(",", "", $2); print $2; exit }' "$golden/losses.json"
}

# close A B TOLERANCE: relative
close() {
    awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a - b; exit !(b > 0 && d <= most * b && -d <= most * b) }'
}

for form in messages prompts prompt_messages alpaca; do
    lengths="256 48"
    [ $form = alpaca ] && lengths=256
    for length in $lengths; do
        for choice in assistant all; do
            for np in 1 4; do
                dir=$form-$length-$choice-$np key=loss count=supervised
                [ $choice = all ] && key=all_loss count=all_supervised
                train $np "$dir" data.train="$golden/$form.jsonl" data.seq_len="$length" \
                    data.train_on=$choice || fail "$dir ended with $?"
                # where every token is supervised, no conversation is skipped: the golden loss is of
                # those that have something of the assistant in them
                [ $choice = all ] && [ "$(golden $form "$length" skipped)" != 0 ] && continue
                want=$(golden $form "$length" $key) n=$(golden $form "$length" $count)
                got=$(losses "$dir" | awk '$1 == 1 { print $2 }')
                close "$got" "$want" 1e-5 || fail "$dir: loss $got, transformers $want"
                grep -q "\"tokens\": $n," "$dir/metrics.jsonl" || fail "$dir: not $n tokens"
            done
        done
    done
    set -- "$(golden $form 256 conversations)" "$(golden $form 256 tokens)" \
        "$(golden $form 256 supervised)"
    "$finetune" prepare run.cfg data.train="$golden/$form.jsonl" output.dir=p >out 2>err ||
        fail "prepare $form"
    grep -q "training data: $1 conversations, $2 tokens; token shards reused" err ||
        fail "$form: not $1 conversations of $2 tokens"
    grep -q "$3 tokens supervised, $(($2 - $3)) masked" err || fail "$form: not $3 supervised"
done
n=$(golden messages 48 truncated) m=$(golden messages 48 skipped)
"$finetune" check run.cfg data.seq_len=48 output.dir=p >out 2>err || fail "check"
grep -q "$n conversations cut to 48 tokens, $m skipped without a supervised token" err ||
    fail "check does not count $n cut and $m skipped"
grep -q "chat template zephyr" err || fail "check does not name the template"

# the same run at 1, 2 and 4 ranks, with conversations and with windows of them
for packing in false true; do
    steps=(training.max_steps=12 training.global_batch=5 data.packing=$packing data.seq_len=128)
    for np in 1 2 4; do train $np r$np-$packing "${steps[@]}" || fail "$np ranks ended with $?"; done
    same_losses r1-$packing r2-$packing 2e-5 || fail "packing $packing: 1 and 2 ranks differ"
    same_losses r1-$packing r4-$packing 2e-5 || fail "packing $packing: 1 and 4 ranks differ"
    train 2 cut-$packing "${steps[@]}" training.max_steps=5 || fail "first half"
    train 1 cut-$packing "${steps[@]}" || fail "second half"
    same_losses r1-$packing cut-$packing 2e-5 || fail "packing $packing: the resumed run differs"
    grep -q "resum" err || fail "nothing was resumed"
done
train 1 windows data.packing=true data.seq_len=256 || fail "packed"
want=$(golden messages 256 loss)
got=$(losses windows | awk '$1 == 1 { print $2 }')
close "$got" "$want" 1e-5 || fail "packed: loss $got, transformers $want"
grep -q "windows of up to 256 tokens" err || fail "windows are not counted"

# evaluation: loss over the supervised tokens
train 1 best data.validation="$golden/messages.jsonl" || fail "with validation"
"$finetune" evaluate run.cfg output.dir=fresh data.test="$golden/messages.jsonl" --base >out 2>err ||
    fail "evaluate"
got=$(sed -n 's/.*"loss": \([^,]*\),.*/\1/p' out)
close "$got" "$want" 1e-5 || fail "evaluate: loss $got, transformers $want"
grep -q "\"tokens\": $(golden messages 256 supervised)}" out || fail "evaluate counts other tokens"
grep -q '"eval_loss"' best/metrics.jsonl || fail "no evaluation in the run"
"$finetune" inspect best >out 2>err && grep -q "task instruct" out || fail "inspect of the run"
"$finetune" prepare run.cfg data.cache=made output.dir=p >out 2>err || fail "prepare"
shards=$(ls -d made/*)
"$finetune" inspect "$shards" >out 2>err && grep -q "supervised" out || fail "inspect of shards"

# last-layers, and what does not go together
train 2 last mode=last-layers model.trainable_layers=1 || fail "last-layers ended with $?"

# refused CODE TEXT [section.key=value ...]
refused() {
    local code=$1 text=$2
    shift 2
    "$finetune" run.cfg output.dir=refused "$@" >out 2>err
    local got=$?
    [ $got = "$code" ] || fail "$*: ended with $got, not $code"
    grep -q "$text" err || fail "$*: no word of: $text"
}
refused 64 "no chat template is called gpt5" data.chat_template=gpt5
refused 65 "hold no chat template; data.chat_template can name one" data.chat_template=auto
refused 64 "data.packing needs task" data.packing=true task=causal-lm
refused 64 "needs task = \"classification\"" mode=transfer
refused 65 "prepared with another data.chat_template or data.train_on" \
    data.train="$shards" data.train_on=all
refused 65 "prepared with data.seq_len = 256" data.train="$shards" data.seq_len=128
train 1 texts data.train="$golden/prompts.jsonl" data.chat_template=auto ||
    fail "texts need no template: ended with $?"

[ $failures = 0 ] && echo "instruct: all passed"
exit $((failures > 0))
