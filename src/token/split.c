/*
 * The patterns are those of the tokenizer.json files, written so that PCRE2 finds what the regular
 * expressions of `tokenizers` find:
 *
 * - \s there is Unicode's White_Space. PCRE2's also holds U+180E, which has not been a space since
 *   Unicode 6.3, so the class is spelled out: category Z, the controls 9-13, U+0085.
 * - SmolLM splits every digit off first and each rest by itself, where "not followed by a
 * non-space" also holds at the end of a rest, that is before a digit. One pattern does both.
 *
 * A match always begins where the one before ended, for each pattern covers every character: hence
 * ANCHORED. No repeat in them can be split in two ways, so matching is linear and the match limit,
 * which a megabyte of spaces would reach, is lifted.
 */
#include "token/split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define SPACE "\\p{Z}\\t-\\r\\x{85}"
#define CONTRACTION "'s|'t|'re|'ve|'m|'ll|'d"
#define LAST_SPACES "[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+"
#define WORD_OR_LINES(digits)                                                                      \
    "(?i:" CONTRACTION ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" SPACE                     \
    "\\p{L}\\p{N}]+[\\r\\n]*|[" SPACE "]*[\\r\\n]+|" LAST_SPACES
#define JSON_WORD_OR_LINES(digits)                                                                 \
    "(?i:" CONTRACTION ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                                   \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *name, *json, *pattern;
} KINDS[SPLIT_KINDS] = {
    [SPLIT_GPT2] = {"gpt-2", NULL,
                    CONTRACTION "| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE "\\p{L}\\p{N}]+|" LAST_SPACES},
    [SPLIT_LLAMA3] = {"llama-bpe", JSON_WORD_OR_LINES("\\p{N}{1,3}"), WORD_OR_LINES("\\p{N}{1,3}")},
    [SPLIT_QWEN2] = {"qwen2", JSON_WORD_OR_LINES("\\p{N}"), WORD_OR_LINES("\\p{N}")},
    [SPLIT_SMOLLM] = {"smollm", NULL,
                      "\\p{N}|" CONTRACTION "| ?\\p{L}+| ?[^" SPACE "\\p{L}\\p{N}]+|[" SPACE
                      "]+(?![^" SPACE "\\p{N}])|[" SPACE "]+"},
};

struct split {
    pcre2_general_context *general;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_code *code;
    pcre2_match_data *match;
    bool compiled; /* to machine code */
    bool shares;   /* code is another's */
};

const char *split_name(enum split_kind kind)
{
    return KINDS[kind].name;
}

const char *split_json_pattern(enum split_kind kind)
{
    return KINDS[kind].json;
}

static void *allocate(size_t bytes, void *unused)
{
    (void)unused;
    return mem_alloc_raw(bytes, 1);
}

static void release(void *block, void *unused)
{
    (void)unused;
    mem_free(block);
}

static ft_status compile(struct split *s, enum split_kind kind)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_compile_context *options = pcre2_compile_context_create(s->general);
    if (!options)
        return ft_fail(FT_ERR_INTERNAL, "out of memory: regular expression");
    s->code = pcre2_compile((PCRE2_SPTR)KINDS[kind].pattern, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, options);
    pcre2_compile_context_free(options);
    if (!s->code)
        return ft_fail(FT_ERR_INTERNAL, "PCRE2 error %d at offset %zu of the %s splitter", error,
                       (size_t)offset, KINDS[kind].name);
    s->compiled = pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE) == 0;
    return FT_OK;
}

/** What matching writes to. */
static ft_status make_scratch(struct split *s)
{
    enum { STACK_START = 32 << 10, STACK_MAX = 1 << 20 };
    s->match = pcre2_match_data_create_from_pattern(s->code, s->general);
    s->context = pcre2_match_context_create(s->general);
    if (!s->match || !s->context)
        return ft_fail(FT_ERR_INTERNAL, "out of memory: regular expression");
    (void)pcre2_set_match_limit(s->context, UINT32_MAX);
    if (s->compiled) {
        s->stack = pcre2_jit_stack_create(STACK_START, STACK_MAX, s->general);
        s->compiled = s->stack != NULL;
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
    }
    return FT_OK;
}

/** A splitter without code. */
static ft_status create(struct split **out)
{
    FT_TRY(FT_ALLOC(*out, 1));
    (*out)->general = pcre2_general_context_create(allocate, release, NULL);
    return (*out)->general ? FT_OK : ft_fail(FT_ERR_INTERNAL, "out of memory: regular expression");
}

ft_status split_open(struct split **out, enum split_kind kind)
{
    *out = NULL;
    ft_status status = create(out);
    if (status == FT_OK)
        status = compile(*out, kind);
    if (status == FT_OK)
        status = make_scratch(*out);
    if (status != FT_OK)
        split_close(out);
    return status;
}

ft_status split_share(struct split **out, const struct split *split)
{
    *out = NULL;
    ft_status status = create(out);
    if (status == FT_OK) {
        (*out)->code = split->code;
        (*out)->compiled = split->compiled;
        (*out)->shares = true;
        status = make_scratch(*out);
    }
    if (status != FT_OK)
        split_close(out);
    return status;
}

void split_close(struct split **split)
{
    struct split *s = *split;
    if (!s)
        return;
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    if (!s->shares)
        pcre2_code_free(s->code);
    pcre2_general_context_free(s->general);
    FT_FREE(*split);
}

ft_status split_next(const struct split *split, size_t *end, const char *text, size_t bytes,
                     size_t at)
{
    const PCRE2_SPTR subject = (PCRE2_SPTR)text;
    const int n = split->compiled ? pcre2_jit_match(split->code, subject, bytes, at, 0,
                                                    split->match, split->context)
                                  : pcre2_match(split->code, subject, bytes, at, PCRE2_NO_UTF_CHECK,
                                                split->match, split->context);
    if (n < 1)
        return ft_fail(FT_ERR_INTERNAL, "PCRE2 error %d while splitting text at byte %zu", n, at);
    *end = pcre2_get_ovector_pointer(split->match)[1];
    return FT_OK;
}
