#!/bin/bash
# What inspect says of models: sizes, support, tokenizer, chat template, storage, memory; and of those
# that cannot be used, why, without an error of its own.
# Usage: test_inspect.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
failures=0

fail() {
    echo "FAILED: $*"
    cat out err
    failures=$((failures + 1))
}

# says PATH LINE...: inspect ends with 0 and prints lines that match
says() {
    local path=$1
    shift
    "$finetune" inspect "$path" >out 2>err || fail "inspect $path ended with $?"
    for line; do grep -q "$line" out || fail "inspect $path: no line $line"; done
}

golden=$source/tests/golden
says "$golden/gguf/llama-tiny.gguf" '^supported  *yes, for causal-lm, instruct and classification' \
    '^family  *llama, decoder' '^layers  *3$' '^vocabulary  *272$' '^stored as  *[0-9]* x F32 (' \
    '^tokenizer  *byte-level BPE' '^chat template  *none that can be used: the model' \
    '^ *ranks  *4 x .* tokens  *1 x .* tokens' '^ *64  *0\.[0-9]*  *0\.[0-9]*$'
[ "$(grep -c '^ *[0-9]* *[0-9.]* *[0-9.]*$' out)" = 7 ] || fail "not seven numbers of ranks"

# a tokenizer that is missing is told of, and so is a template
cp -r "$golden/llama-tied" tied
says tied '^supported  *yes' '^tokenizer  *not usable: .*tokenizer.json does not exist'
cp "$golden/tokenizer/smollm2.json" tied/tokenizer.json
cat >tied/tokenizer_config.json <<'END'
{"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template":
 "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nShort answers<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"}
END
says tied '^chat template  *chatml, with the system message "Short answers"'
sed -i "s/message\['content'\]/message['content'] | trim/" tied/tokenizer_config.json
says tied '^chat template  *none that can be used: .* none of those known'

# a family that is not known, a tensor that is missing
sed 's/"model_type": "llama"/"model_type": "mamba"/' tied/config.json >config && mv config tied/config.json
says tied '^supported  *no: .*mamba' '^stored as' '^tokenizer  *byte-level BPE'
grep -q 'memory' out && fail "memory of a model that is not known"
cp "$golden/llama-tiny/config.json" tied/config.json
says tied '^supported  *no: ' '^stored as'
echo '{' >tied/config.json
says tied '^supported  *no: .*config.json'
: >empty.gguf
says empty.gguf '^supported  *no: ' '^stored as  *not readable' '^tokenizer  *not usable'
"$finetune" inspect nowhere >out 2>err
[ $? = 65 ] || fail "a path that does not exist"
[ $failures = 0 ] && echo "inspect: all passed"
exit $((failures > 0))
