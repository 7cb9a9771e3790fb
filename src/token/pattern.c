/*
 * Matching. PCRE2 limits the steps of one search by itself; that the searches of a text together
 * stay within a time that grows with its length is seen to here, for a pattern can make each of
 * them look as far as the end of the text.
 */
#include "token/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "token/vocab.h"

struct pattern {
    char *source;
    size_t bytes;
    pcre2_general_context *general;
    pcre2_code *code; /* NULL: source is found as it is */
    bool compiled;    /* to machine code */
};

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

static ft_status out_of_memory(void)
{
    return ft_fail(FT_ERR_INTERNAL, "out of memory: regular expression");
}

static ft_status create(struct pattern **out, const char *source)
{
    const size_t bytes = strlen(source);
    *out = NULL;
    if (bytes == 0 || bytes > PATTERN_MAX)
        return ft_fail(FT_ERR_INPUT, "a pattern has %zu bytes, not 1 ... %d", bytes, PATTERN_MAX);
    FT_TRY(FT_ALLOC(*out, 1));
    (*out)->source = mem_copy_text(source);
    (*out)->bytes = bytes;
    return (*out)->source ? FT_OK : FT_ERR_INTERNAL;
}

ft_status pattern_open_text(struct pattern **out, const char *text)
{
    const ft_status status = create(out, text);
    if (status != FT_OK)
        pattern_close(out);
    return status;
}

static ft_status compile(struct pattern *p, const struct buffer *translated)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    uint32_t empty = 0;
    char quote[VOCAB_QUOTE];
    PCRE2_UCHAR reason[128] = {0};
    p->general = pcre2_general_context_create(allocate, release, NULL);
    pcre2_compile_context *context = p->general ? pcre2_compile_context_create(p->general) : NULL;
    if (!context)
        return out_of_memory();
    p->code =
        pcre2_compile((PCRE2_SPTR)translated->data, translated->used,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context);
    pcre2_compile_context_free(context);
    if (!p->code) {
        (void)pcre2_get_error_message(error, reason, sizeof reason);
        return error == PCRE2_ERROR_NOMEMORY || error == 121 /* ERR21: failed to get memory */
                   ? out_of_memory()
                   : ft_fail(FT_ERR_INPUT, "the pattern %s is not read: %s",
                             vocab_quote(quote, p->source, p->bytes), (const char *)reason);
    }
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty)
        return ft_fail(FT_ERR_INPUT,
                       "the pattern %s matches the empty text, which is not supported",
                       vocab_quote(quote, p->source, p->bytes));
    p->compiled = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0;
    return FT_OK;
}

ft_status pattern_open_regex(struct pattern **out, const char *regex)
{
    struct buffer translated = {0};
    ft_status status = create(out, regex);
    if (status == FT_OK)
        status = pattern_translate(&translated, regex);
    if (status == FT_OK)
        status = compile(*out, &translated);
    buffer_clear(&translated);
    if (status != FT_OK)
        pattern_close(out);
    return status;
}

void pattern_close(struct pattern **pattern)
{
    struct pattern *p = *pattern;
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_general_context_free(p->general);
    mem_free(p->source);
    FT_FREE(*pattern);
}

const char *pattern_source(const struct pattern *pattern)
{
    return pattern->source;
}

bool pattern_is_regex(const struct pattern *pattern)
{
    return pattern->code != NULL;
}

void pattern_scratch_clear(struct pattern_scratch *scratch)
{
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    pcre2_general_context_free(scratch->general);
    *scratch = (struct pattern_scratch){0};
}

static double thread_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void pattern_begin(struct pattern_scratch *scratch, size_t bytes)
{
    static const double SECONDS = 1.0, SECONDS_PER_BYTE = 2e-6;
    scratch->timed = false;
    scratch->limit = SECONDS + SECONDS_PER_BYTE * (double)bytes;
}

/** Looks at this thread's clock now and then: a cheap and coarse one says when. */
static bool takes_too_long(struct pattern_scratch *s)
{
    static const int64_t LOOK_AFTER = 50000000; /* nanoseconds */
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    const int64_t coarse = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (s->timed && coarse - s->last_look < LOOK_AFTER)
        return false;
    const double seconds = thread_seconds();
    s->start = s->timed ? s->start : seconds;
    s->timed = true;
    s->last_look = coarse;
    return seconds - s->start > s->limit;
}

/** Steps of one search: the alternatives of a tokenizer's pattern may each go to the end of the
 * text and back. */
static uint32_t steps_for(size_t bytes)
{
    enum { STEPS = 1000000, STEPS_PER_BYTE = 16 };
    const uint64_t steps = STEPS + STEPS_PER_BYTE * (uint64_t)bytes;
    return steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX;
}

static int look(pcre2_callout_block *block, void *scratch)
{
    (void)block;
    return takes_too_long(scratch) ? PCRE2_ERROR_CALLOUT : 0;
}

/** Makes what matching writes to, where it is not there yet. */
static ft_status prepare(struct pattern_scratch *s)
{
    enum { STACK_START = 32 << 10, STACK_MAX = 1 << 20, HEAP_KIB = 65536 };
    if (s->match)
        return FT_OK;
    s->general = pcre2_general_context_create(allocate, release, NULL);
    if (!s->general)
        return out_of_memory();
    s->context = pcre2_match_context_create(s->general);
    s->stack = pcre2_jit_stack_create(STACK_START, STACK_MAX, s->general);
    s->match = pcre2_match_data_create(1, s->general);
    if (!s->context || !s->stack || !s->match) {
        pattern_scratch_clear(s);
        return out_of_memory();
    }
    (void)pcre2_set_heap_limit(s->context, HEAP_KIB);
    pcre2_jit_stack_assign(s->context, NULL, s->stack);
    (void)pcre2_set_callout(s->context, look, s);
    return FT_OK;
}

static ft_status find_regex(const struct pattern *p, struct pattern_scratch *s, bool *found,
                            size_t *start, size_t *end, const char *text, size_t bytes, size_t from)
{
    const PCRE2_SPTR subject = (PCRE2_SPTR)text;
    char quote[VOCAB_QUOTE];
    FT_TRY(prepare(s));
    (void)pcre2_set_match_limit(s->context, steps_for(bytes));
    const int n =
        p->compiled
            ? pcre2_jit_match(p->code, subject, bytes, from, 0, s->match, s->context)
            : pcre2_match(p->code, subject, bytes, from, PCRE2_NO_UTF_CHECK, s->match, s->context);
    *found = n >= 0;
    if (n == PCRE2_ERROR_NOMEMORY)
        return out_of_memory();
    if (n < 0 && n != PCRE2_ERROR_NOMATCH)
        return ft_fail(FT_ERR_INPUT,
                       "the pattern %s takes too many steps for this text, at byte %zu of a "
                       "stretch of %zu",
                       vocab_quote(quote, p->source, p->bytes), from, bytes);
    if (*found) {
        *start = pcre2_get_ovector_pointer(s->match)[0];
        *end = pcre2_get_ovector_pointer(s->match)[1];
    }
    return FT_OK;
}

ft_status pattern_find(const struct pattern *pattern, struct pattern_scratch *scratch, bool *found,
                       size_t *start, size_t *end, const char *text, size_t bytes, size_t from)
{
    if (pattern->code)
        return find_regex(pattern, scratch, found, start, end, text, bytes, from);
    const char *at =
        from < bytes ? memmem(text + from, bytes - from, pattern->source, pattern->bytes) : NULL;
    *found = at != NULL;
    if (at) {
        *start = (size_t)(at - text);
        *end = *start + pattern->bytes;
    }
    return FT_OK;
}
