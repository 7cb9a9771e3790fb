/* What the published templates render, as data: their turn formats are facts of the model cards. */
#include <string.h>

#include "chat_format.h"

#define IM(role)                                                                                   \
    {                                                                                              \
        "<|im_start|>" role "\n", "<|im_end|>\n"                                                   \
    }
#define IM_NEXT "<|im_start|>assistant\n"
#define HEADER(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define HEADER_TURN(role)                                                                          \
    {                                                                                              \
        HEADER(role), "<|eot_id|>"                                                                 \
    }
#define PHI(role)                                                                                  \
    {                                                                                              \
        "<|" role "|>\n", "<|end|>\n"                                                              \
    }
#define ZEPHYR(role)                                                                               \
    {                                                                                              \
        "<|" role "|>\n", CHAT_EOS "\n"                                                            \
    }
#define GEMMA(role)                                                                                \
    {                                                                                              \
        "<start_of_turn>" role "\n", "<end_of_turn>\n"                                             \
    }
#define TRIM_ALL (CHAT_TRIM_SYSTEM | CHAT_TRIM_USER | CHAT_TRIM_ASSISTANT)

const struct chat_format chat_formats[] = {
    {.name = "chatml", .turns = {IM("system"), IM("user"), IM("assistant")}, .generation = IM_NEXT},
    {.name = "qwen2.5",
     .turns = {IM("system"), IM("user"), IM("assistant")},
     .default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
     .generation = IM_NEXT},
    {.name = "qwen3",
     .flags = CHAT_THINKS,
     .turns = {IM("system"), IM("user"), IM("assistant")},
     .generation = IM_NEXT},
    {.name = "llama2",
     .flags = CHAT_ALTERNATES | CHAT_SYSTEM_IN_FIRST | CHAT_TRIM_MERGED | CHAT_TRIM_ASSISTANT,
     .turns = {{"<<SYS>>\n", "\n<</SYS>>\n\n"},
               {CHAT_BOS "[INST] ", " [/INST]"},
               {" ", " " CHAT_EOS}}},
    {.name = "llama3",
     .flags = TRIM_ALL,
     .start = CHAT_BOS,
     .turns = {HEADER_TURN("system"), HEADER_TURN("user"), HEADER_TURN("assistant")},
     .generation = HEADER("assistant")},
    {.name = "llama3.1",
     .flags = TRIM_ALL,
     .start = CHAT_BOS,
     .turns = {HEADER_TURN("system"), HEADER_TURN("user"), HEADER_TURN("assistant")},
     .default_system = "",
     .intro = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
     .generation = HEADER("assistant")},
    {.name = "mistral-v0.1",
     .flags = CHAT_ALTERNATES | CHAT_NO_SYSTEM,
     .start = CHAT_BOS,
     .turns = {{"", ""}, {"[INST] ", " [/INST]"}, {"", CHAT_EOS}}},
    {.name = "mistral-v0.2",
     .flags = CHAT_ALTERNATES | CHAT_SYSTEM_IN_FIRST,
     .start = CHAT_BOS,
     .turns = {{"", "\n\n"}, {" [INST] ", " [/INST]"}, {" ", CHAT_EOS}}},
    {.name = "mistral",
     .flags = CHAT_ALTERNATES | CHAT_SYSTEM_IN_LAST | CHAT_TRIM_ASSISTANT,
     .start = CHAT_BOS,
     .turns = {{"", "\n\n"}, {"[INST] ", "[/INST]"}, {" ", CHAT_EOS}}},
    {.name = "mistral-nemo",
     .flags = CHAT_ALTERNATES | CHAT_SYSTEM_IN_LAST,
     .start = CHAT_BOS,
     .turns = {{"", "\n\n"}, {"[INST]", "[/INST]"}, {"", CHAT_EOS}}},
    {.name = "gemma",
     .flags = CHAT_ALTERNATES | CHAT_NO_SYSTEM | CHAT_TRIM_USER | CHAT_TRIM_ASSISTANT,
     .start = CHAT_BOS,
     .turns = {{"", ""}, GEMMA("user"), GEMMA("model")},
     .generation = "<start_of_turn>model\n"},
    {.name = "gemma3",
     .flags = CHAT_ALTERNATES | CHAT_SYSTEM_IN_FIRST | CHAT_TRIM_USER | CHAT_TRIM_ASSISTANT,
     .start = CHAT_BOS,
     .turns = {{"", "\n\n"}, GEMMA("user"), GEMMA("model")},
     .generation = "<start_of_turn>model\n"},
    {.name = "zephyr",
     .turns = {ZEPHYR("system"), ZEPHYR("user"), ZEPHYR("assistant")},
     .generation = "<|assistant|>\n"},
    {.name = "phi3",
     .flags = CHAT_EOS_LAST,
     .turns = {PHI("system"), PHI("user"), PHI("assistant")},
     .generation = "<|assistant|>\n"},
    {.name = "phi3.5",
     .flags = CHAT_EOS_LAST | CHAT_SKIPS_NO_SYSTEM,
     .turns = {PHI("system"), PHI("user"), PHI("assistant")},
     .generation = "<|assistant|>\n"},
    {.name = NULL},
};

const struct chat_format *chat_format_find(const char *name)
{
    for (const struct chat_format *f = chat_formats; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}
