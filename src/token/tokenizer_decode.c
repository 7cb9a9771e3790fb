/* Ids to text, at once or one by one. */
#include <string.h>

#include "base/utf8.h"
#include "token/parts.h"

void token_stream_clear(struct token_stream *stream)
{
    struct buffer *const buffers[] = {&stream->token, &stream->work, &stream->run, &stream->tail};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        buffer_clear(buffers[i]);
    *stream = (struct token_stream){0};
}

/** Appends what an id gives; one without a token gives nothing. */
static ft_status push(const struct tokenizer *t, struct token_stream *s, struct buffer *out,
                      int32_t id)
{
    size_t bytes = 0;
    const char *text = vocab_text(&t->vocab, id, &bytes);
    return text ? decoder_push(&t->decoder, s, out, text, bytes) : FT_OK;
}

ft_status tokenizer_decode(const struct tokenizer *t, struct buffer *out, const int32_t *ids,
                           int64_t n)
{
    struct token_stream stream = {0};
    ft_status status = FT_OK;
    for (int64_t i = 0; i < n && status == FT_OK; i++) {
        status = ids[i] >= 0 ? push(t, &stream, out, ids[i])
                             : ft_fail(FT_ERR_INPUT, "token id %d at position %lld is negative",
                                       ids[i], (long long)i);
    }
    if (status == FT_OK)
        status = decoder_flush(&t->decoder, &stream, out);
    token_stream_clear(&stream);
    return status;
}

/** Bytes at the start of text, which is no valid character, that a character could begin with: at
 * least one. */
static size_t part_bytes(const char *text, size_t bytes)
{
    static const struct {
        unsigned char first, last, low, high; /* leading bytes, and the second byte behind them */
        size_t most;                          /* bytes that are still no character */
    } LEADS[] = {{0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
                 {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2},
                 {0xee, 0xef, 0x80, 0xbf, 2}, {0xf0, 0xf0, 0x90, 0xbf, 3},
                 {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3}};
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof LEADS / sizeof *LEADS; i++) {
        size_t n = 1;
        if (p[0] < LEADS[i].first || p[0] > LEADS[i].last)
            continue;
        if (n < bytes && n < LEADS[i].most && p[1] >= LEADS[i].low && p[1] <= LEADS[i].high)
            n = 2;
        while (n >= 2 && n < bytes && n < LEADS[i].most && (p[n] & 0xc0) == 0x80)
            n++;
        return n;
    }
    return 1;
}

/** Whether more bytes could make a character of all that is left. */
static bool may_complete(const char *text, size_t bytes)
{
    const unsigned char lead = (unsigned char)text[0];
    return lead >= 0xc2 && lead <= 0xf4 && part_bytes(text, bytes) == bytes;
}

/** Moves what is complete from stream->tail to out, with U+FFFD for what is not UTF-8. */
static ft_status show(struct token_stream *s, struct buffer *out, bool ends)
{
    size_t at = 0;
    while (at < s->tail.used) {
        const char *text = s->tail.data + at;
        const size_t bytes = s->tail.used - at;
        size_t bad = bytes;
        (void)utf8_check(text, bytes, &bad);
        FT_TRY(buffer_append(out, text, bad));
        at += bad;
        if (bad == bytes || (!ends && may_complete(text + bad, bytes - bad)))
            break;
        FT_TRY(buffer_append(out, "\xef\xbf\xbd", 3));
        at += part_bytes(text + bad, bytes - bad);
    }
    if (at > 0)
        memmove(s->tail.data, s->tail.data + at, s->tail.used - at);
    s->tail.used -= at;
    return FT_OK;
}

ft_status tokenizer_stream(const struct tokenizer *t, struct token_stream *stream,
                           struct buffer *out, int32_t id)
{
    if (id < 0)
        return ft_fail(FT_ERR_INPUT, "token id %d is negative", id);
    stream->shows = true;
    FT_TRY(push(t, stream, &stream->tail, id));
    return show(stream, out, false);
}

ft_status tokenizer_stream_end(const struct tokenizer *t, struct token_stream *stream,
                               struct buffer *out)
{
    FT_TRY(decoder_flush(&t->decoder, stream, &stream->tail));
    FT_TRY(show(stream, out, true));
    token_stream_clear(stream);
    return FT_OK;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    for (int32_t i = 0; i < t->added.n; i++) {
        if (t->added.tokens[i].id == id)
            return (t->added.tokens[i].flags & ADDED_SPECIAL) != 0;
    }
    return false;
}
