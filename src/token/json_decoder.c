/* decoder of a tokenizer.json. */
#include <string.h>

#include "base/mem.h"
#include "token/json_parts.h"

static ft_status set_text(char **out, const char *text)
{
    *out = mem_copy_text(text);
    return *out ? FT_OK : FT_ERR_INTERNAL;
}

static ft_status read_metaspace(struct decoder_step *out, const json_t *step)
{
    char replacement[5];
    enum prepend_scheme scheme;
    FT_TRY(json_part_character(replacement, step, "replacement"));
    FT_TRY(json_part_prepend(&scheme, step));
    out->prepends = scheme != PREPEND_NEVER;
    return set_text(&out->text, replacement);
}

static ft_status read_wordpiece(struct decoder_step *out, const json_t *step)
{
    const char *prefix = NULL;
    FT_TRY(json_get_text(step, "prefix", &prefix, NULL));
    FT_TRY(json_get_bool(step, "cleanup", &out->cleanup, NULL));
    return set_text(&out->text, prefix);
}

static ft_status read_replace(struct decoder_step *out, const json_t *step)
{
    struct pattern *pattern = NULL;
    const char *content = NULL;
    FT_TRY(json_part_pattern(&pattern, step));
    const bool is_regex = pattern_is_regex(pattern);
    const ft_status status = set_text(&out->text, pattern_source(pattern));
    pattern_close(&pattern);
    FT_TRY(status);
    if (is_regex)
        return ft_fail(FT_ERR_INPUT, "pattern is a Regex, which is not supported here");
    FT_TRY(json_get_text(step, "content", &content, NULL));
    return set_text(&out->content, content);
}

static ft_status read_strip(struct decoder_step *out, const json_t *step)
{
    enum { CHARACTERS_MAX = 65536 };
    char character[5];
    FT_TRY(json_part_character(character, step, "content"));
    FT_TRY(json_get_int(step, "start", 0, CHARACTERS_MAX, &out->start, NULL));
    FT_TRY(json_get_int(step, "stop", 0, CHARACTERS_MAX, &out->stop, NULL));
    return set_text(&out->text, character);
}

/* What kinds hold beside their type: at most five keys. */
static const struct {
    const char *keys[7];
    ft_status (*read)(struct decoder_step *out, const json_t *step);
} PARTS[DECODER_KINDS] = {
    [DECODER_BYTE_LEVEL] = {{"type", "add_prefix_space", "trim_offsets", "use_regex"}, NULL},
    [DECODER_METASPACE] = {{"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme",
                            "split"},
                           read_metaspace},
    [DECODER_WORDPIECE] = {{"type", "prefix", "cleanup"}, read_wordpiece},
    [DECODER_REPLACE] = {{"type", "pattern", "content"}, read_replace},
    [DECODER_BYTE_FALLBACK] = {{"type"}, NULL},
    [DECODER_FUSE] = {{"type"}, NULL},
    [DECODER_STRIP] = {{"type", "content", "start", "stop"}, read_strip},
};

/** What can be said of a token before the next one is known, in the order of the steps. */
static ft_status check_order(const struct decoder *d, const struct decoder_step *out)
{
    const bool fused = d->fused < d->n - 1;
    for (int i = 0; i + 1 < d->n; i++) {
        if (d->steps[i].kind == DECODER_BYTE_LEVEL && out->kind != DECODER_FUSE)
            return ft_fail(FT_ERR_INPUT, "a step behind ByteLevel is not supported");
        if (d->steps[i].kind == DECODER_BYTE_FALLBACK && out->kind == DECODER_BYTE_FALLBACK)
            return ft_fail(FT_ERR_INPUT, "ByteFallback twice is not supported");
    }
    if (fused && (out->kind != DECODER_STRIP || out->stop > 0))
        return ft_fail(FT_ERR_INPUT, "a step behind Fuse that is not Strip with stop = 0 is not "
                                     "supported");
    return FT_OK;
}

static ft_status read_keys(struct tokenizer *t, const json_t *step, enum decoder_kind kind)
{
    struct decoder_step *out = NULL;
    FT_TRY(json_part_only_keys(step, "it", PARTS[kind].keys));
    FT_TRY(decoder_add(&t->decoder, &out, kind));
    if (PARTS[kind].read)
        FT_TRY(PARTS[kind].read(out, step));
    return check_order(&t->decoder, out);
}

static ft_status read_step(struct tokenizer *t, const json_t *step, const char *where,
                           const char *type)
{
    const enum decoder_kind kind = decoder_by_name(type);
    return kind < DECODER_KINDS ? json_part_within(read_keys(t, step, kind), where, type)
                                : json_part_unknown(where, type);
}

ft_status json_part_read_decoder(struct tokenizer *t, const json_t *part)
{
    FT_TRY(json_part_steps(t, part, "decoder", "decoders", read_step));
    return t->decoder.n > 0 ? FT_OK
                            : ft_fail(FT_ERR_INPUT, "decoder is missing; %s", json_part_advice);
}
