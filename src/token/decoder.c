#include "token/decoder.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/vocab.h"
#include "token/write_parts.h"

static const char *const NAMES[DECODER_KINDS] = {
    [DECODER_BYTE_LEVEL] = "ByteLevel",
    [DECODER_METASPACE] = "Metaspace",
    [DECODER_WORDPIECE] = "WordPiece",
    [DECODER_REPLACE] = "Replace",
    [DECODER_BYTE_FALLBACK] = "ByteFallback",
    [DECODER_FUSE] = "Fuse",
    [DECODER_STRIP] = "Strip",
};

const char *decoder_name(enum decoder_kind kind)
{
    return NAMES[kind];
}

enum decoder_kind decoder_by_name(const char *name)
{
    int kind = 0;
    while (kind < DECODER_KINDS && strcmp(name, NAMES[kind]) != 0)
        kind++;
    return (enum decoder_kind)kind;
}

ft_status decoder_add(struct decoder *decoder, struct decoder_step **step, enum decoder_kind kind)
{
    if (decoder->n == DECODER_STEPS_MAX)
        return ft_fail(FT_ERR_INPUT, "more than %d steps", DECODER_STEPS_MAX);
    struct decoder_step *steps = mem_resize(decoder->steps, (size_t)decoder->n + 1, sizeof *steps);
    if (!steps)
        return FT_ERR_INTERNAL;
    decoder->steps = steps;
    const bool fused = decoder->fused < decoder->n;
    *step = &steps[decoder->n++];
    **step = (struct decoder_step){.kind = kind};
    if (!fused && kind != DECODER_FUSE)
        decoder->fused = decoder->n;
    return FT_OK;
}

ft_status decoder_add_text(struct decoder *decoder, struct decoder_step **step,
                           enum decoder_kind kind, const char *text)
{
    FT_TRY(decoder_add(decoder, step, kind));
    (*step)->text = mem_copy_text(text);
    return (*step)->text ? FT_OK : FT_ERR_INTERNAL;
}

void decoder_clear(struct decoder *decoder)
{
    for (int i = 0; i < decoder->n; i++) {
        mem_free(decoder->steps[i].text);
        mem_free(decoder->steps[i].content);
    }
    mem_free(decoder->steps);
    *decoder = (struct decoder){0};
}

/** Replaces `from` by `to` in what stands behind start, from left to right. */
static ft_status replace(struct buffer *text, struct buffer *work, size_t start, const char *from,
                         const char *to)
{
    const size_t from_bytes = strlen(from), to_bytes = strlen(to);
    const char *at = text->data ? text->data + start : NULL, *found = NULL;
    size_t left = text->used - start;
    if (left == 0 || !(found = memmem(at, left, from, from_bytes)))
        return FT_OK;
    work->used = 0;
    for (; found; found = memmem(at, left, from, from_bytes)) {
        const size_t plain = (size_t)(found - at);
        FT_TRY(buffer_append(work, at, plain));
        FT_TRY(buffer_append(work, to, to_bytes));
        at = found + from_bytes;
        left -= plain + from_bytes;
        if (left == 0)
            break;
    }
    FT_TRY(buffer_append(work, at, left));
    text->used = start;
    return buffer_append(text, work->data, work->used);
}

/** As `tokenizers` cleans up each token: its rules in its order. */
static ft_status clean_up(struct buffer *text, struct buffer *work)
{
    static const char *const RULES[][2] = {{" .", "."},     {" ?", "?"},           {" !", "!"},
                                           {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
                                           {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
                                           {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++)
        FT_TRY(replace(text, work, 0, RULES[i][0], RULES[i][1]));
    return FT_OK;
}

/** Puts text in front of a token. */
static ft_status put_before(struct buffer *token, struct buffer *work, const char *text)
{
    work->used = 0;
    FT_TRY(buffer_append(work, text, strlen(text)));
    FT_TRY(buffer_append(work, token->data, token->used));
    token->used = 0;
    return buffer_append(token, work->data, work->used);
}

/** Drops the first n bytes of a token. */
static void drop(struct buffer *token, size_t n)
{
    if (n > 0)
        memmove(token->data, token->data + n, token->used - n);
    token->used -= n;
}

static bool begins_with(const struct buffer *token, size_t at, const char *text)
{
    const size_t n = strlen(text);
    return token->used - at >= n && memcmp(token->data + at, text, n) == 0;
}

static ft_status decode_wordpiece(const struct decoder_step *step, struct buffer *token,
                                  struct buffer *work, bool first)
{
    if (!first && begins_with(token, 0, step->text))
        drop(token, strlen(step->text));
    else if (!first)
        FT_TRY(put_before(token, work, " "));
    return step->cleanup ? clean_up(token, work) : FT_OK;
}

static void strip(const struct decoder_step *step, struct buffer *token)
{
    const size_t n = strlen(step->text);
    size_t cut = 0;
    for (int64_t i = 0; i < step->start && begins_with(token, cut, step->text); i++)
        cut += n;
    drop(token, cut);
    for (int64_t i = 0;
         i < step->stop && token->used >= n && begins_with(token, token->used - n, step->text); i++)
        token->used -= n;
}

/** Turns the bytes of a token's alphabet back. */
static ft_status decode_bytes(struct buffer *token, struct buffer *work)
{
    work->used = 0;
    FT_TRY(vocab_to_bytes(work, token->data ? token->data : "", token->used));
    token->used = 0;
    return buffer_append(token, work->data, work->used);
}

static ft_status run_step(const struct decoder_step *step, struct buffer *token,
                          struct buffer *work, bool first)
{
    switch (step->kind) {
    case DECODER_BYTE_LEVEL:
        return decode_bytes(token, work);
    case DECODER_METASPACE:
        return replace(token, work, 0, step->text, first && step->prepends ? "" : " ");
    case DECODER_WORDPIECE:
        return decode_wordpiece(step, token, work, first);
    case DECODER_REPLACE:
        return replace(token, work, 0, step->text, step->content);
    case DECODER_STRIP:
        strip(step, token);
        return FT_OK;
    default:
        return FT_OK;
    }
}

/** Appends a token that has passed all steps before Fuse; Strip behind it cuts the whole text. */
static ft_status put_fused(const struct decoder *decoder, struct token_stream *s,
                           struct buffer *out)
{
    for (int k = decoder->fused + 1; k < decoder->n; k++) {
        const struct decoder_step *step = &decoder->steps[k];
        while (s->stripped[k] < step->start && begins_with(&s->token, 0, step->text)) {
            drop(&s->token, strlen(step->text));
            s->stripped[k]++;
        }
        if (s->token.used > 0)
            s->stripped[k] = step->start;
    }
    return buffer_append(out, s->token.data, s->token.used);
}

/** Takes s->token through the steps from k on. */
static ft_status pass(const struct decoder *decoder, struct token_stream *s, struct buffer *out,
                      int k)
{
    for (; k < decoder->fused; k++) {
        const bool first = !(s->seen & 1u << k);
        s->seen |= 1u << k;
        FT_TRY(buffer_reserve(&s->token, 1));
        FT_TRY(run_step(&decoder->steps[k], &s->token, &s->work, first));
    }
    return put_fused(decoder, s, out);
}

/** The bytes that waited, as a token: their text, or a replacement character for each. */
static ft_status put_run(const struct decoder *decoder, struct token_stream *s, struct buffer *out,
                         int k)
{
    if (s->run.used == 0)
        return FT_OK;
    const bool valid = utf8_check(s->run.data, s->run.used, NULL);
    s->token.used = 0;
    if (valid)
        FT_TRY(buffer_append(&s->token, s->run.data, s->run.used));
    for (size_t i = 0; i < s->run.used && !valid; i++)
        FT_TRY(buffer_append(&s->token, "\xef\xbf\xbd", 3));
    s->run.used = 0;
    return pass(decoder, s, out, k);
}

static int find_byte_fallback(const struct decoder *decoder)
{
    int k = 0;
    while (k < decoder->fused && decoder->steps[k].kind != DECODER_BYTE_FALLBACK)
        k++;
    return k;
}

ft_status decoder_push(const struct decoder *decoder, struct token_stream *s, struct buffer *out,
                       const char *token, size_t bytes)
{
    const int fallback = find_byte_fallback(decoder);
    s->token.used = 0;
    FT_TRY(buffer_append(&s->token, token, bytes));
    if (fallback == decoder->fused)
        return pass(decoder, s, out, 0);
    for (int k = 0; k < fallback; k++) {
        const bool first = !(s->seen & 1u << k);
        s->seen |= 1u << k;
        FT_TRY(run_step(&decoder->steps[k], &s->token, &s->work, first));
    }
    const int byte = vocab_byte_of_token(s->token.data, s->token.used);
    if (byte >= 0) {
        const char value = (char)byte;
        FT_TRY(buffer_append(&s->run, &value, 1));
        return s->shows && utf8_check(s->run.data, s->run.used, NULL)
                   ? put_run(decoder, s, out, fallback + 1)
                   : FT_OK;
    }
    if (s->run.used > 0) { /* the token waits while the run passes */
        struct buffer held = s->token;
        s->token = (struct buffer){0};
        const ft_status status = put_run(decoder, s, out, fallback + 1);
        buffer_clear(&s->token);
        s->token = held;
        FT_TRY(status);
    }
    return pass(decoder, s, out, fallback + 1);
}

ft_status decoder_flush(const struct decoder *decoder, struct token_stream *s, struct buffer *out)
{
    return put_run(decoder, s, out, find_byte_fallback(decoder) + 1);
}

static ft_status write_step(const struct decoder_step *step, struct buffer *out)
{
    static const char *const TEXT_KEYS[DECODER_KINDS] = {[DECODER_METASPACE] = "replacement",
                                                         [DECODER_WORDPIECE] = "prefix",
                                                         [DECODER_STRIP] = "content"};
    FT_TRY(buffer_print(out, "{\"type\": \"%s\"", NAMES[step->kind]));
    if (TEXT_KEYS[step->kind]) {
        FT_TRY(buffer_print(out, ", \"%s\": ", TEXT_KEYS[step->kind]));
        FT_TRY(tokenizer_put_string(out, step->text, strlen(step->text)));
    }
    switch (step->kind) {
    case DECODER_BYTE_LEVEL:
        FT_TRY(buffer_print(
            out, ", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true"));
        break;
    case DECODER_METASPACE:
        FT_TRY(buffer_print(out, ", \"prepend_scheme\": \"%s\", \"split\": true",
                            step->prepends ? "always" : "never"));
        break;
    case DECODER_WORDPIECE:
        FT_TRY(buffer_print(out, ", \"cleanup\": %s", tokenizer_truth(step->cleanup)));
        break;
    case DECODER_REPLACE:
        FT_TRY(buffer_print(out, ", \"pattern\": {\"String\": "));
        FT_TRY(tokenizer_put_string(out, step->text, strlen(step->text)));
        FT_TRY(buffer_print(out, "}, \"content\": "));
        FT_TRY(tokenizer_put_string(out, step->content, strlen(step->content)));
        break;
    case DECODER_STRIP:
        FT_TRY(buffer_print(out, ", \"start\": %lld, \"stop\": %lld", (long long)step->start,
                            (long long)step->stop));
        break;
    default:
        break;
    }
    return buffer_append(out, "}", 1);
}

ft_status decoder_write(const struct decoder *decoder, struct buffer *out)
{
    if (decoder->n == 0)
        return buffer_print(out, "null");
    if (decoder->n == 1)
        return write_step(&decoder->steps[0], out);
    FT_TRY(buffer_print(out, "{\"type\": \"Sequence\", \"decoders\": ["));
    for (int i = 0; i < decoder->n; i++) {
        FT_TRY(buffer_print(out, "%s\n    ", i ? "," : ""));
        FT_TRY(write_step(&decoder->steps[i], out));
    }
    return buffer_print(out, "\n  ]}");
}
