/*
 * The names of splitters in tokenizer.ggml.pre. Source: the list of llama.cpp, and for what it
 * leaves out (normal form, whole words before merges) the tokenizer.json of the family that has
 * the name.
 */
#include <string.h>

#include "format/json.h"
#include "token/gguf_parts.h"
#include "token/json_parts.h"

#define REGEX(pattern)                                                                             \
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" pattern                                    \
    "\"}, \"behavior\": \"Isolated\", \"invert\": false}, "
#define SEQUENCE(steps)                                                                            \
    "{\"type\": \"Sequence\", \"pretokenizers\": [" steps                                          \
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, "              \
    "\"use_regex\": false}]}"
#define DIGITS "{\"type\": \"Digits\", \"individual_digits\": true}, "

/* Words in which a capital starts anew (OpenAI's o200k), with a suffix behind each. */
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define CASED(suffix, digits)                                                                      \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "*" LOWER "+" suffix                                    \
    "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "+" LOWER "*" suffix "|" digits                        \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

#define HAN_KANA "[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+"
#define HAN_HANGUL "[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+"
#define DEEPSEEK_WORDS                                                                             \
    "[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+"                            \
    "|[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| "                                 \
    "?[\\\\p{P}\\\\p{S}]+[\\\\r\\\\n]*"                                                            \
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

static const struct gguf_pre PRES[] = {
    {"gpt-2", SPLIT_GPT2, NULL, false, false, false},
    {"phi-2", SPLIT_GPT2, NULL, false, false, false},
    {"olmo", SPLIT_GPT2, NULL, true, false, false},
    {"mpt", SPLIT_GPT2, NULL, true, false, false},
    {"llama-bpe", SPLIT_LLAMA3, NULL, false, true, true},
    {"llama3", SPLIT_LLAMA3, NULL, false, true, true},
    {"llama-v3", SPLIT_LLAMA3, NULL, false, true, true},
    {"dbrx", SPLIT_LLAMA3, NULL, false, false, false},
    {"smaug-bpe", SPLIT_LLAMA3, NULL, false, false, false},
    {"qwen2", SPLIT_QWEN2, NULL, true, false, false},
    {"deepseek-r1-qwen", SPLIT_QWEN2, NULL, true, false, false},
    {"smollm", SPLIT_SMOLLM, NULL, false, false, false},
    {"starcoder", SPLIT_SMOLLM, NULL, false, false, false},
    {"refact", SPLIT_SMOLLM, NULL, false, false, false},
    {"command-r", SPLIT_SMOLLM, NULL, true, false, false},
    {"tekken", SPLIT_KINDS, SEQUENCE(REGEX(CASED("", "\\\\p{N}"))), false, true, true},
    {"gpt-4o", SPLIT_KINDS, SEQUENCE(REGEX(CASED(CONTRACTIONS, "\\\\p{N}{1,3}"))), false, false,
     false},
    {"deepseek-coder", SPLIT_KINDS,
     SEQUENCE(REGEX("[\\\\r\\\\n]") REGEX("\\\\s?\\\\p{L}+") REGEX("\\\\s?\\\\p{P}+")
                  REGEX(HAN_HANGUL) DIGITS),
     false, false, false},
    {"deepseek-v3", SPLIT_KINDS,
     SEQUENCE(REGEX("\\\\p{N}{1,3}") REGEX(HAN_KANA) REGEX(DEEPSEEK_WORDS)), false, false, false},
};

const struct gguf_pre *gguf_find_pre(const char *name)
{
    for (size_t i = 0; i < sizeof PRES / sizeof *PRES; i++) {
        if (strcmp(PRES[i].name, name) == 0)
            return &PRES[i];
    }
    return NULL;
}

ft_status gguf_apply_pre(struct tokenizer *t, const struct gguf_pre *pre)
{
    struct normalizer_step *form = NULL;
    struct decoder_step *bytes = NULL;
    json_t *root = NULL;
    FT_TRY(decoder_add(&t->decoder, &bytes, DECODER_BYTE_LEVEL));
    t->pieces = PIECES_BPE;
    t->model = &tokenizer_byte_level;
    t->kind = pre->kind;
    t->nfc = pre->nfc;
    if (!pre->pre_tokenizer)
        return FT_OK;
    t->model = &tokenizer_pipeline;
    if (pre->nfc)
        FT_TRY(normalizer_add(&t->normalizer, &form, NORMALIZER_NFC));
    FT_TRY(json_parse(&root, pre->pre_tokenizer, strlen(pre->pre_tokenizer), pre->name));
    const ft_status status = json_part_read_pre_tokenizer(t, root);
    json_decref(root);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", pre->name);
}
