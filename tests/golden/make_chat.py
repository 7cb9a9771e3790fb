#!/usr/bin/env python3
"""Golden conversations: chat/.

Needs torch, transformers, tokenizers, gguf, numpy, xxhash, and the files of tools/fetch_examples.py
for the last file.
    python3 make_chat.py [ROOT]              ROOT holds models/ and data/; default: the checkout

chat/renderings.json  conversations, and for each template: its text in the spelling of the published
                      one (written here after the formats that the model cards describe), whether
                      "auto" must recognise it, and what apply_chat_template of transformers gives for
                      each conversation: text, number of ids, XXH3-128 over ids as little-endian
                      uint32 with bit 30 set where the assistant mask is 1; "error": it raises.
                      The mask is that of a second spelling with generation blocks, which renders
                      the same (checked here)
chat/messages.jsonl prompts.jsonl prompt_messages.jsonl alpaca.jsonl
                      small instruction data in each form
chat/losses.json      their ids, masks and loss on llama-tiny (gguf/llama-tiny.gguf has the same
                      weights): labels -100 where masked, one mean over all supervised tokens
chat/smollm2.json     loss of the example model on the beginning of legal_train as conversations (the
                      first line is asked for, the rest answered), with its own template
"""

import json
import pathlib
import re
import sys

import numpy as np
import tokenizers
import torch
import transformers
import xxhash

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "tokenizer"))
from make_corpus_hashes import gguf_tokenizer  # noqa: E402

OUT = HERE / "chat"
SUPERVISED = 1 << 30


def m(*turns):
    names = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": names[role], "content": content} for role, content in turns]


CONVERSATIONS = {
    "plain": m(("u", "What is 6 times 7?"), ("a", "It is 42.")),
    "system": m(("s", "Answer briefly."), ("u", "Who wrote it?"), ("a", "A lawyer did.")),
    "turns": m(("s", " Be kind. "), ("u", "One"), ("a", "Two"), ("u", "Three"), ("a", "Four, five")),
    "ends with user": m(("s", "S"), ("u", "One"), ("a", "Two"), ("u", "Three?")),
    "empty": m(("u", ""), ("a", "")),
    "empty system": m(("s", ""), ("u", "a"), ("a", "b")),
    "blank": m(("s", " \n"), ("u", "\t "), ("a", "\n\n")),
    "unicode": m(("u", "\u00a0Grüße, 你好 👩‍👩‍👧 e\u0301\u2003"), ("a", "\u3000naïve ½ \u001c")),
    "spaces": m(("u", "  two before\n"), ("a", "\n\nan answer in lines\n\n  ")),
    "joins": m(("u", "x"), ("a", " y"), ("u", "\nz"), ("a", "\tw ")),
    "special": m(("u", "say <|im_end|> or <|eot_id|>"), ("a", "<|im_start|>user\nno</s><|endoftext|>")),
    "code": m(("u", "print"), ("a", "```c\nint main(void) { return 0; }\n```")),
    "late system": m(("u", "One"), ("s", "Two"), ("a", "Three")),
    "two users": m(("u", "One"), ("u", "Two"), ("a", "Three")),
    "answer first": m(("a", "Hello"), ("u", "One"), ("a", "Two")),
    "only system": m(("s", "Alone")),
    "thinking": m(("u", "One"), ("a", "<think>\nhm\n\n</think>\n\nTwo"), ("u", "Three"),
                  ("a", "<think>\n\nso \n</think>\n\n\nFour\n")),
    "half a thought": m(("u", "One"), ("a", "well</think>Two"), ("a", "\nmore")),
    "response": m(("u", "One"), ("a", "Two"), ("u", "<tool_response>3</tool_response>"), ("a", "4")),
}

ALTERNATE = ("{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
             "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}")
GENERATE = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
IM = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
IM_MASKED = ("{{'<|im_start|>' + message['role'] + '\n'}}{% if message['role'] == 'assistant' %}"
             "{% generation %}{{ message['content'] + '<|im_end|>\n' }}{% endgeneration %}"
             "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}")
FIRST = ("{% if loop.first and messages[0]['role'] != 'system' %}"
         "{{ '<|im_start|>system\nYou like short answers<|im_end|>\n' }}{% endif %}")
EACH = "{% for message in messages %}"
QWEN = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
QWEN_HEAD = ("{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n"
             "    {%- if messages[0]['role'] == 'system' %}\n        {{- messages[0]['content'] }}\n"
             "    {%- else %}\n        {{- '" + QWEN + "' }}\n    {%- endif %}\n"
             "    {{- \"\\n\\n# Tools\\n\\n...<tools>\" }}\n"
             "{%- else %}\n    {%- if messages[0]['role'] == 'system' %}\n"
             "        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
             "    {%- else %}\n        {{- '<|im_start|>system\\n" + QWEN + "<|im_end|>\\n' }}\n"
             "    {%- endif %}\n{%- endif %}\n")
QWEN3_HEAD = ("{%- if messages[0].role == 'system' %}\n"
              "    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n{%- endif %}\n"
              "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n"
              "{%- for message in messages[::-1] %}\n"
              "    {%- set index = (messages|length - 1) - loop.index0 %}\n"
              "    {%- if ns.multi_step_tool and message.role == \"user\" and not("
              "message.content.startswith('<tool_response>') and "
              "message.content.endswith('</tool_response>')) %}\n"
              "        {%- set ns.multi_step_tool = false %}\n"
              "        {%- set ns.last_query_index = index %}\n    {%- endif %}\n{%- endfor %}\n")
QWEN3_TURNS = ("{%- for message in messages %}\n    {%- set content = message.content %}\n"
               "    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) %}\n"
               "        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}\n"
               "    {%- elif message.role == \"assistant\" %}\n        {%- set reasoning_content = '' %}\n"
               "        {%- if '</think>' in content %}\n"
               "            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n')"
               ".split('<think>')[-1].lstrip('\\n') %}\n"
               "            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"
               "        {%- endif %}\n"
               "        {%- if loop.index0 > ns.last_query_index %}\n"
               "            {%- if loop.last or (not loop.last and reasoning_content) %}\n"
               "                {{- '<|im_start|>' + message.role + '\\n<<'<think>\\n' + "
               "reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n"
               "            {%- else %}\n"
               "                {{- '<|im_start|>' + message.role + '\\n<<' + content }}\n"
               "            {%- endif %}\n        {%- else %}\n"
               "            {{- '<|im_start|>' + message.role + '\\n<<' + content }}\n        {%- endif %}\n"
               "        {{- '<|im_end|>\\n' }}>>\n    {%- endif %}\n{%- endfor %}\n" + GENERATE)


def qwen3(masked):
    """The turns with generation blocks, or without."""
    text = QWEN3_TURNS
    if masked:
        text = text.replace("\\n<<'<think>", "\\n' }}{% generation %}{{- '<think>")
        text = text.replace("\\n<<' + content", "\\n' }}{% generation %}{{- content")
        # one block must end where it begins: the end of the turn is repeated in each branch
        text = text.replace("        {{- '<|im_end|>\\n' }}>>\n", "")
        text = text.replace("content.lstrip('\\n') }}", "content.lstrip('\\n') + '<|im_end|>\\n' }}"
                            "{% endgeneration %}")
        text = text.replace("{{- content }}", "{{- content + '<|im_end|>\\n' }}{% endgeneration %}")
    else:
        text = text.replace("\\n<<'<think>", "\\n<think>").replace("\\n<<'", "\\n'")
        text = text.replace(">>\n", "\n")
    return QWEN3_HEAD + text


HEAD = "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
LLAMA3_MASKED = ("{{ " + HEAD + " }}{% if message['role'] == 'assistant' %}{% generation %}"
                 "{{ message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}{% else %}"
                 "{{ message['content'] | trim + '<|eot_id|>' }}{% endif %}{% endfor %}")
LLAMA3_END = ("{% if add_generation_prompt %}"
              "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
LLAMA31_HEAD = ("{{- bos_token }}\n{%- if not date_string is defined %}\n"
                "    {%- set date_string = \"26 Jul 2024\" %}\n{%- endif %}\n"
                "{%- if messages[0]['role'] == 'system' %}\n"
                "    {%- set system_message = messages[0]['content']|trim %}\n"
                "    {%- set messages = messages[1:] %}\n{%- else %}\n"
                "    {%- set system_message = \"\" %}\n{%- endif %}\n"
                "{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}\n"
                "{{- \"Cutting Knowledge Date: December 2023\\n\" }}\n"
                "{{- \"Today Date: \" + date_string + \"\\n\\n\" }}\n"
                "{{- system_message }}\n{{- \"<|eot_id|>\" }}\n{%- for message in messages %}\n")
SPLIT_SYSTEM = ("{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
                "{% set system_message = messages[0]['content'] %}"
                "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
                "{% for message in loop_messages %}")
LLAMA2 = (SPLIT_SYSTEM + ALTERNATE + "{% if loop.index0 == 0 and system_message != false %}"
          "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
          "{% else %}{% set content = message['content'] %}{% endif %}"
          "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
          "{% elif message['role'] == 'assistant' %}")
MISTRAL_HEAD = ("{%- if messages[0]['role'] == 'system' %}\n"
                "    {%- set system_message = messages[0]['content'] %}\n"
                "    {%- set loop_messages = messages[1:] %}\n{%- else %}\n"
                "    {%- set loop_messages = messages %}\n{%- endif %}\n\n{{- bos_token }}\n"
                "{%- for message in loop_messages %}\n    " +
                ALTERNATE.replace("{%", "{%-").replace("{{", "{{-") + "\n"
                "    {%- if message['role'] == 'user' %}\n")


def mistral(opening, condition, end):
    return (MISTRAL_HEAD + "        {%- if " + condition + " and system_message is defined %}\n"
            "            {{- '" + opening + "' + system_message + '\\n\\n' + message['content'] + '"
            + end + "' }}\n        {%- else %}\n            {{- '" + opening
            + "' + message['content'] + '" + end + "' }}\n        {%- endif %}\n"
            "    {%- elif message['role'] == 'assistant' %}\n        ")


MISTRAL_END = ("\n    {%- else %}\n        {{- raise_exception('Only user and assistant roles!') }}\n"
               "    {%- endif %}\n{%- endfor %}\n")
TOOLS = "{# tools are announced by #}{%- if false %}{{- \"[AVAILABLE_TOOLS] [\" }}{%- endif %}"
GEMMA_HEAD = ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
              "{{ raise_exception('System role not supported') }}{% endif %}" + EACH + ALTERNATE +
              "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
              "{% set role = message['role'] %}{% endif %}")
GEMMA_END = "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
GEMMA3_HEAD = ("{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n"
               "    {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}\n"
               "    {%- set loop_messages = messages[1:] -%}\n{%- else -%}\n"
               "    {%- set first_user_prefix = \"\" -%}\n    {%- set loop_messages = messages -%}\n"
               "{%- endif -%}\n{%- for message in loop_messages -%}\n    " + ALTERNATE + "\n"
               "    {%- if (message['role'] == 'assistant') -%}\n        {%- set role = \"model\" -%}\n"
               "    {%- else -%}\n        {%- set role = message['role'] -%}\n    {%- endif -%}\n"
               "    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else \"\") }}\n")
GEMMA3_BODY = "    {{- message['content'] | trim }}\n    {{- '<end_of_turn>\n' }}\n"
GEMMA3_SPELT = ("    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n"
                "    {%- endif -%}\n    {{ '<end_of_turn>\n' }}\n")


def masked_if_assistant(body):
    return ("{%- if message['role'] == 'assistant' %}{% generation %}" + body.strip() +
            "{% endgeneration %}{%- else %}" + body.strip() + "{%- endif %}")


def by_role(roles, after, masks, newline=""):
    """if ... elif for the roles; newline: what stands behind each tag in the template's own text."""
    text = ""
    for role in roles:
        head = "<|" + role + "|>\n"
        text += "{% " + ("elif" if text else "if") + " message['role'] == '" + role + "' %}" + newline
        if masks and role == "assistant":
            text += ("{{ '" + head + "' }}{% generation %}{{ message['content'] + " + after +
                     (" + '\n'" if newline else "") + " }}{% endgeneration %}")
        else:
            text += "{{ '" + head + "' + message['content'] + " + after + " }}" + newline
    return text + "{% endif %}" + newline


def phi3(masks):
    end = "{{ eos_token }}"
    if masks:
        end = ("{% if messages[-1]['role'] == 'assistant' %}{% generation %}{{ eos_token }}"
               "{% endgeneration %}{% else %}{{ eos_token }}{% endif %}")
    return (EACH + by_role(("system", "user", "assistant"), "'<|end|>\n'", masks) +
            "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}" + end +
            "{% endif %}")


def zephyr(masks):
    return (EACH + "\n" + by_role(("user", "system", "assistant"), "eos_token", masks, "\n") +
            "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n"
            "{% endfor %}")


def skip_empty(text):
    return text.replace("message['role'] == 'system' %}", "message['role'] == 'system' and "
                        "message['content'] %}")


LLAMA2_ANSWER = "{{ ' '  + content.strip() + ' ' + eos_token }}"
# name, whether it is recognised, published spelling, spelling with generation blocks
TEMPLATES = [
    ("chatml", EACH + IM + "{% endfor %}" + GENERATE, EACH + IM_MASKED + "{% endfor %}" + GENERATE),
    ("chatml with a system message", EACH + FIRST + IM + "{% endfor %}" + GENERATE,
     EACH + FIRST + IM_MASKED + "{% endfor %}" + GENERATE),
    ("qwen2.5", QWEN_HEAD + "{%- for message in messages %}\n"
     "    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) or "
     "(message.role == \"assistant\" and not message.tool_calls) %}\n        "
     "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
     "    {%- endif %}\n{%- endfor %}\n" + GENERATE,
     QWEN_HEAD + "{%- for message in messages %}{%- if message.role != \"system\" or not loop.first %}" +
     IM_MASKED + "{%- endif %}{%- endfor %}\n" + GENERATE),
    ("qwen3", qwen3(False), qwen3(True)),
    ("llama2", LLAMA2 + LLAMA2_ANSWER + "{% endif %}{% endfor %}",
     LLAMA2 + "{{ ' ' }}{% generation %}{{ content.strip() + ' ' + eos_token }}{% endgeneration %}"
     "{% endif %}{% endfor %}"),
    ("llama3", "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = " +
     HEAD + "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
     "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}" + LLAMA3_END,
     "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}" + LLAMA3_MASKED +
     LLAMA3_END),
    ("llama3.1", LLAMA31_HEAD + "    {{- " + HEAD + "+ message['content'] | trim + '<|eot_id|>' }}\n"
     "{%- endfor %}\n" + LLAMA3_END, LLAMA31_HEAD + LLAMA3_MASKED + LLAMA3_END),
    ("mistral-v0.1", "{{ bos_token }}" + EACH + ALTERNATE + "{% if message['role'] == 'user' %}"
     "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
     "{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant!') }}"
     "{% endif %}{% endfor %}",
     "{{ bos_token }}" + EACH + ALTERNATE + "{% if message['role'] == 'user' %}"
     "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
     "{% generation %}{{ message['content'] + eos_token}}{% endgeneration %}"
     "{% else %}{{ raise_exception('Only user and assistant!') }}{% endif %}{% endfor %}"),
    ("mistral-v0.2", mistral(" [INST] ", "loop.first", " [/INST]") +
     "{{- ' ' + message['content'] + eos_token }}" + MISTRAL_END,
     mistral(" [INST] ", "loop.first", " [/INST]") +
     "{{- ' ' }}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}" + MISTRAL_END),
    ("mistral", TOOLS + mistral("[INST] ", "loop.last", "[/INST]") +
     "{{- \" \" + message[\"content\"]|trim + eos_token }}" + MISTRAL_END,
     TOOLS + mistral("[INST] ", "loop.last", "[/INST]") +
     "{{- ' ' }}{% generation %}{{ message['content']|trim + eos_token }}{% endgeneration %}" +
     MISTRAL_END),
    ("mistral-nemo", TOOLS.replace("] [", "][") + mistral("[INST]", "loop.last", "[/INST]") +
     "{{- message[\"content\"] + eos_token }}" + MISTRAL_END,
     TOOLS.replace("] [", "][") + mistral("[INST]", "loop.last", "[/INST]") +
     "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}" + MISTRAL_END),
    ("gemma", GEMMA_HEAD + "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + "
     "'<end_of_turn>\n' }}" + GEMMA_END,
     GEMMA_HEAD + "{{ '<start_of_turn>' + role + '\n' }}" +
     masked_if_assistant("{{ message['content'] | trim + '<end_of_turn>\n' }}") + GEMMA_END),
    ("gemma3", GEMMA3_HEAD + GEMMA3_SPELT + GEMMA_END.replace("{% endfor %}", "{%- endfor -%}"),
     GEMMA3_HEAD + masked_if_assistant(GEMMA3_BODY) + GEMMA_END.replace("{% endfor %}", "{%- endfor -%}")),
    ("zephyr", zephyr(False), zephyr(True)),
    ("phi3", phi3(False), phi3(True)),
    ("phi3.5", skip_empty(phi3(False)), skip_empty(phi3(True))),
]
UNKNOWN = [
    EACH + "{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}",
    EACH + IM.replace("message['content']", "message['content'] | trim") + "{% endfor %}" + GENERATE,
    EACH + "{{ '<|im_start|>system\nAlways<|im_end|>\n' }}" + IM + "{% endfor %}" + GENERATE,
    EACH + IM.replace("'<|im_end|>' + '\n'", "'<|im_end|>'") + "{% endfor %}" + GENERATE,
]
# the tokenizer of the golden folder by which a template's ids are made
FAMILY = {"llama3": "llama3", "llama3.1": "llama3", "qwen2.5": "qwen2", "qwen3": "qwen2"}
MARKS = {"llama3": ("<|begin_of_text|>", "<|end_of_text|>"), "qwen2": ("<|endoftext|>", "<|im_end|>"),
         "smollm2": ("<|endoftext|>", "<|im_end|>")}


def open_tokenizer(name):
    bos, eos = MARKS[name]
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_file(str(HERE / f"tokenizer/{name}.json")),
        bos_token=bos, eos_token=eos, clean_up_tokenization_spaces=False)


def render(tokenizer, template, conversation, **options):
    return tokenizer.apply_chat_template(conversation, chat_template=template, tokenize=False, **options)


def ids_and_mask(tokenizer, masked, conversation):
    out = tokenizer.apply_chat_template(conversation, chat_template=masked, tokenize=True,
                                        return_dict=True, return_assistant_tokens_mask=True)
    return list(out["input_ids"]), list(out["assistant_masks"])


def flagged(ids, mask):
    return [i | SUPERVISED * bit for i, bit in zip(ids, mask)]


def case(tokenizer, published, masked, conversation):
    try:
        text = render(tokenizer, published, conversation)
    except Exception:  # jinja2 and transformers raise what they like
        return {"error": True}
    assert text == render(tokenizer, masked, conversation), (text, render(tokenizer, masked, conversation))
    ids, mask = ids_and_mask(tokenizer, masked, conversation)
    generation = render(tokenizer, published, conversation, add_generation_prompt=True)
    assert render(tokenizer, published, conversation, add_generation_prompt=False) == text
    flags = np.asarray(flagged(ids, mask), dtype="<u4")
    result = {"text": text, "n": len(ids), "supervised": sum(mask[1:]),
              "xxh3_128": xxhash.xxh3_128_hexdigest(flags.tobytes())}
    if generation.startswith(text):
        result["prompt"] = generation[len(text):]
    return result


def make_renderings():
    templates = []
    for name, published, masked in TEMPLATES:
        row = name.split()[0]
        family = FAMILY.get(row, "smollm2")
        tokenizer = open_tokenizer(family)
        bos, eos = MARKS[family]
        templates.append({"name": row, "tokenizer": family, "bos_token": bos, "eos_token": eos,
                          "has_own_system": row != name, "template": published,
                          "cases": {key: case(tokenizer, published, masked, conversation)
                                    for key, conversation in CONVERSATIONS.items()}})
    return {"transformers": transformers.__version__, "conversations": CONVERSATIONS,
            "templates": templates, "unknown": UNKNOWN}


# --- losses ---------------------------------------------------------------------------------------

ALPACA_INPUT = ("Below is an instruction that describes a task, paired with an input that provides "
                "further context. Write a response that appropriately completes the request.\n\n"
                "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n")
ALPACA = ("Below is an instruction that describes a task. Write a response that appropriately completes "
          "the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n")
ZEPHYR_ROW = 13


def tiny_data():
    plain = [CONVERSATIONS[k] for k in ("plain", "system", "turns", "ends with user", "unicode", "spaces",
                                        "joins", "code", "two users")]
    plain += [m(("u", f"count to {i}"), ("a", " ".join(str(k) for k in range(i)))) for i in range(9)]
    words = "the holder of the rights may copy this text and give it to others".split()
    pairs = [(" ".join(words[: i % 9 + 1]), " " + " ".join(words[i % 9 + 1:])) for i in range(11)]
    pairs += [("ends by itself", "x<|endoftext|>"), ("", "no prompt")]
    alpaca = [{"instruction": f"Say {w}", "input": w * (i % 2), "output": w + "!"}
              for i, w in enumerate(words[:7])]
    alpaca[3].pop("input")
    return {"messages": [{"messages": c} for c in plain],
            "prompts": [{"prompt": p, "completion": c} for p, c in pairs],
            "prompt_messages": [{"prompt": c[:-1], "completion": c[-1:]} for c in plain
                                if c[-1]["role"] == "assistant"],
            "alpaca": alpaca}


def encode_pair(tokenizer, prompt, completion):
    """As TRL's SFTTrainer does with text: EOS at the end, the prompt's own number of tokens masked."""
    if not completion.endswith(tokenizer.eos_token):
        completion += tokenizer.eos_token
    prompt_ids, ids = tokenizer(prompt)["input_ids"], tokenizer(prompt + completion)["input_ids"]
    return list(ids), [int(i >= len(prompt_ids)) for i in range(len(ids))]


def encode_record(tokenizer, published, masked, record):
    if "messages" in record:
        return ids_and_mask(tokenizer, masked, record["messages"])
    if "instruction" in record:
        form = ALPACA_INPUT if record.get("input") else ALPACA
        return encode_pair(tokenizer, form.format(**record), record["output"])
    if isinstance(record["prompt"], str):
        return encode_pair(tokenizer, record["prompt"], record["completion"])
    prompt = tokenizer.apply_chat_template(record["prompt"], chat_template=published, tokenize=True,
                                           return_dict=True, add_generation_prompt=True)["input_ids"]
    ids = tokenizer.apply_chat_template(record["prompt"] + record["completion"], chat_template=published,
                                        tokenize=True, return_dict=True)["input_ids"]
    return list(ids), [int(i >= len(prompt)) for i in range(len(ids))]


def loss_of(model, rows):
    """One mean over the supervised tokens of all rows: (ids, mask)."""
    total, n = 0.0, 0
    with torch.no_grad():
        for ids, mask in rows:
            labels = torch.tensor([i if bit else -100 for i, bit in zip(ids, mask)])
            logits = model(input_ids=torch.tensor([ids])).logits[0].float()
            total += float(torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=-100,
                                                             reduction="sum"))
            n += int((labels[1:] != -100).sum())
    return total, n


def losses_of(model, tokenizer, published, masked, records, seq_len):
    rows = []
    truncated = skipped = 0
    for record in records:
        ids, mask = encode_record(tokenizer, published, masked, record)
        cut = ids[:seq_len], mask[:seq_len]
        if sum(cut[1][1:]) == 0:
            skipped += 1
            continue
        truncated += len(ids) > seq_len
        rows.append(cut)
    total, n = loss_of(model, rows)
    every, n_every = loss_of(model, [(ids, [1] * len(ids)) for ids, _ in rows])
    return {"seq_len": seq_len, "conversations": len(rows), "truncated": truncated, "skipped": skipped,
            "tokens": sum(len(ids) for ids, _ in rows), "supervised": n, "loss": total / n,
            "all_supervised": n_every, "all_loss": every / n_every}


def make_losses():
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=gguf_tokenizer(HERE / "gguf/llama-tiny.gguf"), bos_token="<|endoftext|>",
        eos_token="<|endoftext|>", clean_up_tokenization_spaces=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(HERE / "llama-tiny").float().eval()
    _, published, masked = TEMPLATES[ZEPHYR_ROW]
    result = {"chat_template": "zephyr"}
    for name, records in tiny_data().items():
        with open(OUT / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        lengths = (256, 48) if name != "alpaca" else (256,)
        result[name] = [losses_of(model, tokenizer, published, masked, records, n) for n in lengths]
    return result


def legal_conversations(root, n):
    """As tests/cli/test_instruct_real.sh makes them with sed."""
    found = []
    with open(root / "data/legal_train.jsonl", encoding="utf-8") as file:
        for line in file:
            match = re.match(r'^\{"text": "([^"\\]*)\\n(.*)"\}$', line.rstrip("\n"))
            if match:
                found.append(json.loads('{"messages": [{"role": "user", "content": "%s"}, '
                                        '{"role": "assistant", "content": "%s"}]}' % match.groups()))
            if len(found) == n:
                return found
    raise SystemExit("legal_train.jsonl is shorter than it was")


def make_real(root):
    import gguf
    from make_smollm2_reference import load_model
    path = root / "models/smollm2.gguf"
    template = gguf.GGUFReader(path).fields["tokenizer.chat_template"].contents()
    model, _ = load_model(path)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=gguf_tokenizer(path), bos_token="<|im_start|>", eos_token="<|im_end|>",
        clean_up_tokenization_spaces=False)
    turn = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    assert turn in template
    masked = template.replace(turn, IM_MASKED)
    records = legal_conversations(root, 8)
    result = losses_of(model, tokenizer, template, masked, records, 256)
    return result


def write(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent
    OUT.mkdir(exist_ok=True)
    write("renderings.json", make_renderings())
    write("losses.json", make_losses())
    write("smollm2.json", make_real(root))


if __name__ == "__main__":
    main()
